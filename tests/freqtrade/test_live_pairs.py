"""Several pairs in the real FreqAI: what befalls one of them must not silence the others."""

import gc
import threading
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from exchanges import SYNTHETIC, ccxt_settings, serving
from freqtrade.configuration import TimeRange
from freqtrade.enums import CandleType
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.base_models.BaseClassifierModel import BaseClassifierModel

from dualwindow.learning.artifact import Artifact
from dualwindow_freqtrade.freqai.names import (
    COLUMNS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    MODEL_FILE,
    TRAINED_AT,
)
from dualwindow_freqtrade.live import candles as live_candles
from dualwindow_freqtrade.live import drawer as live_drawer
from dualwindow_freqtrade.live import fetching as live_fetching
from dualwindow_freqtrade.live import loop as live_loop
from dualwindow_freqtrade.live import watch as live_watch
from dualwindow_freqtrade.live.fetching import complete_history, lacking, missing_spans, needed_for
from dualwindow_freqtrade.live.stored_predictions import stored_predictions
from harness.freqai_run import PAIR, at, dry_run, live_configuration, status_of, train_now

OTHER = "ETH/USDT:USDT"
ROW = 2800


def full(*arguments) -> None:
    raise OSError(28, "No space left on device")


def two_pairs(user_data, **freqai):
    """A dry run with two pairs, of the same candles; only the first has a history."""
    strategy, minutes = dry_run(live_configuration(user_data, **freqai))
    strategy.dp.others[OTHER] = {**strategy.dp.frames}
    return strategy, minutes


def trained(user_data, **freqai):
    """The same with a model for the first pair that has predicted nothing yet."""
    strategy, minutes = two_pairs(user_data, **freqai)
    at(strategy, minutes, ROW - 2)
    train_now(strategy)
    return strategy, minutes


def test_a_pair_without_a_history_begins_with_the_candles_at_hand_and_silences_nobody(tmp_path):
    strategy, minutes = trained(tmp_path)
    history = strategy.freqai.dd.historic_data
    history[OTHER] = {"1m": minutes.head(0), "1h": minutes.head(0)}
    assert at(strategy, minutes, ROW).iloc[-1][DO_PREDICT] == 1
    at(strategy, minutes, ROW, OTHER)
    at(strategy, minutes, ROW + 1, OTHER)
    assert history[OTHER]["1m"]["date"].iloc[-1] == minutes["date"].iloc[ROW + 1]
    assert len(history[OTHER]["1m"]) == 1001
    assert len(history[OTHER]["1h"]) == len(strategy.dp.frames["1h"])


def test_a_pair_that_joins_later_is_analysed_trained_and_predicted(tmp_path):
    strategy, minutes = two_pairs(tmp_path, train_period_days=0.5)
    for row in (ROW, ROW + 1):
        at(strategy, minutes, row)
        at(strategy, minutes, row, OTHER)
    train_now(strategy, OTHER)
    assert at(strategy, minutes, ROW + 2, OTHER).iloc[-1][DO_PREDICT] == 1


@pytest.mark.parametrize("name", ["high", "close", "volume"])
def test_a_candle_that_was_still_forming_is_replaced_by_the_one_that_closed(tmp_path, name, caplog):
    strategy, minutes = two_pairs(tmp_path)
    forming = minutes.copy()
    forming.loc[ROW, name] = 0.1 + minutes[name][ROW]
    at(strategy, forming, ROW)
    history = strategy.freqai.dd.historic_data[PAIR]
    assert history["1m"][name].iloc[-1] == forming[name][ROW]
    with caplog.at_level("INFO"):
        at(strategy, minutes, ROW + 1)
    columns = ["date", "high", "close", "volume"]
    expected = minutes[columns].iloc[ROW - 1 : ROW + 2].reset_index(drop=True)
    found = history["1m"][columns].tail(3).reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    assert caplog.text.count("has changed after it was seen") == 1


def test_candles_that_no_training_needs_any_more_leave_memory(tmp_path):
    strategy, minutes = two_pairs(tmp_path)
    at(strategy, minutes, ROW)
    history = strategy.freqai.dd.historic_data[PAIR]
    ancient = minutes.assign(date=minutes["date"] - pd.Timedelta("100D"))
    kept = len(history["1m"])
    history["1m"] = pd.concat([ancient, history["1m"]], ignore_index=True)
    at(strategy, minutes, ROW + 1)
    assert len(history["1m"]) == kept + 1


def test_what_an_analysis_raises_is_counted_with_its_message_and_is_no_prediction(
    tmp_path, monkeypatch, caplog
):
    strategy, minutes = trained(tmp_path)
    at(strategy, minutes, ROW)

    def broken(*arguments) -> None:
        raise KeyError("SHORT_raw")

    monkeypatch.setattr(strategy.freqai.dd, "append_model_predictions", broken)
    for row in (ROW + 1, ROW + 2):
        with pytest.raises(KeyError):
            at(strategy, minutes, row)
    facts = status_of(strategy)["pairs"][PAIR]
    assert facts["predictions"] == 1
    assert facts["failed_analyses"] == 2
    assert facts["last_error"] == "KeyError: 'SHORT_raw'"
    assert facts["keeps_out"] == {"analysis failed": "KeyError: 'SHORT_raw'"}
    assert caplog.text.count("analysis failed (KeyError") == 1
    monkeypatch.undo()
    assert at(strategy, minutes, ROW + 3).iloc[-1][DO_PREDICT] == 1
    facts = status_of(strategy)["pairs"][PAIR]
    assert (facts["predictions"], facts["keeps_out"]) == (2, {})
    assert facts["counts"]["analysis failed"] == 1


def test_a_pair_of_the_whitelist_that_is_never_analysed_is_a_trouble(tmp_path, caplog):
    strategy, minutes = trained(tmp_path)
    closed = at(strategy, minutes, ROW)["date"].iloc[-1] + pd.Timedelta("1min")
    for seconds in (0, 60, 120, 180, 181, 300):
        strategy.dp.analysed[PAIR] = closed + pd.Timedelta(seconds=seconds)
        strategy.bot_loop_start(closed + pd.Timedelta(seconds=seconds))
        has_trouble = "no finished analysis" in status_of(strategy)["pairs"][OTHER]["keeps_out"]
        assert has_trouble == (seconds > 180)
    assert caplog.text.count(f"{OTHER}: no finished analysis (none for 181 s") == 1
    assert "no finished analysis" not in status_of(strategy)["pairs"][PAIR]["keeps_out"]
    at(strategy, minutes, ROW + 1, OTHER)
    strategy.dp.analysed[OTHER] = closed + pd.Timedelta(seconds=301)
    strategy.bot_loop_start(closed + pd.Timedelta(seconds=302))
    assert not status_of(strategy)["pairs"][OTHER]["keeps_out"]


def test_an_input_that_is_carried_forward_is_stale(tmp_path):
    strategy, minutes = trained(tmp_path)
    strategy.freqai._live_watch._late_inputs._tolerated = 1.0
    assert at(strategy, minutes, ROW).iloc[-1][DO_PREDICT] == 1
    hours = strategy.dp.frames["1h"]
    closed = minutes["date"].iloc[ROW].floor("h")
    history = strategy.freqai.dd.historic_data[PAIR]
    history["1h"] = strategy.dp.frames["1h"] = hours[hours["date"] < closed - pd.Timedelta("1h")]
    assert at(strategy, minutes, ROW + 1).iloc[-1][DO_PREDICT] == 0
    (text,) = (
        text
        for trouble, text in status_of(strategy)["pairs"][PAIR]["keeps_out"].items()
        if trouble == "stale inputs"
    )
    assert text == f"{PAIR} 1h: the candle that closed at {closed.tz_localize(None)} is missing"


def test_another_pair_that_features_need_is_watched_as_well(tmp_path):
    strategy, minutes = two_pairs(tmp_path)
    late = strategy.freqai._live_watch._late_inputs
    late._tolerated = 1.0
    at(strategy, minutes, ROW)
    closed = minutes["date"].iloc[ROW].timestamp() + 60
    strategy.freqai.freqai_info["feature_parameters"]["include_corr_pairlist"] = [OTHER]
    assert late.of(PAIR, closed) == f"{OTHER} 1m: no candles; {OTHER} 1h: no candles"
    history = strategy.freqai.dd.historic_data
    history[OTHER] = {**history[PAIR]}
    assert late.of(PAIR, closed) == ""
    history[OTHER]["1m"] = history[OTHER]["1m"].iloc[:-1]
    assert late.of(PAIR, closed).startswith(f"{OTHER} 1m: the candle that closed at")
    late._tolerated = 2.0
    assert late.of(PAIR, closed) == ""


def test_the_first_candle_of_a_process_is_predicted_and_no_other(tmp_path, monkeypatch):
    strategy, minutes = trained(tmp_path)
    asked = []
    predict = Artifact.predict

    def counted(artifact, candles, features, n_newest=None):
        prediction = predict(artifact, candles, features, n_newest)
        asked.append(int(prediction.valid.sum()))
        return prediction

    monkeypatch.setattr(Artifact, "predict", counted)
    first = at(strategy, minutes, ROW)
    assert first[DO_PREDICT].sum() == first[DO_PREDICT].iloc[-1] == 1
    second = at(strategy, minutes, ROW + 1)
    assert second[DO_PREDICT].sum() == 2
    np.testing.assert_array_equal(second[list(COLUMNS)].iloc[-2], first[list(COLUMNS)].iloc[-1])
    assert asked == [1, 1]


@pytest.mark.parametrize("row", [ROW, ROW - 1], ids=["the-same-candle", "an-older-one"])
def test_a_no_of_the_guards_is_not_overruled_by_what_is_stored(tmp_path, row):
    strategy, minutes = trained(tmp_path)
    for seen in (ROW - 1, ROW):
        assert at(strategy, minutes, seen).iloc[-1][DO_PREDICT] == 1
    strategy.freqai.shutdown()
    again, _ = dry_run(live_configuration(tmp_path, guards={"max_candle_age": 1e-6}))
    shown = at(again, minutes, row).iloc[-1]
    assert shown[DO_PREDICT] == 0
    assert (shown[list(COLUMNS)] == 0).all()


def test_a_model_from_the_future_is_due_now_and_not_fit_for_ever(tmp_path):
    strategy, minutes = trained(tmp_path, expiration_hours=5)
    at(strategy, minutes, ROW)
    drawer = strategy.freqai.dd
    assert drawer.trained_at(PAIR) == drawer.pair_dict[PAIR]["trained_timestamp"]
    drawer.pair_dict[PAIR]["trained_timestamp"] = int(time.time()) + 3600
    assert drawer.trained_at(PAIR) == 0
    drawer.meta_data_dictionary[PAIR]["metadata"]["extra_returns_per_train"]["model_timestamp"] += (
        3600
    )
    assert at(strategy, minutes, ROW + 1).iloc[-1][DO_PREDICT] == 0
    assert "expired model" in status_of(strategy)["pairs"][PAIR]["keeps_out"]


def test_a_bot_that_was_reloaded_leaves_nothing_behind(tmp_path):
    strategy, minutes = dry_run(live_configuration(tmp_path))
    model = strategy.freqai
    del model.start_scanning  # the real one
    at(strategy, minutes, ROW)
    (thread,) = model._threads
    strategy.ft_bot_cleanup()
    assert not thread.is_alive()
    gone = weakref.ref(model)
    del model, strategy, thread
    gc.collect()
    assert gone() is None
    assert [t.name for t in threading.enumerate()].count("end with the main thread") == 1


@pytest.mark.parametrize("wait", [True, False])
def test_a_shutdown_waits_for_the_thread_that_trains(tmp_path, wait):
    config = live_configuration(tmp_path, wait_for_training_iteration_on_reload=wait)
    strategy, minutes = dry_run(config)
    del strategy.freqai.start_scanning  # the real one
    at(strategy, minutes, ROW)
    (thread,) = strategy.freqai._threads
    strategy.ft_bot_cleanup()
    assert not thread.is_alive()


@pytest.mark.parametrize("damaged", [False, True])
def test_a_pair_that_left_the_whitelist_leaves_memory_and_may_come_back(
    tmp_path, damaged, monkeypatch
):
    strategy, minutes = trained(tmp_path)
    drawer, hours = strategy.freqai.dd, 0.0
    monkeypatch.setattr(live_watch, "elapsed", lambda: 3600 * hours)
    drawer.historic_data[OTHER] = drawer.historic_data[PAIR].copy()
    train_now(strategy, OTHER)
    for row in (ROW, ROW + 1):
        at(strategy, minutes, row)
        expected = at(strategy, minutes, row, OTHER).iloc[-1]
        assert expected[DO_PREDICT] == 1
    frames = strategy.dp.others.pop(OTHER)
    memory = (
        drawer.historic_data,
        drawer.historic_predictions,
        drawer.model_return_values,
        drawer.model_dictionary,
        drawer.meta_data_dictionary,
    )
    hours = 1.0
    strategy.bot_loop_start(minutes["date"].iloc[ROW + 1])
    assert all(OTHER in held for held in memory)  # the hour is not over
    hours = 1.001
    with monkeypatch.context() as patch:
        patch.setattr(live_drawer, "store_older", full)
        strategy.bot_loop_start(minutes["date"].iloc[ROW + 1])
    assert all(OTHER in held for held in memory)  # or its predictions would be lost
    monkeypatch.setattr(strategy.freqai._live_loop, "_training", frozenset({OTHER}))
    strategy.bot_loop_start(minutes["date"].iloc[ROW + 1])
    assert all(OTHER in held for held in memory)
    monkeypatch.setattr(strategy.freqai._live_loop, "_training", frozenset())
    strategy.bot_loop_start(minutes["date"].iloc[ROW + 1])
    assert OTHER not in status_of(strategy)["pairs"]
    assert not any(OTHER in held for held in memory)
    assert all(PAIR in held for held in memory)  # it has been silent, but is asked for
    strategy.dp.others[OTHER] = frames
    monkeypatch.setattr(live_candles, "_on_disk", lambda *_: minutes.head(0))
    if damaged:
        newest = drawer.pair_dict[OTHER]
        path = Path(newest["data_path"], f"{newest['model_filename']}{MODEL_FILE}")
        path.write_bytes(path.read_bytes()[:1000])
    shown = at(strategy, minutes, ROW + 2, OTHER).iloc[-1]
    if damaged:
        assert shown[DO_PREDICT] == 0
        return
    assert shown[DO_PREDICT] == 1
    assert shown[TRAINED_AT] == expected[TRAINED_AT]
    drawer.save_historic_predictions_to_disk()
    stored = stored_predictions(strategy.freqai.full_path)[OTHER]
    made = stored[stored[DO_PREDICT] == 1]
    assert list(made[DATE_OF_PREDICTION]) == list(minutes["date"].iloc[ROW : ROW + 3])


def test_a_history_that_live_candles_never_fill_is_refused_at_the_start(tmp_path):
    strategy, _ = dry_run(live_configuration(tmp_path, conv_width=1800))
    strategy.dp._exchange = SimpleNamespace(
        ohlcv_candle_limit=lambda *a: 1000, required_candle_call_count=1, name="Binance"
    )
    with pytest.raises(OperationalException, match=r"at most 1720, .* Received: 1800; lower it"):
        strategy.bot_start()
    strategy.dp._exchange.required_candle_call_count = 2
    strategy.bot_start()


def test_what_retraining_needs_is_told_at_the_start_and_from_measured_times(tmp_path, caplog):
    strategy, minutes = trained(tmp_path)
    at(strategy, minutes, ROW)
    again, _ = dry_run(live_configuration(tmp_path, live_retrain_hours=1e-6))
    again.dp.others[OTHER] = dict(again.dp.frames)
    at(again, minutes, ROW + 1)
    again.freqai._live_loop.take_pace_of_saved_models(again)
    at(again, minutes, ROW + 2)
    assert "Retraining falls behind: 2 pairs of" in caplog.text
    facts = status_of(again)["retraining"]
    assert facts["pairs"] == 2
    assert "freqai.live_retrain_hours is 1e-06" in facts["falls_behind"]


@pytest.fixture
def exchange():
    """What a configuration says of an exchange that answers now."""
    with serving(SYNTHETIC, lambda: int(1000 * time.time())) as address:
        found = {"name": "binance", "ccxt_config": ccxt_settings(address)}
        found |= {"enable_ws": False, "pair_whitelist": [PAIR]}
        yield {
            "exchange": found,
            "candle_type_def": CandleType.FUTURES,
            "margin_mode": "isolated",
            "startup_candle_count": 0,
        }


@pytest.mark.timeout(120)  # freqtrade's way to Binance's archive would wait for ever
@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(range(2000, 2880), id="the-beginning"),
        pytest.param([*range(600), *range(900, 2880)], id="a-hole"),
        pytest.param([], id="everything"),
    ],
)
def test_a_training_fetches_the_candles_that_memory_lacks(tmp_path, exchange, kept, monkeypatch):
    strategy, minutes = trained(tmp_path)
    start = int(minutes["date"].iloc[560].timestamp())
    needed = TimeRange("date", "date", start, start + 86400)
    history = strategy.freqai.dd.historic_data[PAIR]
    mine = history["1m"] = minutes.iloc[list(kept)].reset_index(drop=True)
    wanted = missing_spans(strategy.freqai.dd, PAIR, needed)
    assert (PAIR, "1m") in wanted
    monkeypatch.setattr(live_fetching, "_AT_ONCE", 998)  # several parts, of two whole requests
    complete_history(strategy.freqai.dd, wanted, strategy.config | exchange)
    found = history["1m"]
    inside = found["date"].between(minutes["date"].iloc[560], minutes["date"].iloc[1999])
    assert inside.sum() == 1440
    assert found["date"].is_monotonic_increasing
    assert found["date"].is_unique
    pd.testing.assert_frame_equal(
        found[found["date"].isin(mine["date"])].reset_index(drop=True), mine, check_freq=False
    )
    assert missing_spans(strategy.freqai.dd, PAIR, needed) == {}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ([], []),
        (range(100, 115), []),
        (range(100, 116), [(6000, 6960)]),
        (range(16), [(0, 960)]),
        (range(1424, 1440), [(85440, 86400)]),
    ],
)
def test_holes_longer_than_minutes_without_trades_are_lacking(missing, expected):
    dates = pd.to_datetime([60 * i for i in range(1440) if i not in set(missing)], unit="s")
    frame = pd.DataFrame({"date": dates.tz_localize("UTC").as_unit("ms")})
    assert lacking(frame, "1m", TimeRange("date", "date", 0, 86400)) == expected


def test_an_hour_may_not_be_missing():
    dates = pd.to_datetime([3600 * i for i in range(24) if i != 7], unit="s")
    frame = pd.DataFrame({"date": dates.tz_localize("UTC").as_unit("ms")})
    day = TimeRange("date", "date", 0, 86400)
    assert lacking(frame, "1h", day) == []  # the features do without a single one
    assert lacking(frame.drop(index=7), "1h", day) != []
    assert lacking(None, "1h", day) == [(0, 86400)]


def test_what_features_look_back_on_is_needed_too():
    features = {"include_timeframes": ["1m", "1h"]}
    config = {"startup_candle_count": 720, "freqai": {"feature_parameters": features}}
    needed = needed_for(TimeRange("date", "date", 10_000_000, 11_000_000), config)
    assert (needed.startts, needed.stopts) == (10_000_000 - 720 * 3600, 11_000_000)


def test_without_its_candles_nothing_is_trained_until_the_exchange_answers(
    tmp_path, exchange, caplog, monkeypatch
):
    strategy, _ = trained(tmp_path)
    loop, trainings = strategy.freqai._live_loop, []
    strategy.config |= exchange
    strategy.dp._exchange = "there"
    strategy.freqai.dd.pair_dict[PAIR]["trained_timestamp"] = 0
    monkeypatch.setattr(strategy.dp, "current_whitelist", lambda: [PAIR])
    monkeypatch.setattr(
        BaseClassifierModel, "extract_data_and_train_model", lambda s, *a: trainings.append(a)
    )
    refused = {
        "exchange": exchange["exchange"] | {"ccxt_config": ccxt_settings("http://127.0.0.1:1")}
    }
    whole = dict(strategy.config)
    strategy.config.update(refused)
    loop._train_most_overdue(strategy)
    assert not trainings
    assert "training failed, it is tried again in 60 s: CandlesNotFetchedError" in caplog.text
    strategy.config.update(whole)
    loop._failures.clear()
    loop._train_most_overdue(strategy)
    assert len(trainings) == 1
    day = strategy.freqai.dd.historic_data[PAIR]["1m"]
    strategy.freqai.dd.historic_data[PAIR]["1m"] = day.drop(index=range(2000, 2200))
    loop._train_most_overdue(strategy)  # what has come since is fetched at once
    assert len(strategy.freqai.dd.historic_data[PAIR]["1m"]) >= len(day)
    assert "the exchange lacks" not in caplog.text


def test_what_the_exchange_does_not_have_is_told_and_asked_for_once_an_hour(
    tmp_path, caplog, monkeypatch
):
    strategy, _ = trained(tmp_path)
    strategy.dp._exchange, asked = "there", []
    monkeypatch.setattr(live_loop, "complete_history", lambda *a: asked.append(a))
    for _ in range(3):
        train_now(strategy)
        time.sleep(1.1)  # models are named after the second of their training
    assert len(asked) == 1
    assert caplog.text.count("the exchange lacks candles for its training") == 1


def test_a_stop_ends_the_fetching_of_candles(tmp_path, exchange, caplog):
    strategy, _ = trained(tmp_path)
    strategy.config |= exchange
    strategy.dp._exchange = "there"
    history, model = strategy.freqai.dd.historic_data[PAIR], strategy.freqai
    history["1m"] = history["1m"].tail(10)
    before = dict(model.dd.pair_dict[PAIR])
    checks = iter([True, False])
    model._live_loop._goes_on = lambda seconds: next(checks)
    with caplog.at_level("INFO"):
        train_now(strategy)
    assert "training stopped; the model before it stays" in caplog.text
    assert len(history["1m"]) == 10
    assert model.dd.pair_dict[PAIR] == before

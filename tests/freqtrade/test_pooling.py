"""One training for all pairs in the real FreqAI: backtests, bots, and pairs that join."""

import threading
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from pandas import DataFrame

from dualwindow.learning import training
from dualwindow.market.labels import CLASSES
from dualwindow_freqtrade.freqai.names import ALL_TRAININGS, DO_PREDICT
from dualwindow_freqtrade.live.fetching import CandlesNotFetchedError
from dualwindow_freqtrade.live.pace import Pace
from harness.freqai_run import (
    DUAL_WINDOW,
    HISTORY,
    PAIR,
    at,
    configuration,
    dry_run,
    live_configuration,
    load_strategy,
    market,
    out_of_sample,
    status_of,
)

OTHER, THIRD = "ETH/USDT:USDT", "SOL/USDT:USDT"
TOGETHER = {"dual_window": DUAL_WINDOW | {"pooling": "whitelist"}}


def frames_of(*pairs: str) -> dict[str, dict[str, DataFrame]]:
    return {pair: market(seed) for seed, pair in enumerate(pairs)}


@pytest.fixture
def trainings(monkeypatch) -> list[list[str]]:
    """The pairs of each training that is really made."""
    made = []
    real = training.prepare

    def prepare(group, *arguments):
        made.append([data.pair for data in group])
        return real(group, *arguments)

    monkeypatch.setattr(training, "prepare", prepare)
    return made


def backtest(user_data, frames, order=None, **freqai):
    """Run all windows of all pairs through FreqAI, pair after pair as freqtrade does."""
    user_data.mkdir(exist_ok=True)
    config = configuration(user_data, **(TOGETHER | freqai))
    strategy = load_strategy(config, frames[PAIR])
    strategy.dp.others = {pair: given for pair, given in frames.items() if pair != PAIR}
    results = {
        pair: strategy.advise_indicators(frames[pair]["1m"].copy(), {"pair": pair})
        for pair in order or frames
    }
    return strategy, {pair: out_of_sample(result) for pair, result in results.items()}


def probabilities(result: DataFrame) -> np.ndarray:
    return result[list(CLASSES)].to_numpy()


def test_each_window_is_trained_once_for_all_pairs(tmp_path, trainings):
    frames = frames_of(PAIR, OTHER, THIRD)
    strategy, results = backtest(tmp_path, frames)
    assert trainings == [[PAIR, OTHER, THIRD]] * 4
    assert not strategy.freqai._backtest_pooling._waiting
    for result in results.values():
        assert len(result) == 1440
        assert (result[DO_PREDICT] == 1).all()
    alone = backtest(tmp_path / "alone", {PAIR: frames[PAIR]})[1][PAIR]
    assert (probabilities(alone) != probabilities(results[PAIR])).any()


def test_the_order_of_pairs_changes_nothing(tmp_path):
    frames = frames_of(PAIR, OTHER)
    _, forward = backtest(tmp_path / "a", frames)
    _, backward = backtest(tmp_path / "b", frames, order=[OTHER, PAIR])
    for pair in frames:
        np.testing.assert_array_equal(probabilities(forward[pair]), probabilities(backward[pair]))


def test_what_is_learnt_of_a_pair_is_what_freqai_hands_over(tmp_path, monkeypatch):
    seen = {}
    real = training.prepare

    def prepare(group, *arguments):
        for data in group:
            seen.setdefault((data.pair, data.candles.date[0]), []).append(data)
        return real(group, *arguments)

    monkeypatch.setattr(training, "prepare", prepare)
    frames = frames_of(PAIR, OTHER)
    for order in ([PAIR, OTHER], [OTHER, PAIR]):
        backtest(tmp_path / order[0][:3], frames, order=order)
    assert len(seen) == 8
    for first, second in seen.values():
        assert len(first.candles) == len(second.candles) == 1440
        assert first.feature_names == second.feature_names
        np.testing.assert_array_equal(first.features, second.features)
        np.testing.assert_array_equal(first.labels, second.labels)
        for name in ("date", "high", "low", "close", "volume"):
            np.testing.assert_array_equal(
                getattr(first.candles, name), getattr(second.candles, name)
            )


def test_nothing_of_another_pair_after_the_training_is_seen(tmp_path):
    """The first window's predictions; those after it may learn from what has changed."""
    frames = frames_of(PAIR, OTHER)
    changed = {**frames, OTHER: {name: frame.copy() for name, frame in frames[OTHER].items()}}
    for frame in changed[OTHER].values():
        late = frame["date"] >= "2024-02-02"
        frame.loc[late, ["open", "high", "low", "close"]] *= 1.07
        frame.loc[late, "volume"] *= 3
    _, before = backtest(tmp_path / "a", frames)
    _, after = backtest(tmp_path / "b", changed)
    same = (probabilities(before[PAIR]) == probabilities(after[PAIR])).all(axis=1)
    assert same[:360].all()
    assert not same[360:].all()


def test_a_cached_backtest_trains_nothing_and_half_a_cached_one_the_same(tmp_path, trainings):
    frames = frames_of(PAIR, OTHER)
    strategy, fresh = backtest(tmp_path, frames)
    assert len(trainings) == 4
    _, again = backtest(tmp_path, frames)
    assert len(trainings) == 4
    folder = strategy.freqai.full_path / "backtesting_predictions"
    for path in [*folder.glob("cb_eth*"), *strategy.freqai.full_path.glob("sub-train-ETH_*/*")]:
        path.unlink()
    _, half = backtest(tmp_path, frames)
    assert len(trainings) == 8
    for pair in frames:
        np.testing.assert_array_equal(probabilities(fresh[pair]), probabilities(again[pair]))
        np.testing.assert_array_equal(probabilities(fresh[pair]), probabilities(half[pair]))


def test_another_whitelist_or_other_candles_of_another_pair_are_refused(tmp_path):
    frames = frames_of(PAIR, OTHER)
    backtest(tmp_path, frames)
    with pytest.raises(OperationalException, match=r"other candles .*ETH.*SOL"):
        backtest(tmp_path, frames_of(PAIR, OTHER, THIRD))
    changed = {**frames, OTHER: market(9)}
    with pytest.raises(OperationalException, match="other candles"):
        backtest(tmp_path, changed, order=[PAIR])  # whose own candles are the same


@pytest.mark.parametrize("n_missing", [1000, 1440])
def test_a_young_pair_is_left_out_said_so_and_predicted(tmp_path, n_missing, caplog, trainings):
    frames = frames_of(PAIR, OTHER)
    frames[OTHER] = {**frames[OTHER], "1m": frames[OTHER]["1m"].iloc[n_missing:]}
    frames[OTHER]["1m"].reset_index(drop=True, inplace=True)
    with caplog.at_level("WARNING"):
        _, results = backtest(tmp_path, frames, backtest_period_days=1)
    assert trainings == [[PAIR, OTHER]]
    assert (results[PAIR][DO_PREDICT] == 1).all()
    predicted = results[OTHER][DO_PREDICT].to_numpy() == 1
    # Of its own it needs a window, and the candle before it for the changes.
    first = HISTORY if n_missing == 1440 else 0
    assert predicted[first:].all()
    assert not predicted[:first].any()
    said = "has the model of other pairs: freqai.conv_width is 10 candles"
    assert (said in caplog.text) == (n_missing == 1440)


def test_a_pair_without_candles_is_left_out_and_said_so(tmp_path, caplog, trainings):
    frames = frames_of(PAIR, OTHER, THIRD)
    frames[THIRD] = {name: frame.head(0) for name, frame in frames[THIRD].items()}
    backtest(tmp_path, frames, order=[PAIR, OTHER])
    assert trainings == [[PAIR, OTHER]] * 4
    assert caplog.text.count(f"{THIRD} is not learnt from") == 1


def test_models_of_a_backtest_are_saved_and_loaded_for_each_pair(tmp_path, trainings):
    frames = frames_of(PAIR, OTHER)
    strategy, fresh = backtest(tmp_path, frames, save_backtest_models=True)
    folders = sorted(path.name for path in strategy.freqai.full_path.glob(ALL_TRAININGS))
    assert len(folders) == 8
    for path in (strategy.freqai.full_path / "backtesting_predictions").glob("*"):
        path.unlink()
    _, again = backtest(tmp_path, frames, save_backtest_models=True)
    assert len(trainings) == 4
    for pair in frames:
        np.testing.assert_array_equal(probabilities(fresh[pair]), probabilities(again[pair]))


ROW = 2800
JOINED = "it was not in the whitelist at the training"


def dry(user_data, *others: str, **freqai):
    """A dry run with several pairs, each with candles of its own and a history."""
    user_data.mkdir(exist_ok=True)
    options = {"train_period_days": 0.5, "pooling": "whitelist"} | freqai
    dual_window = DUAL_WINDOW | {"pooling": options.pop("pooling")}
    strategy, minutes = dry_run(live_configuration(user_data, **options, dual_window=dual_window))
    start = str(minutes["date"].iloc[0].tz_localize(None))
    all_minutes = {PAIR: minutes}
    for seed, pair in enumerate(others, start=7):
        join(strategy, pair, start, seed)
        all_minutes[pair] = strategy.dp.others[pair]["1m"]
    return strategy, all_minutes


def join(strategy, pair: str, start: str, seed: int) -> None:
    frames = market(seed, start=start)
    strategy.dp.others[pair] = frames
    strategy.freqai.dd.historic_data[pair] = {**frames, "1m": frames["1m"].head(2000)}


def see(strategy, minutes, row: int):
    """Show every pair its candle, and return what is predicted of it."""
    return {pair: at(strategy, own, row, pair).iloc[-1] for pair, own in minutes.items()}


def train_what_is_due(strategy) -> None:
    strategy.freqai._live_loop._train_what_is_due(strategy)


def make_due(strategy) -> None:
    for facts in strategy.freqai.dd.pair_dict.values():
        facts["trained_timestamp"] -= 7200


def models_of(strategy):
    return strategy.freqai.dd.model_dictionary


def test_one_training_serves_all_pairs_of_a_bot(tmp_path, trainings, caplog):
    strategy, minutes = dry(tmp_path, OTHER, THIRD)
    see(strategy, minutes, ROW)
    with caplog.at_level("INFO"):
        train_what_is_due(strategy)
    train_what_is_due(strategy)  # is not due again
    assert trainings == [[PAIR, OTHER, THIRD]]
    assert len({model.content for model in models_of(strategy).values()}) == 1
    assert caplog.text.count("together trained on") == 1
    predicted = see(strategy, minutes, ROW + 1)
    assert [row[DO_PREDICT] for row in predicted.values()] == [1, 1, 1]
    assert len({row["LONG_raw"] for row in predicted.values()}) == 3
    facts = status_of(strategy)
    assert [pair["trainings"] for pair in facts["pairs"].values()] == [1, 1, 1]
    assert facts["retraining"]["pairs"] == 3
    make_due(strategy)
    train_what_is_due(strategy)
    assert len(trainings) == 2


def test_a_pair_that_joins_is_predicted_without_a_training(tmp_path, trainings, caplog):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    train_what_is_due(strategy)
    join(strategy, THIRD, str(minutes[PAIR]["date"].iloc[0].tz_localize(None)), 9)
    minutes[THIRD] = strategy.dp.others[THIRD]["1m"]
    see(strategy, minutes, ROW + 1)
    assert see(strategy, minutes, ROW + 2)[THIRD][DO_PREDICT] == 1
    train_what_is_due(strategy)
    assert trainings == [[PAIR, OTHER]]
    assert status_of(strategy)["pairs"][THIRD]["left_out"] == JOINED
    assert caplog.text.count(f"{THIRD} has the model of other pairs") == 1
    make_due(strategy)
    train_what_is_due(strategy)
    assert trainings[1:] == [[PAIR, OTHER, THIRD]]
    assert status_of(strategy)["pairs"][THIRD]["left_out"] == ""


def test_a_restart_goes_on_with_the_models_of_all_and_trains_nothing(tmp_path, trainings):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    train_what_is_due(strategy)
    before = see(strategy, minutes, ROW + 1)
    again, _ = dry(tmp_path, OTHER, THIRD)
    given = {**minutes, THIRD: again.dp.others[THIRD]["1m"]}
    see(again, given, ROW + 1)
    train_what_is_due(again)
    after = see(again, given, ROW + 2)
    assert [row[DO_PREDICT] for row in after.values()] == [1, 1, 1]
    assert len(trainings) == 1
    assert before.keys() < after.keys()
    assert {m.content for m in models_of(again).values()} == {models_of(strategy)[PAIR].content}


def test_a_model_of_single_pairs_is_not_gone_on_with(tmp_path, trainings, caplog):
    strategy, minutes = dry(tmp_path, pooling="pair")
    see(strategy, minutes, ROW)
    train_what_is_due(strategy)
    again, _ = dry(tmp_path)
    see(again, minutes, ROW + 1)
    train_what_is_due(again)
    assert len(trainings) == 2
    assert "dual_window.pooling: pair -> whitelist" in caplog.text


def raise_for(monkeypatch, strategy, pair: str, error: Exception) -> None:
    real = strategy.feature_engineering_standard

    def compute(dataframe, metadata, **kwargs):
        if metadata["pair"] == pair:
            raise error
        return real(dataframe, metadata, **kwargs)

    monkeypatch.setattr(strategy, "feature_engineering_standard", compute)


def test_a_pair_whose_features_fail_does_not_stop_the_others(
    tmp_path, trainings, monkeypatch, caplog
):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    raise_for(monkeypatch, strategy, PAIR, KeyError("close_1h"))
    train_what_is_due(strategy)
    monkeypatch.undo()
    assert caplog.text.count(f"{PAIR} cannot be learnt from: KeyError") == 1
    predicted = see(strategy, minutes, ROW + 1)
    assert [row[DO_PREDICT] for row in predicted.values()] == [1, 1]
    assert "KeyError" in status_of(strategy)["pairs"][PAIR]["left_out"]


def test_a_pair_without_a_history_does_not_stop_the_others(tmp_path, trainings):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    del strategy.freqai.dd.historic_data[OTHER]
    train_what_is_due(strategy)
    assert trainings == [[PAIR]]
    assert see(strategy, minutes, ROW + 1)[OTHER][DO_PREDICT] == 1


def test_broken_prices_of_a_pair_do_not_stop_the_others(tmp_path, trainings):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    history = strategy.freqai.dd.historic_data[OTHER]["1m"]
    history.loc[history.index[-300], "close"] = np.nan
    train_what_is_due(strategy)
    assert see(strategy, minutes, ROW + 1)[PAIR][DO_PREDICT] == 1
    assert "have a price" in status_of(strategy)["pairs"][OTHER]["left_out"]


def test_a_model_that_cannot_be_saved_for_one_pair_is_handed_on_later(
    tmp_path, trainings, monkeypatch, caplog
):
    strategy, minutes = dry(tmp_path, OTHER)
    drawer, loop = strategy.freqai.dd, strategy.freqai._live_loop
    see(strategy, minutes, ROW)
    real = drawer.save_data

    def save(model, pair, dk):
        if pair == OTHER:
            raise OSError(28, "No space left on device")
        real(model, pair, dk)

    monkeypatch.setattr(drawer, "save_data", save)
    train_what_is_due(strategy)
    train_what_is_due(strategy)
    assert len(trainings) == 1  # it rests, and nobody trains anew for its sake
    assert caplog.text.count("No space left on device") == 1
    assert (drawer.trained_at(PAIR) > 0, drawer.trained_at(OTHER)) == (True, 0)
    monkeypatch.undo()
    loop._failures[OTHER] = loop._failures[OTHER]._replace(rest_until=0)
    train_what_is_due(strategy)
    assert len(trainings) == 1
    assert drawer.trained_at(PAIR) == drawer.trained_at(OTHER)
    assert see(strategy, minutes, ROW + 1)[OTHER][DO_PREDICT] == 1
    assert OTHER not in loop._failures


def test_a_training_that_fails_costs_no_model_and_rests(tmp_path, trainings, monkeypatch, caplog):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    train_what_is_due(strategy)
    before = dict(models_of(strategy))
    make_due(strategy)

    def diverge(*arguments, **options):
        raise FloatingPointError("training diverged in epoch 1")

    monkeypatch.setattr("dualwindow.models.keras_classifier.fit_network", diverge)
    for _ in range(3):
        train_what_is_due(strategy)
    assert len(trainings) == 2
    assert caplog.text.count("all pairs: training failed, it is tried again in 60 s") == 1
    assert models_of(strategy) == before
    facts = status_of(strategy)["pairs"]
    assert [pair["failed_trainings"] for pair in facts.values()] == [1, 1]
    predicted = see(strategy, minutes, ROW + 1)
    assert [row[DO_PREDICT] for row in predicted.values()] == [0, 0]  # until the next one


def test_a_stop_ends_the_training_of_all_and_leaves_the_models(tmp_path, trainings, caplog):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    strategy.freqai._stop_event.set()
    with caplog.at_level("INFO"):
        train_what_is_due(strategy)
    assert trainings == []
    assert "The training of all pairs was stopped" in caplog.text
    assert not models_of(strategy)


def test_where_no_model_can_be_saved_the_training_of_all_rests(
    tmp_path, trainings, monkeypatch, caplog
):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)

    def full(*arguments) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(strategy.freqai.dd, "save_data", full)
    for _ in range(3):
        train_what_is_due(strategy)
    assert len(trainings) == 1
    assert caplog.text.count("all pairs: training failed, it is tried again in 60 s") == 1
    assert not models_of(strategy)


def test_candles_that_cannot_be_fetched_are_waited_for_but_not_for_ever(
    tmp_path, trainings, monkeypatch
):
    strategy, minutes = dry(tmp_path, OTHER)
    loop = strategy.freqai._live_loop
    see(strategy, minutes, ROW)

    def complete(pair, *arguments):
        if pair == OTHER:
            raise CandlesNotFetchedError(f"the candles of {pair} could not be fetched: 503")

    monkeypatch.setattr(loop, "_complete_history", complete)
    for n_tries in (1, 2, 3):
        train_what_is_due(strategy)
        assert loop._failures["all pairs"].n == n_tries
        loop._failures["all pairs"] = loop._failures["all pairs"]._replace(rest_until=0)
    assert trainings == []
    train_what_is_due(strategy)
    assert trainings == [[PAIR]]
    assert "503" in status_of(strategy)["pairs"][OTHER]["left_out"]
    assert see(strategy, minutes, ROW + 1)[OTHER][DO_PREDICT] == 1


@pytest.mark.parametrize("seed", range(3))
def test_a_model_is_never_handed_on_amid_a_training_that_is_saved(tmp_path, monkeypatch, seed):
    """The thread that predicts asks for every pair, all the time."""
    others = [f"C{i}/USDT:USDT" for i in range(4)]
    strategy, minutes = dry(tmp_path, *others)
    pooling, drawer = strategy.freqai._live_pooling, strategy.freqai.dd
    see(strategy, minutes, ROW)
    train_what_is_due(strategy)
    before = models_of(strategy)[PAIR].content
    monkeypatch.setattr(drawer, "save_data", slowly(drawer.save_data))
    real = strategy.freqai.learn
    monkeypatch.setattr(
        strategy.freqai,
        "learn",
        lambda *a, **k: {p: replace(m, content=b"new") for p, m in real(*a, **k).items()},
    )
    make_due(strategy)
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            for pair in (PAIR, *others):
                pooling.hand_on(pair)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        train_what_is_due(strategy)
    finally:
        done.set()
        thread.join()
    assert before != b"new"
    assert {model.content for model in models_of(strategy).values()} == {b"new"}
    assert {model.record.left_out for model in models_of(strategy).values()} == {""}


def slowly(save):
    def saving(*arguments):
        time.sleep(0.02)
        save(*arguments)
        time.sleep(0.02)

    return saving


def test_correlated_pairs_of_the_whitelist_are_refused(tmp_path):
    config = configuration(
        tmp_path, feature_parameters={"include_corr_pairlist": [OTHER]}, **TOGETHER
    )
    config["exchange"]["pair_whitelist"] = [PAIR, OTHER]
    with pytest.raises(OperationalException, match=r"include_corr_pairlist: ETH.* 'pair'"):
        FreqaiModelResolver.load_freqaimodel(config)
    config["exchange"]["pair_whitelist"] = [PAIR, THIRD]
    FreqaiModelResolver.load_freqaimodel(config)


CORRELATED = {
    "feature_parameters": {"include_corr_pairlist": [OTHER]},
    "model_training_parameters": {"kind": "ranges", "spans": [3, 10]},
}
OTHER_FEATURES = r"include_corr_pairlist: ETH/USDT:USDT would have other features .* 'pair'"


def with_correlated(config: dict) -> dict:
    return config | {"strategy": "DualWindowIndicators"}  # ours alone has no features of them


@pytest.mark.parametrize("pooling", ["whitelist", "pair"])
def test_correlated_pairs_that_a_pairlist_finds_are_refused_by_a_backtest(
    tmp_path, trainings, pooling
):
    frames, own = frames_of(PAIR, OTHER), DUAL_WINDOW | {"pooling": pooling}
    config = with_correlated(configuration(tmp_path, dual_window=own, **CORRELATED))
    strategy = load_strategy(config, frames[PAIR])
    strategy.dp.others = {OTHER: frames[OTHER]}
    predict = partial(strategy.advise_indicators, frames[PAIR]["1m"].copy(), {"pair": PAIR})
    if pooling == "pair":
        predict()
    else:
        with pytest.raises(OperationalException, match=OTHER_FEATURES):
            predict()
    assert bool(trainings) == (pooling == "pair")


def test_correlated_pairs_that_a_pairlist_finds_are_refused_by_a_bot(tmp_path):
    own = DUAL_WINDOW | {"pooling": "whitelist"}
    config = with_correlated(live_configuration(tmp_path, dual_window=own, **CORRELATED))
    strategy, minutes = dry_run(config)
    given = market(7, start=str(minutes["date"].iloc[0].tz_localize(None)))
    strategy.dp.others = {OTHER: given}
    with pytest.raises(OperationalException, match=OTHER_FEATURES):
        at(strategy, minutes, ROW)
    told = status_of(strategy)["pairs"][PAIR]
    assert "would have other features" in str(told)
    strategy.dp.others = {THIRD: given}  # as the pairlist finds later
    at(strategy, minutes, ROW + 1)


def test_old_models_of_all_pairs_are_purged(tmp_path, trainings):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    for n_trainings in (1, 2, 3):
        train_what_is_due(strategy)
        make_due(strategy)
        assert len(trainings) == n_trainings
        time.sleep(1.1)  # a folder is named after the second
    folders = [
        path.name.partition("_")[0] for path in strategy.freqai.full_path.glob(ALL_TRAININGS)
    ]
    assert sorted(folders) == ["sub-train-BTC"] * 2 + ["sub-train-ETH"] * 2


def test_a_saved_model_of_another_pair_is_not_gone_on_with(tmp_path, caplog):
    strategy, minutes = dry(tmp_path, OTHER)
    see(strategy, minutes, ROW)
    train_what_is_due(strategy)
    pairs = strategy.freqai.dd.pair_dict
    pairs[OTHER] = dict(pairs[PAIR])
    strategy.freqai.dd.save_drawer_to_disk()
    again, _ = dry(tmp_path, OTHER)
    assert see(again, minutes, ROW + 1)[OTHER][DO_PREDICT] == 1  # by the one that is handed on
    assert f"it is one of {PAIR}" in caplog.text
    assert models_of(again)[OTHER].record.pair == OTHER


def test_a_training_that_all_share_keeps_up_with_any_number_of_pairs():
    freqai = {"live_retrain_hours": 1, "dual_window": {"pooling": "whitelist"}}
    pace = Pace.of(freqai)
    pace.take([600], 100)
    assert pace.facts()["falls_behind"] == ""
    pace.take([7200] * 3, 100)
    assert pace.facts()["falls_behind"].startswith("a training of all 100 pairs takes 2 hours")
    alone = Pace.of({"live_retrain_hours": 1})
    alone.take([600], 100)
    assert alone.facts()["falls_behind"].startswith("100 pairs of 600 s each take")

"""What the model adds to FreqAI's live loop, inside the real FreqAI."""

import errno
import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from freqtrade.freqai.base_models.BaseClassifierModel import BaseClassifierModel

import dualwindow.market.files
import dualwindow_freqtrade.live.drawer
from dualwindow.learning.artifact import Artifact
from dualwindow.models.keras_classifier import FittedNetwork, KerasClassifier
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    COLUMNS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    GLOBAL_METADATA,
    METADATA_FILE,
    METRICS,
    MODEL_FILE,
    PAIR_DICTIONARY,
    STORED_PREDICTIONS,
    STORED_PREDICTIONS_BACKUP,
    TARGET,
    TRAINED_AT,
    trained_at,
    trainings_of,
)
from dualwindow_freqtrade.live.stored_predictions import missing_columns
from harness.freqai_run import PAIR, at, dry_run, live_configuration, status_of, train_now
from harness.places import ROOT

CLASSES = ["SHORT", "HOLD", "LONG"]


def folder_of(strategy) -> Path:
    return strategy.config["user_data_dir"] / "models" / "test"


def restart(strategy, **freqai):
    """A new process on the same folder, as far as FreqAI can tell."""
    return dry_run(live_configuration(strategy.config["user_data_dir"], **freqai))


@pytest.fixture
def trained(tmp_path):
    """A dry run with a model that has predicted two candles: strategy and minutes."""
    strategy, minutes = dry_run(live_configuration(tmp_path))
    at(strategy, minutes, 2799)
    train_now(strategy)
    for row in (2799, 2800, 2801):
        at(strategy, minutes, row)
    return strategy, minutes


def last(strategy, minutes, row: int):
    return at(strategy, minutes, row).iloc[-1]


def test_freqai_itself_has_these_names(trained):
    strategy, _ = trained
    drawer, (folder,) = strategy.freqai.dd, folder_of(strategy).glob(trainings_of(PAIR))
    assert [
        path.name
        for path in (
            drawer.historic_predictions_path,
            drawer.historic_predictions_bkp_path,
            drawer.pair_dictionary_path,
            drawer.global_metadata_path,
            drawer.metric_tracker_path,
        )
    ] == [STORED_PREDICTIONS, STORED_PREDICTIONS_BACKUP, PAIR_DICTIONARY, GLOBAL_METADATA, METRICS]
    newest = drawer.pair_dict[PAIR]
    assert newest["trained_timestamp"] == trained_at(folder)
    for name in (MODEL_FILE, METADATA_FILE):
        assert (folder / f"{newest['model_filename']}{name}").is_file()
    columns = set(drawer.historic_predictions[PAIR])
    assert {*COLUMNS, TARGET, TRAINED_AT, DO_PREDICT, DATE_OF_PREDICTION} <= columns
    # All of them are written, so one that another model has not stored is missed.
    assert set(missing_columns(pd.DataFrame())) | {TRAINED_AT} == columns


def test_a_restart_goes_on_with_model_and_predictions(trained, caplog):
    strategy, minutes = trained
    expected = last(strategy, minutes, 2802)
    assert expected["do_predict"] == 1
    strategy.freqai.shutdown()
    with caplog.at_level("INFO"):
        again, _ = restart(strategy)
        shown = at(again, minutes, 2802)
    assert "goes on with the model in" in caplog.text
    old = shown[shown["date"] == minutes["date"].iloc[2802]]
    np.testing.assert_array_equal(old[CLASSES].to_numpy(float)[0], expected[CLASSES])
    fresh, wanted = last(again, minutes, 2803), last(strategy, minutes, 2803)
    assert fresh["do_predict"] == 1
    np.testing.assert_allclose(
        fresh[CLASSES].to_numpy(float), wanted[CLASSES].to_numpy(float), atol=1e-6
    )


def test_what_was_predicted_of_a_candle_stays_though_a_newer_model_is_asked_again(trained):
    strategy, minutes = trained
    first = last(strategy, minutes, 2802)
    strategy.freqai.continual_learning = True  # or the same candles would make the same model
    train_now(strategy)  # between the prediction and the stop
    strategy.freqai.shutdown()
    again, _ = restart(strategy, continual_learning=True)
    stored = again.freqai.dd.historic_predictions
    n = len(stored[PAIR])
    shown, row = last(again, minutes, 2802), stored[PAIR].iloc[-1]
    for name in (*CLASSES, TRAINED_AT, DO_PREDICT):
        assert shown[name] == row[name] == first[name], name
    # The same minute with another price: it was still forming.
    closed = minutes.assign(close=minutes["close"].where(minutes.index != 2802, minutes["low"]))
    shown, row = last(again, closed, 2802), stored[PAIR].iloc[-1]
    assert len(stored[PAIR]) == n
    assert row["close_price"] == minutes["low"][2802]
    for name in CLASSES:
        assert shown[name] == row[name] != first[name], name
    assert last(again, closed, 2803)[DO_PREDICT] == 1


def test_a_model_of_other_settings_is_retrained_and_both_values_are_told(trained, caplog):
    strategy, minutes = trained
    changed = {"lstm_units": [3], "dense_units": [], "epochs": 1, "stride": 1}
    again, _ = restart(strategy, model_training_parameters=changed)
    seen = last(again, minutes, 2802)
    assert seen["do_predict"] == 0
    assert "is not used, a new one will be trained" in caplog.text
    assert "model_training_parameters.lstm_units: [2] -> [3]" in caplog.text
    assert again.freqai.dd.pair_dict[PAIR]["trained_timestamp"] == 0
    time.sleep(1.1)  # models are named after the second of their training
    train_now(again)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 1


def test_other_confidence_guards_and_threads_need_no_training(trained):
    strategy, minutes = trained
    dual_window = {"balancing": {"floor": 50}, "calibration": "none", "threads": 1}
    dual_window |= {"guards": {"max_candle_age": 999}, "confidence": {"mode": "balanced"}}
    again, _ = restart(strategy, dual_window=dual_window)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 1


@pytest.mark.parametrize("pattern", [f"*{MODEL_FILE}", f"*{METADATA_FILE}", "*_pipeline.pkl", ""])
@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_model_is_no_model_yet(trained, caplog, pattern, damage):
    strategy, minutes = trained
    (folder,) = folder_of(strategy).glob(ALL_TRAININGS)
    hit = 0
    for path in folder.glob(pattern or "*"):
        content = path.read_bytes()
        path.unlink()
        if damage == "truncated":
            path.write_bytes(content[: len(content) // 2])
        hit += 1
    assert hit
    again, _ = restart(strategy)
    assert last(again, minutes, 2802)["do_predict"] == 0
    assert "missing or damaged" in caplog.text
    time.sleep(1.1)
    train_now(again)
    at(again, minutes, 2803)
    assert last(again, minutes, 2804)["do_predict"] == 1


def test_a_model_of_an_older_format_is_retrained_and_the_log_says_why(trained, caplog):
    strategy, minutes = trained
    (path,) = folder_of(strategy).rglob(f"*{MODEL_FILE}")
    shutil.copy(ROOT / "tests" / "learning" / "artifact-d932cb6.joblib", path)
    again, _ = restart(strategy)
    assert last(again, minutes, 2802)["do_predict"] == 0
    assert (
        f"the model in {path.parent} is not used, a new one will be trained; it was" in caplog.text
    )
    assert "another version of DualWindowLSTM (format 1, this one has 4)" in caplog.text
    time.sleep(1.1)
    train_now(again)
    at(again, minutes, 2803)
    assert last(again, minutes, 2804)["do_predict"] == 1


def test_weights_that_are_no_numbers_are_no_model(trained, caplog, monkeypatch):
    strategy, minutes = trained
    monkeypatch.setattr(FittedNetwork, "is_sound", lambda fitted: False)
    again, _ = restart(strategy)
    assert last(again, minutes, 2802)["do_predict"] == 0
    assert "weights are no numbers" in caplog.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        (PAIR_DICTIONARY, False),
        (GLOBAL_METADATA, True),
        (STORED_PREDICTIONS, True),
    ],
)
def test_damaged_records_are_set_aside(trained, caplog, name, kept):
    strategy, minutes = trained
    strategy.freqai.dd.save_historic_predictions_to_disk()  # of which the next makes the backup
    strategy.freqai.shutdown()
    path = folder_of(strategy) / name
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    again, _ = restart(strategy)
    assert path.with_name(f"{name}.damaged").read_bytes() == content[: len(content) // 2]
    assert f"{name} is damaged" in caplog.text
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == kept
    old = at(again, minutes, 2804).iloc[-4]  # predicted before the restart
    assert old["do_predict"] == (name != PAIR_DICTIONARY)


def test_a_full_disk_costs_neither_the_model_nor_the_thread(trained, monkeypatch):
    strategy, minutes = trained
    model = strategy.freqai
    before = dict(model.dd.pair_dict[PAIR])
    files = sorted(folder_of(strategy).rglob("*"))
    time.sleep(1.1)
    monkeypatch.setattr(dualwindow.market.files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        train_now(strategy)
    model.dd.save_historic_predictions_to_disk()  # the thread calls it after each training
    assert model.dd.pair_dict[PAIR] == before
    assert sorted(folder_of(strategy).rglob("*")) == files
    monkeypatch.undo()
    assert last(strategy, minutes, 2802)["do_predict"] == 1
    again, _ = restart(strategy)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 1


def full(*arguments, **options) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_at_the_first_prediction_is_over_when_it_is_over(tmp_path, caplog, monkeypatch):
    # FreqAI stores a frame before it is complete, and writes a file in between.
    strategy, minutes = dry_run(live_configuration(tmp_path))
    at(strategy, minutes, 2798)
    train_now(strategy)
    monkeypatch.setattr(dualwindow.market.files.os, "fsync", full)
    at(strategy, minutes, 2799)
    assert "global_metadata.json could not be saved" in caplog.text
    monkeypatch.undo()
    assert last(strategy, minutes, 2800)["do_predict"] == 1


def test_predictions_of_a_bot_killed_amid_the_first_are_begun_anew(trained):
    strategy, minutes = trained
    strategy.freqai.shutdown()
    path = folder_of(strategy) / STORED_PREDICTIONS
    path.write_bytes(cloudpickle.dumps({PAIR: pd.DataFrame({TARGET: ["HOLD"] * 9})}))
    again, _ = restart(strategy)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 1


def test_predictions_of_another_model_do_not_keep_a_pair_from_predicting(trained, caplog):
    strategy, minutes = trained
    strategy.freqai.shutdown()
    path = folder_of(strategy) / STORED_PREDICTIONS
    stored = cloudpickle.loads(path.read_bytes())
    stored[PAIR] = stored[PAIR].rename(columns={"LONG": "up", "LONG_mean": "up_mean"})
    path.write_bytes(cloudpickle.dumps(stored))
    again, _ = restart(strategy)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 1
    assert f"{PAIR}: the stored predictions are those of another model" in caplog.text


def test_what_fails_after_a_model_is_saved_is_no_failed_training(trained, caplog, monkeypatch):
    strategy, minutes = trained
    model, (before,) = strategy.freqai, folder_of(strategy).glob(ALL_TRAININGS)
    model.freqai_info["purge_old_models"] = 1
    time.sleep(1.1)
    monkeypatch.setattr(dualwindow_freqtrade.live.drawer, "shutil", SimpleNamespace(rmtree=full))
    write = dualwindow_freqtrade.live.drawer.write_aside

    def only_models(path: Path, content: bytes) -> None:
        full() if path.name == PAIR_DICTIONARY else write(path, content)

    monkeypatch.setattr(dualwindow_freqtrade.live.drawer, "write_aside", only_models)
    train_now(strategy)
    assert "pair_dictionary.json could not be saved" in caplog.text
    assert f"{before}, an old model, could not be removed" in caplog.text
    stamp = last(strategy, minutes, 2802)[TRAINED_AT]
    facts = status_of(strategy)["pairs"][PAIR]
    assert (facts["trainings"], facts["failed_trainings"]) == (2, 0)
    assert stamp == model.dd.pair_dict[PAIR]["trained_timestamp"]
    assert f"sub-train-BTC_{stamp:.0f}" != before.name


def test_what_a_killed_saving_has_left_does_not_stop_the_next(trained):
    strategy, minutes = trained
    time.sleep(1.1)
    dk = train_now(strategy)
    left = dk.data_path.with_name(f"{dk.data_path.name}.tmp")
    left.mkdir()
    (left / "half").write_text("a file")
    drawer = strategy.freqai.dd
    drawer.save_data(drawer.model_dictionary[PAIR], PAIR, dk)
    assert not left.exists()
    assert not (dk.data_path / "half").exists()
    assert last(strategy, minutes, 2802)["do_predict"] == 1


def train_and_save(strategy) -> None:
    """What FreqAI's thread does, with all that it writes."""
    train_now(strategy)
    strategy.freqai.dd.save_historic_predictions_to_disk()


class Killed(BaseException):
    """Nothing is tidied up after it, as after kill -9."""


@pytest.mark.parametrize(
    ("what", "nth"),
    # Eight files, and the renamings of the predictions and their backup.
    [*(("fsync", nth) for nth in range(1, 9)), ("replace", 1), ("replace", 2)],
)
def test_a_kill_at_any_file_of_a_saving_costs_no_model(trained, monkeypatch, what, nth):
    strategy, minutes = trained
    strategy.freqai.dd.save_historic_predictions_to_disk()
    time.sleep(1.1)
    calls, where = [], dualwindow.market.files.os if what == "fsync" else Path
    function = getattr(where, what)

    def kill(*arguments):
        if what == "fsync" or Path(STORED_PREDICTIONS).stem in str(arguments[0]):
            calls.append(arguments)
            if len(calls) == nth:
                raise Killed
        return function(*arguments)

    monkeypatch.setattr(where, what, kill)
    with pytest.raises(Killed):
        train_and_save(strategy)
    monkeypatch.undo()
    again, _ = restart(strategy)
    at(again, minutes, 2802)
    seen = at(again, minutes, 2803)
    assert seen["do_predict"].iloc[-1] == 1
    assert seen["do_predict"].iloc[-4:-2].tolist() == [1, 1]  # predicted before the kill
    assert not list(folder_of(again).rglob("*.tmp"))


def test_a_stop_ends_a_training_and_leaves_the_model_before(tmp_path, caplog):
    training = {"lstm_units": [2], "dense_units": [], "stride": 1, "epochs": 1, "patience": 9000}
    strategy, minutes = dry_run(live_configuration(tmp_path, model_training_parameters=training))
    at(strategy, minutes, 2799)
    train_now(strategy)
    endless = live_configuration(
        tmp_path, model_training_parameters=training | {"epochs": 9000, "batch_size": 1}
    )
    again, _ = dry_run(endless)
    again.freqai.fingerprint.facts = (
        strategy.freqai.fingerprint.facts
    )  # the same settings, for once
    at(again, minutes, 2800)
    before = dict(again.freqai.dd.pair_dict[PAIR])
    time.sleep(1.1)
    with caplog.at_level("INFO"):
        thread = threading.Thread(target=train_now, args=(again,))
        again.freqai._threads.append(thread)
        thread.start()
        time.sleep(8)
        assert thread.is_alive()
        began = time.monotonic()
        again.freqai.shutdown()
    assert time.monotonic() - began < 10
    assert not thread.is_alive()
    assert "training stopped; the model before it stays" in caplog.text
    assert again.freqai.dd.pair_dict[PAIR] == before
    assert json.loads((folder_of(again) / PAIR_DICTIONARY).read_text())[PAIR] == before


def scan_until(strategy, n: int, monkeypatch) -> None:
    """Run the training thread's loop for `n` rounds, without its pauses."""
    model = strategy.freqai
    rounds = iter(range(n))
    monkeypatch.setattr(
        model._live_loop, "_goes_on", lambda seconds: seconds == 0 or next(rounds, None) is not None
    )
    model._start_scanning(strategy)


def test_a_kept_prediction_is_counted_as_one_whatever_a_newer_model_says(trained, monkeypatch):
    strategy, minutes = trained
    strategy.freqai.shutdown()
    again, _ = restart(strategy)
    predict = Artifact.predict
    monkeypatch.setattr(Artifact, "predict", lambda *a, **k: predict(*a, **k).without_newest())
    assert last(again, minutes, 2801)[DO_PREDICT] == 1
    facts = status_of(again)["pairs"][PAIR]
    assert (facts["predictions"], facts["candles_without_prediction"]) == (1, 0)
    assert last(again, minutes, 2802)[DO_PREDICT] == 0
    facts = status_of(again)["pairs"][PAIR]
    assert (facts["predictions"], facts["candles_without_prediction"]) == (1, 1)


@pytest.mark.parametrize("fails", [False, True])
def test_which_pair_is_in_training_is_known_until_it_ends(trained, fails, monkeypatch):
    strategy, _ = trained
    model, seen = strategy.freqai, []
    loop = model._live_loop

    def train(*arguments):
        seen.append((loop.is_training(PAIR), loop.is_training("ETH/USDT:USDT")))
        if fails:
            raise ValueError

    monkeypatch.setattr(model, "extract_data_and_train_model", train)
    model.dd.pair_dict[PAIR]["trained_timestamp"] = 0
    scan_until(strategy, 1, monkeypatch)
    assert seen == [(True, False)]
    assert not loop.is_training(PAIR)


def test_the_training_thread_survives_what_it_does_not_expect(trained, caplog, monkeypatch):
    strategy, _ = trained
    calls = []

    def gone() -> list[str]:
        calls.append(1)
        raise KeyError("gone")

    monkeypatch.setattr(strategy.dp, "current_whitelist", gone)
    scan_until(strategy, 6, monkeypatch)
    assert len(calls) == 3  # each is followed by a rest
    assert "The training thread failed" in caplog.text


def test_the_most_overdue_pair_is_trained_and_a_failing_one_rests(trained, caplog, monkeypatch):
    strategy, _ = trained
    model, other = strategy.freqai, "ETH/USDT:USDT"
    monkeypatch.setattr(strategy.dp, "current_whitelist", lambda: [PAIR, other])
    model.dd.pair_dict[PAIR]["trained_timestamp"] -= 7200  # due, but not never trained
    asked = []

    def train(timerange, pair, *rest):
        asked.append(pair)
        if pair == other:
            raise FloatingPointError("training diverged in epoch 1")

    monkeypatch.setattr(
        BaseClassifierModel, "extract_data_and_train_model", lambda s, *a: train(*a)
    )
    scan_until(strategy, 4, monkeypatch)
    assert asked == [other, PAIR, PAIR, PAIR]
    assert caplog.text.count("training failed, it is tried again in 60 s") == 1
    assert "Traceback" not in caplog.text
    failures = model._live_loop._failures
    failures[other] = failures[other]._replace(rest_until=0)
    scan_until(strategy, 1, monkeypatch)
    assert asked[-1] == other
    assert failures[other].rest == 120


def test_a_training_that_diverged_keeps_the_strategy_out_until_the_next(trained, monkeypatch):
    strategy, minutes = trained
    time.sleep(1.1)

    def diverge(*arguments, **options):
        raise FloatingPointError("training diverged in epoch 1 (loss nan)")

    monkeypatch.setattr("dualwindow.models.keras_classifier.fit_network", diverge)
    with pytest.raises(FloatingPointError):
        train_now(strategy)
    assert last(strategy, minutes, 2802)["do_predict"] == 0
    assert status_of(strategy)["pairs"][PAIR]["counts"]["training diverged"] == 1
    # Another failure is no good end.
    monkeypatch.setattr("dualwindow.models.keras_classifier.fit_network", full)
    with pytest.raises(OSError, match="No space left"):
        train_now(strategy)
    assert last(strategy, minutes, 2803)["do_predict"] == 0
    monkeypatch.undo()
    train_now(strategy)
    assert last(strategy, minutes, 2804)["do_predict"] == 1


def test_failed_trainings_cost_no_model_when_old_ones_are_purged(trained, monkeypatch):
    strategy, _ = trained
    model = strategy.freqai
    (used,) = folder_of(strategy).glob(ALL_TRAININGS)
    for second in (1, 2, 3):  # as a killed training leaves them
        left = used.with_name(f"{used.name[:-1]}{second}")
        if left != used:
            left.mkdir()
    for second in range(4):  # models of another pair of the same coin
        other = used.with_name(f"sub-train-BTC_29999999{second:02d}")
        other.mkdir()
        (other / "cb_btc_model.joblib").write_bytes(b"")
        (other / "cb_btc_metadata.json").write_text('{"trained_live": true}')
    model.dd.purge_old_models()
    assert used.is_dir()
    assert len(list(folder_of(strategy).glob(f"{ALL_TRAININGS}/*{MODEL_FILE}"))) == 3
    restart(strategy)
    assert len(list(folder_of(strategy).glob(ALL_TRAININGS))) == 3


def test_identical_scores_keep_the_strategy_out_as_long_as_they_last(trained, monkeypatch):
    strategy, minutes = trained
    again, _ = restart(strategy, guards={"max_identical": 3})
    same = np.array([0.2, 0.5, 0.3])
    monkeypatch.setattr(
        FittedNetwork,
        "scores",
        lambda fitted, rows, ends: np.tile(same, (len(ends), 1)),
    )
    seen = [last(again, minutes, row)["do_predict"] for row in range(2802, 2812)]
    assert seen == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]


def test_scores_that_are_no_numbers_are_no_prediction(trained, monkeypatch):
    strategy, minutes = trained
    monkeypatch.setattr(
        FittedNetwork,
        "scores",
        lambda fitted, rows, ends: np.full((len(ends), 3), np.nan),
    )
    assert last(strategy, minutes, 2802)["do_predict"] == 0
    facts = status_of(strategy)["pairs"][PAIR]
    assert facts["counts"]["scores are no numbers"] == 1


def test_an_hour_that_has_not_come_is_not_replaced_by_the_one_before(trained):
    strategy, minutes = trained
    hours = strategy.dp.frames["1h"]
    closed = minutes["date"].iloc[2802].floor("h") - pd.Timedelta("1h")
    strategy.dp.frames["1h"] = hours[hours["date"] < closed]
    assert last(strategy, minutes, 2802)["do_predict"] == 0
    strategy.dp.frames["1h"] = hours
    assert last(strategy, minutes, 2803)["do_predict"] == 1


def test_freqai_goes_on_after_a_long_outage_and_a_candle_that_is_older(trained, caplog):
    strategy, minutes = trained
    history = strategy.freqai.dd.historic_data[PAIR]
    history["1m"] = minutes.head(1500)  # the strategy sees rows 1804 to 2803 next
    assert last(strategy, minutes, 2803)["do_predict"] == 1
    missing = f"candles between {minutes['date'].iloc[1499]} and {minutes['date'].iloc[1804]}"
    assert missing in caplog.text
    at(strategy, minutes, 2802)
    expected = [*range(1500), *range(1804, 2804)]
    np.testing.assert_array_equal(history["1m"]["close"], minutes["close"].iloc[expected])
    time.sleep(1.1)
    train_now(strategy)
    assert last(strategy, minutes, 2804)["do_predict"] == 1
    assert caplog.text.count("candles between") == 1


def test_a_dissimilarity_index_may_be_switched_on_later(trained):
    strategy, minutes = trained
    strategy.freqai.shutdown()
    again, _ = restart(strategy, feature_parameters={"DI_threshold": 50.0})
    at(again, minutes, 2802)
    time.sleep(1.1)
    train_now(again)
    at(again, minutes, 2803)
    seen = last(again, minutes, 2804)
    assert seen["do_predict"] == 1
    assert seen["DI_values"] > 0


def test_candles_that_no_longer_come_are_noticed_once(trained, caplog):
    strategy, minutes = trained
    again, _ = restart(strategy, guards={"max_candle_age": 2.0})
    assert again.ignore_buying_expired_candle_after == 120
    for row in (2802, 2803):
        at(again, minutes, row)
    closed = minutes["date"].iloc[2803] + pd.Timedelta("1min")
    again.bot_loop_start(closed - pd.Timedelta(seconds=60))
    guard = again.freqai._live_watch._status._changed(PAIR).guard
    guard.present, guard.counts["stale candles"] = {}, 0  # these candles are old to begin with
    # The limit of two candles begins when the next one is due.
    for seconds in (61, 179, 181, 240):
        again.bot_loop_start(closed + pd.Timedelta(seconds=seconds))
    assert caplog.text.count("stale candles (none for 181 s") == 1
    facts = status_of(again)["pairs"][PAIR]
    assert facts["counts"]["stale candles"] == 1


def test_predictions_stored_before_a_column_was_there_go_on(trained):
    strategy, minutes = trained
    strategy.freqai.shutdown()
    path = folder_of(strategy) / STORED_PREDICTIONS
    stored = cloudpickle.loads(path.read_bytes())
    stored[PAIR] = stored[PAIR].drop(columns=TRAINED_AT)
    path.write_bytes(cloudpickle.dumps(stored))
    again, _ = restart(strategy)
    at(again, minutes, 2802)
    seen = last(again, minutes, 2803)
    assert seen["do_predict"] == 1
    assert seen[TRAINED_AT] > 0


def test_two_threads_that_save_at_once_leave_whole_predictions(trained, caplog):
    drawer = trained[0].freqai.dd
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(drawer.save_historic_predictions_to_disk) for _ in range(40)]:
            done.result()
    assert cloudpickle.loads(drawer.historic_predictions_path.read_bytes()).keys() == {PAIR}
    assert "could not be saved" not in caplog.text  # one took the other's file away


def test_a_passing_lack_of_memory_or_disk_does_not_cost_the_model(trained, monkeypatch):
    strategy, minutes = trained
    again, _ = restart(strategy)

    def no_memory(*arguments) -> None:
        raise MemoryError

    for lacks, error in ((full, OSError), (no_memory, MemoryError)):
        monkeypatch.setattr(KerasClassifier, "from_bytes", lacks)
        with pytest.raises(error):
            at(again, minutes, 2802)
    monkeypatch.undo()
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 1


@pytest.mark.parametrize(
    ("guards", "said"),
    [
        ({"max_candle_age": 1e-6}, "stale candles"),
        ({"max_candle_age": 1e6, "max_prediction_share": 1e-6}, "slow prediction"),
    ],
)
def test_a_trouble_keeps_the_strategy_out_and_is_logged_once(trained, caplog, guards, said):
    strategy, minutes = trained
    again, _ = restart(strategy, guards=guards)
    at(again, minutes, 2802)
    for row in (2803, 2804, 2805):
        seen = at(again, minutes, row)
        assert seen["do_predict"].iloc[-1] == 0
        again.mode.value, again.entry_short.value, again.entry_long.value = "custom", 0.01, 0.01
        assert again.populate_entry_trend(seen, {"pair": PAIR})["enter_tag"].isna().iloc[-1]
    assert caplog.text.count(f"{PAIR}: {said} (") == 1
    facts = status_of(again)["pairs"][PAIR]
    assert facts["counts"][said] == 4
    assert said in facts["keeps_out"]


def test_an_expired_model_is_counted(trained):
    strategy, minutes = trained
    again, _ = restart(strategy, expiration_hours=1e-6)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 2
    facts = status_of(again)["pairs"][PAIR]
    assert facts["counts"]["expired model"] == 2


def test_the_status_tells_ages_and_times(trained):
    strategy, minutes = trained
    facts = status_of(strategy)["pairs"][PAIR]
    assert facts["predictions"] == 3
    assert facts["trainings"] == 1
    assert facts["failed_trainings"] == 0
    assert 0 < facts["seconds_per_prediction"]["median"] < 5
    assert facts["keeps_out"] == {}
    stamp = strategy.freqai.dd.pair_dict[PAIR]["trained_timestamp"]
    shown = last(strategy, minutes, 2802)
    assert shown[TRAINED_AT] == stamp

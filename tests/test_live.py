"""What the model adds to FreqAI's live loop, inside the real FreqAI."""

import errno
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from freqai_run import PAIR, at, dry_run, live_configuration, train_now

import dualwindow.files
from dualwindow.artifact import Artifact
from dualwindow.status import STATUS_FILE

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


def test_a_model_of_other_settings_is_retrained_and_both_values_are_told(trained, caplog):
    strategy, minutes = trained
    changed = {"lstm_units": [3], "dense_units": [], "epochs": 1, "stride": 1}
    again, _ = restart(strategy, model_training_parameters=changed)
    seen = last(again, minutes, 2802)
    assert seen["do_predict"] == 0
    assert "is not used, a new one will be trained" in caplog.text
    assert "training.lstm_units: [2] -> [3]" in caplog.text
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


@pytest.mark.parametrize("pattern", ["*_model.joblib", "*_metadata.json", "*_pipeline.pkl", ""])
@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_a_damaged_model_is_no_model_yet(trained, caplog, pattern, damage):
    strategy, minutes = trained
    (folder,) = folder_of(strategy).glob("sub-train-*")
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


def test_weights_that_are_no_numbers_are_no_model(trained, caplog, monkeypatch):
    strategy, minutes = trained
    monkeypatch.setattr(Artifact, "weights", [np.array([np.nan])])
    again, _ = restart(strategy)
    assert last(again, minutes, 2802)["do_predict"] == 0
    assert "weights are no numbers" in caplog.text


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("pair_dictionary.json", False),
        ("global_metadata.json", True),
        ("historic_predictions.pkl", True),
    ],
)
def test_damaged_records_are_set_aside(trained, caplog, name, kept):
    strategy, minutes = trained
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
    assert old["do_predict"] == (name != "pair_dictionary.json")


def test_a_full_disk_costs_neither_the_model_nor_the_thread(trained, monkeypatch):
    strategy, minutes = trained
    model = strategy.freqai
    before = dict(model.dd.pair_dict[PAIR])
    files = sorted(folder_of(strategy).rglob("*"))
    time.sleep(1.1)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dualwindow.files.os, "fsync", full)
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


def train_and_save(strategy) -> None:
    """What FreqAI's thread does, with all that it writes."""
    train_now(strategy)
    strategy.freqai.dd.save_historic_predictions_to_disk()


class Killed(BaseException):
    """Nothing is tidied up after it, as after kill -9."""


@pytest.mark.parametrize("nth", range(1, 9))
def test_a_kill_at_any_file_of_a_saving_costs_no_model(trained, monkeypatch, nth):
    strategy, minutes = trained
    time.sleep(1.1)
    calls = []

    def kill(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == nth:
            raise Killed

    monkeypatch.setattr(dualwindow.files.os, "fsync", kill)
    with pytest.raises(Killed):
        train_and_save(strategy)
    monkeypatch.undo()
    again, _ = restart(strategy)
    at(again, minutes, 2802)
    seen = at(again, minutes, 2803)
    assert seen["do_predict"].iloc[-1] == 1
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
    again.freqai.fingerprint = strategy.freqai.fingerprint  # the same settings, for once
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
    assert json.loads((folder_of(again) / "pair_dictionary.json").read_text())[PAIR] == before


def test_the_training_thread_survives_what_freqai_does_not_expect(trained, caplog, monkeypatch):
    model = trained[0].freqai
    calls = []

    def scan(self, strategy):
        calls.append(1)
        if len(calls) == 1:
            raise KeyError("gone")
        model._stop_event.set()

    monkeypatch.setattr("dualwindow_freqtrade.live._REST", 0)
    monkeypatch.setattr("freqtrade.freqai.freqai_interface.IFreqaiModel._start_scanning", scan)
    model._start_scanning(trained[0])
    assert len(calls) == 2
    assert "The training thread failed" in caplog.text


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
    facts = json.loads((folder_of(again) / STATUS_FILE).read_text())["pairs"][PAIR]
    assert facts["counts"][said] == 3
    assert said in facts["keeps_out"]


def test_an_expired_model_is_counted(trained):
    strategy, minutes = trained
    again, _ = restart(strategy, expiration_hours=1e-6)
    at(again, minutes, 2802)
    assert last(again, minutes, 2803)["do_predict"] == 2
    facts = json.loads((folder_of(again) / STATUS_FILE).read_text())["pairs"][PAIR]
    assert facts["counts"]["expired model"] == 2


def test_the_status_tells_ages_and_times(trained):
    strategy, minutes = trained
    facts = json.loads((folder_of(strategy) / STATUS_FILE).read_text())["pairs"][PAIR]
    assert facts["predictions"] == 2
    assert facts["trainings"] == 1
    assert facts["failed_trainings"] == 0
    assert 0 < facts["seconds_per_prediction"]["median"] < 5
    assert facts["keeps_out"] == {}
    stamp = strategy.freqai.dd.pair_dict[PAIR]["trained_timestamp"]
    shown = last(strategy, minutes, 2802)
    assert shown["model_timestamp"] == stamp

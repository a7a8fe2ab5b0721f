"""``dualwindow train --resume``: a training that was killed comes to the same model."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dualwindow.learning import fold_store
from dualwindow.learning.artifact_files import read_artifact
from dualwindow.learning.checkpoint_file import CheckpointFile
from dualwindow_trainer import train_group

DUALWINDOW = Path(sys.executable).with_name("dualwindow")
STEM = "BTCUSDT_FW024_SL050_TP100"
TRAINED = ["--timerange", "20220202-20220215"]
SMALL = ["conv_width=24", "feature_parameters.label_period_candles=24"]
MODEL = [f"model_training_parameters.{s}" for s in ("lstm_units=[4]", "stride=3", "patience=9")]
LSTM = ["--kind", "lstm", "--epochs", "4", "--set", *SMALL, *MODEL]
MEMBERS = json.dumps([{"kind": k, f"{k}_units": [4], "patience": 9} for k in ("lstm", "gru")])
ENSEMBLE = ["--kind", "ensemble", "--set", *SMALL]
ENSEMBLE += [f"model_training_parameters.{s}" for s in ("stride=1", f"members={MEMBERS}")]
ENSEMBLE += ["--epochs", "6"]


def files_of(out: Path, pair: str = "BTCUSDT") -> dict[str, bytes]:
    folder = out / "models" / pair
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def learnt(out: Path, pair: str = "BTCUSDT") -> list[object]:
    """All that the files of a model tell, but how long it took."""
    artifact = read_artifact(out / "models" / pair)
    found: list[object] = []
    for member in getattr(artifact.fitted, "members", [artifact.fitted]):
        found += [weights.tobytes() for weights in member.weights]
    contents = files_of(out, pair)
    found += [c for name, c in contents.items() if name.startswith(("scaler_", "calibration_"))]
    (history,) = (json.loads(c) for name, c in contents.items() if name.startswith("history_"))
    epochs = tuple(epoch | {"seconds": 0} for epoch in history)
    record = artifact.record.model_copy(update={"seconds": 0, "epochs": ()})
    return [*found, epochs, record]


def matrix_of(out: Path) -> dict:
    return json.loads((out / "reports" / "confusion_matrix_report.json").read_text())


@pytest.fixture(scope="module")
def words(folder) -> list[str]:
    return ["train", "--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), "--timeframe", "5m"]


@pytest.fixture
def end_after(monkeypatch):
    """Have the user end the command once an epoch has been told."""

    def set_up(n: int) -> None:
        told = []

        def say(epoch, done) -> None:
            told.append(epoch)
            if len(told) == n:
                raise KeyboardInterrupt

        monkeypatch.setattr(train_group, "_say", say)

    return set_up


@pytest.fixture
def ended(words, said, end_after, tmp_path, monkeypatch) -> Path:
    """What a training leaves that was ended after its second epoch."""
    end_after(2)
    out = tmp_path / "out"
    assert said(*words, *LSTM, *TRAINED, "--out", out)[0] == 130
    monkeypatch.undo()
    assert list(files_of(out)) == [f"checkpoint_{STEM}.zip"]
    return out


@pytest.fixture(scope="session")
def whole(folder, tmp_path_factory) -> Path:
    """What a training leaves that nothing has ended."""
    from dualwindow.cli import main

    out = tmp_path_factory.mktemp("whole")
    candles = ["--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), "--timeframe", "5m"]
    assert main(["train", *candles, *LSTM, *TRAINED, "--out", str(out)]) == 0
    return out


def test_it_goes_on_and_comes_to_the_same_model(whole, ended, words, said):
    status, told, complaint = said(*words, *LSTM, *TRAINED, "--out", ended, "--resume")
    assert (status, complaint) == (0, "")
    assert told.startswith("BTC/USDT: goes on after epoch 2\nepoch 3/4: loss ")
    assert learnt(ended) == learnt(whole)
    assert files_of(ended).keys() == files_of(whole).keys()
    assert matrix_of(ended) == matrix_of(whole)
    assert len(list((ended / "models/BTCUSDT/logs").rglob("events.out*"))) == 4


def test_what_is_trained_already_is_left_alone_and_judged(whole, words, said, tmp_path):
    before, matrix = files_of(whole), matrix_of(whole)
    (whole / "reports" / "confusion_matrix_report.json").unlink()
    status, told, complaint = said(*words, *LSTM, *TRAINED, "--out", whole, "--resume")
    assert (status, complaint) == (0, "")
    assert told == "BTC/USDT: trained already, with the same settings and candles\n"
    assert files_of(whole) == before
    assert matrix_of(whole) == matrix


def test_a_kill_after_the_model_was_written_needs_no_more_training(
    words, said, tmp_path, monkeypatch
):
    def die(file, **how) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(CheckpointFile, "remove", die)
    assert said(*words, *LSTM, *TRAINED, "--out", tmp_path)[0] == 130
    monkeypatch.undo()
    before = files_of(tmp_path)
    assert f"checkpoint_{STEM}.zip" in before
    status, told, _ = said(*words, *LSTM, *TRAINED, "--out", tmp_path, "--resume")
    assert (status, told.count("\n")) == (0, 1)
    del before[f"checkpoint_{STEM}.zip"]
    assert files_of(tmp_path) == before


def test_a_kill_before_the_model_was_written_needs_no_more_epochs(
    whole, words, said, tmp_path, end_after, monkeypatch
):
    end_after(4)
    assert said(*words, *LSTM, *TRAINED, "--out", tmp_path)[0] == 130
    monkeypatch.undo()
    status, told, _ = said(*words, *LSTM, *TRAINED, "--out", tmp_path, "--resume")
    assert status == 0
    assert told.startswith("BTC/USDT: goes on after epoch 4\nBTC/USDT: trained on ")
    assert learnt(tmp_path) == learnt(whole)


OTHERS = [
    pytest.param(
        ["--learning-rate", "0.01"],
        "model_training_parameters.learning_rate: 0.001 -> 0.01",
        id="settings",
    ),
    pytest.param(["--epochs", "5"], "model_training_parameters.epochs: 4 -> 5", id="epochs"),
    pytest.param(["--timerange", "20220202-20220214"], "candles of BTC/USDT: ", id="candles"),
    pytest.param([], "versions.numpy: ", id="versions"),
]


@pytest.mark.parametrize(("more", "message"), OTHERS)
def test_a_checkpoint_of_something_else_is_refused_and_stays(
    more, message, ended, words, said, monkeypatch
):
    if not more:
        monkeypatch.setattr(fold_store, "versions", lambda: {"numpy": "0.1"})
    before = files_of(ended)
    asked = [*words, *LSTM, *TRAINED, *more, "--out", ended]
    status, told, complaint = said(*asked, "--resume")
    assert (status, told) == (2, "")
    assert complaint.count("\n") == 1
    assert f"checkpoint_{STEM}.zip: it is of another training (" in complaint
    assert message in complaint
    assert "must be those of then, and without, the training begins anew" in complaint
    assert files_of(ended) == before


def test_without_resume_a_training_begins_anew(whole, ended, words, said):
    status, told, complaint = said(*words, *LSTM, *TRAINED, "--out", ended)
    assert (status, complaint) == (0, "")
    note, first, *_ = told.splitlines()
    assert note.startswith("note: BTC/USDT: begins anew; ")
    assert f"checkpoint_{STEM}.zip is left of a training that was ended" in note
    assert first.startswith("epoch 1/4: ")
    assert learnt(ended) == learnt(whole)
    assert files_of(ended).keys() == files_of(whole).keys()


@pytest.mark.parametrize("n", [40, -40], ids=["truncated", "end-is-gone"])
def test_a_damaged_checkpoint_is_set_aside(n, whole, ended, words, said):
    path = ended / "models" / "BTCUSDT" / f"checkpoint_{STEM}.zip"
    path.write_bytes(path.read_bytes()[:n])
    damaged = path.read_bytes()
    status, told, complaint = said(*words, *LSTM, *TRAINED, "--out", ended, "--resume")
    assert (status, complaint) == (0, "")
    first, second, *_ = told.splitlines()
    assert first.startswith("BTC/USDT: begins anew, its checkpoint is damaged (")
    assert first.endswith(f") and now {path}.damaged")
    assert second.startswith("epoch 1/4: ")
    assert learnt(ended) == learnt(whole)
    assert files_of(ended)[f"checkpoint_{STEM}.zip.damaged"] == damaged


def test_a_forged_checkpoint_is_refused_and_stays(ended, words, said, monkeypatch):
    take_up = CheckpointFile.take_up

    def forge(file: CheckpointFile) -> str:
        told = take_up(file)
        file.whole.save(b"no state at all", 2)
        return told

    monkeypatch.setattr(CheckpointFile, "take_up", forge)
    status, told, complaint = said(*words, *LSTM, *TRAINED, "--out", ended, "--resume")
    assert (status, told) == (2, "BTC/USDT: goes on after epoch 2\n")
    assert complaint.count("\n") == 1
    assert f"checkpoint_{STEM}.zip: it is no state of this training (" in complaint
    assert list(files_of(ended)) == [f"checkpoint_{STEM}.zip"]


def test_a_full_disk_ends_a_training_that_goes_on_once_there_is_room(
    whole, ended, words, said, full_disk
):
    before = files_of(ended)
    path = ended / "models" / "BTCUSDT" / f"checkpoint_{STEM}.zip"
    asked = [*words, *LSTM, *TRAINED, "--out", ended, "--resume"]
    with full_disk():
        status, told, complaint = said(*asked)
    assert (status, told) == (2, "BTC/USDT: goes on after epoch 2\n")
    assert complaint.count("\n") == 1
    assert f"{path} cannot be written (No space left on device); " in complaint
    assert files_of(ended) == before
    assert said(*asked)[0] == 0
    assert learnt(ended) == learnt(whole)


def test_of_two_pairs_the_one_that_is_done_is_not_trained_again(
    folder, said, tmp_path, end_after, monkeypatch
):
    files = [folder / "BTC.csv", folder / "ETH.csv"]
    words = ["train", "--pair", "BTC/USDT", "ETH/USDT", "--data", *files, "--timeframe", "5m"]
    words += [*LSTM, *TRAINED]
    assert said(*words, "--out", tmp_path / "whole")[0] == 0
    end_after(4 + 3)
    cut = [*words, "--out", tmp_path / "cut"]
    assert said(*cut)[0] == 130
    monkeypatch.undo()
    status, told, _ = said(*cut, "--resume")
    assert status == 0
    lines = told.splitlines()
    assert lines[0].startswith("BTC/USDT: trained already")
    assert lines[1] == "ETH/USDT: goes on after epoch 3"
    assert lines[2].startswith("epoch 4/4: ")
    for pair in ("BTCUSDT", "ETHUSDT"):
        assert learnt(tmp_path / "cut", pair) == learnt(tmp_path / "whole", pair)
    assert matrix_of(tmp_path / "cut") == matrix_of(tmp_path / "whole")


def test_pairs_that_learn_together_share_a_checkpoint_in_any_order(
    folder, said, tmp_path, end_after, monkeypatch
):
    end_after(2)
    more = [*LSTM, *TRAINED, "--set", "dual_window.pooling=whitelist", "--out", tmp_path]
    both = {"BTC/USDT": folder / "BTC.csv", "ETH/USDT": folder / "ETH.csv"}

    def asked(pairs: dict) -> list[object]:
        return ["train", "--pair", *pairs, "--data", *pairs.values(), "--timeframe", "5m", *more]

    assert said(*asked(both))[0] == 130
    monkeypatch.undo()
    turned = dict(reversed(both.items()))
    status, told, _ = said(*asked(turned), "--resume")
    assert status == 0
    assert told.startswith("ETH/USDT, BTC/USDT: goes on after epoch 2\nepoch 3/4: ")
    matrix = matrix_of(tmp_path)
    status, told, _ = said(*asked(both), "--resume")
    assert (status, told.count("\n")) == (0, 1)
    assert matrix_of(tmp_path) == matrix | {"pairs": list(both)}
    (tmp_path / "models" / "ETHUSDT" / "metadata_ETHUSDT_FW024_SL050_TP100.json").unlink()
    status, told, _ = said(*asked(both), "--resume")
    assert status == 0
    assert told.startswith("epoch 1/4: ")


@pytest.mark.parametrize("kind", ["ranges", "trees"])
def test_kinds_without_epochs_train_again_and_leave_no_checkpoint(kind, words, said, tmp_path):
    asked = [*words, "--kind", kind, "--set", *SMALL, *TRAINED, "--out", tmp_path]
    status, told, _ = said(*asked, "--resume")
    assert status == 0
    assert told.startswith("BTC/USDT: trained on ")
    assert not any("checkpoint" in name for name in files_of(tmp_path))
    (tmp_path / "models" / "BTCUSDT" / f"scaler_{STEM}.json").write_text("{}")
    status, told, _ = said(*asked, "--resume")
    note, line, *_ = told.splitlines()
    assert note.startswith("note: ")
    assert "its model cannot be used" in note
    assert line.startswith("BTC/USDT: trained on ")
    assert said(*asked, "--resume")[1].count("\n") == 1


def test_a_walk_forward_goes_on_with_it_and_without(words, said, tmp_path):
    walk = ["--walk-forward", "--train-days", "8", "--window-days", "2", "--workers", "1"]
    asked = [*words, "--kind", "ranges", "--set", *SMALL, *walk, "--out", tmp_path]
    asked += ["--timerange", "20220212-20220216"]
    assert said(*asked, "--resume")[0] == 0
    status, told, _ = said(*asked, "--resume")
    assert (status, told.count("there from an earlier run")) == (0, 2)


def test_a_process_that_is_killed_comes_to_the_same_model(words, said, tmp_path):
    """By SIGKILL, at moments in epochs of both members that a seed chooses."""
    asked = [*words, *ENSEMBLE, *TRAINED, "--out"]
    assert said(*asked, tmp_path / "whole")[0] == 0
    cut = [DUALWINDOW, *asked, tmp_path / "cut", "--resume"]
    rng = random.Random(1)
    for _ in range(3):
        with subprocess.Popen(
            cut, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            n = 3
            for line in process.stdout:
                n -= line.startswith("epoch ")
                if n == 0:
                    break
            assert n == 0, process.stderr.read()
            time.sleep(rng.uniform(0, 0.1))
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    status, told, complaint = said(*cut[1:])
    assert (status, complaint) == (0, "")
    assert told.startswith("BTC/USDT: goes on after epoch 6 of member 1, epoch ")
    assert learnt(tmp_path / "cut") == learnt(tmp_path / "whole")
    assert files_of(tmp_path / "cut").keys() == files_of(tmp_path / "whole").keys()
    assert np.sum(matrix_of(tmp_path / "cut")["confusion_matrix"]) > 500


def test_another_kind_that_begins_anew_leaves_no_checkpoint_of_before(words, said, tmp_path):
    """Kinds without epochs write none, and would tell of the old one for ever."""
    folder = tmp_path / "models" / "BTCUSDT"
    folder.mkdir(parents=True)
    (path := folder / f"checkpoint_{STEM}.zip").write_bytes(b"of a network")
    kind = ["--kind", "ranges", "--out", tmp_path, "--set", *SMALL]
    status, told, _ = said(*words, *TRAINED, *kind)
    assert status == 0
    assert told.count("begins anew") == 1
    assert not path.exists()


def test_a_finished_model_of_other_settings_is_replaced_and_said(words, said, tmp_path):
    kind = ["--kind", "ranges", "--out", tmp_path, "--set", *SMALL]
    assert said(*words, *TRAINED, *kind)[0] == 0
    other = ["--set", "model_training_parameters.penalty=5", "--resume"]
    status, told, _ = said(*words, *TRAINED, *kind, *other)
    assert status == 0
    assert told.startswith("note: BTC/USDT: the model in ")
    assert "is of other settings, candles or versions, and will be replaced\n" in told

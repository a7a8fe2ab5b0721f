"""``dualwindow study``: settings that are searched, and a search that survives a kill."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pandas as pd
import pytest

from dualwindow.cli import CommandError
from dualwindow_trainer.space import Choice, assignments, choice
from dualwindow_trainer.study import alone, mend, open_study, search
from dualwindow_trainer.study_walks import _look

KIND = "model_training_parameters.kind"
EPOCHS = "model_training_parameters.epochs=9"
SPACE = [f"{KIND}=ranges|trees", "train_period_days=5|8", "conv_width=24|48"]
DUALWINDOW = Path(sys.executable).with_name("dualwindow")
CUT = b'{"op_code": 4, "wor'  # as a kill amid a line leaves it


def words_of(folder: Path, out: Path, n: int, *more: str) -> list[str]:
    """Three numbers learn from eight days, too: the candles reach back no further."""
    one = ["study", "--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), "--timeframe", "5m"]
    span = ["--timerange", "20220212-20220217", "--held-out", "20220217-20220221"]
    small = ["--window-days", "2", "--workers", "1", "--seed", "3", "--baseline-days", "8"]
    small += ["--set", "feature_parameters.label_period_candles=24"]
    return [*one, *span, *small, "--try", *SPACE, "--trials", str(n), "--out", str(out), *more]


def told_by(out: Path) -> dict:
    return json.loads((out / "study.json").read_text())


def test_the_best_of_the_trials_is_tried_on_weeks_held_out(folder, said, tmp_path):
    status, told, complaint = said(*words_of(folder, tmp_path, 6))
    assert (status, complaint) == (0, "")
    found, lines = told_by(tmp_path), told.splitlines()
    assert found["trials"] == 6
    skills = [
        float(line.split()[-1]) for line in lines if line.startswith("trial ") and "mean" in line
    ]
    assert len(skills) == 6
    assert found["skill"] == pytest.approx(max(skills), abs=1e-4)
    assert found["held out"]["configurations tried there"] == 1
    assert set(found["best"]) == {line.partition("=")[0] for line in SPACE}
    assert "on the weeks held out: mean skill" in told
    best = json.loads((tmp_path / "best.json").read_text())["freqai"]
    assert best["train_period_days"] == found["best"]["train_period_days"]
    one = ["--pair", "BTC/USDT", "--data", folder / "BTC.csv", "--timeframe", "5m"]
    asked = ["-c", tmp_path / "best.json", "--timerange", "20220202-20220215", "--config-test"]
    status, told, _ = said("train", *one, *asked)
    assert status == 0
    assert "feature_parameters.label_period_candles = 24\n" in told  # which was not searched
    assert "model_training_parameters.seed = 3\n" in told
    for key, value in found["best"].items():
        assert key == "train_period_days" or f"  {key} = {value}\n" in told


def test_a_study_goes_on_and_counts_looks_at_the_weeks_held_out(folder, said, tmp_path):
    assert said(*words_of(folder, tmp_path, 2))[0] == 0
    first = told_by(tmp_path)
    status, told, _ = said(*words_of(folder, tmp_path, 5))
    assert status == 0
    assert "trial 3 of 5: " in told
    assert "trial 2 of" not in told
    second = told_by(tmp_path)
    assert second["skill"] >= first["skill"]
    looks = second["held out"]["configurations tried there"]
    assert looks == (1 if first["best"] == second["best"] else 2)
    status, _, complaint = said(*words_of(folder, tmp_path, 5, "--seed", "4"))
    assert status == 2
    assert "was begun otherwise: model_training_parameters.seed: 3 -> 4; " in complaint


def kill_after(begun: str, words: list[str]) -> None:
    """Kill a study that has just said something, amid what it does then."""
    with subprocess.Popen(
        [DUALWINDOW, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert any(line.startswith(begun) for line in process.stdout), process.stderr.read()
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_a_study_that_was_killed_comes_to_the_same_end(folder, said, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert said(*words_of(folder, whole, 5))[0] == 0
    for begun in ("trial 1 of 5: ", "trial 2: mean", "trial 4 of 5: "):
        kill_after(begun, words_of(folder, cut, 5))
    with (cut / "journal.log").open("ab") as journal:
        journal.write(CUT)
    assert said(*words_of(folder, cut, 5))[0] == 0
    assert told_by(cut) == told_by(whole)
    assert (cut / "journal.log.tail").read_bytes() == CUT


def test_settings_that_cannot_be_are_a_trial_without_a_skill(folder, said, tmp_path):
    kinds = ["--try", "model_training_parameters.kind=ranges|forest", "train_period_days=8"]
    status, told, complaint = said(*words_of(folder, tmp_path, 6, *kinds))
    assert (status, complaint) == (0, "")
    assert "cannot be: freqai.model_training_parameters.kind must be one of" in told
    assert told_by(tmp_path)["trials"] == 6
    assert told_by(tmp_path)["best"]["model_training_parameters.kind"] == "ranges"


def test_an_ensemble_is_tried_beside_kinds_of_which_more_is_set(folder, said, tmp_path):
    members = json.dumps([{"kind": "ranges"}] * 2)
    model = [f"model_training_parameters.{word}" for word in (f"members={members}", "penalty=7")]
    tried = ["--try", f"{KIND}=ranges|ensemble", "train_period_days=8", "conv_width=24"]
    status, told, _ = said(*words_of(folder, tmp_path, 4, "--set", *model, *tried))
    assert status == 0
    assert '= "ensemble"' in told
    assert '= "ranges"' in told
    assert "cannot be" not in told
    assert told.count("note: model_training_parameters.penalty: not of the ensemble") == 1


@pytest.mark.parametrize("name", ["baseline", "trials"])
def test_what_the_machine_cannot_do_ends_the_study(folder, said, tmp_path, name):
    (tmp_path / name).write_text("no folder")
    status, told, complaint = said(*words_of(folder, tmp_path, 2))
    assert status == 2
    assert told.count("trial ") == (name == "trials")
    assert complaint.count("\n") == 1
    (tmp_path / name).unlink()
    assert said(*words_of(folder, tmp_path, 2))[0] == 0


def test_candles_that_have_changed_belong_to_another_study(folder, said, tmp_path):
    assert said(*words_of(folder, tmp_path / "out", 1))[0] == 0
    frame = pd.read_csv(folder / "BTC.csv")
    frame.loc[100, "volume"] *= 2
    frame.to_csv(tmp_path / "BTC.csv", index=False)
    status, _, complaint = said(*words_of(tmp_path, tmp_path / "out", 2))
    assert status == 2
    assert "was begun otherwise: candles: " in complaint


def test_no_trial_sees_the_weeks_held_out(folder, said, tmp_path):
    """Not even by its labels: what comes after the searched weeks may be anything."""
    frame = pd.read_csv(folder / "BTC.csv")
    later = frame["timestamp"] >= 1000 * pd.Timestamp("2022-02-17", tz="UTC").timestamp()
    frame.loc[later, ["open", "high", "low", "close"]] *= 2
    frame.to_csv(tmp_path / "BTC.csv", index=False)
    trials = []
    for place, out in ((folder, "one"), (tmp_path, "other")):
        status, told, _ = said(*words_of(place, tmp_path / out, 3))
        assert status == 0
        ends = [line for line in told.splitlines() if line.startswith("trial ")]
        trials.append([line for line in ends if ": mean skill" in line])
    assert trials[0] == trials[1]
    assert len(trials[0]) == 3
    one, other = (told_by(tmp_path / out) for out in ("one", "other"))
    assert one["skill"] == other["skill"]
    assert one["best"] == other["best"]
    assert one["held out"]["skill"] != other["held out"]["skill"]


def test_a_lock_that_a_kill_has_left_stops_nobody(folder, said, tmp_path, monkeypatch):
    """As Optuna leaves it, and with a folder that is named as a user names it."""
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    Path("out/journal.log.lock").symlink_to("out/journal.log")
    assert said(*words_of(folder, Path("out"), 1))[0] == 0


def test_two_studies_do_not_share_a_folder(folder, said, tmp_path):
    with alone(tmp_path):
        status, _, complaint = said(*words_of(folder, tmp_path, 1))
    assert status == 2
    assert "another one is at work" in complaint


def test_looks_are_counted_by_the_weeks_that_they_are_at(tmp_path):
    path = tmp_path / "looks.json"
    assert _look(path, (0, 10), "a") == 1
    assert _look(path, (0, 10), "a") == 1
    assert _look(path, (5, 15), "b") == 2
    assert _look(path, (15, 20), "c") == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("conv_width=60|180", Choice("conv_width", (60, 180))),
        ("freqai.dual_window.pooling=pair|all", Choice("dual_window.pooling", ("pair", "all"))),
        ("a.b=[32]|[16, 8]", Choice("a.b", ([32], [16, 8]))),
        ("a.dropout=0.1..0.5", Choice("a.dropout", (), 0.1, 0.5)),
        ("a.rounds=50..200", Choice("a.rounds", (), 50, 200)),
    ],
)
def test_what_may_be_chosen(words, expected):
    assert choice(words) == expected


@pytest.mark.parametrize(
    "words", ["conv_width", "=3", "a=", "a=5..1", "a=x..y", "a=1..true", "a=1..Infinity"]
)
def test_what_is_no_choice_is_refused(words):
    with pytest.raises(CommandError, match="--try"):
        choice(words)


def test_choices_become_settings():
    chosen = {"conv_width": 60, "model_training_parameters.kind": "lstm"}
    assert assignments(chosen) == ["conv_width=60", 'model_training_parameters.kind="lstm"']


def test_a_journal_that_is_whole_is_left_alone(tmp_path):
    journal = tmp_path / "journal.log"
    journal.write_bytes(b"{}\n{}\n")
    mend(journal)
    assert journal.read_bytes() == b"{}\n{}\n"
    assert list(tmp_path.iterdir()) == [journal]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--held-out", "20220213-20220220"], "--held-out must begin where --timerange ends"),
        (["--held-out", "20220218-"], "--held-out must have a beginning and an end"),
        (["--held-out", "20230101-20230105"], "no fold"),
        (["--baseline-days", "80"], "no fold of 80 days"),
        (["--seed", "-1"], "at least 0"),
        (["--try", "feature_parameters.label_period_candles=12|24"], "makes the labels"),
        (["--try", "backtest_period_days=1|2"], "shapes no prediction"),
        (["--try", "conv_width=24|48", "conv_width=24"], "named more than once: conv_width"),
        (["--try", "conv_width"], "--try must be like"),
        (
            ["--try", f"{KIND}=lstm|ensemble", "model_training_parameters.epochs=2..9"],
            "--try: model_training_parameters.epochs is not of the kind 'ensemble', whose members",
        ),
        (
            ["--set", f"{KIND}=ensemble", "--try", "model_training_parameters.rounds=2..9"],
            "model_training_parameters.rounds is not of the kind 'ensemble'",
        ),
        (
            ["--try", "conv_width=24|48", "--set", f"{KIND}=ensemble", EPOCHS],
            "model_training_parameters.epochs would be ignored",
        ),
        (["--try", "model_training_parameters.kind=forest"], "no trial has come to a skill"),
    ],
)
def test_mistakes_are_told_in_one_line(words, message, folder, said, tmp_path):
    status, _, complaint = said(*words_of(folder, tmp_path, 1), *words)
    assert status == 2
    assert complaint.count("\n") == 1
    assert message in complaint


def test_two_that_search_in_one_database_make_the_trials_together(folder, said, tmp_path):
    out, storage = tmp_path / "out", ["--storage", f"sqlite:///{tmp_path / 'study.db'}"]
    words = [DUALWINDOW, *words_of(folder, out, 6, *storage)]
    with (
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as one,
        subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as other,
    ):
        told = [process.communicate(timeout=300)[0] for process in (one, other)]
    assert (one.returncode, other.returncode) == (0, 0)
    made = [len(re.findall(r"^trial \d+: mean skill", text, re.MULTILINE)) for text in told]
    assert min(made) >= 1
    assert sum(made) in (6, 7)  # who asks while the other is at its last makes one more
    status, last, _ = said(*words_of(folder, out, 6, *storage))
    assert status == 0
    assert "trial " not in last  # nothing is left to do
    found = told_by(out)
    assert found["trials"] == sum(made)
    assert found["configurations"] >= 4  # of eight: they do not all choose the same
    assert not list(out.rglob("*.tmp"))
    assert found["held out"]["configurations tried there"] <= 2


@pytest.mark.parametrize(
    "address",
    ["nowhere", "nobase://host/name", "sqlite:////no/where/it.db", "postgresql://u:secret@h:p/n"],
)
def test_a_database_that_is_not_there_is_told_without_its_address(folder, said, tmp_path, address):
    status, _, complaint = said(*words_of(folder, tmp_path, 2, "--storage", address))
    assert status == 2
    assert complaint.count("\n") == 1
    assert "--storage: there is no database at this address" in complaint
    assert "secret" not in complaint


def test_another_plan_wants_another_database(folder, said, tmp_path):
    storage = ["--storage", f"sqlite:///{tmp_path / 'study.db'}"]
    assert said(*words_of(folder, tmp_path / "one", 1, *storage))[0] == 0
    words = words_of(folder, tmp_path / "other", 1, *storage, "--seed", "4")
    status, _, complaint = said(*words)
    assert status == 2
    assert "take another --storage" in complaint


def test_those_who_choose_at_the_same_moment_choose_differently(tmp_path):
    """Threads with a study object each, as machines have; a trial lasts longer than choosing."""
    space, chosen = [Choice("rate", (), 0.001, 0.1)], []

    def work() -> None:
        study = open_study(tmp_path, {"a": 1}, f"sqlite:///{tmp_path / 'study.db'}")
        begin.wait()

        def skill_of(choice: dict) -> float:
            chosen.append(choice["rate"])
            time.sleep(0.5)
            return choice["rate"]

        search(study, space, 4, 1, skill_of, tmp_path / "ask.lock")

    open_study(tmp_path, {"a": 1}, f"sqlite:///{tmp_path / 'study.db'}")
    begin = threading.Barrier(3)
    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 4 <= len(chosen) <= 6
    assert len(set(chosen)) == len(chosen)


def test_without_candles_before_there_is_no_delta(folder, said, tmp_path):
    labels = ["--set", "dual_window.labels.rule=smoothed", "dual_window.confidence.mode=balanced"]
    words = words_of(folder, tmp_path, 1, *labels, "--timerange", "20220101-20220217")
    status, _, complaint = said(*words)
    assert status == 2
    assert "the median move of the candles before the timerange, and there are none" in complaint


def test_smoothed_labels_are_searched_against_the_trend(folder, said, tmp_path):
    """Days may be chosen, and yet all are judged by the same labels."""
    labels = ["--set", "dual_window.labels.rule=smoothed", "dual_window.confidence.mode=balanced"]
    tries = ["--try", "train_period_days=5|8", "model_training_parameters.kind=ranges|trees"]
    status, told, complaint = said(*words_of(folder, tmp_path, 3, *labels, *tries))
    assert (status, complaint) == (0, "")
    assert "note: delta is 0.0" in told
    assert "cannot be" not in told
    records = [
        json.loads(path.read_text())["settings"] for path in tmp_path.glob("**/folds/*.json")
    ]
    assert len({each["labels"]["delta"] for each in records}) == 1
    assert "trend" in {each["model"]["kind"] for each in records}
    best = json.loads((tmp_path / "best.json").read_text())["freqai"]
    assert best["dual_window"]["labels"]["delta"] == records[0]["labels"]["delta"]

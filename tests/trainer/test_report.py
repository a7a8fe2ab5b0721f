"""``dualwindow report --walk-forward``: of a walk-forward, of a comparison, of broken ones."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from dualwindow.cli import main
from dualwindow.judging.findings import Findings
from dualwindow.learning.walk_folder import read_walk
from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.candle_files import candle_frame
from dualwindow_sandbox.market import FIRST, SyntheticMarket
from dualwindow_sandbox.ohlcv import DAY, HOUR, MINUTE
from dualwindow_trainer.report_walk import walks_of
from dualwindow_trainer.tried import digest_of

WHEN = ["--timerange", "20220212-20220218", "--timeframe", "5m"]
SMALL = ["--set", "conv_width=24", "feature_parameters.label_period_candles=24"]
PARAMETERS = "model_training_parameters"
SMALL += [f"{PARAMETERS}.stride=3", "--workers", "1"]
AGENTS = {
    "median": "seed-1",
    "worst": "seed-2",
    "best on validation": "seed-1",
    "agents": {
        "seed-1": {"growth": 0.001, "profit": 0.02, "trades": 1.5},
        "seed-2": {"growth": -0.002, "profit": -0.01, "trades": 0.0},
    },
    "others": {"flat": {"growth": 0.0, "trades": 0.0}},
    "deflated sharpe of best on validation": 0.41,
    "trials": 2,
    "probability of overfitting": None,
    "notes": ["SOL/USDT is left out"],
    "kept flat": ["seed-2"],
}


@pytest.fixture(scope="module")
def files(folder):
    return [str(folder / f"{coin}.csv") for coin in ("BTC", "ETH")]


@pytest.fixture(scope="module")
def compared(files, tmp_path_factory):
    """Two kinds on two windows of two pairs."""
    out = tmp_path_factory.mktemp("compared")
    words = ["--pair", "BTC/USDT", "ETH/USDT", "--data", *files, *WHEN, *SMALL]
    more = ["--days", "8", "--window-days", "3", "--kinds", "trees", "--poolings", "pair"]
    assert main(["compare", *words, *more, "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def walked(files, tmp_path_factory):
    """One pair, six windows."""
    out = tmp_path_factory.mktemp("walked")
    words = ["--pair", "BTC/USDT", "--data", files[0], *WHEN, *SMALL, "--kind", "ranges"]
    more = ["--walk-forward", "--train-days", "8", "--window-days", "1"]
    more += ["--set", "dual_window.calibration=none"]  # or the last one quotes frequencies
    assert main(["train", *words, *more, "--out", str(out)]) == 0
    return out


def report(said, folder, files, *more):
    return said("report", "--walk-forward", folder, "--data", *files, *more)


def findings_of(folder):
    return Findings.from_json((folder / "report.json").read_text())


def test_of_one_walk_forward_with_agents_and_importances(said, walked, files, tmp_path):
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "evaluation.json").write_text(json.dumps(AGENTS))
    more = ("--importance", "--agents", agents, "--out", tmp_path / "out", "--day", "2022-02-14")
    status, told, complaint = report(said, walked, files[:1], *more)
    assert (status, complaint) == (0, "")
    assert "What ranges found, out of sample, on BTC/USDT:" in told
    found = findings_of(tmp_path / "out")
    assert found.subject.source == "walk-forward"
    assert found.subject.fees == pytest.approx(0.001)
    summary = json.loads((walked / "walk_forward" / "summary.json").read_text())
    assert [row.skill for row in found.skill.rows] == pytest.approx(
        [fold["skill"] for fold in summary["folds"]]
    )
    assert found.skill.mean.low is not None  # of six windows
    assert pd.Timestamp(found.days[0].date[0], unit="s").strftime("%Y-%m-%d") == "2022-02-14"
    (importance,) = found.importances
    last = read_walk(walked / "walk_forward").records[-1]
    assert importance.log_loss == pytest.approx(last.validation.log_loss)
    rows = {row.name: row.loss for row in importance.rows}
    assert rows["prices and volumes of candles"] != 0 == rows["close_change"]
    assert [(row.name, row.growth) for row in found.agents.rows] == [
        ("seed-1", 0.001),
        ("seed-2", -0.002),
        ("flat", 0.0),
    ]
    assert "seed-2: the log of its account grows -0.200 %" in found.agents.worst
    assert any("kept flat" in note for note in found.agents.notes)


def test_of_a_comparison_the_best_one_is_reported_and_all_were_tried(
    said, compared, files, tmp_path
):
    status, _, complaint = report(said, compared, files, "--out", tmp_path)
    assert (status, complaint) == (0, "")
    found = findings_of(tmp_path)
    told = json.loads((compared / "comparison.json").read_text())["ladder"]
    assert told[0]["name"].startswith(found.subject.kind)
    assert found.trials.tried == 2
    assert found.trials.overfitting is None  # of six days
    assert any("on these very weeks" in each for each in found.warnings)
    skills = {rung.name: rung.skill.mean for rung in found.skill.ladder}
    for line in told:
        name = line["name"].replace(", ", "-").replace(" ", "-")
        # Here the yardstick is what the best one was trained on, as long as the baseline was.
        assert skills[name] == pytest.approx(line["mean_skill"], abs=1e-9)


def test_another_one_of_a_comparison_can_be_named(said, compared, files, tmp_path):
    for name in ("ranges-8-days-own-pair", "trees-8-days-own-pair"):
        status, _, _ = report(said, compared, files, "--walk", name, "--out", tmp_path)
        assert status == 0
        assert findings_of(tmp_path).subject.kind == name.partition("-")[0]


def test_of_a_study_the_best_trial_is_reported_and_its_trials_alone_were_tried(
    said, files, tmp_path
):
    """Neither the baseline, which has no trial, nor a trial that came to nothing, was one."""
    words = ["--pair", "BTC/USDT", "--data", files[0], *SMALL, "--timeframe", "5m"]
    words += ["--timerange", "20220212-20220220", "--held-out", "20220220-20220222"]
    words += ["--window-days", "4", "--baseline-days", "8", "--trials", "5", "--seed", "1"]
    words += ["--try", "conv_width=24|48", "train_period_days=8"]
    study, out = tmp_path / "study", tmp_path / "out"
    assert said("study", *words, "--set", f"{PARAMETERS}.kind=ranges", "--out", study)[0] == 0
    told = json.loads((study / "study.json").read_text())
    assert told["configurations"] == 2
    kept = {path.name for path in (study / "trials").iterdir() if path.is_dir()}
    assert kept == set(told["folders"])
    begun = study / "trials" / "begun"
    begun.mkdir()
    (begun / "walk_forward.json").write_text("{}")
    found = walks_of(study)
    assert next(iter(found)) == digest_of(told["best"])
    settings = next(iter(found.values())).records[0].settings
    assert settings.history == told["best"]["conv_width"]
    assert report(said, study, files[:1], "--out", out)[0] == 0
    trials, luck = findings_of(out).trials, told["probability of overfitting"]
    assert luck is not None
    assert (trials.tried, trials.overfitting) == (2, pytest.approx(luck))
    assert any("on these very weeks" in each for each in findings_of(out).warnings)


def test_it_needs_no_freqtrade_and_says_what_else_is_missing(compared, files, tmp_path):
    script = Path(__file__).with_name("without_extras.py")
    words = [script, "report", "--walk-forward", compared, "--data", *files, "--out", tmp_path]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = findings_of(tmp_path)
    assert found.trials.overfitting is None
    assert "pip install 'dualwindow[study]'" in found.trials.notes[0]


def copied(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    return copy


def test_what_is_wrong_is_told_in_a_line_and_nothing_is_written(
    said, walked, compared, files, tmp_path
):
    out, no_candles = tmp_path / "out", tmp_path / "none.csv"
    frame = pd.read_csv(files[0])
    frame[frame["timestamp"] < 1643673600000].to_csv(no_candles, index=False)  # before February
    unfinished, unnamed, damaged = (copied(walked, tmp_path / str(i)) for i in range(3))
    (unfinished / "walk_forward" / "predictions.parquet").unlink()
    (damaged / "walk_forward" / "predictions.parquet").write_bytes(b"no")
    shutil.rmtree(unnamed / "walk_forward")
    half, torn = (copied(compared, tmp_path / f"c{i}") for i in range(2))
    (half / "comparison.json").unlink()
    (torn / "comparison.json").write_text('{"ladder": []}')
    cases = [
        ([tmp_path / "nowhere"], "there is no such folder"),
        ([unnamed], "holds no walk-forward"),
        ([unfinished], "not finished, 6 of its windows are; run the same command again"),
        ([damaged], r"predictions.parquet is damaged"),
        ([half], "is not finished: 2 walk-forwards are there"),
        ([torn], "comparison.json is damaged"),
        ([compared, "--walk", "lstm"], "there are: ranges-8-days-own-pair, trees-8"),
        ([walked, "--agents", tmp_path], "there is no evaluation.json"),
        ([walked, "--set", "dual_window.confidence.mode=sure"], "confidence.mode"),
    ]
    for (folder, *more), words in cases:
        given = files if folder in (compared, half, torn) else files[:1]
        status, _, complaint = report(said, folder, given, *more, "--out", out)
        assert status == 2, words
        assert words in complaint
        assert complaint.count("\n") == 1
    status, _, complaint = report(said, walked, [no_candles], "--out", out)
    assert status == 2
    assert "predictions are of 2022-02-12 to 2022-02-18, of which there are no candles" in complaint
    assert not out.exists()


def test_where_candles_are_must_be_told(said, walked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, complaint = said("report", "--walk-forward", walked)
    assert status == 2
    assert "--datadir is missing" in complaint


def test_candles_are_looked_for_where_the_walk_forward_had_them(said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    market = SyntheticMarket(MarketKind.PLANTED, 1)
    minutes = market.minutes("BTC/USDT", FIRST, FIRST + 50 * DAY)
    datadir = tmp_path / "mine"
    datadir.mkdir()
    for step, name in ((5 * MINUTE, "5m"), (HOUR, "1h")):
        candle_frame(minutes.resampled(step)).to_feather(datadir / f"BTC_USDT-{name}.feather")
    words = ["--pair", "BTC/USDT", "--datadir", "mine", *WHEN, *SMALL, "--kind", "ranges"]
    more = ["--walk-forward", "--train-days", "8", "--window-days", "3", "--out", "out"]
    status, told, complaint = said("train", *words, *more)
    assert (status, complaint) == (0, "")
    assert told.endswith("dualwindow report --walk-forward out/walk_forward\n")
    plan = Path("out/walk_forward/walk_forward.json").read_bytes()
    Path("elsewhere").mkdir()
    for folder in ("out", "out/walk_forward"):
        monkeypatch.chdir("elsewhere" if folder == "out" else "../elsewhere")
        assert said("report", "--walk-forward", f"../{folder}", "--out", "report")[0] == 0
    monkeypatch.chdir(tmp_path)
    datadir.rename("moved")
    moved = [word.replace("mine", "moved") for word in words]
    shorter = [word.replace("20220212-20220218", "20220212-20220215") for word in moved]
    status, told, _ = said("train", *shorter, *more)  # another place is no other plan
    assert status == 0
    assert "there from an earlier run" in told
    assert "note: 1 window of earlier runs, of other pairs or days, stay" in " ".join(told.split())
    assert Path("out/walk_forward/walk_forward.json").read_bytes() == plan
    Path("out/walk_forward/candles.json").write_text("{}")  # as of a version that had none
    status, _, complaint = said("report", "--walk-forward", "out", "-c", "b.json", "--out", "r")
    assert status == 2
    Path("b.json").write_text('{"exchange": {"name": "binance"}}')
    status, _, complaint = said("report", "--walk-forward", "out", "-c", "b.json", "--out", "r")
    assert status == 2
    assert "report: give the folder of the candles that the walk-forward had with" in complaint


def test_labels_without_take_profits_have_no_rule(said, files, tmp_path):
    words = ["--pair", "BTC/USDT", "--data", files[0], *WHEN, *SMALL, "--kind", "trend"]
    smoothed = ["--set", "dual_window.labels.rule=smoothed", "dual_window.confidence.mode=balanced"]
    more = ["--walk-forward", "--train-days", "8", "--window-days", "3"]
    assert said("train", *words, *smoothed, *more, "--out", tmp_path)[0] == 0
    status, _, _ = report(said, tmp_path, files[:1], "--out", tmp_path / "out")
    assert status == 0
    found = findings_of(tmp_path / "out")
    assert len(found.ways) == 1
    assert any("No rule decides" in each for each in found.warnings)

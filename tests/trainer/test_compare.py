"""``dualwindow compare``: several kinds on the same weeks."""

import json
import re
from argparse import Namespace
from types import SimpleNamespace

import pandas as pd
import pytest

from dualwindow.cli import CommandError
from dualwindow.judging.three_numbers import baseline_settings
from dualwindow.learning.folds import Fold
from dualwindow.market.candle_files import read_candle_file
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_trainer.compare_command import _refuse_other_windows
from dualwindow_trainer.walk import settle_delta

WHEN = ["--timerange", "20220212-20220218", "--window-days", "3", "--timeframe", "5m"]
SMALL = ["--days", "8", "--set", "conv_width=24", "--workers", "1"]
SMALL += ["--set", "feature_parameters.label_period_candles=24"]


@pytest.fixture
def both(folder) -> list[str]:
    files = [str(folder / f"{coin}.csv") for coin in ("BTC", "ETH")]
    return ["--pair", "BTC/USDT", "ETH/USDT", "--data", *files]


def test_kinds_and_poolings_are_crossed_and_a_second_run_finds_everything(both, said, tmp_path):
    words = ["compare", *both, *WHEN, *SMALL, "--kinds", "trees", "ranges", "--out", tmp_path]
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    assert (
        len(re.findall(r"^\d of 4: ", told, re.MULTILINE)) == 4 * 4
    )  # two kinds, two poolings; two windows of two pairs
    found = json.loads((tmp_path / "comparison.json").read_text())
    names = [line["name"] for line in found["ladder"]]
    assert sorted(names) == [
        "ranges, 8 days, own pair",
        "ranges, 8 days, together",
        "trees, 8 days, own pair",
        "trees, 8 days, together",
    ]
    skills = [line["mean_skill"] for line in found["ladder"]]
    assert skills == sorted(skills, reverse=True)
    assert all(len(line["skills"]) == 4 for line in found["ladder"])
    assert found["verdict"][0].startswith(f"best: {names[0]}, mean skill ")
    assert told.count("†") == 2  # in its row, and below the table
    status, again, _ = said(*words)
    assert status == 0
    assert again.count("there from an earlier run") == 16
    assert json.loads((tmp_path / "comparison.json").read_text()) == found
    signals = {}
    never = ["mode=custom", "short=0.99", "hold=0.99", "long=0.99"]
    for fallback in ("hold", "argmax"):
        rule = [f"dual_window.confidence.{key}" for key in (*never, f"fallback={fallback}")]
        assert said(*words, "--set", *rule)[0] == 0
        ladder = json.loads((tmp_path / "comparison.json").read_text())["ladder"]
        signals[fallback] = sum(line["signals"] for line in ladder)
    assert signals["argmax"] > signals["hold"] == 0


SMOOTHED = ["--set", "dual_window.labels.rule=smoothed", "dual_window.confidence.mode=balanced"]


def test_smoothed_labels_are_held_against_the_trend_and_are_the_same_for_all(both, said, tmp_path):
    words = ["compare", *both, *WHEN, *SMALL, *SMOOTHED, "--kinds", "trees", "--out", tmp_path]
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    assert told.startswith("note: delta is 0.0")
    found = json.loads((tmp_path / "comparison.json").read_text())
    skills = {line["name"]: line["mean_skill"] for line in found["ladder"]}
    assert len(skills) == 4
    assert skills["trend, 8 days, own pair"] > skills["ranges, 8 days, own pair"] + 0.05
    marked = [line for line in told.splitlines() if "†" in line or "trend" in line]
    assert "trend, 8 days" in " ".join(marked[-3:])
    deltas = {
        json.loads(path.read_text())["settings"]["labels"]["delta"]
        for path in tmp_path.glob("*/folds/*.json")
    }
    assert len(deltas) == 1  # whatever they have learnt from
    assert f"note: delta is {deltas.pop():.6f} for all" in told
    assert "hit (-)" in told
    assert all(line["memory"] > 1e8 for line in found["ladder"])
    status, again, _ = said(*words)
    assert status == 0
    assert again.count("there from an earlier run") == 16


def test_the_delta_of_all_is_that_of_the_candles_before(folder):
    """Whatever comes after the first candle that is predicted."""
    start = pd.Timestamp("2022-02-12", tz="UTC")
    frame, found = read_candle_file(folder / "BTC.csv"), []
    for factor in (1, 3):
        later = frame.copy()
        prices = ["open", "high", "low", "close"]
        later.loc[later["date"] >= start, prices] *= factor
        pair = PairData.of_frame("BTC/USDT", later, 300)
        asked = [*SMOOTHED[1:], "feature_parameters.label_period_candles=24"]
        flags = dict.fromkeys(["preset", "kind", "epochs", "batch_size", "learning_rate", "seed"])
        arguments = Namespace(config=[], set=asked, **flags)
        settle_delta(arguments, [pair], start.timestamp())
        found.append(arguments.set[-1])
    known = frame.loc[frame["date"] < start, "close"]
    ahead = known[::-1].rolling(24).mean()[::-1].shift(-1)
    moves = (ahead / known.rolling(24).mean().shift(1) - 1).abs()
    key, _, value = found[0].partition("=")
    assert found[0] == found[1]
    assert key == "dual_window.labels.delta"
    assert float(value) == pytest.approx(moves.median(), rel=1e-9)


def test_of_one_pair_there_is_no_pooling_and_an_ensemble_can_be_stacked(folder, said, tmp_path):
    one = ["--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), *WHEN, *SMALL]
    one += ["--kinds", "ensemble/stacked"]
    words = ["model_training_parameters.members=" + json.dumps([{"kind": "ranges"}] * 2)]
    status, told, _ = said("compare", *one, "--set", *words, "--out", tmp_path)
    assert status == 0
    assert len(re.findall(r"^\d of \d: ", told, re.MULTILINE)) == 4
    record = next((tmp_path / "ensemble-stacked-8-days-own-pair" / "folds").glob("*.json"))
    assert json.loads(record.read_text())["settings"]["model"]["combine"] == "stacked"


def test_what_is_set_for_other_kinds_is_said_not_to_be_of_an_ensemble(folder, said, tmp_path):
    one = ["--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), *WHEN, *SMALL]
    model = ["members=" + json.dumps([{"kind": "ranges"}] * 2), "penalty=7", "kind=ensemble"]
    words = [*one, "--set", *(f"model_training_parameters.{word}" for word in model)]
    status, told, _ = said("compare", *words, "--kinds", "ranges", "ensemble", "--out", tmp_path)
    assert status == 0
    assert "note: model_training_parameters.penalty: not of the ensemble, whose members" in told
    models = {
        json.loads(next(walk.glob("folds/*.json")).read_text())["settings"]["model"]["kind"]: walk
        for walk in tmp_path.iterdir()
        if walk.is_dir()
    }
    assert models.keys() == {"ranges", "ensemble"}
    found = json.loads(next(models["ranges"].glob("folds/*.json")).read_text())
    assert found["settings"]["model"]["penalty"] == 7
    # Where an ensemble is all there is, nothing would use it.
    status, _, complaint = said("compare", *words, "--kinds", "ensemble", "--out", tmp_path)
    assert status == 2
    assert "model_training_parameters.penalty would be ignored" in complaint


SPOILS = ["dual_window.balancing.method=class_weights", "dual_window.calibration=none"]
SPOILS += ["feature_parameters.weight_factor=0.05"]


def test_the_baseline_is_that_of_a_report_whatever_is_set_for_all(both, said, tmp_path):
    words = ["compare", *both, *WHEN, *SMALL, "--set", *SPOILS, "--kinds", "ranges"]
    assert said(*words, "--out", tmp_path)[0] == 0
    of_baseline, of_all = (
        Settings.model_validate(json.loads(next(path.glob("folds/*.json")).read_text())["settings"])
        for path in (tmp_path / f"ranges-8-days-{whose}" for whose in ("own-pair", "together"))
    )
    assert of_baseline == baseline_settings(of_all) != of_all
    assert of_all.balancing.method == "class_weights"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--kinds", "forest"], "must be one of lstm, gru, bilstm, dlstm"),
        (["--days", "none"], "must be a number of days above 0"),
        (["--timerange", "20220212-"], "must have a beginning and an end"),
        (["--days", "200"], "no fold of 200 days of training"),
        (["--days", "8", "13"], "the history is too short"),
        (["--batch-size", "9"], "unrecognized arguments: --batch-size"),
        (["--workers", "0"], "at least 1"),
        (["--set", "conv_width=1"], "freqai.conv_width"),
    ],
)
def test_mistakes_are_told_in_one_line(words, message, both, said, tmp_path):
    given = ["compare", *both, *WHEN, *SMALL, "--kinds", "ranges", "--out", tmp_path / "o", *words]
    status, told, complaint = said(*given)
    assert (status, told) == (2, "")  # nothing is trained before all are known to be possible
    assert complaint.count("\n") == 1
    assert message in complaint


def test_candidates_with_other_windows_are_refused_before_a_training():
    few, all_of_them = (
        SimpleNamespace(name=name, folds=[Fold("BTC/USDT", i, 0, i, i + 1) for i in range(n)])
        for name, n in (("few", 1), ("all", 2))
    )
    with pytest.raises(CommandError, match="few can predict 1 windows, all 2: candles are missing"):
        _refuse_other_windows([all_of_them, few])
    _refuse_other_windows([few, few])

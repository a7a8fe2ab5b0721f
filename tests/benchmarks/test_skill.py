"""The verdicts of `make bench-skill` without its trainings, and the whole of it on a few days."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import skill
from benchmarks.skill_goals import (
    OURS,
    OURS_ON_SAME,
    RAW_SCORES,
    THREE_NUMBERS,
    TRUE,
    Goal,
    goals_of_recorded,
    goals_of_synthetic,
)
from benchmarks.skill_peers import CANDLE, WINDOW
from benchmarks.skill_tables import write
from benchmarks.skill_walks import saying
from dualwindow.judging.out_of_sample import FoldScores, Scores
from dualwindow.learning.folds import Fold, Schedule
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES
from harness.places import ROOT, SHARED

DAY = 86400


def window(day: str, skill: float, auc: tuple[float | None, float | None]) -> FoldScores:
    start = int(pd.Timestamp(day, tz="UTC").timestamp())
    fold = Fold("BTC/USDT", 0, start - 30 * DAY, start, start + 7 * DAY)
    return FoldScores(fold, None, Scores(300, 0, 1 - skill, 1.0, skill, *auc, (0.0,) * 3))


def verdicts(
    windows: list[tuple[str, float, float]], auc: float | None = 0.6, error: float = 0.01
) -> dict[str, bool]:
    """Goals of windows of (day, our skill, that of all others)."""
    voices = {OURS: [window(day, ours, (auc, auc)) for day, ours, _ in windows]}
    for peer in (THREE_NUMBERS, CANDLE, WINDOW):
        voices[peer] = [window(day, theirs, (0.55, 0.7)) for day, _, theirs in windows]
    overall = Scores(300, 0, 0.9, 1.0, 0.1, auc, auc, (0.01, error, 0.01))
    goals = goals_of_recorded(voices, overall, pd.Timestamp("2024-01-01", tz="UTC"))
    return {goal.what: goal.reached for goal in goals}


GOOD = [("2023-12-05", 0.05, 0.0), ("2023-12-12", 0.04, 0.0), ("2024-01-02", 0.04, 0.0)]
ALWAYS = [
    "mean skill",
    "windows above 0",
    "worst window",
    "from 2024-01-01 on, untouched by tuning",
    "better log loss than three numbers",
    "mean skill, ours / three numbers",
    "better log loss than lightgbm, candle",
    "better log loss than lightgbm, window",
]


def test_goals_are_told_apart():
    told = verdicts(GOOD)
    assert [what for what in ALWAYS if not told[what]] == []
    assert told["calibration error S / H / L"]
    assert told["mean auc_short, ours / lightgbm, candle"]
    assert not told["mean auc_long, ours / lightgbm, candle"]
    assert sum("untouched" in what for what in told) == 1
    bad = [*GOOD, ("2024-01-09", -0.06, 0.2), ("2024-01-16", -0.01, 0.0)]
    told = verdicts(bad, error=0.06)
    assert [what for what in ALWAYS if told[what]] == []
    assert not told["calibration error S / H / L"]


def test_what_was_held_out_must_reach_the_mean_by_itself():
    told = verdicts([("2023-12-05", 0.08, 0.0), ("2024-01-02", 0.025, 0.0)])
    assert told["mean skill"]
    assert not told["from 2024-01-01 on, untouched by tuning"]


def test_without_a_window_that_was_held_out_nothing_is_said_of_it():
    assert not any("untouched" in what for what in verdicts(GOOD[:2]))


def test_three_numbers_count_window_by_window_and_in_the_mean():
    told = verdicts([("2023-12-05", 0.10, 0.0), ("2023-12-12", 0.04, 0.05)])
    assert not told["better log loss than three numbers"]
    assert told["mean skill, ours / three numbers"]


def test_a_class_that_never_comes_spoils_no_run():
    told = verdicts(GOOD[:1], auc=None)
    assert told["mean skill"]
    assert not any("auc" in what for what in told)


def synthetic(market: str, ours: float, true: float) -> bool:
    all_windows = [window("2022-03-09", ours + noise, (None, None)) for noise in (-0.005, 0, 0.005)]
    voices = {
        OURS: all_windows,
        OURS_ON_SAME: [window("2022-03-09", ours, (None, None))],
        TRUE: [window("2022-03-09", true, (None, None))],
    }
    (goal,) = goals_of_synthetic(market, voices)
    return goal.reached


@pytest.mark.parametrize(("mean", "reached"), [(0.0, True), (-0.1, True), (0.05, False)])
def test_a_random_walk_must_not_be_foreseen(mean, reached):
    assert synthetic("random walk", mean, true=0.03) == reached  # by chance


@pytest.mark.parametrize(("mean", "reached"), [(0.16, True), (0.14, False)])
def test_of_the_planted_market_half_must_be_found(mean, reached):
    assert synthetic("planted", mean, true=0.3) == reached


def test_other_probabilities_stand_in_the_rows_they_were_given_for():
    table = pd.DataFrame({"fold": [0, 0, 1], **dict.fromkeys(CLASSES, 9.0)})
    given = [np.arange(6.0).reshape(2, 3), np.array([[6.0, 7.0, 8.0]])]
    said = saying(WalkForward(table, [], []), given).table
    assert said[list(CLASSES)].to_numpy().tolist() == np.arange(9.0).reshape(3, 3).tolist()
    assert (table[list(CLASSES)] == 9.0).all(axis=None)


def test_windows_are_whole_and_follow_each_other_within_the_timerange():
    start = 1704067200  # 2024-01-01 00:00 UTC
    schedule = skill.whole_windows("20240101-20240117", train_days=30, window_days=7)
    assert schedule == Schedule(start, start + 14 * DAY, 30, 7)


def run(monkeypatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["skill.py", *words])
    return skill.main()


def test_a_benchmark_of_nothing_fails(tmp_path, monkeypatch, capsys):
    words = ["--datadir", str(tmp_path), "--only", "recorded", "--timerange"]
    assert run(monkeypatch, *words, "20240101-20240103") == 2
    assert "holds no window of 7 days" in capsys.readouterr().err
    assert run(monkeypatch, *words, "20240101-20240113", "--pairs", "XRP/USDT") == 2
    said = capsys.readouterr().err
    assert "XRP/USDT: no XRP_USDT-1m.feather" in said
    assert "--datadir" in said


@pytest.mark.parametrize(
    ("freqai", "words", "said"),
    [
        ({"conv_width": 60}, [], "freqai.conv_width is 60 candles, but the three numbers"),
        ({"dual_window": {"labels": {"rule": "first_touch"}}}, [], "add --only recorded"),
        ({"conv_widht": 180}, [], "freqai.conv_widht is unknown"),
    ],
)
def test_what_cannot_be_compared_is_refused(freqai, words, said, tmp_path, monkeypatch, capsys):
    path = tmp_path / "over.json"
    path.write_text(json.dumps({"freqai": freqai}))
    configs = ["--config", str(ROOT / "user_data/config.json"), str(path)]
    assert run(monkeypatch, *configs, *words) == 2
    assert said in capsys.readouterr().err


def test_results_are_written_as_json(tmp_path):
    path = tmp_path / "new" / "skill.json"
    write(path, [{"window": "2023-12-05"}], [Goal("mean skill", "+0.050", reached=True)])
    written = json.loads(path.read_text())
    assert written["goals"] == [{"what": "mean skill", "value": "+0.050", "reached": True}]
    assert written["windows"] == [{"window": "2023-12-05"}]


@pytest.fixture
def small(tmp_path) -> list[str]:
    """Words for a few days of small barriers and of a model that learns at once."""
    sides = ("long", "short")
    labels = {f"{s}_{what}": 0.002 for s in sides for what in ("take_profit", "stop_loss")}
    freqai = {
        "feature_parameters": {"label_period_candles": 30},
        "model_training_parameters": {"kind": "ranges", "spans": [5, 15], "stride": 20},
        "dual_window": {"labels": labels},
    }
    (tmp_path / "over.json").write_text(json.dumps({"freqai": freqai}))
    configs = [str(ROOT / "user_data/config.json"), str(tmp_path / "over.json")]
    words = ["--config", *configs, "--train-days", "3", "--window-days", "1", "--paths", "30"]
    return [*words, "--out", str(tmp_path / "skill.json")]


def test_a_few_synthetic_days(small, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, *small, "--only", "synthetic", "--jobs", "1") in (0, 1)
    assert "Skill out of sample" in capsys.readouterr().out
    written = json.loads((tmp_path / "skill.json").read_text())
    windows = pd.DataFrame(written["windows"])
    assert windows["source"].value_counts().to_dict() == {"planted": 4, "random walk": 4}
    true = pd.DataFrame(windows[TRUE].tolist())
    # Of any other candle, the true probabilities would be worse than the frequencies.
    assert true["skill"][windows["source"] == "planted"].mean() > 0.1
    assert (true["candles"] == pd.DataFrame(windows[OURS_ON_SAME].tolist())["candles"]).all()
    assert {goal["what"] for goal in written["goals"]} == {
        "skill on the planted",
        "skill on the random walk",
    }


def test_a_few_recorded_days_and_going_on(small, tmp_path, monkeypatch, capsys):
    if not SHARED.is_dir():
        pytest.skip("needs the candles of ../shared/data")
    words = [*small, "--only", "recorded", "--pairs", "BTC/USDT", "--jobs", "1"]
    words += ["--holdout", "2023-11-02", "--timerange", "20231101-20231103"]
    assert run(monkeypatch, *words) in (0, 1)
    assert "earlier run" not in capsys.readouterr().out
    written = json.loads((tmp_path / "skill.json").read_text())
    assert {goal["what"] for goal in written["goals"]} > {
        "better log loss than three numbers",
        "better log loss than lightgbm, window",
        "from 2023-11-02 on, untouched by tuning",
    }
    assert [w["window"] for w in written["windows"]] == ["2023-11-01", "2023-11-02"]
    for w in written["windows"]:
        voices = [w[who] for who in (OURS, RAW_SCORES, THREE_NUMBERS, CANDLE, WINDOW)]
        assert len({voice["log_loss"] for voice in voices}) == 5
        assert {voice["candles"] for voice in voices} == {w["candles"]}
        assert w["candles"] > 1000
        assert len({voice["log_loss_of_frequencies"] for voice in voices}) == 1
    run(monkeypatch, *words)
    assert capsys.readouterr().out.count("there from an earlier run") == 4
    again = json.loads((tmp_path / "skill.json").read_text())
    assert again == written

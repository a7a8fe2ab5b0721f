"""The verdicts of `make bench-skill` without its trainings, and the whole of it on a few days."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from benchmarks import skill, skill_goals, skill_rungs
from benchmarks.skill_goals import (
    MEAN_OF_SEEDS,
    Goal,
    goals_of_recorded,
    goals_of_synthetic,
    ladder,
)
from benchmarks.skill_rungs import rungs
from benchmarks.skill_tables import write
from benchmarks.skill_walks import (
    BASELINE,
    OURS,
    OURS_ON_SAME,
    RAW_SCORES,
    RECORDED,
    TRUE,
    Judged,
    of_seeds,
    saying,
)
from dualwindow.judging.out_of_sample import FoldScores, Scores
from dualwindow.judging.overfitting import daily_losses, probability_of_overfitting
from dualwindow.learning.folds import Fold, Schedule
from dualwindow.learning.metrics import SplitLoss
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, UNKNOWN
from dualwindow.settings import Settings
from harness.places import ROOT, SHARED

DAY = 86400
RUNG = "trees, 90 days, together"


class Seconds:
    """All that is asked of a record."""

    seconds = 2.0


def window(day: str, skill: float, reference: float = 1.0) -> FoldScores:
    """A window whose loss lies below 1, which is what the baseline's frequencies have."""
    start = int(pd.Timestamp(day, tz="UTC").timestamp())
    fold = Fold("BTC/USDT", 0, start - 30 * DAY, start, start + 7 * DAY)
    loss = 1 - skill
    halves = SplitLoss(0.6 - skill, 0.4), SplitLoss(0.6, 0.4)
    scores = Scores(300, 0, loss, reference, 1 - loss / reference, None, None, (0.0,) * 3, *halves)
    return FoldScores(fold, Seconds(), scores)


def judged(windows: list[tuple[str, float, float, float]]) -> Judged:
    """Windows of (day, our skill, that of three numbers, that of another rung)."""
    voices = {
        OURS: [window(day, ours) for day, ours, _, _ in windows],
        # Of a longer training, whose own frequencies are worse: they must not count.
        RUNG: [window(day, theirs, reference=1.5) for day, _, _, theirs in windows],
        BASELINE: [window(day, three) for day, _, three, _ in windows],
        RAW_SCORES: [window(day, 0.5) for day, *_ in windows],
    }
    return Judged(RECORDED, voices, [], None)


def verdicts(windows, error: float = 0.01) -> dict[str, bool]:
    overall = Scores(
        300, 0, 0.9, 1.0, 0.1, None, None, (0.01, error, 0.01), *[SplitLoss(0.5, 0.4)] * 2
    )
    goals = goals_of_recorded(ladder(judged(windows)), [overall])
    return {goal.what: goal.reached for goal in goals}


GOOD = [
    ("2023-12-05", 0.05, 0.03, 0.04),
    ("2023-12-12", 0.04, 0.02, 0.03),
    ("2023-12-19", 0.06, 0.04, 0.05),
]
ASKED = [
    f"mean skill, ours / best rung ({RUNG})",
    "windows above 0",
    "better than three numbers",
    "worst window",
    "furthest below three numbers",
    "calibration error S / H / L",
]


def test_goals_are_told_apart():
    assert verdicts(GOOD) == dict.fromkeys(ASKED, True)
    bad = [(day, -0.03, 0.0, 0.01) for day, *_ in GOOD]
    assert verdicts(bad, error=0.03) == dict.fromkeys(ASKED, False)


def test_a_rung_is_held_against_the_frequencies_of_the_baseline():
    (line,) = (line for line in ladder(judged(GOOD)) if line.who == RUNG)
    np.testing.assert_allclose(line.skills, [0.04, 0.03, 0.05])
    assert line.touch == pytest.approx(0.04 / 0.6)
    assert line.direction == pytest.approx(0.0)
    assert line.against_ours.mean == pytest.approx(0.01)
    assert (line.better_than_three, line.seconds) == (1.0, 2.0)


def test_the_mean_of_seeds_is_what_counts():
    given = judged(GOOD)
    given.windows[f"{OURS}, seed 43"] = [window(day, s - 0.04) for day, s, *_ in GOOD]
    lines = ladder(given)
    (mean,) = (line for line in lines if line.who == MEAN_OF_SEEDS)
    np.testing.assert_allclose(mean.skills, [0.03, 0.02, 0.04])
    overall = judged_scores()
    told = {goal.what: goal.reached for goal in goals_of_recorded(lines, [overall])}
    assert not told[ASKED[0]]
    assert told["windows above 0"]


def judged_scores() -> Scores:
    return window("2023-12-05", 0.05).scores


def test_the_ladder_learns_from_what_ours_does_on_its_own_days():
    ours = Settings.model_validate({"model": {"kind": "ensemble", "stride": 7}, "horizon": 60})
    found = rungs(ours)
    assert len({rung.name for rung in found}) == len(found) == 16
    assert BASELINE in {rung.name for rung in found}
    for rung in found:
        assert (rung.settings.horizon, rung.settings.model.stride) == (60, 7)
        assert f"{rung.train_days} days" in rung.name
        assert rung.settings.pooling == ("whitelist" if "together" in rung.name else "pair")
        assert rung.settings.model.kind == ("trees" if "trees" in rung.name else "ranges")


def test_every_seed_is_that_of_all_members():
    ours = Settings.model_validate({"model": {"kind": "ensemble"}})
    found = of_seeds(ours, 120, 3)
    assert [rung.name for rung in found] == [OURS, f"{OURS}, seed 43", f"{OURS}, seed 44"]
    seeds = [
        (rung.settings.model.seed, *(m.seed for m in rung.settings.model.members)) for rung in found
    ]
    assert seeds == [(42,) * 3, (43,) * 3, (44,) * 3]


def synthetic(market: str, ours: float, true: float) -> bool:
    voices = {
        OURS: [window("2022-03-09", ours + noise) for noise in (-0.005, 0, 0.005)],
        OURS_ON_SAME: [window("2022-03-09", ours)],
        TRUE: [window("2022-03-09", true)],
    }
    (goal,) = goals_of_synthetic(market, voices)
    return goal.reached


@pytest.mark.parametrize(("mean", "reached"), [(0.0, True), (-0.004, True), (-0.006, False)])
def test_a_random_walk_must_cost_little(mean, reached):
    assert synthetic("constant random walk", mean, true=0.03) == reached


def test_no_week_of_a_random_walk_may_cost_much():
    voices = {who: [window("2022-03-09", 0.0)] * 9 for who in (OURS, OURS_ON_SAME, TRUE)}
    voices[OURS] = [*voices[OURS], window("2022-03-09", -0.04)]
    (goal,) = goals_of_synthetic("clustered random walk", voices)
    assert not goal.reached


@pytest.mark.parametrize(("mean", "reached"), [(0.22, True), (0.20, False)])
def test_of_the_planted_market_most_must_be_found(mean, reached):
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


def test_losses_are_averaged_by_day():
    date = pd.date_range("2024-01-01 12:00", periods=4, freq="8h", tz="UTC")
    table = pd.DataFrame({"date": date, "SHORT": 0.5, "HOLD": 0.25, "LONG": 0.25})
    table["label"] = [SHORT, HOLD, LONG, UNKNOWN]
    table["valid"] = True
    sure = table.assign(SHORT=[1, 0, 0, 0], HOLD=[0, 1, 0, 0], LONG=[0, 0, 1, 1])
    walks = {"a": WalkForward(table, [], []), "b": WalkForward(sure, [], [])}
    expected = [[np.log(2) * 1.5, np.log(4)], [0, 0]]
    np.testing.assert_allclose(daily_losses(walks), expected, atol=1e-12)
    none = table.assign(valid=[False, True, True, True])
    np.testing.assert_allclose(daily_losses({"a": WalkForward(none, [], [])}), [[np.log(4)] * 2])


def test_the_best_of_noise_is_overfitted_and_one_that_is_always_best_is_not(seed):
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (20, 56))
    assert 0.15 < probability_of_overfitting(noise) < 0.9
    noise[7] -= 3
    assert probability_of_overfitting(noise) == 0
    assert probability_of_overfitting(noise[:, :7]) is None


def test_the_published_network_is_a_rung_on_demand():
    ours = Settings.model_validate({"pooling": "whitelist", "model": {"stride": 20, "seed": 3}})
    before = rungs(ours)
    (added,) = rungs(ours, published=True)[len(before) :]
    model = added.settings.model
    assert (model.kind, model.stride, model.seed, model.epochs) == ("published", 20, 3, 100)
    assert (added.settings.pooling, added.train_days) == ("pair", 30)
    assert added.settings.balancing.method == "undersample"
    assert added.settings.labels == ours.labels


def test_a_benchmark_of_nothing_fails(tmp_path, monkeypatch, capsys):
    words = ["--datadir", str(tmp_path), "--only", "recorded", "--timerange"]
    assert run(monkeypatch, *words, "20240101-20240103") == 2
    assert "holds no window of 7 days" in capsys.readouterr().err
    assert run(monkeypatch, *words, "20240101-20240113", "--pairs", "XRP/USDT") == 2
    said = capsys.readouterr().err
    assert "XRP/USDT: no XRP_USDT-1m.feather" in said
    assert "--datadir" in said


def test_a_pair_too_young_for_the_longest_training_is_refused_at_once(small, monkeypatch, capsys):
    if not SHARED.is_dir():
        pytest.skip("needs the candles of ../shared/data")
    words = [
        *small,
        "--only",
        "recorded",
        "--pairs",
        "BTC/USDT",
        "--timerange",
        "20230720-20230722",
    ]
    assert run(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert "no fold of 120 days of training" in said or "with 120 days of training" in said
    assert "BTC/USDT" in said


def test_days_of_training_are_those_of_the_configuration(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["skill.py"])
    assert skill.read_ours(skill.arguments())[1] == 120  # config/presets/production.json
    config = str(ROOT / "config/presets/standard.json")
    monkeypatch.setattr(
        sys, "argv", ["skill.py", "--config", str(ROOT / "user_data/config.json"), config]
    )
    assert skill.read_ours(skill.arguments())[1] == 60


@pytest.mark.parametrize(
    ("freqai", "words", "said"),
    [
        (
            {"conv_width": 60, "model_training_parameters": {"kind": "lstm", "spans": []}},
            [],
            "freqai.conv_width is 60 candles, but the three numbers",
        ),
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
    lines = ladder(judged(GOOD))
    write(
        path, [{"window": "2023-12-05"}], lines, [Goal("mean skill", "+0.050", reached=True)], 0.25
    )
    written = json.loads(path.read_text())
    assert written["probability of overfitting"] == 0.25
    assert [line["who"] for line in written["ladder"]] == [OURS, RUNG, BASELINE, RAW_SCORES]
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
    return [*words, "--seeds", "2", "--out", str(tmp_path / "skill.json")]


def test_a_few_synthetic_days(small, tmp_path, monkeypatch, capsys):
    assert run(monkeypatch, *small, "--only", "synthetic", "--jobs", "1") in (0, 1)
    assert "Skill out of sample" in capsys.readouterr().out
    written = json.loads((tmp_path / "skill.json").read_text())
    windows = pd.DataFrame(written["windows"])
    markets = ("planted", "constant random walk", "clustered random walk")
    assert windows["source"].value_counts().to_dict() == dict.fromkeys(markets, 4)
    true = pd.DataFrame(windows[TRUE].tolist())
    # Of any other candle, the true probabilities would be worse than the frequencies.
    assert true["skill"][windows["source"] == "planted"].mean() > 0.1
    assert (true["candles"] == pd.DataFrame(windows[OURS_ON_SAME].tolist())["candles"]).all()
    assert [goal["what"] for goal in written["goals"]] == [f"skill on the {m}" for m in markets]
    assert written["ladder"] == []


def test_a_few_recorded_days_and_going_on(small, tmp_path, monkeypatch, capsys):
    if not SHARED.is_dir():
        pytest.skip("needs the candles of ../shared/data")
    few = [rung for rung in rungs(Settings()) if rung.train_days == 30]
    for module in (skill_rungs, skill):
        monkeypatch.setattr(module, "DAYS", (3, 2))
    monkeypatch.setattr(skill_goals, "BASELINE", "three numbers, 3 days, own pair")
    words = [*small, "--only", "recorded", "--pairs", "BTC/USDT", "ETH/USDT", "--jobs", "1"]
    words += ["--timerange", "20231101-20231103", "--train-days", "4"]
    assert run(monkeypatch, *words) in (0, 1)
    said = capsys.readouterr().out
    assert "earlier run" not in said
    assert "The ladder" in said
    written = json.loads((tmp_path / "skill.json").read_text())
    who = [line["who"] for line in written["ladder"]]
    assert len(who) == len(set(who)) == 2 + 2 * len(few) + 2  # both seeds, raw scores and mean
    assert [w["window"] for w in written["windows"]] == ["2023-11-01"] * 2 + ["2023-11-02"] * 2
    for w in written["windows"]:
        voices = [w[name] for name in who if name != MEAN_OF_SEEDS]
        assert {voice["candles"] for voice in voices} == {w["candles"]}
        assert w["candles"] > 1000
    assert len(written["goals"]) == 6
    run(monkeypatch, *words)
    assert capsys.readouterr().out.count("there from an earlier run") == 4 * (2 + 2 * len(few))
    again = json.loads((tmp_path / "skill.json").read_text())
    assert again == written

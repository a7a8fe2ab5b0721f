"""The verdicts of `make bench-skill`, without its trainings."""

import importlib.util
import json
import sys

import numpy as np
import pytest
from examples import ROOT


@pytest.fixture(scope="module")
def skill():
    spec = importlib.util.spec_from_file_location("skill", ROOT / "benchmarks/skill.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["skill"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def window(day: str, skill: float, peer: float = 0.0, auc: float | None = 0.6) -> dict:
    rng = np.random.default_rng(0)
    p = np.tile([0.1, 0.8, 0.1], (300, 1))
    truth = rng.choice(3, 300, p=p[0])
    scored = {"log_loss": 1 - skill, "skill": skill, "auc_short": auc, "auc_long": auc}
    other = {"log_loss": 1 - peer, "skill": peer, "auc_short": 0.55, "auc_long": 0.7}
    peers = {"lightgbm, candle": other, "lightgbm, window": other}
    return {
        "source": "recorded",
        "pair": "BTC/USDT",
        "window": day,
        "dualwindow": scored,
        "predicted": (p, truth),
        **peers,
    }


def verdicts(skill, results, holdout="2024-01-01") -> dict[str, bool]:
    return {what: bool(ok) for what, _, ok in skill.of_recorded(results, holdout)}


def test_goals_are_told_apart(skill):
    good = [window("2023-12-05", 0.05), window("2023-12-12", 0.04), window("2024-01-02", 0.04)]
    told = verdicts(skill, good)
    assert told["from 2024-01-01 on, untouched by tuning"]
    assert told["mean skill"]
    assert told["windows above 0"]
    assert told["worst window"]
    assert told["better log loss than lightgbm, window"]
    assert told["mean auc_short, ours / lightgbm, candle"]
    assert not told["mean auc_long, ours / lightgbm, candle"]
    assert sum("untouched" in what for what in told) == 1
    bad = [*good, window("2024-01-09", -0.06, peer=-0.01), window("2024-01-16", -0.01)]
    told = verdicts(skill, bad)
    for what in ("mean skill", "windows above 0", "worst window"):
        assert not told[what]
    assert not told["better log loss than lightgbm, window"]
    assert not told["from 2024-01-01 on, untouched by tuning"]


def test_what_was_held_out_must_reach_the_mean_by_itself(skill):
    results = [window("2023-12-05", 0.08), window("2024-01-02", 0.025)]
    told = verdicts(skill, results)
    assert told["mean skill"]
    assert not told["from 2024-01-01 on, untouched by tuning"]


def test_a_class_that_never_comes_spoils_no_run(skill):
    told = verdicts(skill, [window("2023-12-05", 0.05, auc=None)])
    assert not any("auc" in what for what in told)
    assert skill.of_recorded([], "2024-01-01") == []


@pytest.mark.parametrize(("mean", "reached"), [(0.0, True), (-0.1, True), (0.05, False)])
def test_a_random_walk_must_not_be_foreseen(skill, mean, reached):
    results = [
        {
            "source": "random walk",
            "dualwindow": {"skill": mean + noise},
            "on the same candles": {"skill": mean},
            "true probabilities": {"skill": 0.03},  # by chance
        }
        for noise in (-0.005, 0.0, 0.005)
    ]
    ((_, _, ok),) = skill.of_synthetic(results)
    assert ok == reached


def test_windows_follow_each_other_within_the_timerange(skill):
    plan = skill.Plan(None, ROOT, train_days=30, window_days=7)
    windows = skill.windows_between("20240101-20240117", plan, ["BTC/USDT", "ETH/USDT"])
    assert [w.pair for w in windows] == ["BTC/USDT"] * 2 + ["ETH/USDT"] * 2
    assert windows[1].start - windows[0].start == 7 * 86400
    assert windows[0].start == 1704067200  # 2024-01-01 00:00 UTC


def test_a_benchmark_of_nothing_fails(skill, tmp_path, monkeypatch, capsys):
    (tmp_path / "BTC_USDT-1m.feather").touch()
    words = ["--datadir", str(tmp_path), "--pairs", "BTC/USDT", "--only", "recorded"]
    monkeypatch.setattr(sys, "argv", ["skill.py", *words, "--timerange", "20240101-20240103"])
    assert skill.main() == 2
    assert "holds no window of 7 days" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["skill.py", *words, "--pairs", "XRP/USDT"])
    with pytest.raises(SystemExit):
        skill.main()
    assert "no 1m candles of XRP/USDT" in capsys.readouterr().err


def test_results_are_written_without_the_predictions(skill, tmp_path):
    path = tmp_path / "new" / "skill.json"
    skill.write(path, [window("2023-12-05", 0.05)], [("mean skill", "+0.050", np.True_)])
    written = json.loads(path.read_text())
    assert written["goals"] == [{"what": "mean skill", "value": "+0.050", "reached": True}]
    assert "predicted" not in written["windows"][0]

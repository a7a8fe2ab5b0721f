"""The parts of `make bench-live` that need no exchange, on a network of two units."""

import json
import sys
from functools import partial

import numpy as np
import pytest

from benchmarks import live, live_warm_start
from benchmarks.skill_markets import BEGIN, synthetic_pair
from harness.places import ROOT

DAY = 86400
# A longer stride would now and then, as the clock has it, find no window but of HOLD.
TINY = {"kind": "lstm", "lstm_units": [2], "dense_units": [], "epochs": 1, "stride": 10}


def inside(part: str, folder, monkeypatch, capsys) -> tuple[dict, list]:
    """Run a part as its process does, and read what it hands over."""
    words = ["live.py", "--inside", part, "--folder", str(folder)]
    monkeypatch.setattr(sys, "argv", words)
    assert live.main() == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    live.show([(part, told["goals"])])
    return told["found"], told["goals"]


def test_endurance(tmp_path, monkeypatch, capsys):
    part = partial(live.endurance, n=2, settled=1, reloads=2, **TINY)
    monkeypatch.setitem(live.PARTS, "endurance", part)
    found, goals = inside("endurance", tmp_path, monkeypatch, capsys)
    assert len(found["rss_mib"]) == len(found["threads"]) == len(found["open_files"]) == 2
    assert goals[0][0] == "memory over 2 trainings, 2 reloads (robust slope)"
    assert [goal[0] for goal in goals[1:]] == ["the same, at most", "threads", "open files"]
    assert len(list((tmp_path / "models" / "test").glob("sub-train-*"))) == 2


def test_latency(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(live.PARTS, "latency", partial(live.latency, n=5, days=4, **TINY))
    found, goals = inside("latency", tmp_path, monkeypatch, capsys)
    assert found["idle"]["n"] == 5
    assert found["training"]["n"] >= 10
    assert all(0 < found[name]["median_ms"] <= found[name]["p99_ms"] for name in found)
    assert [goal[0] for goal in goals] == ["prediction, idle", "prediction, training"]


def test_storage(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(live.PARTS, "storage", partial(live.storage, n_pairs=2, days=2))
    found, goals = inside("storage", tmp_path, monkeypatch, capsys)
    for n in (1000, 1500):
        facts = found[f"{n} candles"]
        assert 0.2 * n < 1000 * facts["mb_written"] / 2 < 0.2 * (n + 300)  # 200 bytes a row
        assert 0 < facts["mb_of_older"] < facts["mb_of_before"]
    assert all(reached for _, _, reached in goals)


def test_warm_start(tmp_path, monkeypatch, capsys):
    stop = BEGIN + 38 * DAY
    pair = synthetic_pair("planted", stop + DAY)
    (tmp_path / "over.json").write_text(
        json.dumps({"freqai": {"conv_width": 20, "model_training_parameters": TINY}})
    )
    configs = [ROOT / "user_data/config.json", tmp_path / "over.json"]
    monkeypatch.setattr(live_warm_start, "CONFIGS", configs)
    monkeypatch.setattr(live_warm_start, "cases", lambda: iter([("planted", pair, stop)]))
    found, goals = inside("warm_start", tmp_path, monkeypatch, capsys)
    assert list(found["cases"]) == ["planted BTC/USDT 2022-02-10"]
    (case,) = found["cases"].values()
    for way in ("cold", "warm"):
        assert case[way]["epochs"] == len(case[way]["losses"]) == 1
        assert np.isfinite(case[way]["next_day"])
    assert case["cold"]["best_epoch"] == 1
    assert case["warm"]["loss"] <= case["warm"]["losses"][0]
    assert goals[0][0] == "epochs of 1 trainings"
    assert goals[0][2] is False  # one each


@pytest.mark.parametrize(
    ("cold", "warm", "reached"),
    [
        pytest.param((6, 0.50), (3, 0.50), [True, True], id="fewer-and-as-good"),
        pytest.param((6, 0.50), (6, 0.50), [False, True], id="as-many"),
        pytest.param((6, 0.50), (3, 0.52), [True, False], id="worse"),
    ],
)
def test_goals_of_warm_starts(cold, warm, reached):
    ways = {"cold": cold, "warm": warm}
    case = {w: {"epochs": n, "loss": loss, "next_day": loss} for w, (n, loss) in ways.items()}
    assert [goal[2] for goal in live_warm_start.goals({"one": case, "two": case})] == reached

"""Three short soaks, and how the command tells of one that fails."""

import json
import re
import sys
from pathlib import Path

import pytest

from benchmarks import soak
from benchmarks.soak_leader import Left
from benchmarks.soak_schedule import Kind

SHORT = 24  # candles


@pytest.mark.timeout(900)  # against hanging
@pytest.mark.parametrize(
    ("seed", "kinds"),
    [
        pytest.param(3, {Kind.FULL_DISK, Kind.REMOVED, Kind.CUT}, id="3"),
        pytest.param(30, {Kind.KILL, Kind.UNAVAILABLE, Kind.MISSING}, id="30"),
        pytest.param(847, {Kind.ADDED, Kind.EMPTY}, id="847"),
    ],
)
def test_a_short_soak(seed, kinds):
    found = soak.soak(seed, SHORT)
    assert found["violations"] == []
    assert {fault["kind"] for fault in found["plan"]} == kinds
    assert found["candles in calm"] >= SHORT // 2
    assert found["predicted"] >= SHORT
    assert found["trades"] > 0
    assert set(found["injected"]) <= kinds
    assert len(found["injected"]) >= 2  # a disk cannot be filled without the right to mount one


def test_the_command_names_the_seed_that_fails(tmp_path, monkeypatch, capsys):
    def run(seed: int, length: int, folder: Path, judge):
        found = {"injected": {"429": 2}, "violations": ["it broke"] if seed == 8 else []}
        return found | dict.fromkeys(soak.TOLD, length) | {"memory_mib": [900 + seed, 5]}

    monkeypatch.setattr(soak, "run", run)
    monkeypatch.setattr(soak, "RESULTS", tmp_path / "soak.json")
    monkeypatch.setattr(soak.tempfile, "mkdtemp", lambda prefix: str(folder_of(tmp_path, prefix)))
    monkeypatch.setattr(sys, "argv", ["soak", "--seed", "7", "--runs", "3", "--length", "30"])
    assert soak.main() == 1
    said = capsys.readouterr().out
    assert "seed 8: 1 violations" in said
    assert "\nit broke\n" in said
    assert "make soak SEED=8" in said
    assert "SEED=7" not in said
    results = json.loads((tmp_path / "soak.json").read_text())
    assert list(results) == ["7", "8", "9"]
    assert results["9"]["candles"] == 30
    assert "candles: 90" in said
    assert "most memory: 909 MiB, violations: 1" in said
    assert re.search(r"429 +│ 6 ", said)
    assert [p.name for p in tmp_path.glob("soak-*")] == ["soak-8-"]  # what failed is kept


def folder_of(tmp_path: Path, prefix: str) -> Path:
    folder = tmp_path / prefix
    folder.mkdir()
    return folder


def test_a_candle_is_doubtful_in_a_span():
    doubtful = [(1, 3, None), (5, 6, "BTC"), (7, 8, "ETH")]
    left = Left(first=0, length=9, plan=(), place=None, doubtful=doubtful)
    assert [i for i in range(9) if left.is_doubtful(i)] == [1, 2]
    assert [i for i in range(9) if left.is_doubtful(i, "BTC")] == [1, 2, 5]

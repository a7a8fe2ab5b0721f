"""How bots are judged that ran into faults, without the bots."""

import time
from subprocess import CompletedProcess
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks import live_faults
from dualwindow_freqtrade.freqai.names import DATE_OF_PREDICTION, DO_PREDICT
from harness.bots import Place
from harness.freqai_run import PAIR, at, dry_run, live_configuration, train_now

BEGIN = pd.Timestamp("2024-02-01 12:00", tz="UTC")


def predictions(made: list[int], minutes: list[int] | None = None) -> pd.DataFrame:
    after = pd.to_timedelta(minutes or range(len(made)), unit="min")
    return pd.DataFrame({DATE_OF_PREDICTION: BEGIN + after, DO_PREDICT: made})


@pytest.mark.parametrize(
    ("made", "minutes", "expected"),
    [
        pytest.param([0, 1, 1, 1, 0], None, (3, 0), id="nothing-missing"),
        pytest.param([1, 0, 1], None, (2, 1), id="one-without"),
        pytest.param([1, 1], [0, 3], (2, 2), id="minutes-that-are-not-there"),
        pytest.param([0, 0], None, (0, 0), id="none"),
    ],
)
def test_gaps_are_counted_between_the_first_and_the_last(made, minutes, expected):
    assert live_faults.gaps(predictions(made, minutes)) == expected


@pytest.mark.parametrize(
    ("opened", "wrong", "code", "sound"),
    [
        pytest.param("12:02:01", 0, 0, True, id="on-a-prediction"),
        pytest.param("12:03:01", 0, 0, False, id="on-none"),
        pytest.param("11:00:01", 0, 0, False, id="none-after-the-fault"),
        pytest.param("12:02:01", 1, 1, False, id="not-as-in-a-backtest"),
        pytest.param("12:02:01", 0, 2, False, id="parity-could-not-be-told"),
    ],
)
def test_a_bot_is_sound(opened, wrong, code, sound, monkeypatch):
    told = CompletedProcess([], code, stdout="WRONG\n" * wrong + "parity: 3 candles\n", stderr="")
    monkeypatch.setattr(live_faults, "dualwindow", lambda *words: told)
    trades = pd.DataFrame({"open_date": [f"2024-02-01 {opened}"], "pair": [PAIR]})
    place = SimpleNamespace(
        predictions=lambda: {PAIR: predictions([1, 1, 0, 1])},
        trades=lambda: trades,
        download=lambda: None,
        options=[],
    )
    found = live_faults.checked(place, BEGIN)
    assert found["sound"] is sound
    assert (found["predicted"], found["not predicted"]) == (3, 1)
    assert found["parity"] == "parity: 3 candles"


def test_what_is_read_of_the_status_is_what_a_bot_writes(tmp_path, monkeypatch):
    strategy, minutes = dry_run(live_configuration(tmp_path))
    at(strategy, minutes, len(minutes) - 12)
    train_now(strategy)
    place = SimpleNamespace(models=tmp_path / "models" / "test")
    place.status = lambda: Place.status(place)
    rows = iter(range(len(minutes) - 11, len(minutes)))
    clock = SimpleNamespace(
        monotonic=time.monotonic, sleep=lambda seconds: at(strategy, minutes, next(rows))
    )
    monkeypatch.setattr(live_faults, "time", clock)
    assert live_faults.wait_for_prediction(place, 2, 60)
    facts = place.status()[PAIR]
    assert facts["trainings"] == 1
    assert facts["failed_trainings"] == 0
    assert facts["predictions"] >= 2
    assert np.isfinite(facts["seconds_after_candle"]["max"])  # the candles are off the clock
    assert sum(facts["counts"].values()) == 0


def test_a_fault_that_fails_spoils_no_other(tmp_path, monkeypatch):
    def found(*_arguments) -> dict:
        facts = ("predicted", "not predicted", "trades after the fault")
        return dict.fromkeys((*facts, "trades without a prediction"), 0) | {"reached": True}

    def broken(folder) -> dict:
        raise OSError("no right to mount")

    for name in ("exchange_fault", "killed", "truncated"):
        monkeypatch.setattr(live_faults, name, found)
    monkeypatch.setattr(live_faults, "full_disk", broken)
    monkeypatch.setattr(live_faults, "time", SimpleNamespace(sleep=lambda seconds: None))
    facts, goals = live_faults.faults(tmp_path)
    assert len(facts) == len(goals) == len(live_faults.FAULTS) + 5
    assert [what for what, _, reached in goals if not reached] == ["disk full"]
    assert "no right to mount" in {what: text for what, text, _ in goals}["disk full"]

"""Guards and the status file, without freqtrade."""

import json

import numpy as np
import pytest
from rich.console import Console

from dualwindow_freqtrade.live_guards import Guard, Limits, Reading, Trouble
from dualwindow_freqtrade.live_status import STATUS_FILE, Status, status_table

LIMITS = Limits(candle_age=60, duration=30, identical=3, model_age=3600)
SOUND = {"now": 1000.0, "closed": 998.0, "trained": 500.0, "duration": 0.1}


def reading(scores=(0.1, 0.8, 0.1), **changes: float) -> Reading:
    return Reading(**(SOUND | changes), scores=None if scores is None else np.array(scores))


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({"closed": 940.0}, None),
        ({"closed": 939.9}, Trouble.STALE_CANDLES),
        ({"trained": -2600.0}, None),
        ({"trained": -2600.1}, Trouble.EXPIRED_MODEL),
        ({"duration": 30.0}, None),
        ({"duration": 30.1}, Trouble.SLOW_PREDICTION),
        ({"scores": (0.1, np.nan, 0.1)}, Trouble.NOT_A_NUMBER),
        ({"scores": None}, None),
        ({"is_constant": True}, Trouble.CONSTANT),
    ],
)
def test_each_limit_from_both_sides(change, trouble):
    guard = Guard(LIMITS)
    began, ended = guard.judge(reading(**change))
    assert set(began) == ({trouble} if trouble else set())
    assert ended == set()
    assert sum(guard.counts.values()) == (trouble is not None)


def test_a_trouble_begins_and_ends_once_and_is_counted_each_time():
    guard = Guard(LIMITS)
    said = [guard.judge(reading(scores=None, duration=d)) for d in (1, 40, 50, 1, 40)]
    slow = Trouble.SLOW_PREDICTION
    assert [list(began) for began, _ in said] == [[], [slow], [], [], [slow]]
    assert [ended for _, ended in said] == [set(), set(), set(), {slow}, set()]
    assert guard.counts[slow] == 3


def test_candles_that_no_longer_come_are_a_trouble_once_until_one_comes():
    guard = Guard(LIMITS)
    guard.judge(reading())
    said = [guard.notice_missing_candles(age, step=60) for age in (1, 61, 120, 121, 500)]
    assert [text is not None for text in said] == [False, False, False, True, False]
    assert guard.counts[Trouble.STALE_CANDLES] == 1
    assert guard.judge(reading())[1] == {Trouble.STALE_CANDLES}
    assert guard.notice_missing_candles(121, step=60) is not None


def test_identical_scores_are_in_trouble_once_there_are_too_many_in_a_row():
    guard = Guard(LIMITS)
    a, b = (0.1, 0.8, 0.1), (0.2, 0.7, 0.1)
    present = []
    for scores in (a, b, b, b, b, b, a):
        guard.judge(reading(scores))
        present.append(Trouble.IDENTICAL_SCORES in guard.present)
    assert present == [False, False, False, False, True, True, False]


def test_the_status_file_and_its_table(tmp_path):
    status = Status(tmp_path, LIMITS)
    status.trained("BTC/USDT", 500.0)
    status.failed("BTC/USDT")
    assert status.predicted("BTC/USDT", reading(duration=0.2))
    assert not status.predicted("BTC/USDT", reading((0.3, 0.3, 0.4), duration=31.0))
    assert status.predicted("ETH/USDT", reading(None))
    status.write()
    facts = json.loads((tmp_path / STATUS_FILE).read_text())
    btc, eth = (facts["pairs"][f"{coin}/USDT"] for coin in ("BTC", "ETH"))
    assert btc["seconds_per_prediction"] == {"last": 31.0, "median": 15.6, "max": 31.0}
    assert btc["seconds_after_candle"]["last"] == 2.0
    assert (btc["trainings"], btc["failed_trainings"]) == (1, 1)
    assert (btc["predictions"], btc["candles_without_prediction"]) == (1, 1)
    assert btc["model_trained"] == "1970-01-01T00:08:20Z"
    assert list(btc["keeps_out"]) == ["slow prediction"]
    assert (eth["predictions"], eth["candles_without_prediction"]) == (0, 1)
    facts["updated"] = "1970-01-01T00:16:40Z"
    console = Console(width=160, record=True)
    console.print(status_table("mine", facts, now=8000.0))
    shown = console.export_text()
    for text in ("mine, written 117 min ago", "2.1 h", "15.60 (31.00)", "1 x slow prediction"):
        assert text in shown
    assert "BTC/USDT: slow prediction (it took 31.0 s, at most 30.0 s)" in shown
    status.stopped()
    facts = json.loads((tmp_path / STATUS_FILE).read_text())
    facts["updated"] = "1970-01-01T02:13:11Z"
    console.print(status_table("mine", facts, now=8000.0))
    assert "mine, stopped 9 s ago" in console.export_text()


def test_of_a_pair_that_is_not_asked_for_no_candles_are_expected(tmp_path, caplog):
    status = Status(tmp_path, LIMITS)
    for pair in ("BTC/USDT", "ETH/USDT"):
        assert status.predicted(pair, reading())
    status.notice_missing_candles(1e6, 60, ["ETH/USDT", "SOL/USDT"])
    assert caplog.text.count("stale candles") == 1
    assert "ETH/USDT: stale candles" in caplog.text


def test_a_status_that_cannot_be_written_is_logged_once(tmp_path, caplog):
    status = Status(tmp_path / "gone", LIMITS)
    status.write()
    status.write()
    assert caplog.text.count("could not be written") == 1

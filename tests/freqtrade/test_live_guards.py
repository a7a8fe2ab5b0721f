"""Guards and the status file, without freqtrade."""

import json

import numpy as np
import pytest
from rich.console import Console

from dualwindow.cli import main
from dualwindow_freqtrade.live import status as live_status
from dualwindow_freqtrade.live import watch as live_watch
from dualwindow_freqtrade.live.guards import Guard, Limits, Reading, Trouble
from dualwindow_freqtrade.live.pace import Pace
from dualwindow_freqtrade.live.status import STATUS_FILE, Status
from dualwindow_freqtrade.live.status_table import status_table
from dualwindow_freqtrade.live.watch import LiveWatch

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
        ({"trained": 1000.0}, None),
        ({"trained": 1000.1}, Trouble.EXPIRED_MODEL),
        ({"late": "ETH 1h: no candles"}, Trouble.STALE_INPUTS),
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


def test_a_few_candles_without_a_window_are_nothing_special_and_more_are_a_trouble():
    guard = Guard(LIMITS)
    present = []
    for scores in [None] * 12 + [(0.1, 0.8, 0.1), None]:
        guard.judge(reading(scores))
        present.append(Trouble.NO_WINDOW in guard.present)
    assert present == [False] * 10 + [True, True, False, False]
    expired = Guard(LIMITS)
    for _ in range(20):
        expired.judge(reading(None, is_asked=False, trained=-9000.0))
    assert list(expired.present) == [Trouble.EXPIRED_MODEL]


def test_a_candle_that_is_tried_again_counts_once():
    guard = Guard(LIMITS)
    for i in range(20):
        guard.judge(reading(duration=31.0), is_first_try=i == 0)
    assert list(guard.present) == [Trouble.SLOW_PREDICTION]
    assert guard.counts[Trouble.SLOW_PREDICTION] == 1


def test_an_analysis_that_fails_ends_with_one_that_is_finished_and_keeps_no_prediction_out():
    guard = Guard(LIMITS)
    assert guard.notice(Trouble.FAILED, "KeyError: 'x'")
    assert not guard.notice(Trouble.FAILED, "KeyError: 'y'")
    assert guard.judge(reading()) == ({}, set())
    assert guard.is_sound
    assert guard.present == {Trouble.FAILED: "KeyError: 'y'"}
    assert guard.settle(Trouble.UNFINISHED) == set()
    assert guard.settle(Trouble.FAILED) == {Trouble.FAILED}
    assert (guard.present, guard.counts[Trouble.FAILED]) == ({}, 1)


def told_of(capsys, models, *words: str) -> tuple[int, str, str]:
    """Give the status, output and complaint of ``dualwindow status``."""
    found = main(["status", "--models", str(models), *words])
    return found, *capsys.readouterr()


def test_status_shows_a_text_with_brackets_as_it_is(tmp_path, capsys):
    status = status_in(tmp_path / "mine")
    status.fail("BTC/USDT", OSError("cannot read [/dev/none]"))
    (tmp_path / "mine").mkdir()
    status.write()
    found, said, complaint = told_of(capsys, tmp_path)
    assert (found, complaint) == (0, "")
    assert "cannot read [/dev/none]" in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param("{", "JSONDecodeError", id="damaged"),
        pytest.param('{"pairs": {}}', "KeyError: 'updated'", id="without-a-time"),
        pytest.param(
            '{"updated": "2026-01-01T00:00:00Z", "pairs": {"BTC/USDT": {}}}',
            "KeyError: 'seconds_per_prediction'",
            id="of-another-version",
        ),
        pytest.param("[]", "AttributeError", id="no-object"),
    ],
)
def test_status_names_a_file_that_it_cannot_read_and_shows_the_others(
    tmp_path, capsys, content, why
):
    for name in ("odd", "sound"):
        (tmp_path / name).mkdir()
    status_in(tmp_path / "sound").write()
    (tmp_path / "odd" / STATUS_FILE).write_text(content)
    found, said, complaint = told_of(capsys, tmp_path, "--silent-after", "5")
    assert found == 2
    assert "sound, written" in said
    assert f"{tmp_path / 'odd' / STATUS_FILE} cannot be read, is damaged, or of" in complaint
    assert why in complaint
    assert complaint.count("\n") == 1


def status_in(folder, pace: Pace | None = None) -> Status:
    return Status(folder, LIMITS, pace or Pace(1, 0))


def test_the_status_file_and_its_table(tmp_path):
    pace = Pace(1, 0)
    status = status_in(tmp_path, pace)
    status.trained("BTC/USDT", 500.0)
    status.training_failed("BTC/USDT")
    assert status.judge("BTC/USDT", reading(duration=0.2))
    status.finish("BTC/USDT", 500.0, predicted=True)
    later = {"now": 1060.0, "closed": 1058.0}
    assert not status.judge("BTC/USDT", reading((0.3, 0.3, 0.4), duration=31.0, **later))
    status.finish("BTC/USDT", 500.0, predicted=False)
    assert status.judge("ETH/USDT", reading(None))
    status.write()
    early = json.loads((tmp_path / STATUS_FILE).read_text())
    assert early["pairs"]["ETH/USDT"]["last_candle_closed"] is None  # not until it is finished
    status.finish("ETH/USDT", None, predicted=False)
    status.write()
    facts = json.loads((tmp_path / STATUS_FILE).read_text())
    btc, eth = (facts["pairs"][f"{coin}/USDT"] for coin in ("BTC", "ETH"))
    assert btc["seconds_per_prediction"] == {"last": 31.0, "median": 15.6, "max": 31.0}
    assert btc["seconds_after_candle"]["last"] == 2.0
    assert (btc["trainings"], btc["failed_trainings"]) == (1, 1)
    assert (btc["predictions"], btc["candles_without_prediction"]) == (1, 1)
    assert btc["model_trained"] == "1970-01-01T00:08:20Z"
    assert btc["model_due"] == "1970-01-01T01:08:20Z"
    assert list(btc["keeps_out"]) == ["slow prediction"]
    assert (eth["predictions"], eth["candles_without_prediction"]) == (0, 1)
    facts["updated"] = "1970-01-01T00:16:40Z"
    console = Console(width=160, record=True)
    console.print(status_table("mine", facts, now=8000.0))
    shown = console.export_text()
    console.print(status_table("early", facts, now=400.0))
    assert "100 s ahead" in console.export_text(clear=False)
    for text in ("mine, written 117 min ago", "2.1 h", "65 min ago", "15.60 (31.00)"):
        assert text in shown
    assert "1 x slow prediction" in shown
    assert "BTC/USDT: slow prediction (it took 31.0 s, at most 30.0 s)" in shown
    status.fail("ETH/USDT", ValueError("no date"))
    pace.take([4000.0], 2)
    status.stop()
    facts = json.loads((tmp_path / STATUS_FILE).read_text())
    facts["updated"] = "1970-01-01T02:13:11Z"
    console.print(status_table("mine", facts, now=8000.0))
    shown = console.export_text()
    assert "mine, stopped 9 s ago" in shown
    assert "ETH/USDT: 1 analyses raised, at last ValueError: no date" in shown
    assert (
        "retraining falls behind: 2 pairs of 4000 s each take 2.2 hours, "
        "freqai.live_retrain_hours is 1" in " ".join(shown.split())
    )


PAIRS = ("BTC/USDT", "ETH/USDT")


def watched(folder, *moments: float, **analysed: float) -> Status:
    """Two pairs that were predicted, and looked at again at these moments."""
    status = status_in(folder)
    for pair in PAIRS:
        assert status.judge(pair, reading())
        status.finish(pair, 500.0, predicted=True)
    for moment in moments:
        status.notice_silence(moment, 60, analysed or dict.fromkeys(PAIRS, moment))
    return status


def kept_out(status: Status, folder) -> dict[str, list[str]]:
    status.write()
    facts = json.loads((folder / STATUS_FILE).read_text())["pairs"]
    return {pair: list(state["keeps_out"]) for pair, state in facts.items()}


def test_of_a_pair_that_is_not_asked_for_no_candles_are_expected(tmp_path, caplog):
    status = watched(tmp_path, 1000, 1060)
    only = {"ETH/USDT": 1120.0, "SOL/USDT": 1120.0}
    for moment in (1110, 1121, 1180):
        status.notice_silence(moment, 60, only)
    assert caplog.text.count("stale candles") == 1
    assert "ETH/USDT: stale candles" in caplog.text
    assert "no finished analysis" not in caplog.text
    status.notice_silence(1181, 60, {"BTC/USDT": 1181.0})
    assert kept_out(status, tmp_path) == {"BTC/USDT": [], "ETH/USDT": [], "SOL/USDT": []}


def test_a_bot_that_was_stopped_expects_nothing_of_the_time_between(tmp_path, caplog):
    watched(tmp_path, 1000, 1060, 9000)
    assert "stale candles" not in caplog.text


def test_silence_is_seen_also_when_a_loop_takes_minutes(tmp_path):
    status = watched(tmp_path, *range(1000, 2000, 200), **dict.fromkeys(PAIRS, 998.0))
    assert kept_out(status, tmp_path) == {pair: ["stale candles"] for pair in PAIRS}
    status.notice_silence(3700, 60, dict.fromkeys(PAIRS, 998.0))  # it was stopped
    assert kept_out(status, tmp_path) == {pair: [] for pair in PAIRS}


@pytest.mark.parametrize(
    ("step", "seconds", "gone"),
    [(60, 3600, []), (60, 3601, ["a"]), (14400, 43200, []), (14400, 43201, ["a"])],
)
def test_a_pair_is_gone_after_an_hour_and_three_candles(tmp_path, monkeypatch, step, seconds, gone):
    watch = LiveWatch(status_in(tmp_path), None, step)
    for now, pair in ((0.0, "a"), (0.0, "b"), (float(seconds), "c")):
        monkeypatch.setattr(live_watch, "elapsed", lambda now=now: now)
        watch.start_clock(pair)
    assert watch.gone({"b"}) == gone


def test_the_file_follows_what_happens_and_not_too_often(tmp_path, monkeypatch):
    status, seconds = status_in(tmp_path), 100.0
    monkeypatch.setattr(live_status, "elapsed", lambda: seconds)

    def predictions() -> int:
        facts = json.loads((tmp_path / STATUS_FILE).read_text())["pairs"]
        return facts["BTC/USDT"]["predictions"]

    for i, (later, expected) in enumerate([(0.0, 1), (0.005, 1), (0.02, 3)]):
        seconds += later
        status.judge("BTC/USDT", reading((0.1, 0.8 - i / 10, 0.1), closed=998.0 + 60 * i))
        status.finish("BTC/USDT", 500.0, predicted=True)
        status.flush()
        assert predictions() == expected


def test_an_analysis_that_raises_says_nothing_about_candles(tmp_path, caplog):
    status = watched(tmp_path, 1000)
    for moment in range(1005, 1300, 5):
        closed = 998.0 + 60 * ((moment - 998) // 60)
        status.judge("BTC/USDT", reading((0.1, 0.8 - closed / 1e5, 0.1), now=moment, closed=closed))
        status.fail("BTC/USDT", KeyError("x"))
        status.notice_silence(moment, 60, {"BTC/USDT": 999.0})
    assert kept_out(status, tmp_path)["BTC/USDT"] == ["analysis failed", "no finished analysis"]
    assert caplog.text.count("BTC/USDT: ") == 2
    status.finish("BTC/USDT", 500.0, predicted=True)
    status.notice_silence(1300, 60, {"BTC/USDT": 1300.0})
    assert kept_out(status, tmp_path)["BTC/USDT"] == []


def test_what_a_strategy_raises_after_the_prediction_is_no_finished_analysis(tmp_path, caplog):
    status = watched(tmp_path, 1000)
    for moment in range(1005, 1300, 5):
        closed = 998.0 + 60 * ((moment - 998) // 60)
        status.judge("BTC/USDT", reading((0.1, 0.8 - closed / 1e5, 0.1), now=moment, closed=closed))
        status.finish("BTC/USDT", 500.0, predicted=True)
        status.notice_silence(moment, 60, {"BTC/USDT": 999.0})
    assert caplog.text.count("no finished analysis (none for") == 1
    assert kept_out(status, tmp_path)["BTC/USDT"] == ["no finished analysis"]
    facts = json.loads((tmp_path / STATUS_FILE).read_text())["pairs"]["BTC/USDT"]
    assert facts["predictions"] == 5  # one of each candle


def test_a_status_that_cannot_be_written_is_logged_once(tmp_path, caplog):
    status = status_in(tmp_path / "gone")
    status.write()
    status.write()
    assert caplog.text.count("could not be written") == 1


@pytest.mark.parametrize(
    ("retrain", "expire", "seconds", "behind"),
    [
        (1, 0, 1800, ""),
        (1, 0, 1801, "live_retrain_hours is 1"),
        (0, 0, 9999, ""),
        (0, 2, 2399, ""),
        (0, 2, 2401, "expiration_hours is 2 (models get 2 hours old)"),
        (1, 1, 900, "expiration_hours is 1 (models get 1.2 hours old)"),
    ],
)
def test_two_pairs_keep_up_or_fall_behind(retrain, expire, seconds, behind):
    pace = Pace(retrain, expire)
    assert pace.facts()["falls_behind"] == ""
    pace.take([seconds], 2)
    told = pace.facts()["falls_behind"]
    assert told.partition("freqai.")[2] == behind
    assert pace.facts()["seconds_per_training"] == seconds


def test_that_retraining_falls_behind_is_said_once_and_when_it_is_over(caplog):
    pace = Pace(1, 0)
    with caplog.at_level("INFO"):
        for seconds in (4000, 4000, 4000, 1, 1, 1, 1):
            pace.take([seconds], 2)
    assert caplog.text.count("falls behind") == 1
    assert caplog.text.count("keeps up again") == 1

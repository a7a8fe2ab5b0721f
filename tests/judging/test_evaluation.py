"""Numbers about decisions, by pencil and against other libraries."""

import io
import math
from dataclasses import replace

import numpy as np
import pytest
from examples import make_candles, random_candles
from rich.console import Console
from sklearn.metrics import f1_score

from dualwindow.judging.evaluation import follow, quality
from dualwindow.judging.outcomes import Costs, ends_of, independent
from dualwindow.market.labels import HOLD, LONG, SHORT, UNKNOWN, Barriers, Labelling, first_touch
from dualwindow.reports.terminal import comparison_table

BARRIERS = Barriers(0.01, 0.005, 0.02, 0.01)
COSTS = Costs(Labelling(first_touch, BARRIERS, 3, 15), fees=0.001)


def outcome(candles, row, side, costs):
    """Of one candle: profit and length."""
    ends = ends_of(candles, side, costs)
    return float(ends.profit[row]), int(ends.length[row])


def plain_outcome(candles, row, side, costs):
    """The slow, obvious version: candle by candle until something happens."""
    barriers, entry, profit = costs.labelling.barriers, candles.close[row], 0.0
    sign = 1 if side == LONG else -1
    take, stop = (
        (barriers.long_take_profit, barriers.long_stop_loss)
        if side == LONG
        else (barriers.short_take_profit, barriers.short_stop_loss)
    )
    last = min(row + costs.labelling.horizon, len(candles) - 1)
    for later in range(row + 1, last + 1):
        best, worst = candles.high[later], candles.low[later]
        if side == SHORT:
            best, worst = worst, best
        if sign * (worst / entry - 1) <= -stop:
            return -stop - costs.fees, later - row
        if sign * (best / entry - 1) >= take:
            return take - costs.fees, later - row
    profit = sign * (candles.close[last] / entry - 1)
    return profit - costs.fees, max(last - row, 1)


def plain_independent(signal, length):
    chosen, free = [], -1
    for row in np.flatnonzero(signal):
        if row >= free:
            chosen.append(int(row))
            free = row + length[row]
    return chosen


@pytest.mark.parametrize("side", [SHORT, LONG])
def test_outcomes_are_those_of_a_plain_loop(side, seed):
    candles = random_candles(400, seed, 0.003)
    broken = np.where(np.arange(400) == 200, np.nan, candles.high)
    candles = replace(candles, high=broken, low=np.where(np.isnan(broken), np.nan, candles.low))
    costs = Costs(Labelling(first_touch, BARRIERS, 20, 15), fees=0.001)
    ends = ends_of(candles, side, costs)
    told = np.array([plain_outcome(candles, row, side, costs) for row in range(400)])
    np.testing.assert_allclose(ends.profit, told[:, 0], atol=1e-15)
    np.testing.assert_array_equal(ends.length, told[:, 1])
    assert len(np.unique(ends.length)) > 10
    signal = np.random.default_rng(seed).random(400) < 0.3
    assert independent(signal, ends).tolist() == plain_independent(signal, ends.length)
    assert independent(np.zeros(400, dtype=bool), ends).tolist() == []


@pytest.mark.parametrize(
    ("high", "low", "side", "profit", "length"),
    [
        pytest.param([0, 1], [0, 0], LONG, 0.009, 2, id="long-wins-on-equality"),
        pytest.param([0, 0], [-0.5, 0], LONG, -0.006, 1, id="long-stops-on-equality"),
        pytest.param([1, 0], [-0.5, 0], LONG, -0.006, 1, id="both-in-one-candle-is-a-stop"),
        pytest.param([1, 0], [0, -0.5], LONG, 0.009, 1, id="win-first"),
        pytest.param([0, 0], [0, -2], SHORT, 0.019, 2, id="short-wins"),
        pytest.param([1, 0], [0, -2], SHORT, -0.011, 1, id="short-stops"),
        pytest.param([0.2, 0.2], [0, 0], LONG, 0.002 - 0.001, 3, id="long-horizon"),
        pytest.param([0.2, 0.2], [0, 0], SHORT, -0.002 - 0.001, 3, id="short-horizon"),
    ],
)
@pytest.mark.parametrize("slack", [0.0, None], ids=["to-the-last-bit", "as-it-is"])
def test_outcome_table(high, low, side, profit, length, slack, monkeypatch):
    """Candle 0 closes at 100; the last close of the horizon is 100.2; candle 4 would be a crash."""
    if slack is not None:
        monkeypatch.setattr("dualwindow.market.labels._SLACK", slack)
    candles = make_candles(
        [100, 100, 100, 100.2, 50],
        high=[200, *(100 + h for h in high), 100.2, 300],
        low=[1, *(100 + x for x in low), 100, 1],
    )
    assert outcome(candles, 0, side, COSTS) == (pytest.approx(profit), length)


def test_outcomes_agree_with_the_labels(seed):
    candles = random_candles(600, seed, 0.003)
    labelling = Labelling(first_touch, Barriers(0.01, 0.005, 0.01, 0.005), 20, 600)
    costs, labels = Costs(labelling, 0.0), labelling.label(candles)[:-20]
    wins = 0
    for row, label in enumerate(labels):
        for side in (SHORT, LONG):
            profit, _ = outcome(candles, row, side, costs)
            assert (profit == 0.01) == (label == side)
            wins += label == side
    assert wins > 50


@pytest.mark.parametrize("side", [SHORT, LONG])
def test_a_trade_that_the_data_cut_off_ends_with_them(side):
    candles = make_candles([100.0, 100.0, 100.2])
    sign = 1 if side == LONG else -1
    assert outcome(candles, 2, side, COSTS) == (-0.001, 1)
    assert outcome(candles, 1, side, COSTS) == (pytest.approx(sign * 0.002 - 0.001), 1)
    assert outcome(candles, 0, side, COSTS) == (pytest.approx(sign * 0.002 - 0.001), 2)


def test_outcomes_ignore_everything_past_the_horizon(seed):
    candles = random_candles(50, seed)
    for n in range(10, 14):
        early = outcome(candles[: n + 1], n - 3, LONG, COSTS)
        assert early == outcome(candles, n - 3, LONG, COSTS)


def test_independent_signals_do_not_overlap():
    candles = make_candles(np.full(40, 100.0))  # nothing is ever touched: 3 candles each
    labels = np.full(40, HOLD)
    decisions = np.full(40, HOLD)
    decisions[[0, 1, 2, 3, 10, 12, 13]] = LONG
    decisions[20] = SHORT
    q = quality([follow(candles, labels, decisions, COSTS)], COSTS)
    assert (q.long.signals, q.long.independent) == (7, 4)  # 0, 3, 10, 13
    assert (q.short.signals, q.short.independent) == (1, 1)
    assert q.long.expected_value == pytest.approx(-0.001)
    assert q.long.standard_error == pytest.approx(0)
    assert math.isnan(q.short.standard_error)


def test_each_side_is_followed_on_its_own():
    """A rise by 2 % after candle 1: a long wins 1 %, a short loses 1 %, the other longs nothing."""
    candles = make_candles([100.0, 100.0, 102.0, 102.0, 102.0, 102.0, 102.0, 102.0])
    labels = np.full(8, HOLD)
    longs, shorts = np.full(8, HOLD), np.full(8, HOLD)
    longs[[1, 3]], shorts[1] = LONG, SHORT
    long = quality([follow(candles, labels, longs, COSTS)], COSTS).long
    assert long.independent == 2
    assert long.expected_value == pytest.approx((0.009 - 0.001) / 2)
    # deviations are 0.005 both; over n - 1 = 1 and the root of 2, that is 0.005 again
    assert long.standard_error == pytest.approx(0.005)
    short = quality([follow(candles, labels, shorts, COSTS)], COSTS).short
    assert short.expected_value == pytest.approx(-0.011)


def test_a_class_that_never_comes_has_no_precision():
    candles = make_candles(np.full(4, 100.0))
    labels, decisions = np.array([HOLD, LONG, LONG, HOLD]), np.array([HOLD, LONG, HOLD, HOLD])
    q = quality([follow(candles, labels, decisions, COSTS)], COSTS)
    assert q.precision == pytest.approx((math.nan, 2 / 3, 1), nan_ok=True)
    assert q.recall == pytest.approx((math.nan, 1, 1 / 2), nan_ok=True)


def test_quality_by_pencil():
    candles = make_candles(np.full(9, 100.0))
    labels = np.array([LONG, LONG, HOLD, SHORT, HOLD, UNKNOWN, HOLD, HOLD, HOLD])
    decisions = np.array([LONG, HOLD, LONG, SHORT, HOLD, LONG, UNKNOWN, HOLD, HOLD])
    q = quality([follow(candles, labels, decisions, COSTS)], COSTS)
    assert q.candles == 7
    assert q.accuracy == pytest.approx(5 / 7)
    assert q.precision == pytest.approx((1, 3 / 4, 1 / 2))
    assert q.recall == pytest.approx((1, 3 / 4, 1 / 2))
    assert q.trading_f1 == pytest.approx((1 + 1 / 2) / 2)
    assert q.share_of_hold == pytest.approx(4 / 7)
    assert q.signals_per_day == pytest.approx(3 / (7 / 1440))
    assert (q.long.hit_rate, q.short.hit_rate) == (1 / 2, 1)
    # 0.01 p - 0.005 (1 - p) - 0.001 = 0, and 0.02 p - 0.01 (1 - p) - 0.001 = 0
    assert q.long.break_even == pytest.approx(0.4)
    assert q.short.break_even == pytest.approx(11 / 30)


def test_pooled_records_are_one_long_record(seed):
    rng = np.random.default_rng(seed)
    candles = random_candles(900, seed)
    labels, decisions = rng.integers(0, 3, (2, 900))
    whole = quality([follow(candles, labels, decisions, COSTS)], COSTS)
    parts = []
    for part in (slice(300), slice(300, 900)):
        inside = np.full(900, UNKNOWN)
        inside[part] = decisions[part]
        parts.append(follow(candles, labels, inside, COSTS))
    pooled = quality(parts, COSTS)
    np.testing.assert_allclose(np.hstack(pooled[:8]), np.hstack(whole[:8]))
    assert pooled.trading_f1 == pytest.approx(
        f1_score(labels, decisions, labels=[0, 2], average="macro")
    )
    assert abs(pooled.long.independent - whole.long.independent) <= 1


def test_nothing_predicted_is_unknown_not_zero():
    candles = make_candles(np.full(9, 100.0))
    q = quality([follow(candles, np.full(9, HOLD), np.full(9, UNKNOWN), COSTS)], COSTS)
    assert q.candles == q.long.signals == 0
    assert all(math.isnan(x) for x in (q.accuracy, q.trading_f1, q.signals_per_day, *q.f1))
    console = Console(width=160, file=io.StringIO())
    console.print(comparison_table("all", {"argmax": q, "balanced": q}))


def test_no_record_is_unknown_not_zero():
    q = quality([], COSTS)
    assert (q.candles, q.long.signals, q.short.independent) == (0, 0, 0)
    unknown = (q.accuracy, q.trading_f1, q.share_of_hold, q.signals_per_day, q.long.hit_rate)
    assert all(math.isnan(x) for x in (*unknown, *q.precision, *q.recall, *q.f1))


def test_without_prices_it_is_unknown_how_trades_end():
    """Nor is it known of all, where it is known of some."""
    candles = make_candles(np.full(8, 100.0))
    labels = np.array([LONG, LONG, HOLD, SHORT, HOLD, HOLD, LONG, HOLD])
    decisions = np.array([LONG, HOLD, LONG, SHORT, HOLD, HOLD, LONG, HOLD])
    without = replace(candles, has_prices=False)
    priced = follow(candles, labels, decisions, COSTS)
    record = follow(without, labels, decisions, COSTS)
    assert record.outcomes is None
    for records in ([record], [record, priced]):
        q, known = quality(records, COSTS), quality([priced] * len(records), COSTS)
        assert (q.long.signals, q.long.independent) == (3 * len(records), None)
        assert math.isnan(q.long.expected_value)
        assert math.isnan(q.long.standard_error)
        assert q.long.hit_rate == pytest.approx(2 / 3)
        assert (q.accuracy, q.f1, q.signals_per_day) == (
            known.accuracy,
            known.f1,
            known.signals_per_day,
        )
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(comparison_table("all", {"argmax": quality([record], COSTS)}))
    assert "3 (-)" in console.export_text()


def test_tables_say_what_was_measured():
    candles = make_candles(np.full(8, 100.0))
    labels = np.array([LONG, LONG, HOLD, SHORT, HOLD, HOLD, HOLD, HOLD])
    q = quality([follow(candles, labels, labels, COSTS)], COSTS)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(comparison_table("overall", {"argmax": q, "expected_value": q}))
    text = console.export_text()
    assert "…" not in text
    assert text.count("argmax") == text.count("expected_value") == 1
    for words in ("trading F1", "100 (40)", "62.5", "-0.10 ±", "signals per day", "SHORT / HOLD"):
        assert words in text

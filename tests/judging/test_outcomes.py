"""How trades end, by pencil and against a plain loop."""

from dataclasses import replace

import numpy as np
import pytest
from examples import make_candles, random_candles

from dualwindow.judging.outcomes import Costs, ends_of, independent
from dualwindow.market.labels import LONG, SHORT, Barriers, Labelling, first_touch

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

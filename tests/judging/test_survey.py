from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from examples import make_candles, random_candles, shared_frame

from dualwindow.judging import survey as module
from dualwindow.judging.survey import Point, labels_by, survey
from dualwindow.market.candles import Candles
from dualwindow.market.labels import HOLD, LONG, RULES, SHORT, UNKNOWN, Barriers, Labelling

LOPSIDED = Barriers(0.004, 0.006, 0.008, 0.002)
POINTS = [
    Point(Barriers(take, stop, take, stop), horizon)
    for take, stop, horizon in product((0.003, 0.006), (0.002, 0.006), (1, 7, 20))
]
POINTS += [Point(LOPSIDED, 12), Point(Barriers(0.005, 0.01, 0.005, 0.01), 64)]


def torn_candles(seed: int, n: int = 700) -> Candles:
    """With a gap, prices that are not there, and outages that are long enough and not."""
    candles = random_candles(n, seed)
    high, close, volume = candles.high.copy(), candles.close.copy(), candles.volume.copy()
    high[200], close[333] = np.nan, np.inf
    volume[400:404] = volume[500:520] = 0
    kept = np.delete(np.arange(n), np.arange(100, 105))
    return replace(candles, high=high, close=close, volume=volume)[np.isin(np.arange(n), kept)]


def slow_moves(candles: Candles, point: Point, labels: np.ndarray) -> tuple[int, list[int]]:
    """Follow every move to its take-profit: candles of all, and those one after the other."""
    total, free, taken = 0, 0, []
    level = Labelling(RULES["exclusive"], point.barriers, point.horizon, 0).watched
    for row in np.flatnonzero((labels == SHORT) | (labels == LONG)).tolist():
        n, prices = 1, level(candles.close[row])
        while not (
            candles.high[row + n] >= prices.long_take
            if labels[row] == LONG
            else candles.low[row + n] <= prices.short_take
        ):
            n += 1
        assert n <= point.horizon
        total += n
        if row >= free:
            taken.append(labels[row])
            free = row + n
    return total, taken


@pytest.mark.parametrize("chunk", [50, 1 << 14])
@pytest.mark.parametrize("rule", RULES)
def test_is_what_labelling_and_a_slow_loop_say(rule, chunk, seed, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    candles = torn_candles(seed)
    n_moves = 0
    with np.errstate(invalid="ignore"):  # of the infinite close
        found, given = (do(candles, POINTS, rule, 5) for do in (survey, labels_by))
        for point, each, mine in zip(POINTS, found, given, strict=True):
            labels = Labelling(RULES[rule], point.barriers, point.horizon, 5).label(candles)
            np.testing.assert_array_equal(mine, labels)
            assert mine.dtype == np.int8
            counts = [int((labels == code).sum()) for code in (SHORT, HOLD, LONG)]
            assert each.counts.tolist() == counts
            total, taken = slow_moves(candles, point, labels)
            assert each.candles_to_touch == total
            assert each.independent == (taken.count(SHORT), taken.count(LONG))
            n_moves += len(taken)
    assert n_moves > 300


def test_table_by_pencil():
    # LONG of the first three, which touch 101 in the fourth candle; of them only the first is
    # independent. The fourth sinks at once: SHORT. Of the fifth nothing is known.
    candles = make_candles(
        [100, 100, 100, 101, 99.9],
        high=[100, 100, 100, 101, 100],
        low=[100, 100, 100, 101, 99.9],
    )
    points = [Point(Barriers(0.01, 0.01, 0.01, 0.01), horizon) for horizon in (1, 2, 3)]
    labels = [each.tolist() for each in labels_by(candles, points, "exclusive", 15)]
    assert labels == [
        [HOLD, HOLD, LONG, SHORT, UNKNOWN],
        [HOLD, LONG, LONG, UNKNOWN, UNKNOWN],
        [LONG, LONG, UNKNOWN, UNKNOWN, UNKNOWN],
    ]
    found = survey(candles, points, "exclusive", 15)
    assert [each.counts.tolist() for each in found] == [[1, 2, 1], [0, 1, 2], [0, 0, 2]]
    assert [each.candles_to_touch for each in found] == [2, 3, 5]
    assert [each.independent for each in found] == [(1, 1), (0, 1), (0, 1)]


def test_nothing_looks_beyond_its_horizon(seed):
    candles, row = random_candles(300, seed), 150
    points = [Point(POINTS[0].barriers, horizon) for horizon in (5, 40)]
    before = labels_by(candles, points, "first_touch", 15)
    factor = np.ones(300)
    factor[row + 1 :] = np.random.default_rng(seed).uniform(0.5, 2, 300 - row - 1)
    prices = {name: getattr(candles, name) * factor for name in ("close", "high", "low")}
    changed = replace(candles, **prices)
    after = labels_by(changed, points, "first_touch", 15)
    n_changed = 0
    for point, old, new in zip(points, before, after, strict=True):
        held = row - point.horizon + 1
        np.testing.assert_array_equal(old[:held], new[:held])
        n_changed += int((old != new).sum())
    assert n_changed > 50


def test_inputs_are_untouched():
    candles = torn_candles(0)
    before = replace(candles, high=candles.high.copy(), close=candles.close.copy())
    with np.errstate(invalid="ignore"):
        survey(candles, POINTS, "exclusive", 5)
    np.testing.assert_array_equal(candles.high, before.high)
    np.testing.assert_array_equal(candles.close, before.close)


def test_real_candles():
    frame = shared_frame("binance/BTC_USDT-1m.feather").iloc[:20000]
    candles = Candles.from_frame(frame, 60)
    point = Point(Barriers(0.005, 0.0025, 0.005, 0.0025), 120)
    (found,) = survey(candles, [point], "exclusive", 15)
    labels = Labelling(RULES["exclusive"], point.barriers, 120, 15).label(candles)
    (given,) = labels_by(candles, [point], "exclusive", 15)
    np.testing.assert_array_equal(given, labels)
    total, taken = slow_moves(candles, point, labels)
    assert found.candles_to_touch == total
    assert sum(found.independent) == len(taken) > 50

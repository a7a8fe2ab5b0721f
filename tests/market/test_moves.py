"""Smoothed moves against a plain loop, and what they may look at."""

import dataclasses

import numpy as np
import pytest
from examples import make_candles, random_candles

from dualwindow.market.candles import Candles
from dualwindow.market.labels import HOLD, LONG, SHORT, UNKNOWN, Barriers, Labelling, Smoothed
from dualwindow.market.moves import LEAST_MOVE, smoothed_moves, typical_move
from dualwindow.settings import LabelSettings, Settings, SmoothedLabelSettings


def slow_move(candles: Candles, horizon: int, t: int) -> float:
    """The definition, one candle at a time."""
    if t < horizon or t + horizon >= len(candles):
        return np.nan
    before = sum(candles.close[t - k] for k in range(1, horizon + 1)) / horizon
    after = sum(candles.close[t + k] for k in range(1, horizon + 1)) / horizon
    return (after - before) / before


def labelling(horizon: int, delta: float, max_untraded: int = 15) -> Labelling:
    barriers = Barriers(np.inf, 0.005, np.inf, 0.005)
    return Labelling(Smoothed(delta), barriers, horizon, max_untraded)


@pytest.mark.parametrize("horizon", [1, 2, 5, 30])
def test_moves_are_those_of_a_plain_loop(horizon, seed):
    candles = random_candles(200, seed)
    expected = [slow_move(candles, horizon, t) for t in range(200)]
    moves = smoothed_moves(candles, horizon)
    assert np.isfinite(moves).sum() == 200 - 2 * horizon
    np.testing.assert_allclose(moves, expected, rtol=1e-9, atol=1e-13)


# means of two closes before and after the third candle, whose own close counts nowhere
@pytest.mark.parametrize(
    ("closes", "label"),
    [
        pytest.param([100, 100, 999, 101, 101], HOLD, id="just-delta-is-no-move"),
        pytest.param([100, 100, 1, 101, 101.1], LONG, id="above"),
        pytest.param([100, 100, 1, 99, 99], HOLD, id="just-minus-delta"),
        pytest.param([100, 100, 999, 99, 98.9], SHORT, id="below"),
        pytest.param([90, 110, 100, 90, 110], HOLD, id="only-means-count"),
    ],
)
def test_label_table(closes, label):
    labels = labelling(2, 0.01).label(make_candles(closes))
    assert labels.tolist() == [UNKNOWN, UNKNOWN, label, UNKNOWN, UNKNOWN]
    assert labels.dtype == np.int8


@pytest.mark.parametrize("n", [1, 2, 4])
def test_too_few_candles_have_no_label(n):
    assert labelling(2, 0.01).label(make_candles([100.0] * n)).tolist() == [UNKNOWN] * n


def test_moves_ignore_everything_outside_both_horizons(seed):
    candles, horizon, t = random_candles(120, seed), 7, 60
    other = random_candles(120, seed + 50)
    inside = np.zeros(120, dtype=bool)
    inside[t - horizon : t + horizon + 1] = True
    mixed = dataclasses.replace(candles, close=np.where(inside, candles.close, other.close))
    assert smoothed_moves(mixed, horizon)[t] == smoothed_moves(candles, horizon)[t]
    for k in (-horizon, -1, 1, horizon):
        close = candles.close.copy()
        close[t + k] *= 1.5
        changed = smoothed_moves(dataclasses.replace(candles, close=close), horizon)
        assert changed[t] != smoothed_moves(candles, horizon)[t]


@pytest.mark.parametrize("first", [1, 3, 10, 64])
def test_moves_do_not_depend_on_where_the_candles_begin(first, seed):
    candles, horizon = random_candles(300, seed), 30
    whole, tail = smoothed_moves(candles, horizon), smoothed_moves(candles[slice(first, None)], 30)
    assert (whole[first + horizon :] == tail[horizon:])[: -horizon or None].all()
    assert np.isfinite(tail).sum() == 300 - first - 2 * horizon


@pytest.mark.parametrize("broken", [np.nan, 0.0, -1.0, np.inf])
def test_an_unusable_price_spoils_all_that_look_at_it(broken):
    close = np.full(20, 100.0)
    close[10] = broken
    labels = labelling(3, 0.01).label(make_candles(close))
    assert np.flatnonzero(labels != UNKNOWN).tolist() == [3, 4, 5, 6, 14, 15, 16]


def test_a_gap_spoils_all_that_look_across_it():
    minute = np.arange(20) + 5 * (np.arange(20) >= 10)
    labels = labelling(3, 0.01).label(make_candles(np.full(20, 100.0), minute=minute))
    assert np.flatnonzero(labels != UNKNOWN).tolist() == [3, 4, 5, 6, 13, 14, 15, 16]


def test_a_long_run_of_untraded_candles_is_a_gap_on_both_sides():
    volume = np.ones(30)
    volume[12:15] = 0
    candles = make_candles(np.full(30, 100.0), volume=volume)
    assert (labelling(5, 0.01, 3).label(candles)[5:25] == HOLD).all()
    known = np.flatnonzero(labelling(5, 0.01, 2).label(candles) != UNKNOWN)
    # 9 to 11 have all three ahead; 14, the third in a row, is among the five before 15 to 19
    assert known.tolist() == [5, 6, 7, 8, 12, 13, *range(20, 25)]


def test_inputs_are_untouched(seed):
    candles = random_candles(100, seed)
    before = candles.close.copy()
    labelling(5, 0.001).label(candles)
    assert (candles.close == before).all()


@pytest.mark.parametrize(
    ("moves", "expected"),
    [
        ([0.25, -0.5, 0.75], 0.5),
        ([np.nan, -0.5], 0.5),
        ([0.0, 0.0], LEAST_MOVE),
        ([np.nan], LEAST_MOVE),
        ([], LEAST_MOVE),
    ],
)
def test_the_typical_move_is_the_median_of_those_known(moves, expected):
    assert typical_move(np.array(moves)) == expected


def test_settings_make_a_labelling_without_take_profits():
    settings = Settings(labels={"rule": "smoothed", "delta": 0.002, "long_stop_loss": 0.01})
    assert isinstance(settings.labels, SmoothedLabelSettings)
    found = Labelling.of(settings)
    assert found.rule == Smoothed(0.002)
    assert found.lookback == settings.horizon
    levels = found.prices(np.array([100.0, np.nan]))
    assert (levels.long_take[0], levels.long_stop[0]) == (np.inf, 99.0)
    assert (levels.short_take[0], levels.short_stop[0]) == (-np.inf, 100.5)
    assert np.isnan(levels.long_take[1])


def test_an_open_delta_is_the_least_one_until_it_is_found():
    settings = Settings(labels={"rule": "smoothed"})
    assert settings.has_open_delta
    assert Labelling.of(settings).rule == Smoothed(LEAST_MOVE)
    found = settings.with_delta(0.003)
    assert not found.has_open_delta
    assert Labelling.of(found).rule == Smoothed(0.003)
    assert Settings.model_validate_json(found.model_dump_json()) == found


def test_barriers_have_nothing_to_find():
    settings = Settings(labels={"rule": "first_touch"})
    assert isinstance(settings.labels, LabelSettings)
    assert not settings.has_open_delta
    assert Labelling.of(settings).lookback == 0

"""The features of training-ready files: a table by pencil, another library, and time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from examples import make_candles, random_candles

from dualwindow.market.candles import Candles
from dualwindow.market.ready_features import READY_FEATURES, ready_features

DAY, HOUR = 86400, 3600


def in_steps(candles: Candles, step: int) -> Candles:
    return replace(candles, date=candles.date // 60 * step, step=step)


def daily() -> Candles:
    """Thirty candles of a day: twenty-nine alike, and the last one."""
    close = np.append(np.full(29, 100.0), 130)
    high, low = np.append(np.full(29, 110.0), 143), np.append(np.full(29, 80.0), 100)
    return in_steps(make_candles(close, high, low, np.append(np.full(29, 10.0), 310)), DAY)


def test_by_pencil():
    found = ready_features(daily())
    # (29 * 100 + 130) / 30 = 101, (29 * 10 + 310) / 30 = 20; a day's average is the day itself
    expected = [30, 25, 30, 3000, 1, 130 / 101, 1, 15.5]
    np.testing.assert_allclose(found[-1], expected, rtol=1e-14)
    assert np.isnan(found[:-1, 5]).all()
    assert np.isnan(found[:-1, 7]).all()
    assert found[1:-1, [0, 1, 2, 3]].tolist() == [[0, 0, 0, 0]] * 28
    assert np.isnan(found[0, :4]).all()


def test_names_are_those_of_the_published_files():
    changes = ["high_change", "low_change", "close_change", "volume_change"]
    ratios = ["price_to_ma1440", "price_to_ma43200", "volume_to_ma1440", "volume_to_ma43200"]
    assert list(READY_FEATURES) == changes + ratios


@pytest.mark.parametrize("step", [HOUR, 3 * HOUR])
def test_another_library_computes_the_same(step, seed):
    candles = in_steps(random_candles(40 * DAY // step, seed), step)
    frame = pd.DataFrame({n: getattr(candles, n) for n in ("high", "low", "close", "volume")})
    day, month = DAY // step, 30 * DAY // step
    changes = 100 * frame.pct_change()
    means = [frame.rolling(n).mean() for n in (day, month)]
    expected = pd.concat(
        [
            changes,
            *(frame["close"] / mean["close"] for mean in means),
            *(frame["volume"] / mean["volume"] for mean in means),
        ],
        axis=1,
    )
    found = ready_features(candles)
    np.testing.assert_allclose(found, expected.to_numpy(), rtol=1e-9, atol=1e-9)
    assert np.isfinite(found).all(axis=1).sum() == len(candles) - month + 1


def test_nothing_later_changes_a_row(seed):
    candles = in_steps(random_candles(800, seed), HOUR)
    other = random_candles(800, seed + 1)
    late = np.arange(800) > 760
    changed = replace(
        candles,
        **{
            name: np.where(late, getattr(other, name), getattr(candles, name))
            for name in ("high", "low", "close", "volume")
        },
    )
    one, two = ready_features(candles), ready_features(changed)
    np.testing.assert_array_equal(one[:761], two[:761])
    assert (one[761:] != two[761:]).all(axis=1).all()


def test_a_row_does_not_depend_on_where_the_candles_begin(seed):
    candles = in_steps(random_candles(800, seed), HOUR)
    np.testing.assert_array_equal(ready_features(candles)[-30:], ready_features(candles[31:])[-30:])


def test_what_would_be_infinite_is_unknown():
    candles = daily()
    volume = candles.volume.copy()
    volume[28] = 0
    found = ready_features(replace(candles, volume=volume))
    assert found[28, 3] == -100  # from something to nothing is a number
    assert np.isnan(found[29, 3])  # from nothing to something is none
    assert np.isnan(found[28, 6])  # and so is a share of nothing
    assert np.isfinite(found[29, [0, 1, 2, 4, 5, 6, 7]]).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_an_unknown_candle_spoils_all_that_looks_at_it_and_no_more(bad, seed):
    candles = in_steps(random_candles(800, seed), HOUR)
    close = candles.close.copy()
    close[30] = bad
    found = ready_features(replace(candles, close=close))
    sound = ready_features(candles)
    unknown = np.isnan(found) & ~np.isnan(sound)
    assert np.flatnonzero(unknown[:, 2]).tolist() == [30, 31]
    assert np.flatnonzero(unknown[:, 4]).tolist() == list(range(30, 54))
    assert np.flatnonzero(unknown[:, 5]).tolist() == list(range(719, 750))
    np.testing.assert_array_equal(found[~np.isnan(found)], sound[~np.isnan(found)])


def test_nothing_is_computed_across_a_break(seed):
    candles = in_steps(random_candles(800, seed), HOUR)
    date = candles.date.copy()
    date[40:] += HOUR
    found = ready_features(replace(candles, date=date))
    assert np.flatnonzero(np.isnan(found[:, 2])).tolist() == [0, 40]
    assert np.flatnonzero(np.isnan(found[:, 4])).tolist() == [*range(23), *range(40, 63)]
    assert np.flatnonzero(~np.isnan(found[:, 5])).tolist() == list(range(40 + 719, 800))


def test_inputs_are_untouched(seed):
    candles = in_steps(random_candles(800, seed), HOUR)
    before = {name: getattr(candles, name).copy() for name in ("high", "low", "close", "volume")}
    ready_features(candles)
    for name, values in before.items():
        np.testing.assert_array_equal(getattr(candles, name), values)

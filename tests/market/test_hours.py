import numpy as np
import pytest
from examples import make_candles, shared_frame

from dualwindow.market.candles import Candles
from dualwindow.market.hours import fresh_levels, hourly_levels, join_hours

HOUR = 3600


def test_hourly_levels_match_the_slow_loop():
    rng = np.random.default_rng(0)
    close, volume = rng.random((2, 800))
    levels = hourly_levels(close, volume)
    assert np.isnan(levels.price_ma43200[:719]).all()
    for t in (719, 750, 799):
        assert levels.price_ma43200[t] == pytest.approx(close[t - 719 : t + 1].mean(), rel=1e-12)
        assert levels.volume_ma1440[t] == pytest.approx(volume[t - 23 : t + 1].mean(), rel=1e-12)


def test_hourly_levels_do_not_depend_on_where_history_begins():
    rng = np.random.default_rng(0)
    close, volume = rng.random((2, 1600))
    early, late = hourly_levels(close, volume), hourly_levels(close[613:], volume[613:])
    for a, b in zip(early, late, strict=True):
        assert (a[1400:] == b[1400 - 613 :]).all()  # bit for bit: live equals backtest


@pytest.mark.parametrize("price", [0.0, np.nan, np.inf])
def test_a_broken_hour_spoils_every_average_over_it(price):
    close = np.full(800, 100.0)
    close[10] = price
    levels = hourly_levels(close, np.ones(800))
    assert np.isnan(levels.price_ma43200[719:730]).all()
    assert (levels.price_ma43200[730:] == 100).all()
    assert np.isnan(levels.price_ma1440[23:34]).all()


@pytest.mark.parametrize("volume", [-1.0, np.nan, np.inf])
def test_a_broken_volume_spoils_every_average_over_it(volume):
    volumes = np.full(30, 5.0)
    volumes[3] = volume
    averages = hourly_levels(np.ones(30), volumes).volume_ma1440
    np.testing.assert_array_equal(averages[23:], [np.nan] * 4 + [5.0] * 3)


def test_an_hour_without_trades_is_known():
    assert hourly_levels(np.ones(24), np.zeros(24)).volume_ma1440[-1] == 0


def hours(n: int, without: tuple[int, ...] = ()) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours from 1970 on; each closes at its own number, so that averages tell which they are."""
    number = np.delete(np.arange(n), without)
    return number * HOUR, number + 1.0, number + 1.0


def test_a_candle_knows_the_hours_that_have_closed_when_it_closes():
    candles = make_candles(np.ones(3), minute=[24 * 60 - 2, 24 * 60 - 1, 24 * 60])
    levels = join_hours(candles, *hours(25))
    # 24 hours are there when the candle of 23:59 closes: their mean is that of 1 to 24
    np.testing.assert_array_equal(levels.price_ma1440, [np.nan, 12.5, 12.5])
    np.testing.assert_array_equal(levels.volume_ma1440, [np.nan, 12.5, 12.5])
    assert np.isnan(levels.price_ma43200).all()


@pytest.mark.parametrize("step", [60, 300, 3600, 4 * 3600])
def test_the_join_is_the_slow_loop(step, seed):
    rng = np.random.default_rng(seed)
    opened, close, volume = hours(100, tuple(rng.choice(100, 20, replace=False)))
    date = np.arange(0, 110 * HOUR, step)
    ones = np.ones(len(date))
    joined = join_hours(Candles(date, ones, ones, ones, ones, step), opened, close, volume)
    by_hour = hourly_levels(close, volume)
    known = 0
    for i, closes in enumerate(date + step):
        newest = closes // HOUR * HOUR - HOUR
        row = np.flatnonzero(opened == newest)
        expected = by_hour.price_ma1440[row[0]] if len(row) else np.nan
        np.testing.assert_equal(joined.price_ma1440[i], expected)
        known += np.isfinite(expected)
    assert 0 < known < len(date)


def test_no_hours_are_unknown():
    nothing = np.empty(0, dtype=np.int64)
    levels = join_hours(make_candles(np.ones(3)), nothing, nothing * 1.0, nothing * 1.0)
    assert np.isnan(np.stack(levels)).all()
    assert np.stack(levels).shape == (4, 3)


def test_levels_are_forgotten_when_the_next_hour_should_be_there():
    candles = make_candles(np.ones(4), minute=[58, 118, 119, 120])
    levels = hourly_levels(np.ones(4), np.ones(4))._replace(price_ma1440=np.arange(4.0))
    fresh = fresh_levels(candles, np.zeros(4), levels)
    np.testing.assert_array_equal(fresh.price_ma1440, [0, 1, np.nan, np.nan])
    nothing = fresh_levels(candles, np.full(4, np.nan), levels)
    assert np.isnan(nothing.price_ma1440).all()


def test_nothing_after_a_candle_changes_its_levels(seed):
    rng = np.random.default_rng(seed)
    opened, close, volume = hours(60, tuple(rng.choice(60, 5, replace=False)))
    candles = make_candles(np.ones(60 * 60))
    before = join_hours(candles, opened, close, volume)
    changed = 0
    for t in rng.integers(24 * 60, 59 * 60, 20):
        later = opened + HOUR > candles.date[t] + 60
        after = join_hours(
            candles, opened, np.where(later, 77.0, close), np.where(later, 7.0, volume)
        )
        cut = join_hours(candles[: t + 1], opened[~later], close[~later], volume[~later])
        for a, b, c in zip(before, after, cut, strict=True):
            np.testing.assert_array_equal(a[: t + 1], b[: t + 1])
            np.testing.assert_array_equal(a[: t + 1], c)
        changed += not np.array_equal(before.price_ma1440, after.price_ma1440, equal_nan=True)
    assert changed > 10


def test_real_minutes_know_the_averages_of_their_hours():
    minutes, by_hour = (shared_frame(f"binance/BTC_USDT-{t}.feather") for t in ("1m", "1h"))
    candles = Candles.from_frame(minutes, 60)
    opened = by_hour["date"].to_numpy("datetime64[s]").astype(np.int64)
    levels = join_hours(candles, opened, by_hour["close"].to_numpy(), by_hour["volume"].to_numpy())
    row = int(np.flatnonzero(np.isfinite(levels.price_ma1440))[0]) + 90
    closed = opened + HOUR <= candles.date[row] + 60
    assert levels.price_ma1440[row] == pytest.approx(by_hour["close"][closed].tail(24).mean())

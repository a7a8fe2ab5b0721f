"""Join averages over hourly candles to the candles of a shorter timeframe, as they become known."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candles import Candles

HOURS = {"ma1440": 24, "ma43200": 720}
_HOUR = 3600


class HourlyLevels(NamedTuple):
    """Averages over the last closed hourly candles, one value per hour or per candle.

    Prices are in quote currency, volumes in base currency per hour. NaN until enough hours exist.
    """

    price_ma1440: FloatArray
    price_ma43200: FloatArray
    volume_ma1440: FloatArray
    volume_ma43200: FloatArray


def hourly_levels(close: FloatArray, volume: FloatArray) -> HourlyLevels:
    """Average the closes and volumes of the last 24 and 720 hourly candles, this one included.

    Parameters
    ----------
    close, volume : (n_hours,) of hourly candles; a price that is not positive and finite, or a
        volume that is negative or not finite, makes every average over it NaN

    Returns
    -------
    HourlyLevels of (n_hours,) arrays. Each value is summed anew from its own hours, not carried
    along, so it does not depend on where the history begins: live and backtest agree.
    """
    close = np.where(np.isfinite(close) & (close > 0), close, np.nan)
    volume = np.where(np.isfinite(volume) & (volume >= 0), volume, np.nan)
    averages = [_mean(x, hours) for x in (close, volume) for hours in HOURS.values()]
    return HourlyLevels(*averages)


def join_hours(
    candles: Candles, opened: IntArray, close: FloatArray, volume: FloatArray
) -> HourlyLevels:
    """Give each candle the averages that are known when it closes.

    Candle *t* looks at the hours that have closed by ``date[t] + step``, and at nothing if the
    newest of them that should be there has not come.

    Parameters
    ----------
    candles : n candles
    opened : (n_hours,) seconds since 1970 UTC, strictly increasing
    close, volume : (n_hours,) as for `hourly_levels`

    Returns
    -------
    HourlyLevels of (n,) arrays, NaN where no hour has closed or the newest is missing.
    """
    n_closed = np.searchsorted(opened + _HOUR, candles.date + candles.step, side="right")
    # Nothing known stands before the first hour.
    hour, *averages = (
        np.concatenate([[np.nan], x])[n_closed] for x in (opened, *hourly_levels(close, volume))
    )
    return fresh_levels(candles, hour, HourlyLevels(*averages))


def fresh_levels(candles: Candles, hour: FloatArray, levels: HourlyLevels) -> HourlyLevels:
    """Forget the averages where a later hour has closed than the one that they end with.

    Parameters
    ----------
    candles : n candles
    hour : (n,) seconds since 1970 UTC, opening of the last hour averaged over; NaN if none
    levels : (n,) each
    """
    fresh = candles.date + candles.step - hour < 2 * _HOUR
    return HourlyLevels(*(np.where(fresh, average, np.nan) for average in levels))


def _mean(values: FloatArray, length: int) -> FloatArray:
    result = np.full(len(values), np.nan)
    if len(values) >= length:
        result[length - 1 :] = sliding_window_view(values, length).mean(axis=1)
    return result

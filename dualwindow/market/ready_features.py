"""Turn candles into the eight features of the files of a published trainer, as it defines them.

The names are those of `features`, the formulas are not: here changes are in per cent of the value
before of the same column, and ratios to averages are plain. So a network that has learnt from the
one kind must never be given the other.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.market.candles import Candles, count_back
from dualwindow.market.features import FEATURES

READY_FEATURES = FEATURES  # ours have their names from there
_DAY, _DAYS = 86400, 30


def ready_features(candles: Candles) -> FloatArray:
    """Compute the eight features of every candle.

    - ``high_change = 100 * (high / previous high - 1)``, likewise low, close and volume
    - ``price_to_ma1440 = close / mean close`` of the 1440 minutes that end with the candle,
      likewise 43200
    - ``volume_to_ma1440 = volume / mean volume`` of the same candles, likewise 43200

    Parameters
    ----------
    candles : n candles, of which a whole number makes a day; candle *t* looks at itself and at the
        thirty days before it, never at a later one

    Returns
    -------
    (n, 8) float64 in the order of READY_FEATURES: per cent, then plain ratios. NaN where a candle
    that is looked at is not there or unknown, or what is divided by is 0: no trade in the candle
    before, or in all that is averaged. Averages are summed anew from their own candles, so they do
    not depend on where the candles begin.
    """
    known, breaks, n_day = candles.known, candles.breaks, _DAY // candles.step
    columns = (candles.high, candles.low, candles.close, candles.volume)
    high, low, close, volume = (np.where(known, x, np.nan) for x in columns)
    changes = [
        100 * (_ratio(x, np.where(breaks, np.nan, np.roll(x, 1))) - 1)
        for x in (high, low, close, volume)
    ]
    ratios = [_ratio(x, mean) for x in (close, volume) for mean in _means(x, breaks, n_day)]
    return np.stack([*changes, *ratios], axis=1)


def _ratio(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.divide(a, b, out=np.full(len(a), np.nan), where=b > 0)


def _means(values: FloatArray, breaks: BoolArray, n_day: int) -> tuple[FloatArray, FloatArray]:
    """Average the values of a day, and of thirty: (n,) each, NaN across a break.

    Thirty days are the sum of thirty sums of one day: as exact as a sum of all, in a thousandth
    of the time.
    """
    n, n_month = len(values), _DAYS * n_day
    day, month = np.full(n, np.nan), np.full(n, np.nan)
    if n >= n_day:
        day[n_day - 1 :] = sliding_window_view(values, n_day).sum(axis=1)
    n_known = n - (n_month - n_day)
    if n_known > 0:
        month[n - n_known :] = sum(day[k * n_day :][:n_known] for k in range(_DAYS))
    day[count_back(breaks, n_day - 1) > 0] = np.nan
    month[count_back(breaks, n_month - 1) > 0] = np.nan
    return day / n_day, month / n_month

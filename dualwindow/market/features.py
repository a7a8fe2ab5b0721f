"""Turn candles into the eight features the network sees.

Names count minutes: 1440 is one day, 43200 is thirty days. Candle *t* looks at itself, at the
candle before it, and at averages over *closed* hourly candles. Prices enter as returns and
volumes as relative differences, so no feature depends on the price level or the unit of volume.
"""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dualwindow.arrays import FloatArray
from dualwindow.market.candles import Candles

HOURS = {"ma1440": 24, "ma43200": 720}

FEATURES = (
    "high_change",
    "low_change",
    "close_change",
    "volume_change",
    "price_to_ma1440",
    "price_to_ma43200",
    "volume_to_ma1440",
    "volume_to_ma43200",
)


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
    close, volume : (n_hours,) of hourly candles; a price that is not positive and finite, or an
        unknown volume, makes every average over it NaN

    Returns
    -------
    HourlyLevels of (n_hours,) arrays. Each value is summed anew from its own hours, not carried
    along, so it does not depend on where the history begins: live and backtest agree.
    """
    close = np.where(np.isfinite(close) & (close > 0), close, np.nan)
    averages = [_mean(x, hours) for x in (close, volume) for hours in HOURS.values()]
    return HourlyLevels(*averages)


def candle_features(candles: Candles, levels: HourlyLevels) -> FloatArray:
    """Compute the eight features of every candle.

    With ``previous`` the candle one step earlier and ``d(a, b) = (a - b) / (a + b)``, which is 0
    if both are 0 (a candle without volume after one without volume is "no change"), -1 if only
    ``a`` is 0 and bounded by 1:

    - ``high_change = high / previous close - 1``, likewise ``low_change`` and ``close_change``
    - ``volume_change = d(volume, previous volume)``
    - ``price_to_ma1440 = close / price_ma1440 - 1``, likewise ``price_to_ma43200``
    - ``volume_to_ma1440 = d(volume, mean volume per candle over one day)``, likewise 43200

    Parameters
    ----------
    candles : n candles
    levels : the hourly averages known when each candle closes, (n,) each

    Returns
    -------
    (n, 8) float64 in the order of FEATURES. NaN where the previous candle is missing (first row,
    after a gap), an average is unknown, a price is not positive and finite, or a volume negative.
    """
    close = np.where(candles.priced, candles.close, np.nan)
    volume = np.where(candles.volume >= 0, candles.volume, np.nan)
    previous_close, previous_volume = (_previous(x, candles) for x in (close, volume))
    hours = candles.step / 3600
    columns = [
        candles.high / previous_close - 1,
        candles.low / previous_close - 1,
        close / previous_close - 1,
        _relative_difference(volume, previous_volume),
        close / levels.price_ma1440 - 1,
        close / levels.price_ma43200 - 1,
        _relative_difference(volume, levels.volume_ma1440 * hours),
        _relative_difference(volume, levels.volume_ma43200 * hours),
    ]
    features = np.stack(columns, axis=1)
    features[~np.isfinite(features) | ~candles.priced[:, None]] = np.nan
    return features


def _previous(values: FloatArray, candles: Candles) -> FloatArray:
    return np.where(candles.breaks, np.nan, np.roll(values, 1))


def _relative_difference(a: FloatArray, b: FloatArray) -> FloatArray:
    total = a + b
    return np.where(total == 0, 0.0, (a - b) / np.where(total == 0, 1.0, total))


def _mean(values: FloatArray, length: int) -> FloatArray:
    result = np.full(len(values), np.nan)
    if len(values) >= length:
        result[length - 1 :] = sliding_window_view(values, length).mean(axis=1)
    return result

"""Turn candles into the eight features the network sees.

Names count minutes: 1440 is one day, 43200 is thirty days. Candle *t* looks at itself, at the
candle before it, and at averages over *closed* hourly candles. Prices enter as returns and
volumes as relative differences, so no feature depends on the price level or the unit of volume.
"""

import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.market.candles import Candles
from dualwindow.market.hours import HourlyLevels

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
    after a gap), an average is unknown, a price is not positive and finite, or a volume negative or
    infinite.
    """
    close = np.where(candles.priced, candles.close, np.nan)
    volume = np.where(candles.measured, candles.volume, np.nan)
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
    return (a - b) / np.where(total == 0, 1.0, total)

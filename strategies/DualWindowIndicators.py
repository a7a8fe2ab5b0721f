"""Trade as `DualWindowStrategy`, with the usual technical indicators as features."""

from typing import Any

import numpy as np
import talib
from DualWindowStrategy import DualWindowStrategy
from pandas import DataFrame, Series

_SPANS = (5, 10, 20, 50)


class DualWindowIndicators(DualWindowStrategy):
    """Let the network see twenty-six indicators of each candle instead of eight changes.

    They are those of a published forecasting pipeline. What has a unit there (prices, averages,
    MACD, volumes, OBV) is divided by what it belongs to here, because a network that was trained at
    one price knows nothing of another; so no feature depends on the price level or the unit of
    volume. Kinds that look at candles by themselves (`ranges`, `trees`) do not see them.
    """

    # Averages that never quite forget: after so many candles they differ by less than 1e-12.
    startup_candle_count = 720

    def feature_engineering_expand_basic(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Compute nothing: there are no features of other timeframes."""
        return dataframe

    def feature_engineering_standard(
        self, dataframe: DataFrame, metadata: dict[str, Any], **kwargs: Any
    ) -> DataFrame:
        """Compute the indicators."""
        columns = indicators(dataframe)
        return dataframe.assign(**{f"%-{name}": values for name, values in columns.items()})

    def _check_feature_keys(self) -> None:
        """Take FreqAI's keys as they are: nothing here needs hourly candles."""


def indicators(candles: DataFrame) -> dict[str, Series]:
    """Compute the features of every candle, none of which has a unit.

    Candle *t* looks at itself and at those before it: at 50 for averages, and with a weight that
    fades for RSI, MACD and exponential ones.

    Parameters
    ----------
    candles : freqtrade's columns ``open high low close volume``

    Returns
    -------
    Twenty-six columns; NaN where the candles do not reach back far enough, and where something is
    divided by a price range or a volume of 0
    """
    o, h, low, close, volume = (candles[c] for c in ("open", "high", "low", "close", "volume"))
    before = close.shift(1)
    upper, _, lower = talib.BBANDS(close, timeperiod=20, nbdevup=2.0, nbdevdn=2.0)
    macd, signal, histogram = talib.MACD(close, fastperiod=12, slowperiod=26, signalperiod=9)
    mean_volume, longer = (volume.rolling(n).mean() for n in (20, 50))
    # What flows in and out, of which OBV is the sum since the first candle.
    flow = (np.sign(close.diff()) * volume).rolling(20).sum()
    found = {
        "open": o / before - 1,
        "high": h / before - 1,
        "low": low / before - 1,
        "close": np.log(close / close.shift(24)),
        "volume": _ratio(volume, longer),
        "rsi": talib.RSI(close, timeperiod=14) / 100,
        "macd": macd / close,
        "macd_signal": signal / close,
        "macd_hist": histogram / close,
        "bb_upper": upper / close - 1,
        "bb_lower": lower / close - 1,
        "bb_percent": (close - lower) / (upper - lower),
        "volume_ma": _ratio(mean_volume, longer),
        "volume_ratio": _ratio(volume, mean_volume),
        "obv": flow / volume.rolling(20).sum(),
        "price_change": close / before - 1,
        "high_low_range": (h - low) / close,
        "close_open_range": (close - o) / o,
    }
    for n in _SPANS:
        found[f"sma_{n}"] = talib.SMA(close, timeperiod=n) / close - 1
        found[f"ema_{n}"] = talib.EMA(close, timeperiod=n) / close - 1
    return {name: values.where(np.isfinite(values)) for name, values in found.items()}


def _ratio(part: Series, whole: Series) -> Series:
    """Compare volumes, from -1 where the part is 0 to 1 where it is all that there was."""
    return (part - whole) / (part + whole)

"""Digest the features that a strategy computes on made-up candles, which are always the same.

Its source text does not tell: helpers in other modules and values that are set elsewhere shape
features, too.
"""

import logging
import math
import zlib
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.arrays import FloatArray
from dualwindow.learning.fingerprint import digest
from dualwindow.market.files import is_of_machine
from dualwindow.outside import chance

logger = logging.getLogger(__name__)

# No strategy has a rule of its own for it. It is part of the features' names, so it never changes.
_PAIR = "MADEUP/USDT"
_END = pd.Timestamp("2024-01-08", tz="UTC")
_CANDLES = 300  # beside those that the first features look back on
_RESOLUTION = 1e7  # of a feature's largest value; another machine may differ in the last bit


class _MadeUpMarket:
    """What a strategy asks a data provider for; what only an exchange knows is not there."""

    runmode = RunMode.BACKTEST

    def __init__(self, timeframe: str, startup: int) -> None:
        self._timeframe, self._startup = timeframe, startup
        self._seconds = (startup + _CANDLES) * timeframe_to_seconds(timeframe)

    def get_pair_dataframe(
        self, pair: str, timeframe: str | None = None, candle_type: str = ""
    ) -> DataFrame:
        step = timeframe_to_seconds(timeframe or self._timeframe)
        back = 0 if timeframe in (None, self._timeframe) else self._startup
        return made_up_candles(pair, step, back + math.ceil(self._seconds / step))

    def current_whitelist(self) -> list[str]:
        return [_PAIR]


def made_up_candles(pair: str, step: int, n: int) -> DataFrame:
    """Let prices wander; the same arguments give the same bits on every machine.

    Parameters
    ----------
    pair : pairs have candles of their own
    step : seconds from one candle to the next
    n : candles, the last of which closes at a fixed moment
    """
    rng = chance(zlib.crc32(f"{pair} {step}".encode()))
    close = np.round(100 * np.cumprod(1 + rng.integers(-20, 21, n) / 10_000), 6)
    opened = np.concatenate([[100.0], close[:-1]])
    above, below = 1 + rng.integers(0, 11, (2, n)) / 10_000
    dates = _END - pd.to_timedelta(np.arange(n, 0, -1) * step, unit="s")
    return DataFrame(
        {
            "date": pd.DatetimeIndex(dates).as_unit("ms"),
            "open": opened,
            "high": np.maximum(opened, close) * above,
            "low": np.minimum(opened, close) / below,
            "close": close,
            "volume": rng.integers(1, 1000, n).astype(np.float64),
        }
    )


def digest_features(strategy: IStrategy, config: dict[str, Any]) -> str:
    """Digest the names and values of all features on made-up candles.

    Parameters
    ----------
    strategy : computes them through FreqAI, as for real candles
    config : freqtrade's

    Returns
    -------
    A digest, or why there is none: a strategy may ask for what is only known of real pairs.
    """
    market = _MadeUpMarket(config["timeframe"], strategy.startup_candle_count)
    true_market, strategy.dp = strategy.dp, market
    try:
        return _digest(*_features(strategy, config, market))
    except Exception as error:  # a strategy raises whatever it likes
        if is_of_machine(error):
            raise
        logger.warning(
            "The features cannot be computed on made-up candles (%s: %s); so a change of what they "
            "are made with outside of the strategy's own modules is not noticed",
            type(error).__name__,
            error,
        )
        return f"not computed: {type(error).__name__}"
    finally:
        strategy.dp = true_market


def _features(
    strategy: IStrategy, config: dict[str, Any], market: _MadeUpMarket
) -> tuple[DataFrame, list[str]]:
    # A kitchen that is not live insists on the windows of a timerange.
    dk = FreqaiDataKitchen(config, live=True, pair=_PAIR)
    dk.live = False  # no labels, which are the model's own
    frame = dk.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=market.get_pair_dataframe(_PAIR), pair=_PAIR
    )
    dk.find_features(frame)
    return frame, dk.training_features_list


def _digest(frame: DataFrame, names: list[str]) -> str:
    parts = []
    for name in names:
        parts += [name.encode(), rounded(frame[name].to_numpy(np.float64))]
    return digest(parts)


def rounded(values: FloatArray) -> bytes:
    """Give bytes that are the same for values that differ by rounding alone.

    Parameters
    ----------
    values : (n,) of one feature, NaN and infinite where unknown. What is small beside the largest
        is often the rest of a difference, so all are rounded alike, not each to its own digits
    """
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    steps = np.round(values / (largest or 1.0) * _RESOLUTION) + 0.0  # no negative zeros
    steps[np.isnan(steps)] = np.nan  # of which there are many
    return f"{largest:.6e}".encode() + steps.tobytes()

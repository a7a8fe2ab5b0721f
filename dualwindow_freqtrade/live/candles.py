"""Keep the candles of a live bot in memory: each pair by itself, and none for ever."""

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.data.history import load_pair_history
from freqtrade.enums import CandleType
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.strategy import IStrategy
from pandas import DataFrame, Series

logger = logging.getLogger(__name__)

_DAY = pd.Timedelta("1D")


def append_newest(drawer: FreqaiDataDrawer, strategy: IStrategy, dk: FreqaiDataKitchen) -> None:
    """Append the candles that are newer than the newest one in memory, of one pair's inputs.

    FreqAI does so for every pair with each of them, and one of them that fails silences all. After
    an outage that is longer than what the exchange gives at once it raises with every candle until
    it is restarted, and it appends a candle that is older out of order. A gap does no harm here:
    no window spans it.

    Parameters
    ----------
    drawer : FreqAI's, whose lock on the history is held
    strategy : asks the exchange
    dk : of the pair
    """
    _, _, needed = dk.check_if_new_training_required(0)
    for pair, timeframe in inputs(dk.pair, drawer.freqai_info):
        frames = drawer.historic_data.setdefault(pair, {})
        if timeframe not in frames:  # the pair joined after the start
            frames[timeframe] = _on_disk(drawer.config, pair, timeframe, needed)
        candles = strategy.dp.get_pair_dataframe(pair, timeframe)
        if candles.empty:
            continue
        grown = _grown(frames[timeframe], candles, pair, timeframe)
        frames[timeframe] = _without_ancient(grown, needed)
    drawer.current_candle = drawer.historic_data[dk.pair][drawer.config["timeframe"]]["date"].iloc[
        -1
    ]


def inputs(pair: str, freqai: Mapping[str, Any]) -> list[tuple[str, str]]:
    """List the pairs and timeframes that the features of a pair are computed from."""
    features = freqai["feature_parameters"]
    others = [other for other in features.get("include_corr_pairlist", []) if other != pair]
    return [(p, t) for p in (pair, *others) for t in features["include_timeframes"]]


def refuse_short_frames(strategy: IStrategy, history: int) -> None:
    """Refuse a history that the candles at hand live can never fill.

    Parameters
    ----------
    strategy : whose provider asks the exchange
    history : candles in a window
    """
    exchange = strategy.dp._exchange
    if exchange is None:
        return
    kind = strategy.config.get("candle_type_def", CandleType.SPOT)
    limit = exchange.ohlcv_candle_limit(strategy.timeframe, kind)
    # At first, without the one that forms, and what freqtrade keeps later.
    at_first = limit * exchange.required_candle_call_count - 1
    n = max(at_first, limit + strategy.startup_candle_count)
    if history > n:
        raise OperationalException(
            f"freqai.conv_width must be at most {n}, the {strategy.timeframe} candles of "
            f"{exchange.name} that freqtrade keeps with startup_candle_count "
            f"{strategy.startup_candle_count}: no window would ever be whole. Received: {history}; "
            f"lower it, or set startup_candle_count to {history} in the configuration"
        )


def _on_disk(
    config: Mapping[str, Any], pair: str, timeframe: str, timerange: TimeRange
) -> DataFrame:
    return load_pair_history(
        datadir=config["datadir"],
        timeframe=timeframe,
        pair=pair,
        timerange=timerange,
        data_format=config.get("dataformat_ohlcv", "feather"),
        candle_type=config.get("candle_type_def", CandleType.SPOT),
    )


def _grown(history: DataFrame, candles: DataFrame, pair: str, timeframe: str) -> DataFrame:
    if history.empty:  # nothing could be downloaded before the start
        return candles
    history = _without_changed(history, candles, pair, timeframe)
    last = history["date"].iloc[-1]
    newer = candles[candles["date"] > last]
    if newer.empty:
        return history
    first = newer["date"].iloc[0]
    if first - last > pd.Timedelta(seconds=timeframe_to_seconds(timeframe)):
        logger.warning(
            "%s: the %s candles between %s and %s are missing; no window over them is learnt "
            "or predicted",
            pair,
            timeframe,
            last,
            first,
        )
    return pd.concat([history, newer], ignore_index=True)


def _without_changed(
    history: DataFrame, candles: DataFrame, pair: str, timeframe: str
) -> DataFrame:
    """Drop the newest candle in memory if it has come again with other prices or volume.

    It was still forming: freqtrade tells by the machine's clock, which may be ahead.
    """
    again = candles[candles["date"] == history["date"].iloc[-1]]
    if len(history) < 2 or again.empty or _same(again.iloc[-1], history.iloc[-1]):
        return history
    logger.info(
        "%s: the %s candle of %s has changed after it was seen; if that happens often, the "
        "machine's clock is ahead of the exchange's",
        pair,
        timeframe,
        history["date"].iloc[-1],
    )
    return history.iloc[:-1]


def _same(one: Series, other: Series) -> bool:
    return all(one[name] == other[name] for name in ("open", "high", "low", "close", "volume"))


def _without_ancient(history: DataFrame, needed: TimeRange) -> DataFrame:
    """Drop what no training will need, once it is a day's worth."""
    oldest = pd.Timestamp(needed.startts, unit="s", tz="UTC")
    if history["date"].iloc[0] > oldest - _DAY:
        return history
    return history[history["date"] >= oldest].reset_index(drop=True)


class LateInputs:
    """Finds inputs of a pair whose newest candle has not come, though others have.

    FreqAI carries the features of another pair or timeframe forward for ever.

    Parameters
    ----------
    drawer : FreqAI's, which holds the candles
    tolerated : candles that may be missing; below 2 none may
    """

    def __init__(self, drawer: FreqaiDataDrawer, tolerated: float) -> None:
        self._drawer, self._tolerated = drawer, tolerated

    def of(self, pair: str, closed: float) -> str:
        """Name them and what they lack, or give nothing.

        Parameters
        ----------
        pair : that is predicted
        closed : when its newest candle closed, seconds since 1970 UTC
        """
        late = []
        for other, timeframe in inputs(pair, self._drawer.freqai_info):
            step = timeframe_to_seconds(timeframe)
            due = closed // step * step
            frame = self._drawer.historic_data.get(other, {}).get(timeframe)
            if frame is None or frame.empty:
                late.append(f"{other} {timeframe}: no candles")
                continue
            came = frame["date"].iloc[-1].timestamp() + step
            if due - came >= self._tolerated * step:
                missing = pd.Timestamp(due, unit="s")
                late.append(f"{other} {timeframe}: the candle that closed at {missing} is missing")
        return "; ".join(late)

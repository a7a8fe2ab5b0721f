"""Keep the candles of a live bot in memory: each pair by itself, and none for ever."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.data.history import load_pair_history, refresh_backtest_ohlcv_data
from freqtrade.enums import CandleType
from freqtrade.exceptions import OperationalException
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import ExchangeResolver
from freqtrade.strategy import IStrategy
from pandas import DataFrame

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
    n = limit * exchange.required_candle_call_count - 1  # the one that forms is left out
    if history > n:
        raise OperationalException(
            f"freqai.conv_width must be at most {n}, the {strategy.timeframe} candles that "
            f"{exchange.name} gives live with startup_candle_count "
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


def begins_late(drawer: FreqaiDataDrawer, pair: str, timerange: TimeRange) -> bool:
    """Tell whether an input of a pair has no candles in memory at the beginning of a timerange."""
    wanted = inputs(pair, drawer.freqai_info)
    return any(_lacks_older(drawer, key, timerange) for key in wanted)


def complete_history(
    drawer: FreqaiDataDrawer, pair: str, timerange: TimeRange, live: Mapping[str, Any]
) -> None:
    """Download what a training needs and the start could not, and put it before what is there.

    With an exchange of its own, so that the bot's is not kept from its work meanwhile.

    Parameters
    ----------
    drawer : FreqAI's, which holds the candles
    pair : to be trained
    timerange : of the candles that the training needs
    live : freqtrade's configuration
    """
    wanted = inputs(pair, drawer.freqai_info)
    short = [key for key in wanted if _lacks_older(drawer, key, timerange)]
    if not short:
        return
    logger.info(
        "%s: candles before those in memory are downloaded for its training (%s)",
        pair,
        ", ".join(f"{p} {t}" for p, t in short),
    )
    config = dict(live)
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    try:
        _download(exchange, config, short, timerange)
    finally:
        exchange.close()
    with drawer.history_lock:
        for other, timeframe in short:
            frames = drawer.historic_data.setdefault(other, {})
            older = _on_disk(config, other, timeframe, timerange)
            frames[timeframe] = _with_older(frames.get(timeframe), older)


def _lacks_older(drawer: FreqaiDataDrawer, key: tuple[str, str], timerange: TimeRange) -> bool:
    pair, timeframe = key
    frame = drawer.historic_data.get(pair, {}).get(timeframe)
    if frame is None or frame.empty:
        return True
    slack = timeframe_to_seconds(timeframe) + 60
    return bool(frame["date"].iloc[0].timestamp() > timerange.startts + slack)


def _download(
    exchange: Any,
    config: Mapping[str, Any],
    short: Sequence[tuple[str, str]],
    timerange: TimeRange,
) -> None:
    refresh_backtest_ohlcv_data(
        exchange,
        pairs=sorted({pair for pair, _ in short}),
        timeframes=sorted({timeframe for _, timeframe in short}),
        datadir=config["datadir"],
        timerange=timerange,
        new_pairs_days=(timerange.stopts - timerange.startts) // 86400 + 1,
        erase=False,
        data_format=config.get("dataformat_ohlcv", "feather"),
        trading_mode=config.get("trading_mode", "spot"),
        prepend=True,
        candle_types=[config.get("candle_type_def", CandleType.SPOT)],
    )


def _with_older(history: DataFrame | None, older: DataFrame) -> DataFrame:
    if history is None or history.empty:
        return older
    older = older[older["date"] < history["date"].iloc[0]]
    return pd.concat([older, history], ignore_index=True) if len(older) else history

"""Find the candles that a training lacks, and fetch them."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration import TimeRange
from freqtrade.data.converter import ohlcv_fill_up_missing_data
from freqtrade.enums import CandleType
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.resolvers import ExchangeResolver
from pandas import DataFrame

from dualwindow_freqtrade.live.candles import inputs

_AT_ONCE = 2_000  # candles that are fetched before a bot is asked whether it stops
_FEW_MINUTES = 900  # seconds of a hole that is left alone: as many minutes untraded are none


class TrainingStoppedError(Exception):
    """The bot is shutting down."""


class CandlesNotFetchedError(Exception):
    """Candles that a training needs could not be fetched."""


def lacking(frame: DataFrame | None, timeframe: str, needed: TimeRange) -> list[tuple[int, int]]:
    """List the spans of time in which candles are missing that a training needs.

    Parameters
    ----------
    frame : candles in memory
    timeframe : of them
    needed : what is to be covered; a few minutes may be missing, an hourly candle may not

    Returns
    -------
    Beginning and end of each span, seconds since 1970 UTC.
    """
    step = timeframe_to_seconds(timeframe)
    dates = np.empty(0) if frame is None else frame["date"].to_numpy("datetime64[s]").astype(float)
    inside = dates[(dates >= needed.startts) & (dates < needed.stopts)]
    edges = np.concatenate([[needed.startts - step], inside, [needed.stopts]])
    holes = np.flatnonzero(np.diff(edges) - step > max(step, _FEW_MINUTES))
    return [(int(edges[i] + step), int(edges[i + 1])) for i in holes]


def needed_for(trained_on: TimeRange, config: Mapping[str, Any]) -> TimeRange:
    """Add what the first features look back on to the time that a model is trained on.

    FreqAI loads twice as much, to be safe; a young coin may not have that.
    """
    timeframes = config["freqai"]["feature_parameters"]["include_timeframes"]
    longest = max(map(timeframe_to_seconds, timeframes))
    back = config.get("startup_candle_count", 0) * longest
    return TimeRange("date", "date", trained_on.startts - back, trained_on.stopts)


def missing_spans(
    drawer: FreqaiDataDrawer, pair: str, needed: TimeRange
) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """List what is lacking of each input of a pair, by pair and timeframe, as `lacking` does."""
    histories = drawer.historic_data
    return {
        (p, t): spans
        for p, t in inputs(pair, drawer.freqai_info)
        if (spans := lacking(histories.get(p, {}).get(t), t, needed))
    }


def complete_history(
    drawer: FreqaiDataDrawer,
    wanted: Mapping[tuple[str, str], list[tuple[int, int]]],
    live: Mapping[str, Any],
    interrupt: Callable[[], None] = lambda: None,
) -> None:
    """Fetch candles that are not in memory.

    With an exchange of its own, so that the bot's is not kept from its work meanwhile.

    Parameters
    ----------
    drawer : FreqAI's, which holds the candles
    wanted : of `missing_spans`; the exchange may not have them all
    live : freqtrade's configuration
    interrupt : called every 2,000 candles; what it raises ends the fetching

    Raises
    ------
    Exception
        Whatever the exchange raises; what came before is kept.
    """
    # Not from Binance's archive of files: freqtrade's way there, of an exchange whose markets are
    # not loaded yet, waits for a lock that it holds itself.
    config = {**live, "exchange": {**live["exchange"], "only_from_ccxt": True}}
    kind = config.get("candle_type_def", CandleType.SPOT)
    exchange = ExchangeResolver.load_exchange(config, validate=False)
    try:
        for (pair, timeframe), spans in wanted.items():
            step = timeframe_to_seconds(timeframe)
            length = _AT_ONCE * step
            for since, until in (part for span in spans for part in _parts(*span, length)):
                interrupt()
                # One more, because freqtrade drops the last of them, which might be forming.
                fetched = exchange.get_historic_ohlcv(
                    pair, timeframe, 1000 * since, kind, until_ms=1000 * (until + step)
                )
                with drawer.history_lock:
                    frames = drawer.historic_data.setdefault(pair, {})
                    frames[timeframe] = _filled_in(frames.get(timeframe), fetched, timeframe)
    finally:
        exchange.close()


def _parts(since: int, until: int, length: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + length, until)) for start in range(since, until, length))


def _filled_in(history: DataFrame | None, fetched: DataFrame, timeframe: str) -> DataFrame:
    """Put fetched candles among those in memory, which stay as they are."""
    if fetched.empty:
        return fetched if history is None else history
    fetched = ohlcv_fill_up_missing_data(fetched, timeframe, "")  # as freqtrade reads files
    if history is None or history.empty:
        return fetched
    fetched["date"] = fetched["date"].astype(history["date"].dtype)
    both = pd.concat([history, fetched[history.columns]], ignore_index=True)
    return both.drop_duplicates("date").sort_values("date", ignore_index=True)

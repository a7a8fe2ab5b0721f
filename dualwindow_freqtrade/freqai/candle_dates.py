"""Tell which candles there are before freqtrade stops because there are none.

freqtrade loads candles before it starts the strategy and makes the model, and all that it says is
"No data found". When a strategy is made, its configuration says already what will be asked for.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from freqtrade.configuration import TimeRange
from freqtrade.data.history import get_datahandler
from freqtrade.enums import CandleType, RunMode, TradingMode
from freqtrade.exceptions import OperationalException

from dualwindow_freqtrade.freqai.whitelist import configured_pairs

logger = logging.getLogger(__name__)

_FROM_DISK = (RunMode.BACKTEST, RunMode.HYPEROPT)
_SHOWN = 8  # pairs; the rest is counted


class Dates(NamedTuple):
    """When the first and the last candle of a file open; None where there is none."""

    first: datetime | None
    last: datetime | None

    def meet(self, span: TimeRange) -> bool:
        """Tell whether any candle lies in a timerange."""
        if self.first is None or self.last is None:
            return False
        is_late = bool(span.startts) and self.last.timestamp() < span.startts
        is_early = bool(span.stopts) and self.first.timestamp() >= span.stopts
        return not (is_late or is_early)

    def __str__(self) -> str:
        if self.first is None:
            return "none"
        return f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M}"


def tell_missing_candles(config: Mapping[str, Any]) -> None:
    """Warn of pairs without a candle in the timerange of a backtest or a hyperopt."""
    written = config.get("exchange", {}).get("pair_whitelist", [])
    if config.get("runmode") not in _FROM_DISK or not written:
        return
    try:
        pairs = configured_pairs(config) or written
        span = TimeRange.parse_timerange(config.get("timerange"))
        there = {pair: _dates(config, pair) for pair in pairs}
    except (OperationalException, OSError, ValueError):  # freqtrade says what is wrong
        return
    lacking = [pair for pair, dates in there.items() if not dates.meet(span)]
    if lacking:
        logger.warning("%s", "; ".join(_words(config, lacking, there)))


def _dates(config: Mapping[str, Any], pair: str) -> Dates:
    handler = get_datahandler(config["datadir"], config.get("dataformat_ohlcv"))
    kind = config.get("candle_type_def", CandleType.SPOT)
    first, last, n = handler.ohlcv_data_min_max(pair, config.get("timeframe", "1m"), kind)
    return Dates(first, last) if n else Dates(None, None)


def _words(
    config: Mapping[str, Any], lacking: Sequence[str], there: Mapping[str, Dates]
) -> Iterator[str]:
    timeframe, asked = config.get("timeframe", "1m"), config.get("timerange") or "any time"
    yield f"no {timeframe} candles for {asked} of {', '.join(_first(lacking))}"
    yield f"on disk are: {', '.join(_first([f'{p} {dates}' for p, dates in there.items()]))}"
    if all(dates.first is None for dates in there.values()):
        others = _others(Path(config["datadir"]), timeframe)
        yield f"{config['datadir']} has {', '.join(_first(others)) or f'no {timeframe} candles'}"
    yield (
        "fetch them with freqtrade download-data (dualwindow doctor names the whole command), or "
        "set another --timerange"
    )


def _others(datadir: Path, timeframe: str) -> list[str]:
    """List what lies there of any market: of spot, where futures are traded, or the reverse."""
    handler = get_datahandler(datadir)
    found = {
        f"{pair} ({mode.value})"
        for mode in (TradingMode.SPOT, TradingMode.FUTURES)
        for pair, of, _ in type(handler).ohlcv_get_available_data(datadir, mode)
        if of == timeframe
    }
    return sorted(found)


def _first(names: Sequence[str]) -> list[str]:
    more = len(names) - _SHOWN
    return [*names[:_SHOWN], *([f"{more} more"] if more > 0 else [])]

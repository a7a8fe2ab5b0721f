"""Markets replayed from freqtrade's feather files, each candle at its own date."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.sandbox import SandboxError
from dualwindow.sandbox.candle_files import futures_file, spot_file
from dualwindow.sandbox.listings import Listing
from dualwindow.sandbox.ohlcv import HOUR, MINUTE, Ohlcv, no_candles
from dualwindow.sandbox.venues import Venues

logger = logging.getLogger(__name__)

_MOST_DECIMALS = 8


def _read(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    try:
        frame = pd.read_feather(path)
    except (OSError, ValueError) as problem:
        raise SandboxError(
            f"--data: {path} is not a feather file: {problem}; download or generate it again"
        ) from problem
    missing = [column for column in columns if column not in frame]
    if missing or frame.empty:
        raise SandboxError(
            f"--data: {path} has {len(frame)} rows and columns {list(frame)}; at least one row "
            f"and {', '.join(columns)} are needed"
        )
    return frame


def _time(frame: pd.DataFrame) -> IntArray:
    return frame["date"].to_numpy("datetime64[ms]").astype(np.int64)


def _candles(path: Path) -> Ohlcv:
    prices = ("open", "high", "low", "close", "volume")
    frame = _read(path, ("date", *prices))
    return Ohlcv(_time(frame), *(frame[column].to_numpy(np.float64) for column in prices))


def _decimals(values: FloatArray) -> int:
    """Count the digits behind the point that all values can do with."""
    for digits in range(_MOST_DECIMALS):
        if np.array_equal(np.round(values, digits), values):
            return digits
    return _MOST_DECIMALS


class RecordedMarket:
    """Candles from files; whatever is recorded has happened, and nothing else ever will.

    Parameters
    ----------
    candles : for each coin, its candles; 1m ones, or longer ones of at most an hour
    funding : for each coin, times (milliseconds) and rates; a coin without has no fundings
    """

    def __init__(
        self,
        candles: Mapping[str, Ohlcv],
        funding: Mapping[str, tuple[IntArray, FloatArray]],
    ) -> None:
        self.listings: Sequence[Listing] = tuple(
            Listing(base, _decimals(rows.close), _decimals(rows.volume))
            for base, rows in candles.items()
        )
        self._candles = {item.pair: candles[item.base] for item in self.listings}
        self._funding = {
            item.pair: funding[item.base] for item in self.listings if item.base in funding
        }

    def span(self, pair: str, now: int) -> tuple[int, int]:
        """Return the opening of the first recorded candle and the close of the last."""
        time = self._candles[pair].time
        return int(time[0]), int(time[-1]) + MINUTE

    def minutes(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the recorded candles that open in ``[start, stop)``; gaps stay gaps."""
        return self._candles[pair].between(start, stop)

    def hours(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the recorded candles that open in ``[start, stop)``, joined to hours."""
        return self.minutes(pair, start, stop).resampled(HOUR)

    def forming(self, pair: str, now: int) -> Ohlcv:
        """Return no candle: a record is complete."""
        return no_candles()

    def funding(self, pair: str, start: int, stop: int) -> tuple[IntArray, FloatArray]:
        """Return the recorded fundings in ``[start, stop)``."""
        if pair not in self._funding:
            return np.empty(0, dtype=np.int64), np.empty(0)
        time, rate = self._funding[pair]
        first, last = np.searchsorted(time, [start, stop])
        return time[first:last], rate[first:last]


def _recorded(directory: Path, pattern: str) -> dict[str, Path]:
    return {path.name.split("_")[0]: path for path in sorted(directory.glob(pattern))}


def _funding(path: Path) -> tuple[IntArray, FloatArray]:
    frame = _read(path, ("date",))
    # freqtrade's older files keep the rate in the open of a candle
    rate = _read(path, ("funding_rate",) if "funding_rate" in frame else ("open",)).iloc[:, 1]
    return _time(frame), rate.to_numpy(np.float64)


def recorded_venues(directory: Path) -> Venues:
    """Read what ``freqtrade -d DIRECTORY`` would read, and serve it.

    Futures without recorded mark prices get their own prices for marks.

    Raises
    ------
    SandboxError
        If there are no 1m candles, or a file cannot be read.
    """
    spot = _recorded(directory, spot_file("*", "1m"))
    futures = _recorded(directory, futures_file("*", "1m", "futures"))
    if not spot and not futures:
        raise SandboxError(
            f"--data: no 1m candles in {directory}; expected {spot_file('BTC', '1m')} or "
            f"{futures_file('BTC', '1m', 'futures')}, as 'dualwindow sandbox data' writes them"
        )
    marks = futures | _recorded(directory, futures_file("*", "1h", "mark"))
    fundings = _recorded(directory, futures_file("*", "1h", "funding_rate"))
    funding = {base: _funding(path) for base, path in fundings.items()}
    return Venues(
        RecordedMarket({base: _candles(path) for base, path in spot.items()}, {}),
        RecordedMarket({base: _candles(path) for base, path in futures.items()}, funding),
        RecordedMarket({base: _candles(marks[base]) for base in futures}, {}),
    )

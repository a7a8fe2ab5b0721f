"""Markets replayed from freqtrade's feather files, all candles moved by the same time or none."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray, IntArray
from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.candle_files import futures_file, spot_file
from dualwindow_sandbox.listings import Listing
from dualwindow_sandbox.ohlcv import HOUR, MINUTE, Ohlcv
from dualwindow_sandbox.venues import Venues

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


def _time(frame: pd.DataFrame, shift: int) -> IntArray:
    return frame["date"].to_numpy("datetime64[ms]").astype(np.int64) + shift


def _candles(path: Path, shift: int) -> Ohlcv:
    prices = ("open", "high", "low", "close", "volume")
    frame = _read(path, ("date", *prices))
    return Ohlcv(_time(frame, shift), *(frame[column].to_numpy(np.float64) for column in prices))


def opened(candles: Ohlcv) -> Ohlcv:
    """Return the candles as they stand when they open: one price, and nothing traded yet."""
    price = candles.open
    return Ohlcv(candles.time, price, price, price, price, np.zeros(len(price)))


def _in_minutes(hours: Ohlcv) -> Ohlcv:
    """Write each hour as two of its minutes: the first knows its open, the last all of it.

    Joined to an hour again they are the same candle, and nothing of it shows before it is over.
    """
    both = (opened(hours), replace(hours, time=hours.time + HOUR - MINUTE))
    return Ohlcv(
        *(
            np.stack([getattr(part, field.name) for part in both], axis=1).ravel()
            for field in fields(Ohlcv)
        )
    )


def _decimals(values: FloatArray) -> int:
    """Count the digits behind the point that all values can do with."""
    for digits in range(_MOST_DECIMALS):
        if np.array_equal(np.round(values, digits), values):
            return digits
    return _MOST_DECIMALS


class RecordedMarket:
    """Candles from files; each happens at its own time, and nothing else ever will.

    Parameters
    ----------
    candles : for each coin, its 1m candles
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
        """Return the opening of the first candle, and `now` or the last close before it.

        A gap, or the end of the record, thus stands still at its last candle.
        """
        time = self._candles[pair].time
        last = max(int(np.searchsorted(time, now)) - 1, 0)
        return int(time[0]), min(int(time[last]) + MINUTE, now)

    def minutes(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the recorded candles that open in ``[start, stop)``; gaps stay gaps."""
        return self._candles[pair].between(start, stop)

    def hours(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the recorded candles that open in ``[start, stop)``, joined to hours."""
        return self.minutes(pair, start, stop).resampled(HOUR)

    def forming(self, pair: str, now: int) -> Ohlcv:
        """Return the candle of the minute `now` is in, if there is one, as it opened.

        A record does not tell how a minute went before it was over.
        """
        minute = now - now % MINUTE
        return opened(self.minutes(pair, minute, minute + MINUTE))

    def funding(self, pair: str, start: int, stop: int) -> tuple[IntArray, FloatArray]:
        """Return the recorded fundings in ``[start, stop)``."""
        if pair not in self._funding:
            return np.empty(0, dtype=np.int64), np.empty(0)
        time, rate = self._funding[pair]
        first, last = np.searchsorted(time, [start, stop])
        return time[first:last], rate[first:last]


def _recorded(directory: Path, pattern: str) -> dict[str, Path]:
    return {path.name.split("_")[0]: path for path in sorted(directory.glob(pattern))}


def _funding(path: Path, shift: int) -> tuple[IntArray, FloatArray]:
    frame = _read(path, ("date",))
    # freqtrade's older files keep the rate in the open of a candle
    rate = _read(path, ("funding_rate",) if "funding_rate" in frame else ("open",)).iloc[:, 1]
    return _time(frame, shift), rate.to_numpy(np.float64)


def recorded_venues(directory: Path, shift: int = 0) -> Venues:
    """Read what ``freqtrade -d DIRECTORY`` would read, and serve it.

    Futures without recorded mark prices get their own prices for marks.

    Parameters
    ----------
    directory : with freqtrade's feather files
    shift : milliseconds to add to every recorded time; whole hours, or hours would be torn apart

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
    marks = _recorded(directory, futures_file("*", "1h", "mark"))
    fundings = _recorded(directory, futures_file("*", "1h", "funding_rate"))
    traded = {base: _candles(path, shift) for base, path in futures.items()}
    marked = {
        base: _in_minutes(_candles(marks[base], shift)) if base in marks else traded[base]
        for base in traded
    }
    return Venues(
        RecordedMarket({base: _candles(path, shift) for base, path in spot.items()}, {}),
        RecordedMarket(traded, {base: _funding(path, shift) for base, path in fundings.items()}),
        RecordedMarket(marked, {}),
    )

"""Candles with opening prices, and how longer ones are made from shorter ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True)
class Ohlcv:
    """Candles of one pair, oldest first; what an exchange sends and a candle file holds.

    Parameters
    ----------
    time : (n,) int64, opening time in milliseconds since 1970 UTC, increasing
    open, high, low, close : (n,) quote currency
    volume : (n,) base currency
    """

    time: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: slice | BoolArray) -> "Ohlcv":
        return Ohlcv(
            self.time[rows],
            self.open[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
        )

    def between(self, start: int, stop: int) -> "Ohlcv":
        """Keep the candles that open in ``[start, stop)`` milliseconds; the arrays are views."""
        first, last = np.searchsorted(self.time, [start, stop])
        return self[first:last]

    def resampled(self, interval: int) -> "Ohlcv":
        """Join the candles into ones of `interval` milliseconds, aligned to 1970 UTC.

        A longer candle holds whatever candles there are; where there are none, there is none.

        Examples
        --------
        >>> flat = np.array([5.0, 5.0, 5.0])
        >>> Ohlcv(MINUTE * np.arange(3), flat, flat, flat, flat, flat).resampled(2 * MINUTE).volume
        array([10.,  5.])
        """
        slot = self.time // interval
        first = np.flatnonzero(np.diff(slot, prepend=-1))
        if len(first) == 0:
            return self
        last = np.append(first[1:], len(self)) - 1
        return Ohlcv(
            slot[first] * interval,
            self.open[first],
            np.maximum.reduceat(self.high, first),
            np.minimum.reduceat(self.low, first),
            self.close[last],
            np.add.reduceat(self.volume, first),
        )


def joined(parts: Sequence[Ohlcv]) -> Ohlcv:
    """Put runs of candles behind one another; each must end before the next begins."""
    return Ohlcv(
        np.concatenate([part.time for part in parts]),
        np.concatenate([part.open for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.close for part in parts]),
        np.concatenate([part.volume for part in parts]),
    )


def no_candles() -> Ohlcv:
    """Return zero candles."""
    none = np.empty(0)
    return Ohlcv(np.empty(0, dtype=np.int64), none, none, none, none, none)

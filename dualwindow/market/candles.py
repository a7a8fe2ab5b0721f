"""Candles as arrays that know which rows are neighbours in time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dualwindow.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Candles:
    """Candles of one pair and timeframe, oldest first.

    Parameters
    ----------
    date : (n,) int64, opening time in seconds since 1970 UTC, strictly increasing
    high, low, close : (n,) quote currency; NaN, infinite and non-positive prices are unusable
    volume : (n,) base currency
    step : seconds from one candle to the next
    has_prices : False where they come from a file that holds no prices by its form, only features
        and labels. Prices and volume are then NaN, and nothing may be asked of them. Candles whose
        prices are missing, as in an outage, still have True: they are broken
    open : (n,) quote currency, for whoever acts within a candle; None where it was not read
    """

    date: IntArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    step: int
    has_prices: bool = True
    open: FloatArray | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, step: int) -> "Candles":
        """Read freqtrade's columns ``date high low close volume``; nothing is copied twice.

        ``open`` is read where it is there.

        Raises
        ------
        ValueError
            If a column is missing, a date too, or the dates are not strictly increasing.
        """
        missing = [c for c in ("date", "high", "low", "close", "volume") if c not in frame]
        if missing:
            raise ValueError(f"candles: columns {missing} are missing. Received: {list(frame)}")
        if frame["date"].isna().any():
            row = int(frame["date"].isna().to_numpy().argmax())
            raise ValueError(f"candles: row {row} of {len(frame)} has no date; drop it")
        date = frame["date"].to_numpy("datetime64[s]").astype(np.int64)
        late = np.flatnonzero(np.diff(date) <= 0)
        if len(late):
            row = int(late[0]) + 1
            raise ValueError(
                f"candles: dates must increase, row {row} ({frame['date'].iloc[row]}) does not; "
                "sort the candles by date and drop duplicates"
            )
        high, low, close, volume = (
            frame[c].to_numpy(np.float64) for c in ("high", "low", "close", "volume")
        )
        opened = frame["open"].to_numpy(np.float64) if "open" in frame else None
        return cls(date, high, low, close, volume, step, open=opened)

    def __len__(self) -> int:
        return len(self.date)

    def __getitem__(self, rows: slice | BoolArray) -> "Candles":
        return Candles(
            self.date[rows],
            self.high[rows],
            self.low[rows],
            self.close[rows],
            self.volume[rows],
            self.step,
            self.has_prices,
            None if self.open is None else self.open[rows],
        )

    def followed_by(self, later: "Candles") -> "Candles":
        """Append `later`, whose first candle must open after the last one here."""
        return joined([self, later])

    @property
    def breaks(self) -> BoolArray:
        """(n,) True where the candle one step earlier is not the row before."""
        return np.diff(self.date, prepend=self.date[:1] - 2 * self.step) != self.step

    @property
    def priced(self) -> BoolArray:
        """(n,) True where high, low and close are finite and positive."""
        usable = np.ones(len(self), dtype=bool)
        for price in (self.high, self.low, self.close):
            usable &= np.isfinite(price) & (price > 0)
        return usable

    @property
    def measured(self) -> BoolArray:
        """(n,) True where the volume is finite and not negative."""
        return np.isfinite(self.volume) & (self.volume >= 0)

    @property
    def known(self) -> BoolArray:
        """(n,) True where the candle is both `priced` and `measured`, or could not be."""
        if not self.has_prices:
            return np.ones(len(self), dtype=bool)
        return self.priced & self.measured

    @property
    def untraded_run(self) -> IntArray:
        """(n,) how many candles without volume end here in an unbroken row; 0 if this one traded.

        freqtrade fills the candles an exchange never sent with flat ones of volume 0, so that a
        long run of them is the only sign an outage leaves.
        """
        row = np.arange(len(self))
        idle = self.volume == 0
        before_run = np.maximum.accumulate(np.where(~idle, row, np.where(self.breaks, row - 1, -1)))
        return np.where(idle, row - before_run, 0)


def joined(parts: Sequence[Candles]) -> Candles:
    """Put candles of the same timeframe one after the other, be it of one pair or of several.

    Of several, dates begin anew with each, and nothing may be computed across.

    Raises
    ------
    ValueError
        If some have prices and some could not: the missing ones would pass for known.
    """
    forms = {part.has_prices for part in parts if len(part)}
    if len(forms) > 1:
        raise ValueError("candles with prices cannot be joined to candles that have none")
    opens = [part.open for part in parts if part.open is not None]
    return Candles(
        np.concatenate([part.date for part in parts]),
        np.concatenate([part.high for part in parts]),
        np.concatenate([part.low for part in parts]),
        np.concatenate([part.close for part in parts]),
        np.concatenate([part.volume for part in parts]),
        parts[0].step,
        all(forms) if forms else parts[0].has_prices,
        np.concatenate(opens) if len(opens) == len(parts) else None,
    )


def count_back(mask: BoolArray, length: int) -> IntArray:
    """Count True among the `length` rows that end at each row; rows before the first count 0.

    Examples
    --------
    >>> count_back(np.array([True, False, True, True]), 2)
    array([1, 1, 1, 2])
    """
    total = np.concatenate([[0], np.cumsum(mask)])
    end = np.arange(1, len(mask) + 1)
    return total[end] - total[np.maximum(end - max(length, 0), 0)]


def count_ahead(mask: BoolArray, first: int, last: int) -> IntArray:
    """Count True among the rows ``t+first .. t+last``; rows past the end count 0.

    Examples
    --------
    >>> count_ahead(np.array([True, False, True, True]), 1, 2)
    array([1, 2, 1, 0])
    """
    total = np.concatenate([[0], np.cumsum(mask)])
    row = np.arange(len(mask))
    stop = np.minimum(row + last + 1, len(mask))
    return total[stop] - total[np.minimum(row + first, stop)]

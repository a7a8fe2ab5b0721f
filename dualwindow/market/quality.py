"""Count what is wrong with candles before anything is computed of them."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from dualwindow.arrays import IntArray

_PRICES = ["open", "high", "low", "close"]


class Quality(NamedTuple):
    """What a file of candles holds, as it lies there.

    Parameters
    ----------
    candles, first, last : how many, and when the first and the last of them opened
    unknown : candles with a price or a volume that is NaN or infinite
    not_positive : candles with a price of 0 or below
    crossed : candles whose high is below their low
    duplicates : candles whose date another one has, too
    backwards : candles that open before the one that stands before them
    gaps, missing : interruptions, and the candles that are missing in them
    longest_gap : candles missing in the longest one
    untraded, longest_untraded : candles without volume, and how many follow each other at most
    """

    candles: int
    first: str
    last: str
    unknown: int
    not_positive: int
    crossed: int
    duplicates: int
    backwards: int
    gaps: int
    missing: int
    longest_gap: int
    untraded: int
    longest_untraded: int


def quality_of(frame: pd.DataFrame, step: int) -> Quality:
    """Look at candles as they were read, before any are filled in.

    Parameters
    ----------
    frame : freqtrade's columns, at least one row
    step : seconds from one candle to the next
    """
    dates = frame["date"].to_numpy("datetime64[s]").astype(np.int64)
    prices = frame[_PRICES].to_numpy(np.float64)
    volume = frame["volume"].to_numpy(np.float64)
    known = np.isfinite(prices).all(axis=1) & np.isfinite(volume)
    idle = volume == 0
    return Quality(
        len(frame),
        str(np.datetime64(int(dates.min()), "s")),
        str(np.datetime64(int(dates.max()), "s")),
        int((~known).sum()),
        int((prices <= 0).any(axis=1).sum()),
        int((frame["high"] < frame["low"]).sum()),
        *order_of(dates, step),
        int(idle.sum()),
        _longest(idle),
    )


class Order(NamedTuple):
    """What is wrong with dates: the fields of `Quality` of the same names."""

    duplicates: int
    backwards: int
    gaps: int
    missing: int
    longest_gap: int


def order_of(dates: IntArray, step: int) -> Order:
    """Look at the order of (n,) dates, in seconds, which should be `step` seconds apart."""
    lost = np.diff(np.unique(dates)) // step - 1
    return Order(
        int(pd.Series(dates).duplicated(keep=False).sum()),
        int((np.diff(dates) < 0).sum()),
        int((lost > 0).sum()),
        int(lost.sum()),
        int(lost.max(initial=0)),
    )


def _longest(mask: np.ndarray) -> int:
    """Count the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))

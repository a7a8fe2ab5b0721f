"""Find the rows whose window is whole and gather windows without ever expanding the array."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.candles import Candles, count_back

_Reason = TypeVar("_Reason", bound=StrEnum)


class Rejection(StrEnum):
    """Why a row cannot end a training window; in reports, a row counts under its first reason."""

    HISTORY = "too few candles before"
    GAP = "gap in the window"
    UNTRADED = "outage (untraded candles) in the window"
    FEATURE = "candle or feature unknown in the window"
    OUTLIER = "outlier"
    FUTURE = "future unknown"
    PURGED = "purged between training and validation"
    STRIDE = "between strides"
    THINNED = "thinned by balancing"


def broken_windows(
    candles: Candles, usable: BoolArray, history: int, max_untraded: int
) -> dict[Rejection, BoolArray]:
    """Tell for every row why the window of `history` rows that ends there is not whole.

    Row *t* looks only at the rows ``t-history+1 .. t``, never outside its window, so a window is
    judged alike wherever the data around it begins and ends.

    Parameters
    ----------
    candles : n candles
    usable : (n,) False where a feature of the row is unknown; the candle itself is looked at, too,
        because some kinds of classifier do
    history : rows per window, at least 1
    max_untraded : a longer run of candles without volume inside the window counts as a gap

    Returns
    -------
    For each reason an (n,) mask; a window is whole where all are False.
    """
    outage = candles.untraded_run > max_untraded
    return {
        Rejection.HISTORY: np.arange(len(candles)) < history - 1,
        Rejection.GAP: count_back(candles.breaks, history - 1) > 0,
        Rejection.UNTRADED: count_back(outage, history - max_untraded) > 0,
        Rejection.FEATURE: count_back(~(usable & candles.known), history) > 0,
    }


def whole(broken: dict[Rejection, BoolArray]) -> BoolArray:
    """Mark the rows that no reason rejects: (n,)."""
    return ~np.logical_or.reduce(list(broken.values()))


def count_rejections(reasons: Mapping[_Reason, BoolArray]) -> dict[str, int]:
    """Count each rejected row once, under the first reason that applies, in the given order."""
    counts: dict[str, int] = {}
    counted = np.zeros(len(next(iter(reasons.values()))), dtype=bool)
    for reason, rejected in reasons.items():
        counts[reason.value] = int((rejected & ~counted).sum())
        counted |= rejected
    return counts


def window_view(rows: FloatArray, history: int) -> FloatArray:
    """View (n, f) rows as (n - history + 1, history * f) windows: read-only, nothing is copied.

    Window *i* holds the rows ``i .. i+history-1`` one after the other.
    """
    flat = np.ascontiguousarray(rows).reshape(-1)
    return sliding_window_view(flat, history * rows.shape[1])[:: rows.shape[1]]


def gather(rows: FloatArray, ends: IntArray, history: int) -> FloatArray:
    """Copy the windows that end at the given rows.

    Parameters
    ----------
    rows : (n, f), contiguous
    ends : (m,) row numbers, each at least ``history - 1``
    history : rows per window

    Returns
    -------
    (m, history, f), window *i* being ``rows[ends[i] - history + 1 : ends[i] + 1]``

    Examples
    --------
    >>> rows = np.arange(5.0)[:, None]
    >>> gather(rows, np.array([1, 4]), history=2)[:, :, 0]
    array([[0., 1.],
           [3., 4.]])
    """
    picked = window_view(rows, history)[ends - (history - 1)]
    return picked.reshape(len(ends), history, rows.shape[1])

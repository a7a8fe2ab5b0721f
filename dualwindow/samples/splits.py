"""Divide training rows into a training and a later validation part that share no label."""

from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow.settings import Settings


class Split(NamedTuple):
    """Three (n,) masks; every row is in exactly one."""

    train: BoolArray
    purged: BoolArray
    validation: BoolArray


def split_of(candles: Candles, settings: Settings, boundary: float) -> Split:
    """Split the candles of a training at a second, purged by the horizon."""
    return split_at(candles.date, settings.horizon * candles.step, boundary)


def validation_start(date: IntArray, validation_share: float) -> float:
    """Find the second at which the last rows begin, which validate; infinite if there are none.

    Parameters
    ----------
    date : (n,) seconds, increasing
    validation_share : part of the rows in validation, in (0, 1)

    Examples
    --------
    >>> validation_start(np.arange(10), validation_share=0.3)
    7.0
    """
    first = len(date) - round(len(date) * validation_share)
    return float(date[first]) if first < len(date) else np.inf


def split_at(date: IntArray, purge: int, boundary: float) -> Split:
    """Put the rows from `boundary` on into validation, and drop those whose label looks into it.

    A label at *t* reads the candles up to ``t + purge``, so a training row must lie more than
    `purge` before the first validation row (purging: Lopez de Prado 2018, chapter 7).

    Parameters
    ----------
    date : (n,) seconds, increasing
    purge : seconds that a label looks ahead
    boundary : second at which validation begins

    Examples
    --------
    >>> split = split_at(np.arange(10), purge=2, boundary=7)
    >>> split.train.sum(), split.purged.sum(), split.validation.sum()
    (np.int64(5), np.int64(2), np.int64(3))
    """
    validation = date >= boundary
    train = date + purge < boundary
    return Split(train, ~train & ~validation, validation)

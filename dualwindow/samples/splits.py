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


def split_of(candles: Candles, settings: Settings) -> Split:
    """Split the candles of a training as its settings say, purged by the horizon."""
    purge = settings.horizon * candles.step
    return chronological_split(candles.date, purge, settings.validation_share)


def chronological_split(date: IntArray, purge: int, validation_share: float) -> Split:
    """Put the last rows into validation and drop the training rows whose label looks into it.

    A label at *t* reads the candles up to ``t + purge``, so a training row must lie more than
    `purge` before the first validation row (purging: Lopez de Prado 2018, chapter 7).

    Parameters
    ----------
    date : (n,) seconds, increasing
    purge : seconds that a label looks ahead
    validation_share : part of the rows in validation, in (0, 1)

    Examples
    --------
    >>> split = chronological_split(np.arange(10), purge=2, validation_share=0.3)
    >>> split.train.sum(), split.purged.sum(), split.validation.sum()
    (np.int64(5), np.int64(2), np.int64(3))
    """
    n = len(date)
    first = n - round(n * validation_share)
    validation = np.arange(n) >= first
    boundary = date[first] if first < n else np.inf
    train = date + purge < boundary
    return Split(train, ~train & ~validation, validation)

"""Tell whether one who predicts is better than another by more than chance."""

import math
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit

from dualwindow.arrays import FloatArray, IntArray

# Of fewer, all lie on one side of 0 by chance alone in more than 5 of 100 cases: 2 * 0.5**5 = 0.06.
LEAST_BLOCKS = 6


class Mean(NamedTuple):
    """A mean, how far off it may well be, and how many independent pieces of evidence it rests on.

    Parameters
    ----------
    mean, error : and its standard error; NaN of fewer than two blocks
    blocks : how many
    """

    mean: float
    error: float
    blocks: int

    @property
    def interval(self) -> "Interval":
        """The 95 % interval."""
        reach = student(self.blocks) * self.error
        return Interval(self.mean, self.mean - reach, self.mean + reach)


class Interval(NamedTuple):
    """A mean, and a range that holds the true one in 95 of 100 cases."""

    mean: float
    low: float
    high: float


def blocks_of(starts: IntArray, stops: IntArray) -> IntArray:
    """Find the block of time of each window, of one or several pairs: (w,), counted from 0.

    A window belongs to the block before it where it begins in the first half of that block's first
    window: trained one after another, the windows of pairs are seconds or minutes apart. Merging
    whatever overlaps would chain all windows of such a run to one.

    Parameters
    ----------
    starts, stops : (w,) of each window, in any order

    Examples
    --------
    >>> blocks_of(np.array([0, 100, 7, 107]), np.array([100, 200, 107, 207]))
    array([0, 1, 0, 1])
    """
    found = np.zeros(len(starts), dtype=np.int64)
    block, middle = -1, -np.inf
    for i in np.argsort(starts, kind="stable").tolist():
        if starts[i] >= middle:
            block, middle = block + 1, (starts[i] + stops[i]) / 2
        found[i] = block
    return found


def student(n: int) -> float:
    """Tell how many standard errors a mean of n is off at most, in 95 of 100 cases.

    By Student's t with n - 1 degrees of freedom: from few, the error itself is badly known, and
    1.96 of them would hold only 88 of 100 means of five. NaN of fewer than two.

    Examples
    --------
    >>> [round(student(n), 2) for n in (5, 10, 1000)]
    [2.78, 2.26, 1.96]
    """
    return float(stdtrit(n - 1, 0.975)) if n > 1 else math.nan


def block_mean(values: FloatArray, blocks: IntArray) -> Mean:
    """Estimate a mean and its error, if only whole blocks are independent of each other.

    What several pairs did in the same week is one piece of evidence rather than several. The error
    is that of a mean over clusters, with the usual factor for few of them.

    Parameters
    ----------
    values : (m,), at least one; each counts alike, so a block of many counts for more
    blocks : (m,) of which block each is
    """
    names, which = np.unique(blocks, return_inverse=True)
    mean, n = float(values.mean()), len(names)
    if n < 2:
        return Mean(mean, math.nan, n)
    sums = np.bincount(which, values - mean)
    return Mean(mean, math.sqrt(n / (n - 1) * float((sums**2).sum())) / len(values), n)


def block_interval(values: FloatArray, blocks: IntArray) -> Interval:
    """Estimate how sure a mean is; see `block_mean`.

    Parameters
    ----------
    values : (m,), for example differences between two who predict, window by window
    blocks : (m,) of which block each is

    Returns
    -------
    The mean of the values and its 95 % interval, which is NaN with fewer blocks than
    `LEAST_BLOCKS`.

    Examples
    --------
    >>> block_interval(np.ones(7), np.array([0, 1, 2, 3, 4, 5, 5]))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    found = block_mean(values, blocks)
    if found.blocks < LEAST_BLOCKS:
        return Interval(found.mean, math.nan, math.nan)
    return found.interval

"""Tell whether one who predicts is better than another by more than chance."""

from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.outside import chance

# Of fewer, all lie on one side of 0 by chance alone in more than 5 of 100 cases: 2 * 0.5**5 = 0.06.
LEAST_BLOCKS = 6


class Interval(NamedTuple):
    """A mean, and between which values it would lie in 95 of 100 other drawings."""

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


def block_interval(
    values: FloatArray, blocks: IntArray, n: int = 10_000, seed: int = 0
) -> Interval:
    """Estimate how sure a mean is, if only whole blocks are independent of each other.

    Blocks are drawn with replacement, and all values of a drawn one count: what several pairs did
    in the same week is one piece of evidence rather than several (H. R. Kuensch, "The Jackknife and
    the Bootstrap for General Stationary Observations", Annals of Statistics 1989).

    Parameters
    ----------
    values : (m,), for example differences between two who predict, window by window
    blocks : (m,) of which block each is
    n : drawings
    seed : of the drawings

    Returns
    -------
    The mean of the values and its 95 % interval, which is NaN with fewer blocks than
    `LEAST_BLOCKS`: drawn from few, it is about as narrow as they happen to lie.

    Examples
    --------
    >>> block_interval(np.ones(7), np.array([0, 1, 2, 3, 4, 5, 5]))
    Interval(mean=1.0, low=1.0, high=1.0)
    """
    names, which = np.unique(blocks, return_inverse=True)
    mean = float(values.mean())
    if len(names) < LEAST_BLOCKS:
        return Interval(mean, float("nan"), float("nan"))
    totals, sizes = np.bincount(which, values), np.bincount(which)
    drawn = chance(seed).integers(0, len(names), (n, len(names)))
    means = totals[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(mean, float(low), float(high))

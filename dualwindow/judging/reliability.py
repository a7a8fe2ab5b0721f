"""Hold told probabilities against what happened, in bins of equal size."""

import numpy as np
from scipy.stats import norm

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.findings import Bin
from dualwindow.market.labels import CLASSES

_BINS = 10
_Z = float(norm.ppf(0.975))


def reliability(
    probabilities: FloatArray, labels: IntArray, overlap: int, bins: int = _BINS
) -> dict[str, tuple[Bin, ...]]:
    """Draw the reliability of SHORT, HOLD and LONG.

    Rows are sorted by probability and cut into bins of equal size, as for the calibration error:
    rows of the very same probability count as true by the share of them that are.

    Parameters
    ----------
    probabilities : (m, 3) of SHORT, HOLD, LONG
    labels : (m,) of SHORT, HOLD, LONG
    overlap : neighbours whose labels share candles: m rows are worth ``m / overlap`` independent
        ones, and so many the band is made for
    bins : at most so many
    """
    return {
        name: _bins(probabilities[:, code], labels == code, overlap, bins)
        for code, name in enumerate(CLASSES)
    }


def _bins(p: FloatArray, hit: BoolArray, overlap: int, bins: int) -> tuple[Bin, ...]:
    if len(p) == 0:
        return ()
    told, group, size = np.unique(p, return_inverse=True, return_counts=True)
    share = np.bincount(group, hit) / size
    parts = zip(
        *(np.array_split(np.repeat(each, size), min(bins, len(p))) for each in (told, share)),
        strict=True,
    )
    found: list[Bin] = []
    alike = None  # what the bin before tells of all its rows
    for of_told, of_share in parts:
        n, mean, rate = len(of_told), float(of_told.mean()), float(of_share.mean())
        is_alike = of_told[0] == of_told[-1]
        if is_alike and of_told[0] == alike:
            n += found.pop().count  # the same again
        # Not their mean, which rounding moves.
        alike, mean = (of_told[0], float(of_told[0])) if is_alike else (None, mean)
        low, high = wilson(rate, n / overlap)
        found.append(Bin(told=mean, happened=rate, low=low, high=high, count=n))
    return tuple(found)


def wilson(rate: float, n: float) -> tuple[float, float]:
    """Give the 95 % interval of a share among n independent ones, n above 0.

    Source: E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference",
    Journal of the American Statistical Association 1927.

    Examples
    --------
    >>> low, high = wilson(0.5, 4)
    >>> round(low, 3), round(high, 3)
    (0.15, 0.85)
    """
    middle = (rate + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * np.sqrt(rate * (1 - rate) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    return max(float(middle - half), 0.0), min(float(middle + half), 1.0)

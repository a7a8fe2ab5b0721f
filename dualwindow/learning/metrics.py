"""Judge probabilities by what came true."""

import math
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.labels import CLASSES, HOLD

_ROUNDING = 1e-9
TINY = 1e-7  # float32 softmax rounds to 0


def log_loss(probabilities: FloatArray, labels: IntArray) -> float:
    """Mean negative log probability of the true class, in nats: of (m, 3) rows and (m,) labels."""
    chosen = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, TINY)).mean())


class SplitLoss(NamedTuple):
    """The two questions in a log loss, in nats per row; together they are the whole of it.

    Parameters
    ----------
    touch : of whether it is SHORT or LONG at all
    direction : of which of the two, where it is one; per row of all, so that both add up
    """

    touch: float
    direction: float


def split_loss(probabilities: FloatArray, labels: IntArray) -> SplitLoss:
    """Tell which part of a log loss is about whether a barrier is touched, and which about which.

    Parameters
    ----------
    probabilities : (m, 3) of SHORT, HOLD, LONG; rows sum to 1
    labels : (m,) of SHORT, HOLD, LONG

    Examples
    --------
    >>> p = np.array([[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]])
    >>> [round(part / math.log(2), 3) for part in split_loss(p, np.array([0, 1]))]
    [1.0, 0.5]
    """
    touch, direction = split_losses(probabilities, labels).mean(axis=0)
    return SplitLoss(float(touch), float(direction))


def split_losses(probabilities: FloatArray, labels: IntArray) -> FloatArray:
    """Tell the two parts of `split_loss` for every row: (m, 2), which add up to its log loss."""
    still = probabilities[:, HOLD]
    moves = np.maximum(1 - still, TINY)
    moved = labels != HOLD
    asked = np.where(moved, moves, np.maximum(still, TINY))
    chosen = np.maximum(probabilities[np.arange(len(labels)), labels], TINY)
    direction = np.where(moved, np.log(moves) - np.log(chosen), 0.0)
    return np.stack([-np.log(asked), direction], axis=1)


def skill(loss: float, reference: float) -> float:
    """Share of the reference's log loss that is saved: 1 is perfect, 0 no better, below worse."""
    return 1 - loss / reference


def beats_reference(skill: float) -> bool:
    """Tell whether a skill is above 0 by more than the rounding of equal predictions."""
    return skill > _ROUNDING


def auc(probabilities: FloatArray, labels: IntArray, code: int) -> float | None:
    """Area under the ROC curve of one class against the others; None if either is absent."""
    hit = labels == code
    if not hit.any() or hit.all():
        return None
    n_hit, n = int(hit.sum()), len(hit)
    # Of Mann and Whitney: how often a hit has a higher rank than a miss; equal ones count half.
    ranks = float(rankdata(probabilities[:, code])[hit].sum())
    return (ranks - n_hit * (n_hit + 1) / 2) / (n_hit * (n - n_hit))


def calibration_errors(
    probabilities: FloatArray, labels: IntArray, bins: int = 15
) -> tuple[float, ...]:
    """Compute the expected calibration error of SHORT, HOLD and LONG.

    Per class, rows are sorted by probability and cut into bins of equal size; the error is the
    mean distance between a bin's mean probability and its share of true rows. Rows of the very
    same probability say the same, so each of them counts as true by the share of them that are:
    wherever a bin ends among them, their order does not matter.

    Source: M. P. Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
    AAAI 2015, with equal-mass bins.

    Parameters
    ----------
    probabilities : (m, 3) of SHORT, HOLD, LONG
    labels : (m,) of SHORT, HOLD, LONG
    bins : at most so many, at least 1

    Returns
    -------
    One error per class; NaN without rows

    Examples
    --------
    >>> p = np.array([[0.25, 0.5, 0.25]] * 4)
    >>> calibration_errors(p, np.array([0, 1, 1, 1]))
    (0.0, 0.25, 0.25)
    """
    if len(labels) == 0:
        return (math.nan,) * len(CLASSES)
    return tuple(
        _calibration_error(probabilities[:, code], labels == code, bins)
        for code in range(len(CLASSES))
    )


def _calibration_error(p: FloatArray, hit: BoolArray, bins: int) -> float:
    told, group, size = np.unique(p, return_inverse=True, return_counts=True)
    gap = np.repeat(told - np.bincount(group, hit) / size, size)
    parts = np.array_split(gap, min(bins, len(gap)))
    return float(sum(abs(part.sum()) for part in parts) / len(gap))

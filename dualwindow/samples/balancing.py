"""Choose which window ends to train on, and how much each counts.

Rows are never removed before windows are built, which would tear the series; only the list of
window ends is thinned.
"""

from collections.abc import Mapping

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES, UNKNOWN


def class_counts(labels: IntArray) -> IntArray:
    """Count SHORT, HOLD and LONG: (3,)."""
    return np.bincount(labels, minlength=len(CLASSES))


def class_frequencies(labels: IntArray) -> FloatArray:
    """Estimate how common SHORT, HOLD and LONG are: (3,), never 0 (Laplace's rule).

    Parameters
    ----------
    labels : any number of SHORT, HOLD, LONG; UNKNOWN ones are left out
    """
    return smoothed(class_counts(labels[labels != UNKNOWN]))


def class_mixture(labels: IntArray, weights: FloatArray) -> FloatArray:
    """Tell how common balancing has made SHORT, HOLD and LONG: (3,), never 0 (Laplace's rule).

    Parameters
    ----------
    labels, weights : (m,) of the training windows
    """
    return smoothed(np.bincount(labels, weights, minlength=len(CLASSES)))


def smoothed(counts: FloatArray | IntArray) -> FloatArray:
    """Turn counts or masses of the classes into shares that are never 0, by Laplace's rule."""
    return np.asarray((counts + 1) / (counts + 1).sum())


def thin_evenly(labels: IntArray, floor: int) -> IntArray:
    """Thin each class, evenly in time, to the size of the smallest class present or to `floor`.

    Parameters
    ----------
    labels : (m,) of SHORT, HOLD, LONG in time order
    floor : no class is thinned below this many, so that a rare class does not starve the rest

    Returns
    -------
    (k,) increasing positions in `labels` to keep

    Examples
    --------
    >>> thin_evenly(np.array([1, 1, 0, 1, 1, 2, 1]), floor=2)
    array([0, 2, 5, 6])
    """
    counts = class_counts(labels)
    target = max(int(counts[counts > 0].min()), floor) if len(labels) else floor
    kept = []
    for code in range(len(CLASSES)):
        positions = np.flatnonzero(labels == code)
        if len(positions) > target:
            even = np.linspace(0, len(positions) - 1, target).round().astype(np.int64)
            positions = positions[even]
        kept.append(positions)
    return np.sort(np.concatenate(kept))


def sample_weights(labels: IntArray, weights: Mapping[str, float] | None) -> FloatArray:
    """Weight each sample by its class.

    Parameters
    ----------
    labels : (m,) of SHORT, HOLD, LONG
    weights : weight per class name, or None for ``m / (classes present * class count)``, with
        which every class present carries the same total

    Returns
    -------
    (m,) float64
    """
    if weights is not None:
        per_class = np.array([weights[name] for name in CLASSES], dtype=np.float64)
    else:
        counts = class_counts(labels)
        present = max(int((counts > 0).sum()), 1)
        per_class = len(labels) / (present * np.maximum(counts, 1))
    return per_class[labels]


def recency_weights(n: int, factor: float) -> FloatArray:
    """Weight n candles by age as FreqAI's `weight_factor` does: ``exp(-age / (factor * n))``.

    Age counts candles back from the newest, which weighs 1; a factor of 0 weighs all alike.
    Formula: freqtrade documentation, FreqAI parameter table, ``weight_factor``.
    """
    if factor == 0:
        return np.ones(n)
    return np.exp(-np.arange(n)[::-1] / (factor * n))

"""What a classifier learns from: rows of candles, and windows of them by reference."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candles import Candles, joined


class TrainingError(ValueError):
    """The data or the settings do not allow a training.

    Settings are named in backticks, as ``Settings`` calls them, so that a host can translate them
    into the words of its own configuration.
    """


@dataclass(frozen=True)
class TrainingData:
    """Candles of one pair with what is known of them.

    Parameters
    ----------
    pair : name, for messages
    candles : n candles
    features : (n, f) unscaled; NaN or infinite where unknown
    feature_names : f names
    labels : (n,) of SHORT, HOLD, LONG, UNKNOWN
    """

    pair: str
    candles: Candles
    features: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray


class Rows(NamedTuple):
    """What a classifier may look at.

    Parameters
    ----------
    features : (n, f) float32, scaled; zeros where unknown
    candles : the n candles they were computed from
    """

    features: FloatArray
    candles: Candles


class Samples(NamedTuple):
    """Windows to learn from, by reference: `rows` are shared, windows are gathered when needed.

    Parameters
    ----------
    rows : n rows
    ends : (m,) rows at which the windows end
    labels : (m,) of SHORT, HOLD, LONG
    weights : (m,) float
    """

    rows: Rows
    ends: IntArray
    labels: IntArray
    weights: FloatArray


def pooled(of_pairs: Sequence[tuple[Samples, ...]]) -> tuple[Samples, ...]:
    """Put the samples of several pairs together, pair after pair; no window spans two of them.

    Parameters
    ----------
    of_pairs : of each pair the same number of samples, for example to train and to validate on,
        that share the pair's rows

    Returns
    -------
    As many samples, which share all rows; of a single pair those that were given.
    """
    if len(of_pairs) == 1:
        return of_pairs[0]
    all_rows = [parts[0].rows for parts in of_pairs]
    firsts = np.cumsum([0, *(len(rows.candles) for rows in all_rows[:-1])])
    rows = Rows(
        np.concatenate([rows.features for rows in all_rows]),
        joined([rows.candles for rows in all_rows]),
    )
    return tuple(
        Samples(
            rows,
            np.concatenate([first + part.ends for first, part in zip(firsts, parts, strict=True)]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.weights for part in parts]),
        )
        for parts in zip(*of_pairs, strict=True)
    )

"""Estimate how likely whoever is best of several is to be below their middle on other days."""

from collections.abc import Mapping

import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.learning.metrics import TINY
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, UNKNOWN

_N_BLOCKS = 8  # of days in a row; each half of them is held against the other


def daily_losses(walks: Mapping[str, WalkForward]) -> FloatArray:
    """Average the log loss of each who predicts over each day, all pairs together: (who, days).

    Only candles with a prediction and a label count, the same for all.
    """
    found = []
    for walk in walks.values():
        table = walk.table[walk.table["valid"] & (walk.table["label"] != UNKNOWN)]
        chosen = table[list(CLASSES)].to_numpy()[np.arange(len(table)), table["label"]]
        losses = -np.log(np.maximum(chosen, TINY))
        day = table["date"].dt.floor("D").to_numpy()
        _, of_day = np.unique(day, return_inverse=True)
        found.append(np.bincount(of_day, losses) / np.bincount(of_day))
    return np.array(found)


def probability_of_overfitting(losses: FloatArray) -> float | None:
    """Estimate how often the best of some days is below the median of all on the others.

    All halves of eight blocks of days are held against the other halves. Days at the edge of a
    block share moves with the next one, as labels look ahead by hours: little against weeks.

    Source: D. Bailey, J. Borwein, M. Lopez de Prado and J. Zhu, "The Probability of Backtest
    Overfitting", Journal of Computational Finance 2016.

    Parameters
    ----------
    losses : (who, days) mean log loss; of fewer than eight days, or of one alone, nothing is said

    Raises
    ------
    ModuleNotFoundError
        Without the package `purgedcv`.
    """
    # Not above: it is an extra's.
    from purgedcv import probability_of_backtest_overfitting

    if losses.shape[1] < _N_BLOCKS or len(losses) < 2:
        return None
    found = probability_of_backtest_overfitting(-losses, n_splits=_N_BLOCKS, metric=np.mean)
    return float(found.pbo)

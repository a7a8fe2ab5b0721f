"""Estimate what of the best of several is luck: because it was the best, and of so many.

Both estimates are those of the package `purgedcv`, which comes with the extra `study`.
"""

import math
from collections.abc import Mapping, Sequence

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


def deflated_sharpe(returns: FloatArray, tried: Sequence[float], n_trials: int) -> float:
    """Estimate how likely the true Sharpe ratio of the best of many trials is above 0.

    It is held against the Sharpe ratio that the best of so many would have by chance, if none were
    worth anything. Few Sharpe ratios, or such of trials alike, tell too little of how they scatter
    by chance: their variance counts as at least that of one worth nothing, 1 / days.

    Source: D. Bailey and M. Lopez de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio
    Management 2014.

    Parameters
    ----------
    returns : (days,) of the chosen one
    tried : Sharpe ratios of those tried, per day, not annualised; their variance counts
    n_trials : how many were tried in all, at least as many as are known

    Returns
    -------
    In [0, 1]; NaN where returns never change, as those of one who never trades.

    Raises
    ------
    ModuleNotFoundError
        Without the package `purgedcv`.
    """
    # Not above: it is an extra's.
    from purgedcv import deflated_sharpe_ratio

    known = [sharpe for sharpe in tried if math.isfinite(sharpe)]
    if len(returns) < 3 or not returns.std() > 0:
        return math.nan
    variance = float(np.var(known, ddof=1)) if len(known) > 1 else 0.0
    scatter = max(variance, 1 / len(returns))
    return float(deflated_sharpe_ratio(returns, max(n_trials, len(known), 1), scatter))


def sharpe_of(returns: FloatArray) -> float:
    """Divide the mean of daily returns by their deviation (of a sample); NaN where that is 0.

    Examples
    --------
    >>> sharpe_of(np.array([0.01, 0.03]))
    1.4142135623730951
    """
    if len(returns) < 2 or not (deviation := float(returns.std(ddof=1))) > 0:
        return math.nan
    return float(returns.mean()) / deviation

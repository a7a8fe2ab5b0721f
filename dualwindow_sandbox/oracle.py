"""Say how probable the classes truly are in the synthetic market, from what no trader sees."""

import math

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, Labelling, exclusive
from dualwindow.outside import chance
from dualwindow_sandbox.dynamics import STEPS, Dynamics


def class_probabilities(
    law: Dynamics,
    level: FloatArray,
    volatility: FloatArray,
    regime: IntArray,
    labelling: Labelling,
    *,
    n_paths: int = 400,
    seed: int = 0,
) -> FloatArray:
    """Simulate the law onwards from known states and count `exclusive` labels.

    Parameters
    ----------
    law : which market
    level : (n,) log of close over starting price, at the close of the signal candle
    volatility, regime : (n,) in force during it, as `SyntheticMarket.hidden` gives them
    labelling : whose rule is `exclusive`; candles are minutes
    n_paths : futures per state; a probability p is known to ``sqrt(p (1 - p) / n_paths)``

    Returns
    -------
    (n, 3) of SHORT, HOLD, LONG, never 0 (Laplace's rule), so that a log loss is finite

    Raises
    ------
    ValueError
        If the rule is another one.
    """
    if labelling.rule is not exclusive:
        raise ValueError(
            "labelling: only the true probabilities of the rule 'exclusive' can be told. "
            f"Received: {getattr(labelling.rule, '__name__', labelling.rule)}"
        )
    rng = chance(seed)
    shape = (len(level), n_paths)
    log_volatility = np.broadcast_to(np.log(volatility / law.volatility)[:, None], shape)
    drifting = np.broadcast_to(regime[:, None], shape).copy()
    start = np.broadcast_to(level[:, None], shape)
    position, top, bottom = start.copy(), start.copy(), start.copy()
    keep = math.exp(-1 / law.memory)
    spread = law.clustering * math.sqrt(1 - keep**2)
    ending = 1 - math.exp(-1 / law.regime_length)
    for _ in range(labelling.horizon):
        switching = rng.random(shape) < ending
        lower, upper = np.where(drifting == -1, 0, -1), np.where(drifting == 1, 0, 1)
        odds = np.exp(-law.lean * (upper - lower) * position)
        following = np.where(rng.random(shape) < odds / (1 + odds), upper, lower)
        drifting = np.where(switching, following, drifting)
        log_volatility = keep * log_volatility + spread * rng.standard_normal(shape)
        deviation = law.volatility * np.exp(log_volatility) / math.sqrt(STEPS)
        for _ in range(STEPS):
            position = position + law.drift * drifting / STEPS
            position += deviation * rng.standard_normal(shape)
            np.maximum(top, position, out=top)
            np.minimum(bottom, position, out=bottom)
    return _shares(np.exp(top - start), np.exp(bottom - start), labelling)


def _shares(top: FloatArray, bottom: FloatArray, labelling: Labelling) -> FloatArray:
    """Share of each class among the extremes of (n, n_paths) futures that begin at 1: (n, 3)."""
    watched, n_paths = labelling.watched(1.0), top.shape[1]
    long = (top >= watched.long_take) & (bottom > watched.long_stop)
    short = (bottom <= watched.short_take) & (top < watched.short_stop)
    counts = np.empty((len(top), len(CLASSES)))
    counts[:, LONG] = (long & ~short).sum(axis=1)
    counts[:, SHORT] = (short & ~long).sum(axis=1)
    counts[:, HOLD] = n_paths - counts[:, LONG] - counts[:, SHORT]
    return (counts + 1) / (n_paths + len(CLASSES))

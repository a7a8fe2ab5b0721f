"""Measure how far the price moves, as one mean of closes against another."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dualwindow.arrays import FloatArray
from dualwindow.market.candles import Candles, count_back

# Of the mean close before: a smaller move is none, however quiet the market is.
LEAST_MOVE = 1e-4


def smoothed_moves(candles: Candles, horizon: int) -> FloatArray:
    """Compute how far the mean of the next closes lies above that of as many before.

    ``(mean(close[t+1 .. t+h]) - mean(close[t-h .. t-1])) / mean(close[t-h .. t-1])``: the
    smoothed labels of A. Ntakaris, M. Magris, J. Kanniainen, M. Gabbouj and A. Iosifidis,
    "Benchmark Dataset for Mid-Price Forecasting of Limit Order Book Data with Machine Learning
    Methods", Journal of Forecasting 2018, with means on both sides as in Z. Zhang, S. Zohren and
    S. Roberts, "DeepLOB", 2019. Half of it has happened at *t*.

    Parameters
    ----------
    candles : n candles; candle *t* looks at the closes of ``t-horizon .. t+horizon`` but its own
    horizon : candles, at least 1

    Returns
    -------
    (n,) fractions; NaN where fewer candles than that lie before or after, a gap lies among those
    before, or a price of them is not positive and finite. Gaps ahead are not looked at here. Each
    mean is summed anew from its own closes, so it does not depend on where the candles begin.
    """
    n = len(candles)
    moves = np.full(n, np.nan)
    if n <= 2 * horizon:
        return moves
    priced = candles.priced
    means = sliding_window_view(np.where(priced, candles.close, np.nan), horizon).mean(axis=1)
    before, after = means[: n - 2 * horizon], means[horizon + 1 :]
    moves[horizon : n - horizon] = (after - before) / before
    torn = count_back(candles.breaks, horizon) + count_back(~priced, horizon + 1)
    moves[torn > 0] = np.nan
    return moves


def typical_move(moves: FloatArray) -> float:
    """Take the median of how far the price moved, either way: `LEAST_MOVE` at least.

    Parameters
    ----------
    moves : (n,) fractions; NaN counts nowhere

    Examples
    --------
    >>> typical_move(np.array([0.25, -0.5, 0.75, np.nan])), typical_move(np.zeros(3))
    (0.5, 0.0001)
    """
    known = np.abs(moves[np.isfinite(moves)])
    return max(float(np.median(known)), LEAST_MOVE) if len(known) else LEAST_MOVE

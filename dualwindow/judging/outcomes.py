"""Follow trades to their end, all candles at once: what each would have brought, and how long."""

from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow.market.labels import LONG, Barriers, Labelling
from dualwindow.market.touches import falls_of, rises_of


class Costs(NamedTuple):
    """What decides how a trade ends and what it pays: fees of entry plus exit."""

    labelling: Labelling
    fees: float


class Ends(NamedTuple):
    """How trades end that are entered at the close of each candle, in one direction.

    Parameters
    ----------
    profit : (n,) after fees, a fraction of the stake; NaN where prices do not tell
    length : (n,) candles until the end, at least 1
    """

    profit: FloatArray
    length: IntArray


def ends_of(candles: Candles, side: int, costs: Costs) -> Ends:
    """Follow a trade from each candle.

    It ends at the barrier that is touched first (the stop, if one candle touches both) or at the
    close of the last candle of the horizon, or of the last that there is.

    Parameters
    ----------
    candles : n candles; candle *t* looks at its own close and at ``t+1 .. t+horizon``
    side : SHORT or LONG
    costs : of a trade
    """
    n, horizon = len(candles), costs.labelling.horizon
    beyond = np.full(horizon, np.nan)
    level = costs.labelling.watched(candles.close)
    rises = rises_of(np.concatenate([candles.high, beyond]), horizon)
    falls = falls_of(np.concatenate([candles.low, beyond]), horizon)
    if side == LONG:
        won_at, lost_at = rises(level.long_take), falls(level.long_stop)
    else:
        won_at, lost_at = falls(level.short_take), rises(level.short_stop)
    take, stop = distances(costs.labelling.barriers, side)
    row = np.arange(n)
    ahead = np.minimum(horizon, n - 1 - row)  # candles that are there
    move = candles.close[row + ahead] / candles.close - 1
    ended = (move if side == LONG else -move) - costs.fees
    is_lost = (lost_at <= won_at) & (lost_at <= ahead)
    is_won = (won_at < lost_at) & (won_at <= ahead)
    profit = np.where(is_lost, -stop - costs.fees, np.where(is_won, take - costs.fees, ended))
    length = np.where(is_lost, lost_at, np.where(is_won, won_at, ahead))
    return Ends(profit, np.maximum(length, 1))


def independent(signal: BoolArray, ends: Ends) -> IntArray:
    """Choose the signals that begin when the one before has ended.

    Parameters
    ----------
    signal : (n,) candles of which the close is entered on
    ends : of the same candles

    Returns
    -------
    (k,) rows, increasing

    Examples
    --------
    >>> three = Ends(np.zeros(6), np.full(6, 3))
    >>> independent(np.array([True, True, False, True, True, True]), three)
    array([0, 3])
    """
    rows = np.flatnonzero(signal)
    following = np.searchsorted(rows, rows + ends.length[rows]).tolist()
    chosen, place = [], 0
    while place < len(rows):
        chosen.append(place)
        place = following[place]
    return rows[chosen]


def distances(barriers: Barriers, side: int) -> tuple[float, float]:
    """Give the take-profit and the stop of a side, fractions of the price at entry."""
    if side == LONG:
        return barriers.long_take_profit, barriers.long_stop_loss
    return barriers.short_take_profit, barriers.short_stop_loss

"""Add outcomes of trades up by days, for those who judge by daily returns."""

from collections.abc import Sequence

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.findings import Deal, Returns
from dualwindow.judging.outcomes import independent
from dualwindow.judging.rungs import Decider
from dualwindow.judging.seen import Seen
from dualwindow.judging.signals import SIDES, decisions

_DAY = 86400


def of_deals(deals: Sequence[Deal], first: int, last: int, n_pairs: int) -> Returns:
    """Add up what trades brought on the day they were closed; those still open count nowhere.

    Parameters
    ----------
    deals : trades
    first, last : seconds since 1970 UTC; the days between have a return, be it 0
    n_pairs : each has a stake of its own, so a day's return is the mean of theirs
    """
    ended = [(d.closed, d.profit) for d in deals if d.closed is not None and d.profit is not None]
    moments = np.array([moment for moment, _ in ended], dtype=np.int64)
    profits = np.array([profit for _, profit in ended])
    return _by_day("trades", moments, profits, (first, last), n_pairs)


def of_signals(seen: Sequence[Seen], decider: Decider, first: int, last: int) -> Returns:
    """Add up what the independent signals of a rule would have brought, after fees."""
    moments: list[IntArray] = [np.empty(0, dtype=np.int64)]
    profits: list[FloatArray] = [np.empty(0)]
    for each in seen:
        if each.candles is None:
            continue
        chosen = decisions(each, decider)
        for side in SIDES.values():
            ends = each.ends_of(side)
            rows = independent(each.on_candles((chosen == side) & each.valid), ends)
            rows = rows[np.isfinite(ends.profit[rows])]
            moments.append(each.candles.date[rows] + ends.length[rows] * each.candles.step)
            profits.append(ends.profit[rows])
    return _by_day(
        "signals", np.concatenate(moments), np.concatenate(profits), (first, last), len(seen)
    )


def _by_day(
    of: str, moments: IntArray, profits: FloatArray, span: tuple[int, int], n_pairs: int
) -> Returns:
    first = span[0] // _DAY
    last = max((span[1] - 1) // _DAY, *(moments // _DAY).tolist(), first)
    days = np.arange(first, last + 1)
    sums = np.zeros(len(days))
    inside = moments // _DAY >= first
    np.add.at(sums, moments[inside] // _DAY - first, profits[inside] / max(n_pairs, 1))
    return Returns.model_validate(
        {"of": of, "date": (days * _DAY).tolist(), "value": sums.tolist()}
    )

"""Choose a day to show candle by candle, and lay it out."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.findings import Day, Deal
from dualwindow.judging.rungs import Decider, or_none
from dualwindow.judging.seen import Seen
from dualwindow.judging.signals import decisions, step_of
from dualwindow.market.labels import CLASSES, HOLD

_DAY = 86400
_MOST_PAIRS = 6
_DIGITS = 5  # of a probability that is drawn


def days_to_show(
    seen: Sequence[Seen],
    decider: Decider,
    entered_from: Mapping[str, float | None],
    deals: Sequence[Deal],
    actions: Mapping[str, IntArray],
    wanted: int | None,
) -> tuple[Day, ...]:
    """Lay out a day of each pair: the one that is wanted, or that with most trades, or signals.

    Of more than six pairs, those are shown that have most trades, or else signals.
    """
    found = []
    for each in _busiest(seen, decider, deals):
        own = [deal for deal in deals if deal.pair == each.pair]
        day = _day_of(each, decider, own) if wanted is None else wanted // _DAY * _DAY
        rows = np.flatnonzero((each.date >= day) & (each.date < day + _DAY))
        if len(rows):
            found.append(_laid_out(each, rows, entered_from, own, actions.get(each.pair)))
    return tuple(found)


def _busiest(seen: Sequence[Seen], decider: Decider, deals: Sequence[Deal]) -> list[Seen]:
    """Choose pairs, and keep their order."""
    if len(seen) <= _MOST_PAIRS:
        return list(seen)
    traded = Counter(deal.pair for deal in deals)
    busy = {
        each.pair: (traded[each.pair], np.count_nonzero(decisions(each, decider) != HOLD))
        for each in seen
    }
    chosen = sorted(busy, key=lambda pair: busy[pair], reverse=True)[:_MOST_PAIRS]
    return [each for each in seen if each.pair in chosen]


def _day_of(seen: Seen, decider: Decider, deals: Sequence[Deal]) -> int:
    """Find the day with most trades, else that with most signals, else with most predictions."""
    days = seen.date // _DAY
    opened = np.array([deal.opened // _DAY for deal in deals], dtype=np.int64)
    signals = decisions(seen, decider) != HOLD
    for of_days in (opened[np.isin(opened, days)], days[signals], days[seen.valid], days):
        if len(of_days):
            names, counts = np.unique(of_days, return_counts=True)
            return int(names[counts.argmax()]) * _DAY
    return 0


def _laid_out(
    seen: Seen,
    rows: IntArray,
    entered_from: Mapping[str, float | None],
    deals: Sequence[Deal],
    actions: IntArray | None,
) -> Day:
    date = seen.date[rows]
    first, end = int(date[0]), date[-1] + step_of(seen)
    return Day(
        pair=seen.pair,
        date=tuple(date.tolist()),
        **{name: _prices(seen, rows, name) for name in ("high", "low", "close")},
        probabilities={
            name: _rounded(seen.probabilities[rows, code], seen.valid[rows])
            for code, name in enumerate(CLASSES)
        },
        entered_from=dict(entered_from),
        actions=() if actions is None else tuple(int(a) for a in np.asarray(actions)[rows]),
        deals=tuple(
            deal
            for deal in deals
            if deal.opened < end and (deal.closed is None or deal.closed >= first)
        ),
    )


def _rounded(values: FloatArray, known: BoolArray) -> tuple[float | None, ...]:
    pairs = zip(np.round(values, _DIGITS).tolist(), known.tolist(), strict=True)
    return tuple(or_none(value) if is_known else None for value, is_known in pairs)


def _prices(seen: Seen, rows: IntArray, name: str) -> tuple[float | None, ...]:
    if seen.candles is None:
        return (None,) * len(rows)
    place = seen.place[rows]
    prices = getattr(seen.candles, name)[np.maximum(place, 0)]
    return tuple(or_none(v) for v in np.where(place >= 0, prices, np.nan).tolist())

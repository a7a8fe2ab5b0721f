"""Count what entering from a probability on would have met."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.comparison import block_mean
from dualwindow.judging.decisions import break_even, most_probable
from dualwindow.judging.findings import Signals, Way
from dualwindow.judging.outcomes import independent
from dualwindow.judging.rungs import Decider, or_none
from dualwindow.judging.seen import Seen
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT

THRESHOLDS = tuple(round(0.05 * i, 2) for i in range(1, 20))
SIDES = {"SHORT": SHORT, "LONG": LONG}
_DAY = 86400


def threshold_table(seen: Sequence[Seen], decider: Decider) -> dict[str, tuple[Signals, ...]]:
    """Tell for each direction that can be entered what doing so from a probability on had met."""
    return {
        name: tuple(
            signals_of(seen, [each.probabilities[:, side] >= level for each in seen], side, level)
            for level in THRESHOLDS
        )
        for name, side in SIDES.items()
        if decider.enters(side)
    }


def signals_of(
    seen: Sequence[Seen], chosen: Sequence[BoolArray], side: int, threshold: float | None
) -> Signals:
    """Hold entries against what came true, and follow the independent ones to their end.

    Signals overlap: while one runs, the next dozens see almost the same future, so only those
    count as independent that begin when the one before has ended.

    Parameters
    ----------
    seen : of each pair
    chosen : of each pair, (m,) whether a side is entered; where nothing is judged, nothing counts
    side : SHORT or LONG
    threshold : that chose them, if one did
    """
    entered = [mask & each.judged for mask, each in zip(chosen, seen, strict=True)]
    n = sum(int(mask.sum()) for mask in entered)
    hits = sum(
        int((each.labels[mask] == side).sum()) for mask, each in zip(entered, seen, strict=True)
    )
    n_judged, n_true = _judged(seen, side)
    outcomes = outcomes_of(seen, entered, side)
    value, error, n_days = (None, None, None) if outcomes is None else _worth(outcomes)
    hit_rate, base_rate = _share(hits, n), _share(n_true, n_judged)
    costs = seen[0].costs
    days = sum(int(each.judged.sum()) * step_of(each) for each in seen) / _DAY
    return Signals(
        threshold=threshold,
        signals=n,
        independent=None if outcomes is None else len(outcomes.profit),
        busiest=None if outcomes is None else outcomes.busiest,
        per_day=n / days if days else 0.0,
        hit_rate=hit_rate,
        base_rate=base_rate,
        lift=hit_rate / base_rate if hit_rate is not None and base_rate else None,
        needed=or_none(break_even(costs.labelling.barriers, costs.fees)[side]),
        value=value,
        error=error,
        days=n_days,
    )


def _judged(seen: Sequence[Seen], side: int) -> tuple[int, int]:
    """Count the judged candles, and those of a class."""
    labels = [each.labels[each.judged] for each in seen]
    return sum(map(len, labels)), sum(int((own == side).sum()) for own in labels)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def step_of(seen: Seen) -> float:
    """Seconds of a candle, also where no candles are there."""
    if seen.candles is not None:
        return float(seen.candles.step)
    return float(np.median(np.diff(seen.date))) if len(seen.date) > 1 else 0.0


class Outcomes(NamedTuple):
    """How independent signals of all pairs have ended.

    Parameters
    ----------
    profit : (k,) after fees; NaN where prices do not tell
    day : (k,) of the entry, since 1970 UTC
    busiest : how many there are of the pair that has most
    """

    profit: FloatArray
    day: IntArray
    busiest: int


def outcomes_of(seen: Sequence[Seen], entered: Sequence[BoolArray], side: int) -> Outcomes | None:
    """Follow the independent ones of some entries; None where candles are missing."""
    profits: list[FloatArray] = [np.empty(0)]
    days: list[IntArray] = [np.empty(0, dtype=np.int64)]
    for each, mask in zip(seen, entered, strict=True):
        if each.candles is None:
            if mask.any():
                return None
            continue
        ends = each.ends_of(side)
        rows = independent(each.on_candles(mask), ends)
        profits.append(ends.profit[rows])
        days.append(each.candles.date[rows] // _DAY)
    return Outcomes(np.concatenate(profits), np.concatenate(days), max(map(len, profits)))


def _worth(outcomes: Outcomes) -> tuple[float | None, float | None, int]:
    """Average, with the standard error if only whole days are independent, and count these."""
    known = np.isfinite(outcomes.profit)
    if not known.any():
        return None, None, 0
    found = block_mean(outcomes.profit[known], outcomes.day[known])
    return found.mean, or_none(found.error), found.blocks


def decisions(seen: Seen, decider: Decider) -> IntArray:
    """Decide on every candle of a pair; where a host would not enter, it is HOLD: (m,)."""
    chosen = decider(seen.probabilities)
    return np.where(seen.vetoed, np.int8(HOLD), chosen)


def way(name: str, seen: Sequence[Seen], chosen: Sequence[IntArray]) -> Way:
    """Compare decisions with what came true.

    Parameters
    ----------
    name : of the way of deciding
    seen : of each pair
    chosen : of each pair, (m,) of SHORT, HOLD, LONG
    """
    table = confusion(
        np.concatenate([each.labels[each.judged] for each in seen]),
        np.concatenate([own[each.judged] for own, each in zip(chosen, seen, strict=True)]),
    )
    hit, n = np.diag(table), int(table.sum())
    precision = _parts(hit, table.sum(axis=0))
    recall = _parts(hit, table.sum(axis=1))
    f1 = _parts(2 * hit, table.sum(axis=0) + table.sum(axis=1))
    short, long = (
        signals_of(seen, [own == side for own in chosen], side, None) for side in (SHORT, LONG)
    )
    return Way(
        name=name,
        candles=n,
        accuracy=_share(int(hit.sum()), n),
        precision=precision,
        recall=recall,
        f1=f1,
        confusion=tuple(tuple(row) for row in table.tolist()),
        short=short,
        long=long,
    )


def confusion(truth: IntArray, chosen: IntArray) -> IntArray:
    """Count by true class (rows) and decision (columns): (3, 3)."""
    n = len(CLASSES)
    pairs = n * truth.astype(np.int64) + chosen
    return np.bincount(pairs, minlength=n * n).reshape(n, n)


def _parts(hit: IntArray, of: IntArray) -> tuple[float | None, ...]:
    return tuple(_share(int(a), int(b)) for a, b in zip(hit, of, strict=True))


def ways(seen: Sequence[Seen], decider: Decider, name: str) -> tuple[Way, ...]:
    """Judge the most probable class, and the rule where there is one.

    Signals are counted of what can be entered; how decisions compare with what became true is told
    of all three classes.
    """
    found = [way("most probable class", seen, [most_probable(s.probabilities) for s in seen])]
    if decider.rule is not None:
        found.append(way(name, seen, [decisions(each, decider) for each in seen]))
    if not decider.can_short:
        found = [each.model_copy(update={"short": None}) for each in found]
    return tuple(found)

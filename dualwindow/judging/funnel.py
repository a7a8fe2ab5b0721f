"""Follow candles on their way to trades, and say where the others were lost."""

from collections.abc import Mapping, Sequence

import numpy as np

from dualwindow.arrays import BoolArray
from dualwindow.judging.findings import Step
from dualwindow.judging.outcomes import independent
from dualwindow.judging.rungs import Decider
from dualwindow.judging.seen import Seen
from dualwindow.judging.signals import SIDES
from dualwindow.market.labels import HOLD
from dualwindow.samples.windows import broken_windows, count_rejections
from dualwindow.settings import Settings

_OTHER = "a feature is unknown, or it is an outlier"
_MISSING = "the candle is not there"
_UNSURE, _NO_SHORT = "not sure enough of SHORT or LONG", "SHORT, which cannot be entered"


def funnel(
    seen: Sequence[Seen],
    decider: Decider,
    settings: Settings,
    n_deals: int | None,
    deals_lost: Mapping[str, int],
) -> tuple[Step, ...]:
    """Count what is left at every step.

    Parameters
    ----------
    seen : of each pair
    decider : the rule; without one, it ends with what was predicted
    settings : of the model
    n_deals, deals_lost : trades that were made, if anybody traded, and why signals became none
    """
    asked = sum(len(each.rows) for each in seen)
    predicted = sum(int(each.valid.sum()) for each in seen)
    steps = [
        Step(name="candles", count=asked, lost={}),
        Step(name="predicted", count=predicted, lost=_unpredicted(seen, settings)),
    ]
    if decider.rule is None:
        return tuple(steps)
    chosen = [np.where(each.valid, decider(each.probabilities), HOLD) for each in seen]
    passing = [own != HOLD for own in chosen]
    n_passing, n_sure = sum(int(mask.sum()) for mask in passing), _n_sure(seen, decider)
    entered = [mask & ~each.vetoed for mask, each in zip(passing, seen, strict=True)]
    n_entered = sum(int(mask.sum()) for mask in entered)
    sure = {_UNSURE: predicted - n_sure, _NO_SHORT: n_sure - n_passing}
    steps += [
        Step(name="sure enough", count=n_passing, lost=_some(sure)),
        Step(
            name="not refused by the host",
            count=n_entered,
            lost=_some({"the host does not enter there": n_passing - n_entered}),
        ),
    ]
    n_independent = _independent(seen, chosen, entered)
    if n_independent is not None:
        lost = {"the signal before still runs": n_entered - n_independent}
        steps.append(Step(name="independent signals", count=n_independent, lost=_some(lost)))
    if n_deals is not None:
        steps.append(Step(name="trades", count=n_deals, lost=_some(deals_lost)))
    return tuple(steps)


def _n_sure(seen: Sequence[Seen], decider: Decider) -> int:
    """Count where the rule wants to enter, whether or not that can be done."""
    wants = decider._replace(can_short=True)
    return sum(int((wants(each.probabilities[each.valid]) != HOLD).sum()) for each in seen)


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in counts.items() if n > 0}


def _independent(
    seen: Sequence[Seen], chosen: Sequence[np.ndarray], entered: Sequence[BoolArray]
) -> int | None:
    """Count those of each direction that begin when the one before has ended."""
    n = 0
    for each, own, mask in zip(seen, chosen, entered, strict=True):
        if each.candles is None:
            return None
        for side in SIDES.values():
            signal = each.on_candles(mask & (own == side))
            n += len(independent(signal, each.ends_of(side)))
    return n


def _unpredicted(seen: Sequence[Seen], settings: Settings) -> dict[str, int]:
    counts: dict[str, int] = {}
    for each in seen:
        for reason, n in _reasons(each, settings).items():
            counts[reason] = counts.get(reason, 0) + n
    return _some(counts)


def _reasons(seen: Seen, settings: Settings) -> dict[str, int]:
    """Say why candles of a pair have no prediction, as far as the candles tell."""
    lost = ~seen.valid
    if seen.candles is None:
        return {_OTHER: int(lost.sum())}
    candles = seen.candles
    usable = np.ones(len(candles), dtype=bool)
    broken = broken_windows(candles, usable, settings.history, settings.max_untraded)
    there = lost & (seen.place >= 0)
    rows = seen.place[there]
    masks = {reason: mask[rows] for reason, mask in broken.items()}
    counts = count_rejections(masks)
    counts[_MISSING] = int((lost & (seen.place < 0)).sum())
    counts[_OTHER] = int(lost.sum()) - sum(counts.values())
    return counts

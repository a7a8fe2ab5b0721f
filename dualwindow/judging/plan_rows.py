"""Sum up what barriers and horizons make of candles, and hint at those worth a training."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from dualwindow.judging.comparison import LEAST_BLOCKS, block_mean, student
from dualwindow.judging.decisions import break_even
from dualwindow.judging.foreseen import Foreseen
from dualwindow.judging.planned import Hint, Row
from dualwindow.judging.rungs import or_none
from dualwindow.judging.survey import Point, Surveyed
from dualwindow.market.labels import CLASSES, LONG, SHORT

# What speaks against a training. Few independent moves of a direction tell a network little. And a
# hit rate so much above that of a price that goes nowhere has no model of docs/results.md on real
# candles.
LEAST_MOVES, MOST_DEARER = 20, 0.1
_ORDER: tuple[Hint, ...] = (
    "worth a training",
    "not asked",
    "too few windows",
    "nothing foreseen",
    "fees",
    "few moves",
)


class Terms(NamedTuple):
    """What is the same for all rows.

    Parameters
    ----------
    configured : the point that is marked
    fees : of entry and exit together
    step : seconds from one candle to the next
    candles_per_training : of one pair
    is_shared : whether a training is one of all pairs together
    """

    configured: Point
    fees: float
    step: int
    candles_per_training: float
    is_shared: bool


class Known(NamedTuple):
    """What is known of one point: of each pair, and of each pair and span."""

    surveyed: dict[str, Surveyed]
    foreseen: dict[tuple[str, int], Foreseen]

    def of(self, pair: str) -> "Known":
        """Keep what is known of one pair."""
        seen = {key: one for key, one in self.foreseen.items() if key[0] == pair}
        return Known({pair: self.surveyed[pair]}, seen)


def row(point: Point, known: Known, terms: Terms) -> Row:
    """Sum up one point over its pairs."""
    found = known.surveyed.values()
    counts = np.sum([each.counts for each in found], axis=0)
    n, n_moves = int(counts.sum()), int(counts[SHORT] + counts[LONG])
    needed = break_even(point.barriers, terms.fees)
    by_chance = break_even(point.barriers, 0.0)
    to_touch = sum(each.candles_to_touch for each in found) / n_moves if n_moves else None
    skill, error, windows = _skill(known.foreseen)
    touch, direction = _by_question(known.foreseen.values())
    facts = Row(
        **asdict(point.barriers),
        horizon=point.horizon,
        is_configured=point == terms.configured,
        candles=n,
        shares={name: int(k) / n if n else None for name, k in zip(CLASSES, counts, strict=True)},
        break_even={CLASSES[side]: needed[side] for side in (SHORT, LONG)},
        dearer=max(needed[side] - by_chance[side] for side in (SHORT, LONG)),
        candles_to_touch=to_touch,
        hours_to_touch=None if to_touch is None else to_touch * terms.step / 3600,
        moves={
            CLASSES[side]: _moves_per_training([*found], i, terms)
            for i, side in enumerate((SHORT, LONG))
        },
        skill=skill,
        error=error,
        touch=touch,
        direction=direction,
        windows=windows,
        hint="not asked",
    )
    return facts.model_copy(update={"hint": _hint(facts)})


def _moves_per_training(found: Sequence[Surveyed], i: int, terms: Terms) -> float:
    """Count the independent moves of a direction that one training sees.

    One that pairs share sees the moves of all, but pairs move together: as of signals, only those
    of the pair that has most count.
    """
    counted = [max(found, key=lambda each: each.independent[i])] if terms.is_shared else found
    n = sum(int(each.counts.sum()) for each in counted)
    moves = sum(each.independent[i] for each in counted)
    return moves * terms.candles_per_training / n if n else 0.0


def in_order(found: Iterable[tuple[Point, Row, Known]]) -> list[tuple[Point, Row, Known]]:
    """Put those worth a training first, and of those the ones of which most is foreseen."""
    return sorted(found, key=lambda each: (_ORDER.index(each[1].hint), -(each[1].skill or 0.0)))


def _hint(row: Row) -> Hint:
    if min(row.moves.values()) < LEAST_MOVES:
        return "few moves"
    if row.dearer > MOST_DEARER:
        return "fees"
    if row.skill is None:
        return "not asked"
    if row.error is None or row.windows < LEAST_BLOCKS:
        return "too few windows"
    sure = student(row.windows)
    return "worth a training" if row.skill > sure * row.error else "nothing foreseen"


def _skill(foreseen: Mapping[tuple[str, int], Foreseen]) -> tuple[float | None, float | None, int]:
    """Take the mean over windows of time, its standard error, and the number of windows.

    What several pairs did in the same weeks is one piece of evidence, so their mean counts.
    """
    by_span: dict[int, list[float]] = {}
    for (_, span), one in foreseen.items():
        if one.candles:
            by_span.setdefault(span, []).append(one.skill)
    means = [float(np.mean(each)) for each in by_span.values()]
    if not means:
        return None, None, 0
    found = block_mean(np.array(means), np.arange(len(means)))
    return found.mean, or_none(found.error), found.blocks


def _by_question(foreseen: Iterable[Foreseen]) -> tuple[float | None, float | None]:
    """Skill over all candles judged, in touch and in direction; None where it was never asked."""
    judged = [one for one in foreseen if one.candles]
    lost, quoted = (
        np.sum([one.candles * getattr(one, name) for one in judged] or [np.zeros(2)], axis=0)
        for name in ("split", "quoted")
    )
    touch, direction = (
        1 - float(a) / float(b) if b > 0 else None for a, b in zip(lost, quoted, strict=True)
    )
    return touch, direction

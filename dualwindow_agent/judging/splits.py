"""Divide the time of tapes: into parts that are followed side by side, and into groups held out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from dualwindow.arrays import IntArray
from dualwindow_agent.market.tape import Tape, TapeError, common_step

_LOOK_BACK = 1440  # candles kept before the first that is acted on, for averages
_LEAST = 2  # rows that can be acted on: a decision, and the candle after it

Spans = tuple[tuple[int, int], ...]


def trimmed(tape: Tape) -> Tape:
    """Drop what lies further before the first row that is acted on than anything looks back."""
    n = max(tape.first - _LOOK_BACK, 0)
    return replace(
        tape,
        candles=tape.candles[slice(n, None)],
        probabilities=tape.probabilities[n:],
        valid=tape.valid[n:],
        first=tape.first - n,
        further=tuple(each[n:] for each in tape.further),
    )


def in_parts(tapes: Sequence[Tape], n_candles: int) -> list[Tape]:
    """Cut tapes into parts of about so many candles, each with an account of its own, begun flat.

    As many accounts live side by side as there are parts, which takes a fraction of the time.
    """
    found = []
    for tape in tapes:
        n_parts = max(round((len(tape) - tape.first) / n_candles), 1)
        edges = np.linspace(tape.first, len(tape), n_parts + 1).astype(int).tolist()
        date = np.append(tape.candles.date, tape.candles.date[-1] + tape.candles.step)
        spans = tuple((int(date[a]), int(date[b])) for a, b in pairwise(edges))
        found += within([tape], spans)
    return found


def within(tapes: Sequence[Tape], spans: Spans) -> list[Tape]:
    """Cut spans of time out of tapes, each a tape of its own; spans without candles are left out.

    Parameters
    ----------
    tapes : of one agent
    spans : ``[start, stop)``, seconds since 1970 UTC, of when candles open
    """
    return acted_on([trimmed(tape.between(a, b)) for tape in tapes for a, b in spans])


def acted_on(tapes: Sequence[Tape]) -> list[Tape]:
    """Leave out those that have nothing to act on."""
    return [tape for tape in tapes if len(tape) - tape.first >= _LEAST]


@dataclass(frozen=True)
class CombinatorialSplit:
    """One choice of groups that are held out.

    Parameters
    ----------
    groups : that are held out, from 0
    learn, held_out : spans of time, seconds since 1970 UTC
    """

    groups: tuple[int, ...]
    learn: Spans
    held_out: Spans

    @property
    def name(self) -> str:
        """Name it by its groups, as 0-3."""
        return "-".join(map(str, self.groups))


def combinatorial_splits(
    tapes: Sequence[Tape], n_groups: int, n_held_out: int, horizon: int
) -> list[CombinatorialSplit]:
    """Make all choices of groups to hold out of the time of tapes.

    What is learnt from is purged: before a group that is held out, no candle is acted on whose
    horizon would reach into it, and after one, none for a horizon, so that no position knows both.

    Source: M. Lopez de Prado, "Advances in Financial Machine Learning", 2018, chapter 12; used for
    such agents by B. Gort et al., arXiv 2209.05559.

    Parameters
    ----------
    tapes : of one agent
    n_groups, n_held_out : groups of equal length in time, and how many of them are held out
    horizon : candles

    Raises
    ------
    TapeError
        If a group would be no longer than the two horizons that are purged around it.
    """
    step = common_step(tapes)
    begin = min(int(tape.candles.date[tape.first]) for tape in tapes)
    end = max(int(tape.candles.date[-1]) + step for tape in tapes)
    date: IntArray = np.arange(begin, end, step)
    if len(date) // n_groups <= 2 * horizon:
        raise TapeError(
            f"{n_groups} groups of {len(date)} candles are no longer than the two horizons of "
            f"{horizon} that are purged around each; take fewer groups, or more days"
        )
    choices = combinations(range(n_groups), n_held_out)
    folds = _purged(date, n_groups, n_held_out, horizon * step)
    return [
        CombinatorialSplit(groups, _spans(date[learn], step), _spans(date[held_out], step))
        for groups, (learn, held_out) in zip(choices, folds, strict=True)
    ]


def _purged(
    date: IntArray, n_groups: int, n_held_out: int, reach: int
) -> Iterator[tuple[IntArray, IntArray]]:
    """Give rows to learn from and rows held out, of every choice; `reach` is seconds."""
    # Not above: it is an extra's.
    from purgedcv import CombinatorialPurgedCV

    moments = pd.Series(pd.to_datetime(date, unit="s"))
    length = pd.Timedelta(seconds=reach)
    found: Iterator[tuple[IntArray, IntArray]] = CombinatorialPurgedCV(
        n_groups,
        n_held_out,
        prediction_times=moments,
        evaluation_times=moments + length,
        embargo=length,
    ).split(np.zeros((len(date), 1)))
    return found


def _spans(date: IntArray, step: int) -> Spans:
    """Find the runs of neighbours among dates."""
    cuts = np.flatnonzero(np.diff(date) != step) + 1
    return tuple((int(run[0]), int(run[-1]) + step) for run in np.split(date, cuts))

"""Lay out what agents wanted to hold over time."""

from collections.abc import Mapping, Sequence

import numpy as np

from dualwindow.arrays import IntArray
from dualwindow.judging.findings import Agents
from dualwindow.judging.seen import Seen


def with_wanted(
    agents: Agents | None, seen: Sequence[Seen], actions: Mapping[str, IntArray]
) -> Agents | None:
    """Put what was wanted beside how agents were evaluated; None where there is neither.

    Parameters
    ----------
    agents : as evaluated elsewhere, where they were
    seen : of each pair
    actions : see `Evidence`
    """
    changes = {
        each.pair: _changes(each.date, np.asarray(actions[each.pair]))
        for each in seen
        if each.pair in actions
    }
    if not changes:
        return agents
    known = agents or Agents(rows=(), median=None, worst=None, notes=(), positions={})
    return known.model_copy(update={"positions": changes})


def _changes(date: IntArray, wanted: IntArray) -> tuple[tuple[int, int], ...]:
    """Keep the first candle and those that want another position than the one before."""
    kept = np.concatenate([[0], np.flatnonzero(np.diff(wanted)) + 1])
    return tuple(zip(date[kept].tolist(), wanted[kept].tolist(), strict=True))

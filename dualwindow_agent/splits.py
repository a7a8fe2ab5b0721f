"""Divide the time of tapes: into parts that are followed side by side, and into groups held out."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dualwindow_agent.tape import Tape

_LOOK_BACK = 1440  # candles kept before the first that is acted on, for averages


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
    """Cut tapes into parts of so many candles, each with an account of its own, from flat on.

    As many accounts live side by side as there are parts, which takes a fraction of the time. The
    last part of a tape takes what is left over, if that is less than half a part.
    """
    found = []
    for tape in tapes:
        step, begin = tape.candles.step, int(tape.candles.date[tape.first])
        n_parts = max(round((len(tape) - tape.first) / n_candles), 1)
        edges = [begin + i * n_candles * step for i in range(n_parts)]
        edges.append(int(tape.candles.date[-1]) + step)
        found += [
            trimmed(tape.between(a, b)) for a, b in zip(edges[:-1], edges[1:], strict=True)
        ]
    return found

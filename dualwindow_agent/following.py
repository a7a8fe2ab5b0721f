"""Follow whoever decides through whole tapes, one account each, from the first row to the last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent.accounts import Terms
from dualwindow_agent.arena import Arena
from dualwindow_agent.settings import AgentSettings
from dualwindow_agent.tape import Tape

# Observations (n, c), allowed actions (n, a), and the row of each tape -> actions (n,).
Chooser = Callable[[FloatArray, BoolArray, IntArray], IntArray]


@dataclass(frozen=True)
class Course:
    """What became of one account on one tape.

    Parameters
    ----------
    pair : name
    date : (m,) seconds since 1970 UTC, of the candles that were decided on
    action : (m,) what was done about each, at the next open; what could not be done counts as what
        was done in its place
    side : (m,) 1 long, -1 short, 0 flat, at the close of the next candle
    growth : (m,) change of the log of the account in the next candle
    traded : (m,) what was bought and sold in the next candle, in units of the account before it
    costs, trades, turnover : of the whole course; costs and turnover in units of the account's
        beginning
    """

    pair: str
    date: IntArray
    action: IntArray
    side: IntArray
    growth: FloatArray
    traded: FloatArray
    costs: float
    trades: int
    turnover: float

    @property
    def profit(self) -> float:
        """Of the account, a fraction of what it began with; what is held counts at its price."""
        return float(np.expm1(self.growth.sum()))


def follow(
    choose: Chooser, tapes: Sequence[Tape], settings: AgentSettings, terms: Terms
) -> list[Course]:
    """Let one account for each tape live from its first row to its last.

    Parameters
    ----------
    choose : decides for all tapes at once; a tape that has ended is asked for and ignored
    tapes, settings, terms : as for an `Arena`
    """
    arena = Arena(tapes, settings, terms, len(tapes), seed=0)
    first, last = arena.whole_tapes()
    seen = arena.begin(first, last)
    length = last - first
    kept = {name: np.zeros((int(length.max()), len(tapes))) for name in ("a", "s", "g", "t")}
    worth = arena.accounts.worth
    ended: dict[int, tuple[float, int, float]] = {}
    for i in range(int(length.max())):
        allowed, here = arena.allowed(), arena.row - first
        actions = choose(seen, allowed, here)
        actions = np.where(allowed[np.arange(len(tapes)), actions], actions, arena.kept_action())
        live, before = i < length, arena.accounts.turnover.copy()
        arena.step(actions, live)
        now = arena.accounts.worth
        kept["a"][i], kept["s"][i], kept["g"][i] = actions, arena.accounts.side, np.log(now / worth)
        kept["t"][i] = (arena.accounts.turnover - before) / worth
        worth, seen = now, arena.seen()
        for j in np.flatnonzero(i == length - 1).tolist():
            a = arena.accounts
            ended[j] = float(a.costs[j]), int(a.trades[j]), float(a.turnover[j])
    return [
        Course(
            tape.pair,
            tape.candles.date[tape.first : tape.first + n],
            kept["a"][:n, j].astype(np.int64),
            kept["s"][:n, j].astype(np.int64),
            kept["g"][:n, j],
            kept["t"][:n, j],
            *ended[j],
        )
        for j, (tape, n) in enumerate(zip(tapes, length.tolist(), strict=True))
    ]

"""Follow whoever decides through whole tapes, one account each, from the first row to the last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent.market.accounts import Accounts, Terms
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.tape import Tape, TapeError
from dualwindow_agent.settings import AgentSettings

# Observations (n, c), allowed actions (n, a), and how many rows each is past the first one that its
# tape is acted on -> actions (n,).
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

    One that is broken is left there, with the millionth part that its exchange leaves it.

    Parameters
    ----------
    choose : decides for all tapes at once; a tape that has ended is asked for and ignored
    tapes, settings, terms : as for an `Arena`

    Raises
    ------
    TapeError
        If a tape has no candle to act on.
    """
    _refuse_too_short(tapes)
    arena = Arena(tapes, settings, terms, len(tapes), seed=0)
    first, last = arena.whole_tapes()
    seen, length = arena.begin(first, last), last - first
    shape = int(length.max()), len(tapes)
    action, side = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    growth, traded, worth = np.zeros(shape), np.zeros(shape), arena.accounts.worth
    for i in range(len(action)):
        allowed = arena.allowed()
        actions = choose(seen, allowed, np.minimum(i, length))
        can = allowed[np.arange(len(tapes)), actions]
        action[i] = np.where(can, actions, arena.kept_action())
        before, turnover = worth, arena.accounts.turnover.copy()
        arena.step(action[i])
        worth, seen = arena.accounts.worth, arena.seen()
        side[i], growth[i] = arena.accounts.side, np.log(worth / before)
        traded[i] = (arena.accounts.turnover - turnover) / before
    rows = {"action": action, "side": side, "growth": growth, "traded": traded}
    return [
        _course(tape, {name: each[:n, j] for name, each in rows.items()}, arena.accounts, j)
        for j, (tape, n) in enumerate(zip(tapes, length.tolist(), strict=True))
    ]


def _refuse_too_short(tapes: Sequence[Tape]) -> None:
    for tape in tapes:
        if len(tape) - tape.first < 2:
            raise TapeError(
                f"{tape.pair}: none of its {len(tape)} candles can be acted on; that needs two of "
                f"them from row {tape.first} on"
            )


def _course(tape: Tape, rows: dict[str, Any], accounts: Accounts, j: int) -> Course:
    """Put together what became of account `j`; that of a tape that ended early is as it was."""
    return Course(
        pair=tape.pair,
        date=tape.candles.date[tape.first : tape.first + len(rows["action"])],
        costs=float(accounts.costs[j]),
        trades=int(accounts.trades[j]),
        turnover=float(accounts.turnover[j]),
        **rows,
    )

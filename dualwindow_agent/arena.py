"""Accounts that live through tapes side by side, in one pass over arrays for each candle."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.outside import chance
from dualwindow_agent.accounts import Accounts, Bars, Exchange, Terms
from dualwindow_agent.observation import N_OWN, joined_market, own_part
from dualwindow_agent.rewards import Before, Rewards
from dualwindow_agent.settings import AgentSettings
from dualwindow_agent.tape import Tape, TapeError


class Arena:
    """n accounts, each on a row of one of the tapes.

    An account lives for `learning.episode` candles from a random row on, or to the end of its
    tape; its last candle is marked to the market, not sold.

    Parameters
    ----------
    tapes : of one agent; those of a pair look back on what lies before their first row
    settings, terms : see there
    n : accounts
    seed : of the random rows
    """

    def __init__(
        self, tapes: Sequence[Tape], settings: AgentSettings, terms: Terms, n: int, seed: int
    ) -> None:
        self.settings, self.terms, self.n = settings, terms, n
        self.exchange = Exchange(terms)
        self._market = joined_market(tapes, settings.observation)
        columns = ("high", "low", "close")
        self._bars = Bars(
            np.concatenate([tape.opens for tape in tapes]),
            *(np.concatenate([getattr(tape.candles, c) for tape in tapes]) for c in columns),
        )
        self._valid = np.concatenate([tape.valid for tape in tapes])
        offsets = np.concatenate([[0], np.cumsum([len(tape) for tape in tapes])])
        # The last row of a tape has no candle after it to act in.
        self._stops = offsets[1:] - 1
        self._starts = offsets[:-1] + np.array([tape.first for tape in tapes])
        self._room = np.maximum(self._stops - self._starts, 0)
        if not self._room.any():
            raise TapeError("there is no candle to act on")
        self._rng = chance(seed)
        self._row = np.zeros(n, dtype=np.int64)
        self._until = np.zeros(n, dtype=np.int64)
        self.accounts = Accounts.opened(np.ones(n))
        self._rewards = Rewards.of(settings.reward, n)

    @property
    def n_columns(self) -> int:
        """Numbers of an observation."""
        return self._market.shape[1] + N_OWN

    @property
    def row(self) -> IntArray:
        """(n,) rows of all tapes, one after the other, that were last decided on or will be."""
        return self._row.copy()

    def reset(self) -> FloatArray:
        """Open all accounts at random rows, and return what they see."""
        self._reopen(np.ones(self.n, dtype=bool))
        return self.seen()

    def begin(self, rows: IntArray, until: IntArray) -> FloatArray:
        """Open all accounts at given rows, to live up to others; return what they see."""
        self._row[:], self._until[:] = rows, until
        everyone = np.ones(self.n, dtype=bool)
        self.accounts.reopen(everyone, self._bars.close[self._row])
        self._rewards.reopen(everyone)
        return self.seen()

    def whole_tapes(self) -> tuple[IntArray, IntArray]:
        """First rows and last ones of all tapes, for `begin` with one account for each."""
        return self._starts.copy(), self._stops.copy()

    def seen(self) -> FloatArray:
        """Observe: (n, columns) float32."""
        own = own_part(self.accounts, self.terms, self.settings.observation)
        return np.concatenate([self._market[self._row], own], axis=1)

    def allowed(self) -> BoolArray:
        """Mark which actions can be taken: (n, actions)."""
        return self.exchange.allowed(self.accounts, self._valid[self._row])

    def step(
        self, actions: IntArray, live: BoolArray | None = None
    ) -> tuple[FloatArray, BoolArray, BoolArray]:
        """Act at the next open, and go on to its close.

        An action that is not allowed counts as 0, or with the three positions as staying. Where
        `live` (n,) is False, the account's tape is over and its row stays; what it does is noise.

        Returns
        -------
        (n,) rewards, and which accounts are at their end: broken, or out of candles. These stay as
        they are until `reopen`.
        """
        allowed = self.allowed()
        invalid = ~allowed[np.arange(self.n), actions]
        actions = np.where(invalid, self.kept_action(), actions)
        before = Before.of(self.accounts)
        self._row += 1 if live is None else live
        self.exchange.step(self.accounts, actions, self._bars_at(self._row))
        paid = self._rewards.paid(self.accounts, before, invalid)
        broken = self.accounts.worth < 0.01 * self.accounts.peak
        return paid, broken, self._row >= self._until

    def reopen(self, which: BoolArray) -> FloatArray:
        """Open those that are at their end at other random rows; return what all see now."""
        self._reopen(which)
        return self.seen()

    def kept_action(self) -> IntArray:
        """Name the action of each account that leaves everything as it is."""
        if self.terms.market.actions != "positions":
            return np.zeros(self.n, dtype=np.int64)
        return self.accounts.side % 3  # -1 is SHORT, the third

    def _reopen(self, which: BoolArray) -> None:
        n = int(which.sum())
        if n == 0:
            return
        share = self._room / self._room.sum()
        tape = self._rng.choice(len(share), size=n, p=share)
        row = self._starts[tape] + (self._rng.random(n) * self._room[tape]).astype(np.int64)
        self._row[which] = row
        self._until[which] = np.minimum(row + self.settings.learning.episode, self._stops[tape])
        self.accounts.reopen(which, self._bars.close[self._row])
        self._rewards.reopen(which)

    def _bars_at(self, rows: IntArray) -> Bars:
        return Bars(*(prices[rows] for prices in self._bars))

    def state(self) -> dict[str, Any]:
        """Copy all that changes, to go on from: arrays, and the random generator's numbers."""
        accounts = {f.name: getattr(self.accounts, f.name).copy() for f in fields(self.accounts)}
        return {
            "accounts": accounts,
            "row": self._row.copy(),
            "until": self._until.copy(),
            "recent": self._rewards.recent.copy(),
            "n_seen": self._rewards.n_seen.copy(),
            "rng": self._rng.bit_generator.state,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        for name, values in state["accounts"].items():
            getattr(self.accounts, name)[:] = values
        self._row[:], self._until[:] = state["row"], state["until"]
        self._rewards.recent[:], self._rewards.n_seen[:] = state["recent"], state["n_seen"]
        self._rng.bit_generator.state = state["rng"]

"""Accounts that live through tapes side by side, in one pass over arrays for each candle."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.outside import chance
from dualwindow_agent.market.accounts import Accounts, Bars, Terms
from dualwindow_agent.market.exchange import Exchange
from dualwindow_agent.market.observation import N_OWN, joined_market, write_own
from dualwindow_agent.market.rewards import Before, Rewards
from dualwindow_agent.market.tape import Tape, TapeError, common_step
from dualwindow_agent.settings import AgentSettings

BROKEN = 0.01  # share of its peak below which an account is at its end


class Arena:
    """n accounts, each on a row of one of the tapes.

    An account lives for `learning.episode` candles from a random row on, or to the end of its
    tape; its last candle is marked to the market, not sold. It is broken, and at its end, too, when
    it is worth less than a hundredth of its peak.

    Parameters
    ----------
    tapes : of one agent; those of a pair look back on what lies before their first row
    settings : what is seen and paid, and how long accounts live
    terms : what they trade by
    n : accounts
    seed : of the random rows

    Raises
    ------
    TapeError
        If there is no candle to act on, or the tapes do not fit together.
    """

    def __init__(
        self, tapes: Sequence[Tape], settings: AgentSettings, terms: Terms, n: int, seed: int
    ) -> None:
        self.settings, self.terms, self.n = settings, terms, n
        self.exchange = Exchange(terms)
        common_step(tapes)
        self._market = joined_market(tapes, settings.observation)
        self._prices = np.concatenate([_prices(tape) for tape in tapes], axis=1)
        self._valid = np.concatenate([tape.valid for tape in tapes])
        offsets = np.concatenate([[0], np.cumsum([len(tape) for tape in tapes])])
        # The last row of a tape has no candle after it to act in.
        self._stops = offsets[1:] - 1
        self._starts = offsets[:-1] + np.array([tape.first for tape in tapes])
        self._room = np.maximum(self._stops - self._starts, 0)
        if not self._room.any():
            raise TapeError("there is no candle to act on: each must be followed by another one")
        self._rng = chance(seed)
        self._row = np.zeros(n, dtype=np.int64)
        self._until = np.zeros(n, dtype=np.int64)
        self._everyone = np.arange(n)
        # Who is at its end, as all are until they are opened; and what can be done, once asked for.
        self._ended = np.ones(n, dtype=bool)
        self._allowed: BoolArray | None = None
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

    def reseed(self, seed: int) -> None:
        """Begin the random rows anew."""
        self._rng = chance(seed)

    def begin(self, rows: IntArray, until: IntArray) -> FloatArray:
        """Open all accounts at given rows, to live up to others; return what they see."""
        self._row[:], self._until[:] = rows, until
        self._open(np.ones(self.n, dtype=bool))
        return self.seen()

    def whole_tapes(self) -> tuple[IntArray, IntArray]:
        """First rows and last ones of all tapes, for `begin` with one account for each."""
        return self._starts.copy(), self._stops.copy()

    def seen(self) -> FloatArray:
        """Observe: (n, columns) float32."""
        n_market = self._market.shape[1]
        found = np.empty((self.n, n_market + N_OWN), dtype=np.float32)
        found[:, :n_market] = self._market[self._row]
        write_own(self.accounts, self.terms, self.settings.observation, found[:, n_market:])
        return found

    def allowed(self) -> BoolArray:
        """Mark which actions can be taken: (n, actions)."""
        return self._mask().copy()

    def _mask(self) -> BoolArray:
        if self._allowed is None:
            self._allowed = self.exchange.allowed(self.accounts, self._valid[self._row])
        return self._allowed

    def step(
        self, actions: IntArray, live: BoolArray | None = None
    ) -> tuple[FloatArray, BoolArray, BoolArray]:
        """Act at the next open, and go on to its close.

        An action that is not allowed counts as 0, or with the three positions as staying, and is
        counted in `accounts.refused`. Who is at its end, or not marked in `live` (n,), is left as
        it is and paid nothing.

        Returns
        -------
        (n,) rewards, which accounts are broken, and which are out of candles: both are at their end
        until `reopen`.
        """
        invalid = ~self._mask()[self._everyone, actions]
        if np.count_nonzero(invalid):
            actions = np.where(invalid, self.kept_action(), actions)
        halts = self._ended if live is None else self._ended | ~live
        halted = halts.nonzero()[0]
        left = self.accounts.some(halted) if len(halted) else None
        before = Before.of(self.accounts)
        self._row += ~halts
        self.exchange.step(self.accounts, actions, Bars(*self._prices.take(self._row, axis=1)))
        self.accounts.refused += invalid
        paid = self._rewards.paid(self.accounts, before, invalid)
        if left is not None:
            self.accounts.put(halted, left)
            paid[halted] = 0.0
        self._allowed = None
        broken, over = self._ends()
        self._ended = broken | over
        return paid, broken, over

    def _ends(self) -> tuple[BoolArray, BoolArray]:
        """Mark which accounts are broken, and which are out of candles."""
        broken = self.accounts.worth < BROKEN * self.accounts.peak
        return broken, self._row >= self._until

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
        n = np.count_nonzero(which)
        if n == 0:
            return
        share = self._room / self._room.sum()
        tape = self._rng.choice(len(share), size=n, p=share)
        row = self._starts[tape] + (self._rng.random(n) * self._room[tape]).astype(np.int64)
        self._row[which] = row
        self._until[which] = np.minimum(row + self.settings.learning.episode, self._stops[tape])
        self._open(which)

    def _open(self, which: BoolArray) -> None:
        self.accounts.reopen(which, self._prices[3, self._row])
        self._rewards.reopen(which)
        self._ended[which] = (self._row >= self._until)[which]
        self._allowed = None

    def state(self) -> dict[str, Any]:
        """Copy all that changes, to go on from: arrays, and the random generator's numbers."""
        return {
            "accounts": {name: getattr(self.accounts, name).copy() for name in Accounts.NAMES},
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
        self._ended = np.logical_or(*self._ends())
        self._allowed = None


def _prices(tape: Tape) -> FloatArray:
    """Lay out open, high, low and close: (4, n); open and close were traded at, too."""
    ends = tape.opens, tape.candles.close
    high = np.maximum.reduce([tape.candles.high, *ends])
    low = np.minimum.reduce([tape.candles.low, *ends])
    return np.stack([tape.opens, high, low, tape.candles.close])

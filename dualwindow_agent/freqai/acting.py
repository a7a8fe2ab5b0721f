"""Let a policy act on one account, candle by candle, and say what it did and held."""

from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.market.accounts import Accounts, Bars, Terms
from dualwindow_agent.market.exchange import Exchange
from dualwindow_agent.market.observation import market_part, own_part
from dualwindow_agent.market.orders import Orders
from dualwindow_agent.market.tape import Tape

# Candles before the first one acted on, which the numbers of the market look back on.
LOOKBACK = 720


class Held(NamedTuple):
    """A position when a candle has closed.

    Parameters
    ----------
    side : 1 long, -1 short, 0 flat
    rate : at which it was opened, quote currency; 0 where there is none
    candles : since it was opened, that of its opening not counted
    """

    side: int
    rate: float
    candles: int

    @classmethod
    def of(cls, accounts: Accounts) -> "Held":
        """Read it from a single account."""
        return cls(int(accounts.side[0]), float(accounts.entry[0]), int(accounts.held[0]))

    def account(self, price: float) -> Accounts:
        """Open an account that holds it, at a price that a candle has closed at."""
        accounts = Accounts.opened(np.array([price]))
        if self.side:
            accounts.units[:] = self.side / self.rate
            accounts.cash -= accounts.units * self.rate
            accounts.entry[:], accounts.held[:] = self.rate, self.candles
        return accounts


FLAT = Held(0, 0.0, 0)


class Acted(NamedTuple):
    """What was wanted on m candles, and what was held before: each (m,).

    Parameters
    ----------
    wanted : position to hold from the next open on: 1, -1, 0
    side, rate, candles : of a `Held`
    """

    wanted: IntArray
    side: IntArray
    rate: FloatArray
    candles: IntArray


class Account:
    """One account that stands at the close of a candle, and goes on by what is wanted of it.

    Parameters
    ----------
    candles : with opens; none may be missing
    terms : by which it trades
    row : at whose close it opens
    held : what it begins with
    """

    def __init__(self, candles: Candles, terms: Terms, row: int, held: Held = FLAT) -> None:
        assert candles.open is not None
        self._date, self.row = candles.date, row
        self._bars = Bars(candles.open, candles.high, candles.low, candles.close)
        self._exchange = Exchange(terms)
        self.accounts = held.account(float(candles.close[row]))

    @property
    def held(self) -> Held:
        """What it holds now."""
        return Held.of(self.accounts)

    def go_on(self, wanted: int) -> None:
        """Act at the next open, and stand at the close of that candle."""
        self.row += 1
        bar = Bars(*(prices[self.row : self.row + 1] for prices in self._bars))
        self._exchange.step(self.accounts, np.array([wanted % 3]), bar)

    def replay(self, date: IntArray, wanted: IntArray, until: int) -> None:
        """Go on to row `until` by what was wanted.

        Parameters
        ----------
        date, wanted : (k,) of what was decided, in the order of time; where there is nothing of a
            candle, what is held stays
        until : row at whose close it shall stand
        """
        by_date = dict(zip(date.tolist(), wanted.tolist(), strict=True))
        while self.row < until:
            self.go_on(by_date.get(int(self._date[self.row]), self.held.side))


def act(policy: Policy, tape: Tape, account: Account, *, may_move: bool = True) -> Acted:
    """Decide on every row from `tape.first` to its last, and act on all but the last.

    Row *t* looks at the candles up to *t*, at the prediction of *t*, and at the account at the
    close of *t*.

    Parameters
    ----------
    policy : decides
    tape : its rows are those of the account's candles, up to the one that is decided on last
    account : at the close of row `tape.first`; it ends at the close of the last row
    may_move : if not, what is held is wanted, until a barrier or the horizon ends it
    """
    rows = range(tape.first, len(tape))
    market = market_part(tape, policy.settings.observation)
    n = len(rows)
    wanted, side, age = (np.zeros(n, dtype=np.int64) for _ in range(3))
    found = Acted(wanted, side, np.zeros(n), age)
    for i, row in enumerate(rows):
        held = account.held
        now = held.side
        if may_move:
            now = decide(policy, market[row], account.accounts, may_enter=bool(tape.valid[row]))
        for values, value in zip(found, (now, *held), strict=True):
            values[i] = value
        if row + 1 < len(tape):
            account.go_on(now)
    return found


def decide(policy: Policy, market: FloatArray, accounts: Accounts, *, may_enter: bool) -> int:
    """Decide once: which position a single account shall have from the next open on."""
    seen, allowed = _seen(policy, market, accounts, may_enter=may_enter)
    return _POSITIONS[int(policy.choose(seen, allowed)[0])]


def is_close_call(
    policy: Policy, market: FloatArray, accounts: Accounts, wanted: tuple[int, int]
) -> bool:
    """Tell whether two decisions are so nearly alike that rounding may choose between them."""
    seen, _ = _seen(policy, market, accounts, may_enter=True)
    first, second = (float(policy.preferences(seen)[0, side % 3]) for side in wanted)
    return abs(first - second) < _CLOSE


_POSITIONS = (0, 1, -1)  # of the actions flat, long, short
_CLOSE = 1e-3  # of preferences; probabilities from batches of other sizes differ by 1e-7


def _seen(
    policy: Policy, market: FloatArray, accounts: Accounts, *, may_enter: bool
) -> tuple[FloatArray, BoolArray]:
    own = own_part(accounts, policy.terms, policy.settings.observation)
    allowed = Orders(policy.settings.market).allowed(accounts, np.array([may_enter]))
    return np.concatenate([market[None], own], axis=1), allowed

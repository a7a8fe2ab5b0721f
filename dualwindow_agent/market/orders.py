"""What an account may ask for, how many units it holds once it gets it, and what that costs."""

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent.market.accounts import LONG, N_ACTIONS, SHORT, Accounts
from dualwindow_agent.settings import MarketSettings

# The side that each of the three positions is on.
_SIDES = np.array([0.0, 1.0, -1.0])
# Of the nine: 1 to 3 buy these shares of the free cash, 4 to 6 sell these of what is held.
_BUYS = np.array([0.0, 0.25, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
_KEEPS = np.array([1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.0, 0.0, 1.0])
_CLOSE, _REVERSE = 7, 8
_LEAST_FREE = (
    1e-9  # share of an account's peak; less is what rounding leaves of one that is invested
)


class Orders:
    """The terms of orders.

    Parameters
    ----------
    market : see there

    Attributes
    ----------
    fills : what is paid for selling and for buying, as factors of the price
    costs : slippage and fees of selling and of buying, as factors of the price
    """

    def __init__(self, market: MarketSettings) -> None:
        self.market = market
        self.has_parts = market.actions == "published"
        self.fills = 1 + np.array([-1.0, 1.0]) * market.slippage
        self.costs = market.slippage + market.fee * self.fills
        # With leverage the account borrows, and its means pay the costs of all that it trades.
        self._reach = market.leverage / (1 + market.leverage * self.costs)

    def allowed(self, accounts: Accounts, may_enter: BoolArray) -> BoolArray:
        """Mark which actions can be taken: (n, actions).

        Keeping what is held and leaving always can. Nothing is opened, added to or reversed where
        `may_enter` is False, as where there is no prediction; with the three positions, a reversal
        takes two candles, as live, where a pair is left before it is entered again.
        """
        found = np.empty((len(accounts), N_ACTIONS[self.market.actions]), dtype=bool)
        long, short = accounts.units > 0, accounts.units < 0
        found[:, 0] = True
        if not self.has_parts:
            enters = may_enter & (accounts.units == 0)
            found[:, LONG] = long | enters
            found[:, SHORT] = short | enters if self.market.shorts else short
            return found
        can_buy = may_enter & ~short & (self.free(accounts) > _LEAST_FREE * accounts.peak)
        found[:, 1:4] = can_buy[:, None]
        found[:, 4 : _CLOSE + 1] = (long | short)[:, None]
        found[:, _REVERSE] = may_enter & (long | short if self.market.shorts else short)
        return found

    def free(self, accounts: Accounts) -> FloatArray:
        """Compute what no position binds: (n,) quote currency; without leverage the cash."""
        return accounts.worth - np.abs(accounts.units) * accounts.mark / self.market.leverage

    def affordable(
        self, means: FloatArray, price: FloatArray, *, buys: BoolArray | bool
    ) -> FloatArray:
        """Compute how many units means buy or sell short, their costs included: (n,), at least 0.

        With leverage, what was worth the means is then `leverage` times what is left of them.
        """
        return np.maximum(means / price * self._reach.take(buys), 0.0)

    def asks(self, accounts: Accounts, actions: IntArray) -> BoolArray:
        """Mark the accounts whose action changes what they hold: (n,)."""
        if self.has_parts:
            return actions != 0
        return _SIDES.take(actions) != np.sign(accounts.units)

    def wanted(self, accounts: Accounts, actions: IntArray) -> FloatArray:
        """Compute the units that accounts will hold whose action `asks` for a change: (n,).

        A reversal turns the whole position over, as far as what is left of the account affords.
        """
        if self.has_parts:
            return self._of_parts(accounts, actions)
        side = _SIDES.take(actions)
        # Whoever holds the other side leaves it first, and enters with the next candle.
        side *= accounts.units == 0
        return side * self.affordable(accounts.cash, accounts.mark, buys=side > 0)

    def _of_parts(self, accounts: Accounts, actions: IntArray) -> FloatArray:
        units, price = accounts.units, accounts.mark
        bought = self.affordable(self.free(accounts), price, buys=True)
        held = units * _KEEPS.take(actions) + bought * _BUYS.take(actions)
        reverses = actions == _REVERSE
        if not np.count_nonzero(reverses):
            return held
        size, buys = np.abs(units), units < 0
        left = accounts.worth - size * price * self.costs.take(buys)
        turned = -np.sign(units) * np.minimum(size, self.affordable(left, price, buys=buys))
        return np.where(reverses, turned, held)

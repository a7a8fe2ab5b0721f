"""What an account may ask for, and how many units it holds once it gets it."""

from collections.abc import Callable

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent.accounts import LONG, N_ACTIONS, SHORT, Accounts
from dualwindow_agent.settings import MarketSettings

# The side that each of the three positions is on.
_SIDES = np.array([0.0, 1.0, -1.0])
# Of the nine: 1 to 3 buy these shares of the free cash, 4 to 6 sell these of what is held.
_BUYS = np.array([0.0, 0.25, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
_KEEPS = np.array([1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.0, 0.0, 1.0])
_CLOSE, _REVERSE = 7, 8
_LEAST_FREE = 1e-9  # share of an account; less is what rounding leaves of one that is invested


def allowed(accounts: Accounts, may_enter: BoolArray, market: MarketSettings) -> BoolArray:
    """Mark which actions can be taken: (n, actions).

    Keeping what is held and leaving always can. Nothing is opened, added to or reversed where
    `may_enter` is False, as where there is no prediction; with the three positions, a reversal
    takes two candles, as live, where a pair is left before it is entered again.
    """
    found = np.empty((len(accounts), N_ACTIONS[market.actions]), dtype=bool)
    long, short = accounts.units > 0, accounts.units < 0
    if market.actions == "positions":
        enters = may_enter & (accounts.units == 0)
        found[:, 0] = True
        found[:, LONG] = long | enters
        found[:, SHORT] = short | enters if market.shorts else short
        return found
    buys = may_enter & ~short & (free(accounts, market) > _LEAST_FREE * accounts.worth)
    found[:, 0] = True
    found[:, 1:4] = buys[:, None]
    found[:, 4:8] = (long | short)[:, None]
    found[:, _REVERSE] = may_enter & (long | short if market.shorts else short)
    return found


def free(accounts: Accounts, market: MarketSettings) -> FloatArray:
    """Compute what is not bound by the position: (n,) quote currency; without leverage the cash."""
    return accounts.worth - np.abs(accounts.units) * accounts.mark / market.leverage


def affordable(
    accounts: Accounts, side: FloatArray | float, means: FloatArray, market: MarketSettings
) -> FloatArray:
    """Compute how many units means buy (side 1) or sell short (-1): (n,), at least 0.

    The costs are paid from the means, too. With leverage the account borrows the rest, and then
    holds `leverage` times what it is worth after the costs.
    """
    costs = market.slippage + market.fee * (1 + side * market.slippage)
    size = market.leverage * means / (accounts.mark * (1 + market.leverage * costs))
    return np.maximum(size, 0.0)


def asks(accounts: Accounts, actions: IntArray, market: MarketSettings) -> BoolArray:
    """Mark the accounts whose action changes what they hold: (n,)."""
    if market.actions == "positions":
        return _SIDES[actions] != np.sign(accounts.units)
    return actions != 0


def wanted(accounts: Accounts, actions: IntArray, market: MarketSettings) -> FloatArray:
    """Compute the units that accounts whose action `asks` for a change will hold: (n,)."""
    return _WANTED[market.actions](accounts, actions, market)


def _of_positions(accounts: Accounts, actions: IntArray, market: MarketSettings) -> FloatArray:
    side = _SIDES[actions]
    units = side * affordable(accounts, side, free(accounts, market), market)
    # Whoever holds the other side leaves it first, and enters with the next candle.
    return np.where(accounts.units == 0, units, 0.0)


def _of_parts(accounts: Accounts, actions: IntArray, market: MarketSettings) -> FloatArray:
    """Compute units; a reversal turns the whole position over, as far as what is left affords."""
    bought = _BUYS[actions] * affordable(accounts, 1.0, free(accounts, market), market)
    held = accounts.units * _KEEPS[actions] + bought
    reverses = actions == _REVERSE
    if not reverses.any():
        return held
    side, size = -np.sign(accounts.units), np.abs(accounts.units)
    costs = market.slippage + market.fee * (1 + side * market.slippage)
    left = accounts.worth - size * accounts.mark * costs
    return np.where(
        reverses, side * np.minimum(size, affordable(accounts, side, left, market)), held
    )


_WANTED: dict[str, Callable[[Accounts, IntArray, MarketSettings], FloatArray]] = {
    "positions": _of_positions,
    "published": _of_parts,
}

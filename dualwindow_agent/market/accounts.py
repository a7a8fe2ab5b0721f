"""Accounts side by side, one pair each: what they hold, have paid and are worth.

Each is its own little market of one linear contract: ``worth = cash + units * mark``, with
units below 0 for a short. Whatever is done, ``worth = start + gains - costs``: gains are what the
price has brought on the units held, costs are fees and slippage; a test holds both sides against
each other over millions of random actions.
"""

from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.labels import Barriers
from dualwindow_agent.settings import MarketSettings

START = 1.0  # worth of every account when it opens, quote currency

# Positions: what is asked for by the three actions of that name.
FLAT, LONG, SHORT = 0, 1, 2
N_ACTIONS = {"positions": 3, "published": 9}


class Bars(NamedTuple):
    """One candle for each of n accounts, quote currency; open and close lie within high and low."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


class Terms(NamedTuple):
    """What an account trades by: settings, and the barriers and horizon of the labels."""

    market: MarketSettings
    barriers: Barriers
    horizon: int


class Accounts:
    """n accounts; every array is (n,) float64, a row of one block, to be written to in place.

    Parameters
    ----------
    block : (12, n), the arrays below each other in the order of `NAMES`

    Attributes
    ----------
    cash, units, mark : quote currency, base currency, and the price they are worth at
    entry : mean price of what is held, without costs; 0 where nothing is
    held : candles since the position was opened, that of its opening not counted
    gains, costs : since the account was opened, quote currency
    booked : profit of what the last candle closed, before costs
    peak : the highest worth so far, at the closes of candles
    trades : positions opened
    turnover : traded, quote currency
    refused : actions that could not be taken
    """

    NAMES = (
        *("cash", "units", "mark", "entry", "held", "gains"),
        *("costs", "booked", "peak", "trades", "turnover", "refused"),
    )
    cash: FloatArray
    units: FloatArray
    mark: FloatArray
    entry: FloatArray
    held: FloatArray
    gains: FloatArray
    costs: FloatArray
    booked: FloatArray
    peak: FloatArray
    trades: FloatArray
    turnover: FloatArray
    refused: FloatArray

    def __init__(self, block: FloatArray) -> None:
        self.block = block
        vars(self).update(zip(self.NAMES, block, strict=True))

    @classmethod
    def opened(cls, price: FloatArray) -> "Accounts":
        """Open one account per price, flat."""
        found = cls(np.zeros((len(cls.NAMES), len(price))))
        found.cash[:] = found.peak[:] = START
        found.mark[:] = price
        return found

    def __len__(self) -> int:
        return self.block.shape[1]

    def __getstate__(self) -> FloatArray:
        return self.block

    def __setstate__(self, block: FloatArray) -> None:
        # A copy's arrays must be rows of its own block.
        self.__init__(block)  # type: ignore[misc]

    def some(self, which: IntArray) -> "Accounts":
        """Copy some accounts out."""
        return Accounts(self.block.take(which, axis=1))

    def put(self, which: IntArray, some: "Accounts") -> None:
        """Put copies back in their places."""
        self.block[:, which] = some.block

    def reopen(self, which: BoolArray, price: FloatArray) -> None:
        """Open those that are marked anew; `price` is (n,)."""
        places = np.flatnonzero(which)
        self.put(places, Accounts.opened(price[places]))

    def mark_at(self, price: FloatArray) -> None:
        """Let the price be another one."""
        self.gains += self.units * (price - self.mark)
        self.mark[:] = price

    @property
    def worth(self) -> FloatArray:
        """(n,) quote currency, at the last price."""
        return self.cash + self.units * self.mark

    @property
    def side(self) -> IntArray:
        """(n,) 1 long, -1 short, 0 flat."""
        return np.sign(self.units).astype(np.int64)

    @property
    def profit(self) -> FloatArray:
        """(n,) what the position has gained, a fraction of its entry price; 0 where there is none.

        Without costs, so 0.01 is where a take-profit of 1 % is touched.
        """
        # Who holds nothing has an entry of 0, which 1 more makes divisible.
        return np.sign(self.units) * (self.mark / (self.entry + (self.entry == 0)) - 1)

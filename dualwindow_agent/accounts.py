"""Accounts that trade side by side, one pair each: what they hold, pay and are worth.

Each is its own little market of one linear contract: ``worth = cash + units * price``, with
units below 0 for a short. Whatever is done, ``worth = start + gains - costs``: gains are what the
price has brought on the units held, costs are fees and slippage; a test holds both sides against
each other over millions of random actions.
"""

from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.labels import Barriers
from dualwindow_agent.settings import MarketSettings

START = 1.0  # worth of every account when it opens, quote currency
_LEAST = 1e-6  # share of an account that a liquidation leaves at least; the exchange bears the rest

# Positions: what is asked for by the three actions of that name.
FLAT, LONG, SHORT = 0, 1, 2
# Of the nine: 1 to 3 buy these shares of the free cash, 4 to 6 sell these of what is held.
_PARTS = np.array([0.0, 0.25, 0.5, 1.0, 0.25, 0.5, 1.0, 0.0, 0.0])
_CLOSE, _REVERSE = 7, 8
N_ACTIONS = {"positions": 3, "published": 9}


class Bars(NamedTuple):
    """One candle for each of n accounts, quote currency."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray


class Terms(NamedTuple):
    """What an account trades by: settings, and the barriers and horizon of the labels."""

    market: MarketSettings
    barriers: Barriers
    horizon: int


def _zeros(n: int) -> FloatArray:
    return np.zeros(n)


@dataclass
class Accounts:
    """n accounts; every array is (n,).

    Parameters
    ----------
    cash, units, mark : quote currency, base currency, and the price they are worth at
    entry : mean price of what is held, without costs; 0 where nothing is
    held : candles since the position was opened, that of its opening not counted
    gains, costs : since the account was opened, quote currency
    booked : profit of what the last candle closed, after the costs of closing it
    peak : the highest worth so far
    trades : positions opened
    turnover : traded, quote currency
    """

    cash: FloatArray
    units: FloatArray
    mark: FloatArray
    entry: FloatArray
    held: IntArray
    gains: FloatArray
    costs: FloatArray
    booked: FloatArray
    peak: FloatArray
    trades: IntArray
    turnover: FloatArray

    @classmethod
    def opened(cls, price: FloatArray) -> "Accounts":
        """Open one account per price, flat."""
        n = len(price)
        full, none = np.full(n, START), [_zeros(n) for _ in range(7)]
        return cls(
            cash=full.copy(),
            units=none[0],
            mark=price.astype(np.float64),
            entry=none[1],
            held=np.zeros(n, dtype=np.int64),
            gains=none[2],
            costs=none[3],
            booked=none[4],
            peak=full.copy(),
            trades=np.zeros(n, dtype=np.int64),
            turnover=none[5],
        )

    def reopen(self, which: BoolArray, price: FloatArray) -> None:
        """Open those that are marked anew; `price` is (n,)."""
        if not which.any():
            return
        fresh = Accounts.opened(price)
        for each in fields(self):
            values = getattr(self, each.name)
            values[which] = getattr(fresh, each.name)[which]

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
        open_ = self.units != 0
        entry = np.where(open_, self.entry, 1.0)
        return np.where(open_, self.side * (self.mark / entry - 1), 0.0)


@dataclass(frozen=True)
class Exchange:
    """Lets accounts act at the open of a candle, and follows them to its close.

    Parameters
    ----------
    terms : see there
    """

    terms: Terms
    n_actions: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_actions", N_ACTIONS[self.terms.market.actions])

    def allowed(self, accounts: Accounts, may_enter: BoolArray) -> BoolArray:
        """Mark which actions can be taken: (n, actions).

        Keeping what is held and leaving always can. Nothing is opened, added to or reversed where
        `may_enter` is False, as where there is no prediction; with the three positions, a reversal
        takes two candles, as live, where a pair is left before it is entered again.
        """
        side, shorts = accounts.side, self.terms.market.shorts
        found = np.zeros((len(side), self.n_actions), dtype=bool)
        found[:, 0] = True
        if self.terms.market.actions == "positions":
            found[:, LONG] = (side > 0) | ((side == 0) & may_enter)
            found[:, SHORT] = (side < 0) | ((side == 0) & may_enter & shorts)
            return found
        affordable = accounts.worth - np.abs(accounts.units) * accounts.mark > 1e-9
        found[:, 1:4] = ((side >= 0) & may_enter & affordable)[:, None]
        found[:, 4:7] = (side != 0)[:, None]
        found[:, _CLOSE] = side != 0
        found[:, _REVERSE] = (side != 0) & may_enter & (shorts | (side < 0))
        return found

    def step(self, accounts: Accounts, actions: IntArray, bars: Bars) -> None:
        """Let each account act at the open of its bar, and mark it at the close.

        A position that is older than the horizon is left at the open, whatever was asked for.
        Then, as freqtrade reckons, the stop counts before the take-profit where one bar touches
        both, and a bar that opens beyond either is left at its open.

        Parameters
        ----------
        accounts : changed in place
        actions : (n,) of those `allowed`; what is not counts as 0, in `positions` as what is held
        bars : the candles after those that were decided on
        """
        accounts.booked[:] = 0
        self._mark(accounts, bars.open)
        accounts.held[accounts.units != 0] += 1
        wanted = self._wanted(accounts, actions)
        if self.terms.market.horizon:
            over = (accounts.units != 0) & (accounts.held >= self.terms.horizon)
            wanted = np.where(over, 0.0, wanted)
        self._trade(accounts, bars.open, wanted)
        self._end_within(accounts, bars)
        self._mark(accounts, bars.close)
        np.maximum(accounts.peak, accounts.worth, out=accounts.peak)

    def _mark(self, accounts: Accounts, price: FloatArray) -> None:
        accounts.gains += accounts.units * (price - accounts.mark)
        accounts.mark[:] = price

    def _wanted(self, accounts: Accounts, actions: IntArray) -> FloatArray:
        """Compute the units to hold."""
        if self.terms.market.actions == "positions":
            return self._of_positions(accounts, actions)
        return self._of_parts(accounts, actions)

    def _affordable(self, accounts: Accounts, buying: FloatArray) -> FloatArray:
        """Compute the units that the worth of an account buys (1) or sells short (-1), costs paid.

        With leverage it borrows the rest, and pays the costs of it.
        """
        market = self.terms.market
        price = accounts.mark * (1 + buying * market.slippage)
        costs = market.fee + market.slippage
        leverage = market.leverage
        return leverage * accounts.worth / (price * (1 + leverage * costs))

    def _of_positions(self, accounts: Accounts, actions: IntArray) -> FloatArray:
        side = accounts.side
        asked = np.where(actions == LONG, 1, np.where(actions == SHORT, -1, 0))
        units = asked * self._affordable(accounts, asked.astype(np.float64))
        # Neither more of it nor the other side: what is held stays as it was bought.
        return np.where(asked == side, accounts.units, np.where(side == 0, units, 0.0))

    def _of_parts(self, accounts: Accounts, actions: IntArray) -> FloatArray:
        units, side = accounts.units, accounts.side
        part = _PARTS[actions]
        whole = self._affordable(accounts, np.ones(len(units)))
        buys = (actions >= 1) & (actions <= 3) & (side >= 0)
        sells = (actions >= 4) & (actions <= 6)
        wanted = np.where(buys, units + part * np.maximum(whole - units, 0), units)
        wanted = np.where(sells, units * (1 - part), wanted)
        wanted = np.where(actions == _CLOSE, 0.0, wanted)
        # The costs of leaving and of entering again are both paid from the account.
        other = -side * self._affordable(accounts, -side.astype(np.float64))
        costs = self.terms.market.fee + self.terms.market.slippage
        other = other * (1 - np.abs(units) * accounts.mark * costs / accounts.worth)
        return np.where((actions == _REVERSE) & (side != 0), other, wanted)

    def _trade(self, accounts: Accounts, price: FloatArray, wanted: FloatArray) -> None:
        """Change what is held to `wanted` units, at a price and its costs."""
        change = wanted - accounts.units
        if not change.any():
            return
        market = self.terms.market
        slipped = np.abs(change) * price * market.slippage
        fill = price * (1 + np.sign(change) * market.slippage)
        paid = np.abs(change) * fill * market.fee
        accounts.cash -= change * fill + paid
        accounts.costs += slipped + paid
        accounts.turnover += np.abs(change) * fill
        before, side = accounts.units.copy(), accounts.side
        closed = np.where(
            np.sign(wanted) == side, np.maximum(np.abs(before) - np.abs(wanted), 0), np.abs(before)
        )
        share = np.divide(closed, np.abs(change), out=np.zeros_like(closed), where=change != 0)
        accounts.booked += closed * side * (price - accounts.entry) - share * (slipped + paid)
        opened = (wanted != 0) & (np.sign(wanted) != side)
        grown = (wanted != 0) & ~opened & (np.abs(wanted) > np.abs(before))
        mean = np.divide(
            accounts.entry * before + price * change, wanted, out=price.copy(), where=wanted != 0
        )
        accounts.entry[:] = np.where(opened, price, np.where(grown, mean, accounts.entry))
        accounts.units[:] = wanted
        accounts.entry[wanted == 0] = 0.0
        accounts.held[opened | (wanted == 0)] = 0
        accounts.trades += opened

    def _end_within(self, accounts: Accounts, bars: Bars) -> None:
        """End positions within the bar, at a barrier or where the exchange liquidates them."""
        side = accounts.side
        if not side.any():
            return
        is_long, never = side > 0, np.inf
        adverse = np.where(is_long, bars.low, bars.high)
        favourable = np.where(is_long, bars.high, bars.low)
        stop = np.where(is_long, 0.0, never)
        take = np.where(is_long, never, 0.0)
        if self.terms.market.barriers:
            b = self.terms.barriers
            stop = accounts.entry * np.where(is_long, 1 - b.long_stop_loss, 1 + b.short_stop_loss)
            take = accounts.entry * np.where(
                is_long, 1 + b.long_take_profit, 1 - b.short_take_profit
            )
        broke = self._breaking_price(accounts)
        stop = np.where(is_long, np.maximum(stop, broke), np.minimum(stop, broke))
        held = side != 0
        stopped = held & np.where(is_long, adverse <= stop, adverse >= stop)
        taken = held & ~stopped & np.where(is_long, favourable >= take, favourable <= take)
        ended = stopped | taken
        if not ended.any():
            return
        level = np.where(stopped, stop, take)
        # Beyond a level already at the open, which is then the price.
        beyond = np.where(stopped == is_long, bars.open <= level, bars.open >= level)
        price = np.where(ended, np.where(beyond, bars.open, level), bars.open)
        self._mark(accounts, np.where(ended, price, accounts.mark))
        self._trade(accounts, accounts.mark, np.where(ended, 0.0, accounts.units))
        self._bear_losses(accounts, ended)

    def _breaking_price(self, accounts: Accounts) -> FloatArray:
        """Compute the price at which what is left is `maintenance` of what is held.

        0 for a long that cannot break, infinite for a short.
        """
        kept = self.terms.market.maintenance
        units, side = accounts.units, accounts.side
        share = np.where(side > 0, 1 - kept, 1 + kept)
        price = np.divide(-accounts.cash, units * share, out=np.zeros_like(units), where=units != 0)
        return np.where(side > 0, np.maximum(price, 0), np.where(side < 0, price, 0))

    def _bear_losses(self, accounts: Accounts, ended: BoolArray) -> None:
        """Leave a little where a bar has jumped beyond all an account had; the exchange pays it."""
        least = _LEAST * accounts.peak
        short = np.where(ended & (accounts.cash < least), least - accounts.cash, 0.0)
        accounts.cash += short
        accounts.gains += short

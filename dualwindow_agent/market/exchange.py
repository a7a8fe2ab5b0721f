"""Lets accounts act at the open of a candle, and follows them to its close, as freqtrade does."""

from dataclasses import dataclass, field

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import N_ACTIONS, Accounts, Bars, Terms
from dualwindow_agent.market.orders import Orders

_LEAST = 1e-6  # share of an account that a liquidation leaves at least; the exchange bears the rest
_NEVER = 1e100  # times a price
# A stop is touched on equality, whatever the rounding; a take-profit must be passed: freqtrade
# compares profits rounded to 8 decimals, and leaves only when more is reached.
_SLACK, _PASSED = 4 * float(np.finfo(np.float64).eps), 5e-9

_Factors = tuple[FloatArray, FloatArray]
_NONE = Barriers(np.inf, np.inf, np.inf, np.inf)


def _finite(*factors: FloatArray) -> _Factors:
    """Let prices be finite that are never reached: an entry of 0 times infinity would be NaN."""
    stops, takes = (np.clip(each, 0.0, _NEVER) for each in factors)
    return stops, takes


@dataclass(frozen=True)
class Exchange:
    """Carries out orders, barriers, the horizon and liquidations.

    One candle goes as in a backtest of freqtrade with the strategy of the labels
    (``optimize/backtesting.py``; a test runs its methods beside this):

    - an order is filled at the open;
    - who has held for `horizon` candles leaves at the open, before anything else;
    - a position can end in the candle it was opened in, and the stop counts before the take-profit
      where one candle touches both;
    - a stop is touched on equality, and paid at its price if that lies within the candle, even
      where the candle opens beyond it, else at the open;
    - a take-profit must be passed, and is paid at its price, or at the open if that is better;
    - who was made to leave does not enter again in the same candle.

    It differs in what an account of one pair cannot know, or a backtest does not do:

    - prices and amounts have no ticks; freqtrade rounds stops towards the price, by up to a tick;
    - slippage, if there is any, is paid on every side, also at barriers, which are reckoned from
      the price without it; freqtrade reckons them from what it has paid;
    - no funding fees are paid;
    - an account that the open finds without its `maintenance` is liquidated at that open, and one
      that loses it within the candle at that price, before a stop that lies behind. freqtrade
      takes the exchange's own brackets and a reserve of 5 % of the way, and pays stops first;
    - all of an account is invested, with compound interest; freqtrade has a stake;
    - at the end of the candles nothing is sold; freqtrade sells at the last open, and enters
      nothing there.

    Parameters
    ----------
    terms : see there

    Examples
    --------
    >>> from dualwindow_agent.market.accounts import LONG
    >>> from dualwindow_agent.settings import MarketSettings
    >>> terms = Terms(MarketSettings(fee=0), Barriers(0.02, 0.01, 0.02, 0.01), horizon=60)
    >>> accounts = Accounts.opened(np.array([100.0]))
    >>> bar = Bars(*(np.array([price]) for price in (100.0, 100.5, 98.0, 98.5)))
    >>> Exchange(terms).step(accounts, np.array([LONG]), bar)
    >>> accounts.worth.round(6).tolist()  # bought at 100, and stopped at 99
    [0.99]
    """

    terms: Terms
    n_actions: int = field(init=False, default=0)
    # Stops and take-profits as factors of the entry, each of shorts and of longs; and those from
    # where on they count.
    _factors: _Factors = field(init=False)
    _watched: _Factors = field(init=False)
    _orders: Orders = field(init=False)
    # Times the units and a price, what cash must exceed not to be liquidated; of shorts and longs.
    _bound: FloatArray = field(init=False)

    def __post_init__(self) -> None:
        kept = self.terms.market.maintenance
        object.__setattr__(self, "n_actions", N_ACTIONS[self.terms.market.actions])
        object.__setattr__(self, "_orders", Orders(self.terms.market))
        object.__setattr__(self, "_bound", 1 + np.array([kept, -kept]))
        b = self.terms.barriers if self.terms.market.barriers else _NONE
        stops = np.array([1 + b.short_stop_loss, 1 - b.long_stop_loss])
        takes = np.array([1 - b.short_take_profit, 1 + b.long_take_profit])
        object.__setattr__(self, "_factors", _finite(stops, takes))
        signs = np.array([-1.0, 1.0])
        watched = _finite(stops + signs * _SLACK, takes + signs * _PASSED)
        object.__setattr__(self, "_watched", watched)

    def allowed(self, accounts: Accounts, may_enter: BoolArray) -> BoolArray:
        """Mark which actions can be taken: (n, actions); see `Orders.allowed`."""
        return self._orders.allowed(accounts, may_enter)

    def step(self, accounts: Accounts, actions: IntArray, bars: Bars) -> None:
        """Let each account act at the open of its bar, and mark it at the close.

        Parameters
        ----------
        accounts : changed in place
        actions : (n,) each one that is `allowed`
        bars : the candles after those that were decided on
        """
        accounts.booked.fill(0)
        accounts.mark_at(bars.open)
        accounts.held += accounts.units != 0
        self._act(accounts, actions)
        self._end_within(accounts, bars)
        accounts.mark_at(bars.close)
        np.maximum(accounts.peak, accounts.worth, out=accounts.peak)

    def _act(self, accounts: Accounts, actions: IntArray) -> None:
        """Trade at the mark, which is the open; some have to leave, whatever they ask for."""
        leaves = self._is_broken(accounts, accounts.mark)
        if self.terms.market.horizon:
            leaves |= accounts.held >= self.terms.horizon  # never of those that hold nothing: 0
        which = (leaves | self._orders.asks(accounts, actions)).nonzero()[0]
        if len(which):
            some = accounts.some(which)
            wanted = self._orders.wanted(some, actions[which]) * ~leaves[which]
            self._trade(some, wanted)
            accounts.put(which, some)

    def _is_broken(self, accounts: Accounts, price: FloatArray) -> BoolArray:
        """Mark those whose worth at a price is `maintenance` of what they hold, or less."""
        units = accounts.units
        return accounts.cash + units * price * self._bound.take(units > 0) <= 0

    def _trade(self, accounts: Accounts, wanted: FloatArray) -> None:
        """Change what is held to `wanted` units, at the mark and its costs."""
        change, price = wanted - accounts.units, accounts.mark
        value, buys = np.abs(change) * price, change > 0
        costs = value * self._orders.costs.take(buys)
        accounts.cash -= change * price + costs
        accounts.costs += costs
        accounts.turnover += value * self._orders.fills.take(buys)
        if self._orders.has_parts:
            self._hold_parts(accounts, wanted)
        else:  # what is held is left, what is not is entered
            accounts.booked += accounts.units * (price - accounts.entry)
            enters = wanted != 0
            np.multiply(price, enters, out=accounts.entry)
            accounts.trades += enters
            accounts.held.fill(0)
            accounts.units[:] = wanted
        # A bar can jump beyond all that an account had: the exchange bears what is missing.
        least = _LEAST * accounts.peak
        borne = (accounts.units == 0) & (accounts.cash < least)
        if np.count_nonzero(borne):
            accounts.gains[borne] += (least - accounts.cash)[borne]
            accounts.cash[borne] = least[borne]

    def _hold_parts(self, accounts: Accounts, wanted: FloatArray) -> None:
        units, price = accounts.units, accounts.mark
        # What stays of the position, and what is new: after a reversal all of it.
        kept = np.maximum(np.minimum(units, 0.0), np.minimum(wanted, np.maximum(units, 0.0)))
        added, fresh = wanted - kept, kept == 0
        accounts.booked += (units - kept) * (price - accounts.entry)
        grown = (added != 0) & ~fresh
        if np.count_nonzero(grown):
            mean = kept * accounts.entry + added * price
            np.divide(mean, wanted, out=accounts.entry, where=grown)
        np.multiply(price, wanted != 0, out=accounts.entry, where=fresh)
        accounts.held[fresh] = 0
        accounts.trades += fresh & (added != 0)
        accounts.units[:] = wanted

    def _end_within(self, accounts: Accounts, bars: Bars) -> None:
        """End positions within the bar, at a barrier or where the exchange liquidates them."""
        if not np.count_nonzero(accounts.units):
            return
        long, sign = accounts.units > 0, np.sign(accounts.units)
        worst = np.where(long, bars.low, bars.high)
        ends = broken = self._is_broken(accounts, worst)
        stopped = np.zeros(len(accounts), dtype=bool)
        if self.terms.market.barriers:
            best = np.where(long, bars.high, bars.low)
            stops, takes = self._watched
            stopped = (worst - stops.take(long) * accounts.entry) * sign < 0
            taken = (best - takes.take(long) * accounts.entry) * sign > 0
            ends = broken | stopped | taken
        which = ends.nonzero()[0]
        if len(which):
            some = accounts.some(which)
            there = Bars(*(prices[which] for prices in bars))
            some.mark_at(self._price_of_end(some, there, stopped[which], broken[which]))
            self._trade(some, np.zeros(len(which)))
            accounts.put(which, some)

    def _price_of_end(
        self, accounts: Accounts, bars: Bars, stopped: BoolArray, broken: BoolArray
    ) -> FloatArray:
        """Find the price at which each position ends within the bar, as all of these do: (n,)."""
        long, sign = accounts.units > 0, np.sign(accounts.units)
        stop, take = (factors.take(long) * accounts.entry for factors in self._factors)
        # It is the whole bar that must lie beyond the stop, not its open alone.
        best = np.where(long, bars.high, bars.low)
        stop = np.where((best - stop) * sign < 0, bars.open, stop)
        take = np.where((bars.open - take) * sign > 0, bars.open, take)
        price = np.where(stopped, stop, take)
        if not np.count_nonzero(broken):
            return price
        broke = -accounts.cash / (accounts.units * self._bound.take(long))
        broke = np.where((bars.open - broke) * sign < 0, bars.open, broke)
        # Of two prices on the way, the nearer one is met first.
        return np.where(broken & (~stopped | ((broke - stop) * sign > 0)), broke, price)

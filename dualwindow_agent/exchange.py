"""Lets accounts act at the open of a candle, and follows them to its close, as freqtrade does."""

from dataclasses import dataclass, field

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent import orders
from dualwindow_agent.accounts import N_ACTIONS, Accounts, Bars, Terms

_LEAST = 1e-6  # share of an account that a liquidation leaves at least; the exchange bears the rest
_NEVER = 1e100  # times a price; infinity times an entry of 0 would be NaN
# A stop is touched on equality, whatever the rounding; a take-profit must be passed: freqtrade
# compares profits rounded to 8 decimals, and leaves only when more is reached.
_SLACK, _PASSED = 4 * float(np.finfo(np.float64).eps), 5e-9

_Factors = tuple[tuple[float, float], tuple[float, float]]
_NONE: _Factors = ((0.0, _NEVER), (_NEVER, 0.0))


@dataclass(frozen=True)
class Exchange:
    """Carries out orders, barriers, the horizon and liquidations.

    One candle goes as in a backtest of freqtrade with the strategy of the labels
    (``optimize/backtesting.py``): an order is filled at the open, without slippage if none is set;
    who has held for `horizon` candles leaves at the open, before anything else; a position can end
    in the candle it was opened in; the stop counts before the take-profit where one candle touches
    both; a stop is paid at its price if that lies within the candle, even where the candle opens
    beyond it, and else at the open; a take-profit is paid at its price, or at the open if that is
    better; nothing is entered in the candle in which something was left.

    It differs in what an account of one pair cannot know, or a backtest does not do:

    - prices and amounts have no ticks; freqtrade rounds stops towards the price, by up to a tick;
    - no funding fees are paid;
    - an account that the open finds without its `maintenance` is liquidated at that open, and one
      that loses it within the candle at that price, before a stop that lies behind. freqtrade
      takes the exchange's own brackets and a reserve of 5 % of the way, and pays stops first;
    - all of an account is invested, with compound interest; freqtrade has a stake;
    - at the end of the candles nothing is sold; freqtrade sells at the last open.

    Parameters
    ----------
    terms : see there
    """

    terms: Terms
    n_actions: int = field(init=False, default=0)
    # Stops and take-profits as factors of the entry, of longs and of shorts; and from where on
    # they count.
    _factors: _Factors = field(init=False, default=_NONE)
    _watched: _Factors = field(init=False, default=_NONE)

    def __post_init__(self) -> None:
        object.__setattr__(self, "n_actions", N_ACTIONS[self.terms.market.actions])
        if not self.terms.market.barriers:
            return
        b = self.terms.barriers
        long_stop, short_stop = 1 - b.long_stop_loss, 1 + b.short_stop_loss
        # Labels without take-profits have infinite ones.
        long_take, short_take = min(1 + b.long_take_profit, _NEVER), max(1 - b.short_take_profit, 0)
        object.__setattr__(self, "_factors", ((long_stop, short_stop), (long_take, short_take)))
        watched = (
            (long_stop + _SLACK, short_stop - _SLACK),
            (long_take + _PASSED, short_take - _PASSED),
        )
        object.__setattr__(self, "_watched", watched)

    def allowed(self, accounts: Accounts, may_enter: BoolArray) -> BoolArray:
        """Mark which actions can be taken: (n, actions); see `orders.allowed`."""
        return orders.allowed(accounts, may_enter, self.terms.market)

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
        market = self.terms.market
        leaves = self._is_broken(accounts, accounts.mark)
        if market.horizon:
            leaves |= accounts.held >= self.terms.horizon  # never of those that hold nothing: 0
        which = np.flatnonzero(leaves | orders.asks(accounts, actions, market))
        if not len(which):
            return
        some = accounts.some(which)
        wanted = orders.wanted(some, actions[which], market)
        self._trade(some, np.where(leaves[which], 0.0, wanted))
        accounts.put(which, some)

    def _is_broken(self, accounts: Accounts, price: FloatArray) -> BoolArray:
        """Mark those whose worth at a price is `maintenance` of what they hold, or less."""
        bound = self.terms.market.maintenance * np.abs(accounts.units)
        return (accounts.cash + (accounts.units - bound) * price <= 0) & (accounts.units != 0)

    def _trade(self, accounts: Accounts, wanted: FloatArray) -> None:
        """Change what is held to `wanted` units, at the mark and its costs."""
        market, price, units = self.terms.market, accounts.mark, accounts.units
        kept = np.clip(wanted, np.minimum(units, 0), np.maximum(units, 0))
        change, added = wanted - units, wanted - kept
        slipped = np.abs(change) * price * market.slippage
        traded = np.abs(change) * price + np.sign(change) * slipped
        costs = slipped + market.fee * traded
        accounts.cash -= change * price + costs
        accounts.costs += costs
        accounts.turnover += traded
        accounts.booked += (units - kept) * (price - accounts.entry)
        fresh = kept == 0
        divisor = np.where(wanted == 0, 1.0, wanted)
        mean = (kept * accounts.entry + added * price) / divisor
        # The mean only where there is one: it would be off by rounding, and barriers hang on it.
        mean = np.where(added == 0, accounts.entry, np.where(fresh, price, mean))
        accounts.entry[:] = np.where(wanted == 0, 0.0, mean)
        accounts.held[fresh] = 0
        accounts.trades += fresh & (added != 0)
        accounts.units[:] = wanted
        # A bar can jump beyond all that an account had: the exchange bears what is missing.
        borne = np.maximum(_LEAST * accounts.peak - accounts.cash, 0) * (wanted == 0)
        accounts.cash += borne
        accounts.gains += borne

    def _end_within(self, accounts: Accounts, bars: Bars) -> None:
        """End positions within the bar, at a barrier or where the exchange liquidates them."""
        long, sign = accounts.units > 0, np.sign(accounts.units)
        worst, best = np.where(long, bars.low, bars.high), np.where(long, bars.high, bars.low)
        stops, takes = self._watched
        stop, take = (
            np.where(long, *stops) * accounts.entry,
            np.where(long, *takes) * accounts.entry,
        )
        stopped = ((worst - stop) * sign <= 0) & (sign != 0)
        broken = self._is_broken(accounts, worst)
        which = np.flatnonzero(stopped | broken | ((best - take) * sign > 0))
        if not len(which):
            return
        some = accounts.some(which)
        found = self._price_of_end(
            some, Bars(*(prices[which] for prices in bars)), stopped[which], broken[which]
        )
        some.mark_at(found)
        self._trade(some, np.zeros(len(some)))
        accounts.put(which, some)

    def _price_of_end(
        self, accounts: Accounts, bars: Bars, stopped: BoolArray, broken: BoolArray
    ) -> FloatArray:
        """Find the price at which each position ends within the bar, as all of these do: (n,)."""
        long, sign = accounts.units > 0, np.sign(accounts.units)
        stop, take = (np.where(long, *pair) * accounts.entry for pair in self._factors)
        # It is the whole bar that must lie beyond the stop, not its open alone.
        best = np.where(long, bars.high, bars.low)
        stop = np.where((best - stop) * sign < 0, bars.open, stop)
        take = np.where((bars.open - take) * sign > 0, bars.open, take)
        price = np.where(stopped, stop, take)
        if not broken.any():
            return price
        broke = -accounts.cash / (accounts.units * (1 - sign * self.terms.market.maintenance))
        broke = np.where((bars.open - broke) * sign < 0, bars.open, broke)
        # Of two prices on the way, the nearer one is met first.
        return np.where(broken & (~stopped | ((broke - stop) * sign > 0)), broke, price)

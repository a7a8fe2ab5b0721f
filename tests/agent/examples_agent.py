"""Tapes to act on, and an account kept by hand: one, slow, in plain floats, to compare with."""

import math
from typing import Any

import numpy as np

from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.settings import AgentSettings, LearningSettings, MarketSettings

BARRIERS = Barriers(0.02, 0.01, 0.015, 0.012)
HORIZON = 7


def tape_of(
    bars: list[tuple[float, float, float, float]] | np.ndarray,
    pair: str = "BTC/USDT",
    valid: list[bool] | np.ndarray | None = None,
    **others: Any,
) -> Tape:
    """Rows of open, high, low, close, a minute each."""
    opens, high, low, close = np.asarray(bars, dtype=np.float64).T
    n = len(close)
    usable = np.ones(n, dtype=bool) if valid is None else np.asarray(valid)
    probabilities = np.where(usable[:, None], np.full((n, 3), 1 / 3), np.nan)
    candles = Candles(np.arange(n) * 60, high, low, close, np.ones(n), 60, open=opens)
    return Tape(pair, candles, **{"probabilities": probabilities, "valid": usable, **others})


def flat_tape(prices: list[float] | np.ndarray, **others: Any) -> Tape:
    """Candles of a single price each: an action is filled at the price of the next one."""
    return tape_of(np.repeat(np.asarray(prices, dtype=np.float64)[:, None], 4, axis=1), **others)


def random_tape(
    n: int, seed: int, volatility: float = 0.004, jumps: float = 0.0, **others: Any
) -> Tape:
    """A random walk that opens beside the last close, and jumps now and then by up to a half."""
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, volatility, (n, 2))
    moves[:, 0] += np.where(rng.random(n) < jumps, rng.uniform(-0.7, 0.4, n), 0)
    opens, close = 100 * np.exp(np.cumsum(moves.ravel()).reshape(n, 2)).T
    reach = np.exp(np.abs(rng.normal(0, volatility / 2, (2, n))))
    high, low = np.maximum(opens, close) * reach[0], np.minimum(opens, close) / reach[1]
    valid = rng.random(n) < 0.9
    probabilities = np.where(valid[:, None], rng.dirichlet([1, 1, 1], n), np.nan)
    # 1-minute candles of 2023, whose days do not begin with the tape
    dates = 1_700_000_000 // 60 * 60 + np.arange(n) * 60
    candles = Candles(dates, high, low, close, rng.gamma(2.0, 1.0, n), 60, open=opens)
    named = {"probabilities": probabilities, "valid": valid, **others}
    return Tape(named.pop("pair", "RND/USDT"), candles, **named)


def settings_of(*, episode: int = 50, **market: Any) -> AgentSettings:
    return AgentSettings(
        market=MarketSettings(**market), learning=LearningSettings(episode=episode)
    )


def terms_of(
    settings: AgentSettings, barriers: Barriers = BARRIERS, horizon: int = HORIZON
) -> Terms:
    return Terms(settings.market, barriers, horizon)


class ByHand:
    """One account, by `if` and `else`, that knows nothing of the code it is compared with."""

    def __init__(self, terms: Terms, price: float) -> None:
        self.terms, self.market = terms, terms.market
        self.cash, self.units, self.mark, self.entry, self.held = 1.0, 0.0, price, 0.0, 0
        self.gains = self.costs = self.booked = self.turnover = 0.0
        self.peak, self.trades, self.refused = 1.0, 0, 0

    @property
    def worth(self) -> float:
        return self.cash + self.units * self.mark

    def can(self, action: int, *, may_enter: bool) -> bool:
        if action == 0:
            return True
        if self.market.actions == "positions":
            if self.units == 0:
                return may_enter and (action == 1 or self.market.shorts)
            return action == (1 if self.units > 0 else 2)
        if action <= 3:
            free = self.worth - abs(self.units) * self.mark / self.market.leverage
            return may_enter and self.units >= 0 and free > 1e-9 * self.peak
        if action == 8 and not (may_enter and (self.market.shorts or self.units < 0)):
            return False
        return self.units != 0

    def move(self, price: float) -> None:
        self.gains += self.units * (price - self.mark)
        self.mark = price

    def exchange(self, size: float, side: int) -> None:
        """Buy (1) or sell (-1)."""
        fill = self.mark * (1 + side * self.market.slippage)
        fee = size * fill * self.market.fee
        self.cash -= side * size * fill + fee
        self.costs += fee + size * abs(fill - self.mark)
        self.turnover += size * fill

    def leave(self, size: float) -> None:
        side = 1 if self.units > 0 else -1
        self.exchange(size, -side)
        self.booked += size * side * (self.mark - self.entry)
        if size == abs(self.units):
            self.units, self.entry, self.held = 0.0, 0.0, 0
            if self.cash < 1e-6 * self.peak:
                self.gains += 1e-6 * self.peak - self.cash
                self.cash = 1e-6 * self.peak
        else:
            self.units -= side * size

    def enter(self, size: float, side: int) -> None:
        if size == 0:
            return
        if self.units == 0:
            self.trades += 1
        self.exchange(size, side)
        held = abs(self.units)
        self.entry = (held * self.entry + size * self.mark) / (held + size)
        self.units += side * size

    def most(self, side: int) -> float:
        """The units after which it holds `leverage` times its worth, all costs paid."""
        fill = self.mark * (1 + side * self.market.slippage)
        cost = abs(fill - self.mark) + fill * self.market.fee
        leverage = self.market.leverage
        spare = leverage * self.worth - abs(self.units) * self.mark
        return max(spare / (self.mark + leverage * cost), 0.0)

    def act(self, action: int) -> None:
        market = self.market
        over = market.horizon and self.held >= self.terms.horizon
        bound = market.maintenance * abs(self.units) * self.mark
        if self.units != 0 and (over or self.worth <= bound):
            self.leave(abs(self.units))
        elif market.actions == "positions":
            self.take(action)
        else:
            self.take_part(action)

    def take(self, action: int) -> None:
        if self.units != 0 and action == 0:
            self.leave(abs(self.units))
        elif self.units == 0 and action != 0:
            side = {1: 1, 2: -1}[action]
            self.enter(self.most(side), side)

    def take_part(self, action: int) -> None:
        if action in (1, 2, 3):
            self.enter({1: 0.25, 2: 0.5, 3: 1.0}[action] * self.most(1), 1)
        elif action in (4, 5):
            self.leave({4: 0.25, 5: 0.5}[action] * abs(self.units))
        elif action in (6, 7):
            self.leave(abs(self.units))
        elif action == 8:
            size, side = abs(self.units), 1 if self.units > 0 else -1
            self.leave(size)
            self.enter(min(size, self.most(-side)), -side)

    def step(self, action: int, bar: tuple[float, ...], *, may_enter: bool) -> None:
        """Act at the open of a bar, of open, high, low and close, and go on to its close."""
        self.booked = 0.0
        if not self.can(action, may_enter=may_enter):
            self.refused += 1
            action = 0
            if self.market.actions == "positions" and self.units != 0:
                action = 1 if self.units > 0 else 2
        self.move(bar[0])
        if self.units != 0:
            self.held += 1
        self.act(action)
        if self.units > 0:
            self.end_long(*bar)
        elif self.units < 0:
            self.end_short(*bar)
        self.move(bar[3])
        self.peak = max(self.peak, self.worth)

    def end_long(self, opened: float, high: float, low: float, _: float) -> None:
        stop, take = 0.0, math.inf
        if self.market.barriers:
            stop = self.entry * (1 - self.terms.barriers.long_stop_loss)
            take = self.entry * (1 + self.terms.barriers.long_take_profit)
        broke = -self.cash / (self.units * (1 - self.market.maintenance))
        if low <= broke and (broke > stop or low > stop):
            self.end_at(min(broke, opened))
        elif low <= stop:
            self.end_at(stop if stop <= high else opened)
        elif high > take:
            self.end_at(max(take, opened))

    def end_short(self, opened: float, high: float, low: float, _: float) -> None:
        stop, take = math.inf, 0.0
        if self.market.barriers:
            stop = self.entry * (1 + self.terms.barriers.short_stop_loss)
            take = self.entry * (1 - self.terms.barriers.short_take_profit)
        broke = self.cash / (-self.units * (1 + self.market.maintenance))
        if high >= broke and (broke < stop or high < stop):
            self.end_at(max(broke, opened))
        elif high >= stop:
            self.end_at(stop if stop >= low else opened)
        elif low < take:
            self.end_at(min(take, opened))

    def end_at(self, price: float) -> None:
        self.move(price)
        self.leave(abs(self.units))

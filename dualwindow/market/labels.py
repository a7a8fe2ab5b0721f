"""Label each candle by what the next candles do: to a take-profit and a stop, or to the mean close.

A long position taken at the close of candle *t* wins at ``close * (1 + take_profit)`` and loses
at ``close * (1 - stop_loss)``; a short position mirrors it. Only the candles ``t+1 .. t+horizon``
are looked at, on their highs and lows; reaching a level exactly counts as a touch, also where
prices are decimals that binary fractions cannot hold.

The barriers are the triple-barrier method of M. Lopez de Prado, *Advances in Financial Machine
Learning* (2018), chapter 3, with the time barrier as the HOLD class. The mean close is that of
`dualwindow.market.moves`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.candles import Candles, count_ahead, count_back
from dualwindow.market.moves import LEAST_MOVE, smoothed_moves
from dualwindow.market.touches import extreme_ahead, falls_of, rises_of
from dualwindow.settings import Settings, SmoothedLabelSettings

SHORT, HOLD, LONG = 0, 1, 2
UNKNOWN = -1
CLASSES = ("SHORT", "HOLD", "LONG")

# The most that a close, a distance, their product, their sum and the price to compare with can
# be off together by rounding: a close of 2.7 and 1 % make 2.7270000000000003, which a high of 2.727
# would miss.
_SLACK = 4 * float(np.finfo(np.float64).eps)

# Rows labelled at a time: the tables of a chunk (2 x 7 x 128 KiB for 120 candles) stay in cache.
_CHUNK = 1 << 14

LabelRule = Callable[["Candles", "Levels", int], IntArray]


@dataclass(frozen=True)
class Barriers:
    """Distances from the signal candle's close, as fractions of it, all positive.

    A take-profit is infinite where there is none.
    """

    long_take_profit: float
    long_stop_loss: float
    short_take_profit: float
    short_stop_loss: float

    @property
    def has_take_profits(self) -> bool:
        """Whether both directions have one."""
        return math.isfinite(self.long_take_profit) and math.isfinite(self.short_take_profit)


@dataclass(frozen=True)
class Levels:
    """The prices that end a position, in quote currency: one of each, or (n,) of each."""

    long_take: FloatArray | float
    long_stop: FloatArray | float
    short_take: FloatArray | float
    short_stop: FloatArray | float


class Touches(NamedTuple):
    """How many candles until each level is touched, from 1; more than the horizon means never."""

    long_take: IntArray
    long_stop: IntArray
    short_take: IntArray
    short_stop: IntArray


def exclusive(candles: Candles, levels: Levels, horizon: int) -> IntArray:
    """Label by which take-profit is touched while its stop never is, whatever the order.

    LONG if within the horizon the long take-profit is touched and the long stop is not; SHORT
    likewise; HOLD if neither or (possible only with stops wider than take-profits) both.

    Parameters
    ----------
    candles : n candles; candle *t* looks at ``t+1 .. t+horizon``
    levels : (n - horizon,) each, watched from candle *t* on
    horizon : candles, at least 1 and fewer than n

    Returns
    -------
    (n - horizon,) int8 of SHORT, HOLD, LONG. Gaps are not looked at here.
    """
    top = extreme_ahead(np.maximum, candles.high, horizon)
    bottom = extreme_ahead(np.minimum, candles.low, horizon)
    long_wins = (top >= levels.long_take) & (bottom > levels.long_stop)
    short_wins = (bottom <= levels.short_take) & (top < levels.short_stop)
    return _unless_both(long_wins, short_wins)


def exclusive_by_touches(touches: Touches, horizon: int) -> IntArray:
    """Give the labels of `exclusive` to those who know when each level is touched: (n,) int8."""
    long_wins = (touches.long_take <= horizon) & (touches.long_stop > horizon)
    short_wins = (touches.short_take <= horizon) & (touches.short_stop > horizon)
    return _unless_both(long_wins, short_wins)


def first_touch(candles: Candles, levels: Levels, horizon: int) -> IntArray:
    """Label by the barrier that is touched first; if one candle touches both, the stop counts.

    LONG if the long take-profit is touched in an earlier candle than the long stop; SHORT
    likewise. If both positions win (stops wider than take-profits) the earlier win decides, and
    wins in the same candle are HOLD.

    Parameters and return value as for `exclusive`.
    """
    rises, falls = rises_of(candles.high, horizon), falls_of(candles.low, horizon)
    touches = Touches(
        rises(levels.long_take),
        falls(levels.long_stop),
        falls(levels.short_take),
        rises(levels.short_stop),
    )
    return first_touch_by_touches(touches, horizon)


def first_touch_by_touches(touches: Touches, horizon: int) -> IntArray:
    """Give the labels of `first_touch` to those who know when each level is touched: (n,) int8."""
    long_at, short_at = touches.long_take, touches.short_take
    long_wins = (long_at < touches.long_stop) & (long_at <= horizon)
    short_wins = (short_at < touches.short_stop) & (short_at <= horizon)
    return _decide(
        long_wins & (~short_wins | (long_at < short_at)),
        short_wins & (~long_wins | (short_at < long_at)),
    )


RULES: dict[str, LabelRule] = {"exclusive": exclusive, "first_touch": first_touch}
RULES_BY_TOUCHES: dict[str, Callable[[Touches, int], IntArray]] = {
    "exclusive": exclusive_by_touches,
    "first_touch": first_touch_by_touches,
}


@dataclass(frozen=True)
class Smoothed:
    """Label by whether the mean close rises or falls by more than `delta`, a fraction of it."""

    delta: float

    def label(self, moves: FloatArray) -> IntArray:
        """Give (n,) int8 of SHORT, HOLD, LONG of the moves; UNKNOWN where one is NaN."""
        labels = _decide(moves > self.delta, moves < -self.delta)
        return np.where(np.isnan(moves), UNKNOWN, labels).astype(np.int8)


@dataclass(frozen=True)
class Labelling:
    """What a candle is labelled by, and where a trade that goes by the labels ends.

    Parameters
    ----------
    rule : `exclusive`, `first_touch` or a `Smoothed`
    barriers : fractions of the close
    horizon : candles, at least 1
    max_untraded : a longer run of candles without volume inside the horizon counts as a gap

    Examples
    --------
    >>> labelling = Labelling(exclusive, Barriers(0.01, 0.005, 0.01, 0.005), 1, 15)
    >>> float(labelling.prices(200.0).long_take)
    202.0
    """

    rule: LabelRule | Smoothed
    barriers: Barriers
    horizon: int
    max_untraded: int

    @classmethod
    def of(cls, settings: Settings) -> "Labelling":
        """Take it from the settings of a training.

        Where the training is yet to find out which move counts, any move of `LEAST_MOVE` does.
        """
        labels, more = settings.labels, (settings.horizon, settings.max_untraded)
        if isinstance(labels, SmoothedLabelSettings):
            stops = labels.long_stop_loss, labels.short_stop_loss
            delta = LEAST_MOVE if labels.delta == "auto" else labels.delta
            return cls(Smoothed(delta), Barriers(np.inf, stops[0], np.inf, stops[1]), *more)
        barriers = Barriers(**labels.model_dump(exclude={"rule"}))
        return cls(RULES[labels.rule], barriers, *more)

    @property
    def lookback(self) -> int:
        """How many candles before the one that is labelled are looked at."""
        return self.horizon if isinstance(self.rule, Smoothed) else 0

    def prices(self, close: FloatArray | float) -> Levels:
        """Compute the prices at which a position ends that is taken at a close, one or (n,)."""
        close = np.where(np.isfinite(close), close, np.nan)  # inf - inf would warn
        return Levels(
            close + close * self.barriers.long_take_profit,
            close - close * self.barriers.long_stop_loss,
            close - close * self.barriers.short_take_profit,
            close + close * self.barriers.short_stop_loss,
        )

    def watched(self, close: FloatArray | float) -> Levels:
        """Compute the prices from which a touch counts: those of `prices`, a hair nearer.

        A price in decimals that lies exactly on a barrier is met, whatever the rounding; one that
        falls short by a part in 10**14 of the close is not.
        """
        level, slack = self.prices(close), close * _SLACK
        return Levels(
            level.long_take - slack,
            level.long_stop + slack,
            level.short_take + slack,
            level.short_stop - slack,
        )

    def label(self, candles: Candles) -> IntArray:
        """Label every candle; where the future is not wholly known, the label is UNKNOWN.

        Parameters
        ----------
        candles : n candles; candle *t* looks at its own close and at ``t+1 .. t+horizon``, by
            `Smoothed` also at ``t-horizon .. t-1``

        Returns
        -------
        (n,) int8 of SHORT, HOLD, LONG, or UNKNOWN where fewer than `horizon` candles follow, a
        gap lies inside the horizon, or a price that is looked at is NaN, infinite or not positive.
        """
        if isinstance(self.rule, Smoothed):
            return self.rule.label(self.moves(candles))
        labels = np.full(len(candles), UNKNOWN, dtype=np.int8)
        n = len(candles) - self.horizon
        for start in range(0, n, _CHUNK):
            stop = min(start + _CHUNK, n)
            part = candles[start : stop + self.horizon]
            levels = self.watched(candles.close[start:stop])
            labels[start:stop] = self.rule(part, levels, self.horizon)
        labels[~self.known_futures(candles)] = UNKNOWN
        return labels

    def moves(self, candles: Candles) -> FloatArray:
        """Compute the (n,) moves that `Smoothed` labels by; NaN where the label is UNKNOWN."""
        outage = candles.untraded_run > self.max_untraded
        known = self.known_futures(candles) & (count_back(outage, self.horizon + 1) == 0)
        return np.where(known, smoothed_moves(candles, self.horizon), np.nan)

    def known_futures(self, candles: Candles) -> BoolArray:
        """Mark the candles whose next `horizon` candles exist, touch in time and carry prices."""
        priced = candles.priced
        known = priced.copy()
        known[max(len(candles) - self.horizon, 0) :] = False
        known &= count_ahead(candles.breaks | ~priced, 1, self.horizon) == 0
        # Only what lies inside the horizon counts: a run that began before it has not grown too
        # long until max_untraded + 1 candles of it are inside.
        outage = candles.untraded_run > self.max_untraded
        known &= count_ahead(outage, self.max_untraded + 1, self.horizon) == 0
        return known


def _unless_both(long_wins: BoolArray, short_wins: BoolArray) -> IntArray:
    return _decide(long_wins & ~short_wins, short_wins & ~long_wins)


def _decide(is_long: BoolArray, is_short: BoolArray) -> IntArray:
    return HOLD + is_long.astype(np.int8) - is_short.astype(np.int8)

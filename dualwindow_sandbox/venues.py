"""What an exchange knows of its markets at one moment, whoever makes the candles."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dualwindow.arrays import FloatArray, IntArray
from dualwindow_sandbox.listings import Listing
from dualwindow_sandbox.ohlcv import HOUR, MINUTE, Ohlcv, joined

INTERVALS = {
    f"{count}{unit}": count * length
    for unit, length, counts in (
        ("m", MINUTE, (1, 3, 5, 15, 30)),
        ("h", HOUR, (1, 2, 4, 6, 8, 12)),
        ("d", 24 * HOUR, (1,)),
    )
    for count in counts
}


class Market(Protocol):
    """A maker of candles; times are milliseconds since 1970 UTC, spans are half open."""

    @property
    def listings(self) -> Sequence[Listing]:
        """Return what trades here."""

    def span(self, pair: str, now: int) -> tuple[int, int]:
        """Return the opening of the first candle and the end of what is known at `now`."""

    def minutes(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the 1m candles that open in the span, whether or not they have happened."""

    def hours(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the 1h candles that open in the span."""

    def forming(self, pair: str, now: int) -> Ohlcv:
        """Return the 1m candle that is open at `now`, if there is one."""

    def funding(self, pair: str, start: int, stop: int) -> tuple[IntArray, FloatArray]:
        """Return times and rates of the fundings in the span."""


@dataclass(frozen=True)
class Venues:
    """The three markets of an exchange; a synthetic one may be all three at once.

    Parameters
    ----------
    ends : milliseconds since 1970 UTC, when the last candle of a replay has closed
    """

    spot: Market
    futures: Market
    mark: Market
    ends: float = math.inf


@dataclass(frozen=True)
class Window:
    """Which candles are asked for: those that open in ``[start, stop)`` milliseconds."""

    interval: int
    start: int
    stop: int


def candles_until(market: Market, pair: str, window: Window, now: int) -> Ohlcv:
    """Return the candles in `window` as they stand at `now`, the forming one last.

    Nothing that happens after `now` (milliseconds) shows in them.
    """
    start = window.start - window.start % window.interval
    stop = window.stop - window.stop % -window.interval
    this_minute = now - now % MINUTE
    closed = min(stop, this_minute)
    parts = []
    fine = start
    if window.interval >= HOUR:  # a day is made of 24 candles then, not of 1440
        fine = max(start, closed - closed % HOUR)
        parts.append(market.hours(pair, start, fine))
    parts.append(market.minutes(pair, fine, closed))
    if start <= this_minute < stop:
        parts.append(market.forming(pair, now))
    return joined(parts).resampled(window.interval)


def last_price(market: Market, pair: str, now: int) -> float:
    """Return the price of the last trade known at `now`."""
    _, end = market.span(pair, now)
    recent = candles_until(market, pair, Window(MINUTE, end - 2 * MINUTE, end), now)
    return float(recent.close[-1])

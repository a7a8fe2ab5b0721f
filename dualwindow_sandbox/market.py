"""A seeded synthetic market: any minute of any pair since 2022, the same in every process."""

import zlib
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow_sandbox import MarketKind, dynamics
from dualwindow_sandbox.dynamics import BLOCK, PLANTED, RANDOM_WALK, STEPS, Block, Dynamics, State
from dualwindow_sandbox.listings import COINS, Listing, synthetic_listing
from dualwindow_sandbox.ohlcv import HOUR, MINUTE, Ohlcv, joined, no_candles

# Monday, 2022-01-03 00:00 UTC. Every pair starts here and is carried on week by week, so that a
# candle depends on seed, market, pair and its date, never on the span that is asked for.
FIRST = 1_641_168_000_000
_WEEK = BLOCK * MINUTE
_RECENT_WEEKS = 8
_FUNDING_INTERVAL = 8 * HOUR
_FUNDING_RATE = 1e-4  # Binance's base rate, 0.01 % every eight hours
_MOVES, _BRIDGES, _VOLUMES = range(3)


LAWS = {MarketKind.PLANTED: PLANTED, MarketKind.RANDOM_WALK: RANDOM_WALK}


class Week:
    """One week of one pair, in prices and amounts an exchange would print."""

    def __init__(self, block: Block, path: FloatArray, volume: FloatArray, start: int) -> None:
        self.block = block
        self.path = path
        self.candles = Ohlcv(
            start + MINUTE * np.arange(BLOCK),
            path[:, 0].copy(),  # a view would keep the whole path in memory
            path.max(axis=1),
            path.min(axis=1),
            path[:, -1].copy(),
            volume,
        )

    def forming(self, now: int) -> Ohlcv:
        """Return the candle of the minute that `now` (milliseconds) is in, as far as it has got.

        It has opened and traded once at `now`'s first millisecond, so it is never empty.
        """
        row = (now - int(self.candles.time[0])) // MINUTE
        step = now % MINUTE * STEPS // MINUTE
        seen = self.path[row, : step + 1]
        return Ohlcv(
            self.candles.time[row : row + 1],
            seen[:1],
            seen.max(keepdims=True),
            seen.min(keepdims=True),
            seen[-1:],
            self.candles.volume[row : row + 1] * (step + 1) / (STEPS + 1),
        )


class PairHistory:
    """Everything one pair has done since `FIRST`, computed when asked for.

    Weeks must be walked through in order, which is cheap (states are kept); their candles are
    built only for the weeks that are read, and the last few are kept.
    """

    def __init__(self, law: Dynamics, seed: int, listing: Listing) -> None:
        self._law = law
        self._seed = seed
        self._listing = listing
        self._states = [State()]
        self._weeks: OrderedDict[int, Week] = OrderedDict()
        self._hours: dict[int, Ohlcv] = {}

    def _entropy(self, week: int, purpose: int) -> tuple[int, ...]:
        return (self._seed, zlib.crc32(self._listing.base.encode()), week, purpose)

    def _block(self, week: int) -> Block:
        block = dynamics.simulate(self._law, self._states[week], self._entropy(week, _MOVES))
        if week + 1 == len(self._states):
            self._states.append(block.last)
        return block

    def week(self, week: int) -> Week:
        """Return the candles of one week, counted from `FIRST`."""
        if week in self._weeks:
            self._weeks.move_to_end(week)
            return self._weeks[week]
        while len(self._states) < week + 1:
            self._block(len(self._states) - 1)
        block = self._block(week)
        price, turnover = COINS[self._listing.base]
        path = price * np.exp(dynamics.paths(block, self._entropy(week, _BRIDGES)))
        relative = dynamics.activity(self._law, block, self._entropy(week, _VOLUMES))
        smallest = 10.0**-self._listing.amount_decimals
        self._weeks[week] = Week(
            block,
            np.round(path, self._listing.price_decimals),
            np.maximum(
                np.round(turnover / price * relative, self._listing.amount_decimals), smallest
            ),
            FIRST + week * _WEEK,
        )
        if len(self._weeks) > _RECENT_WEEKS:
            self._weeks.popitem(last=False)
        return self._weeks[week]

    def hours(self, week: int) -> Ohlcv:
        """Return the hourly candles of one week; all of them are kept, they are small."""
        if week not in self._hours:
            self._hours[week] = self.week(week).candles.resampled(HOUR)
        return self._hours[week]


def _weeks(start: int, stop: int) -> range:
    """Weeks that hold the minutes ``[start, stop)``."""
    return range(max(start - FIRST, 0) // _WEEK, -(-max(stop - FIRST, 0) // _WEEK))


class SyntheticMarket:
    """The candles of some twenty well-known pairs, made up from a seed.

    Spot, futures and mark prices are one and the same; funding is constant.

    Examples
    --------
    >>> market = SyntheticMarket(MarketKind.PLANTED, seed=1)
    >>> len(market.minutes("BTC/USDT", FIRST, FIRST + HOUR))
    60
    """

    def __init__(self, kind: MarketKind, seed: int) -> None:
        self._histories = {
            listing.pair: PairHistory(LAWS[kind], seed, listing)
            for listing in map(synthetic_listing, COINS)
        }
        self.listings: Sequence[Listing] = tuple(map(synthetic_listing, COINS))

    def span(self, pair: str, now: int) -> tuple[int, int]:
        """Return the first minute, and the end of what is known at `now`, in milliseconds."""
        return FIRST, now

    def minutes(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the 1m candles that open in ``[start, stop)``; before `FIRST` there are none."""
        history = self._histories[pair]
        weeks = [history.week(week).candles for week in _weeks(start, stop)]
        return joined(weeks).between(start, stop) if weeks else no_candles()

    def hours(self, pair: str, start: int, stop: int) -> Ohlcv:
        """Return the 1h candles that open in ``[start, stop)``."""
        history = self._histories[pair]
        weeks = [history.hours(week) for week in _weeks(start, stop)]
        return joined(weeks).between(start, stop) if weeks else no_candles()

    def forming(self, pair: str, now: int) -> Ohlcv:
        """Return the one 1m candle that has opened at `now` and not closed yet."""
        return self._histories[pair].week((now - FIRST) // _WEEK).forming(now)

    def hidden(self, pair: str, start: int, stop: int) -> tuple[IntArray, FloatArray]:
        """Return what no trader sees of the minutes ``[start, stop)``, both whole minutes.

        Returns
        -------
        (n,) int8 regime in -1, 0, 1 and (n,) volatility, the deviation of the log return: those
        in force *during* each candle that `minutes` returns for the same span.
        """
        history = self._histories[pair]
        blocks = [history.week(week).block for week in _weeks(start, stop)]
        first = (max(start, FIRST) - FIRST) // MINUTE % BLOCK
        rows = slice(first, first + max(stop - max(start, FIRST), 0) // MINUTE)
        regime = np.concatenate([block.regime for block in blocks])
        return regime[rows], np.concatenate([block.volatility for block in blocks])[rows]

    def funding(self, pair: str, start: int, stop: int) -> tuple[IntArray, FloatArray]:
        """Return the times (milliseconds) and rates of the fundings in ``[start, stop)``."""
        first = -(-max(start, FIRST) // _FUNDING_INTERVAL)
        time = np.arange(first, -(-stop // _FUNDING_INTERVAL)) * _FUNDING_INTERVAL
        return time, np.full(len(time), _FUNDING_RATE)

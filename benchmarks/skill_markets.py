"""Synthetic markets of `make bench-skill`, whose generator tells the true probabilities."""

import math
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.learning.folds import Schedule
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours
from dualwindow.market.labels import Labelling
from dualwindow.samples.pair_data import PairData
from dualwindow_sandbox.dynamics import PLANTED, RANDOM_WALK
from dualwindow_sandbox.listings import COINS, synthetic_listing
from dualwindow_sandbox.market import FIRST, PairHistory
from dualwindow_sandbox.ohlcv import joined
from dualwindow_sandbox.oracle import class_probabilities

DAY = 86400
COIN = "BTC"
LAWS = {
    "planted": PLANTED,
    # Where volatility comes in clusters, as in the sandbox's own random walk, whether a barrier is
    # near can be foreseen, though not in which direction; where it is constant, nothing can.
    "constant random walk": replace(RANDOM_WALK, clustering=0.0),
    "clustered random walk": RANDOM_WALK,
}
BEGIN = FIRST // 1000
_DAYS_BEFORE = 35  # a month for the averages
_N_WINDOWS = 4


class Moments(NamedTuple):
    """Closes of a synthetic market's candles, of which the true probabilities are asked.

    Parameters
    ----------
    market : a key of `LAWS`
    date : (n,) seconds since 1970 UTC
    close : (n,) quote currency
    labelling : what makes a candle SHORT, HOLD or LONG
    n_paths : simulated futures of each
    """

    market: str
    date: IntArray
    close: FloatArray
    labelling: Labelling
    n_paths: int


def synthetic_schedule(train_days: float, window_days: float) -> Schedule:
    """Put four windows behind a month and the first training."""
    start = BEGIN + round((_DAYS_BEFORE + train_days) * DAY)
    return Schedule(start, start + round(_N_WINDOWS * window_days * DAY), train_days, window_days)


def synthetic_pair(market: str, stop: int) -> PairData:
    """Generate the candles up to a second since 1970 UTC, and the rest of a day for the labels."""
    weeks = range(math.ceil((stop + DAY - BEGIN) / (7 * DAY)))
    m = joined([_history(market).week(week).candles for week in weeks])
    h = joined([_history(market).hours(week) for week in weeks])
    candles = Candles(m.time // 1000, m.high, m.low, m.close, m.volume, 60)
    levels = join_hours(candles, h.time // 1000, h.close, h.volume)
    return PairData(f"{COIN}/USDT", candles, candle_features(candles, levels), FEATURES)


def true_probabilities(moments: Moments) -> FloatArray:
    """Ask the generator, which knows volatility and regime: (n, 3)."""
    past = _history(moments.market)
    n_weeks = int(moments.date[-1] - BEGIN) // (7 * DAY) + 1
    blocks = [past.week(week).block for week in range(n_weeks)]
    minute = (moments.date - BEGIN) // 60
    return class_probabilities(
        LAWS[moments.market],
        np.log(moments.close / COINS[COIN][0]),
        np.concatenate([block.volatility for block in blocks])[minute],
        np.concatenate([block.regime for block in blocks])[minute],
        moments.labelling,
        n_paths=moments.n_paths,
    )


@cache
def _history(market: str) -> PairHistory:
    return PairHistory(LAWS[market], 1, synthetic_listing(COIN))

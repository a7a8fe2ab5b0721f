"""The law of the synthetic market: what one week of minutes does, given how it starts.

Every minute the logarithm of the price moves by a drift plus Gaussian noise.

*Noise.* Its deviation is lognormal around `volatility` and its logarithm follows an AR(1) process
with a memory of `memory` minutes, so that quiet and wild hours come in clusters. It is symmetric
and knows nothing of the regime: on its own it is a random walk.

*Drift.* A hidden regime is down (-1), flat (0) or up (+1) and drifts ``regime * drift`` a minute;
9e-5 is 1.1 % in two hours. It lasts `regime_length` minutes in the mean, with no memory of how
long it has lasted already, so the last two hours tell the regime and the regime tells the next
two. When it ends, the two others are drawn with weights ``exp(-lean * regime * x)``, where ``x``
is the logarithm of price over starting price at that minute: the further the price has gone, the
rarer the regimes that carry it on. Nothing looks ahead.

*Volume* rises with volatility, with the move of the minute and in trending regimes.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.outside import chance

BLOCK = 7 * 24 * 60
STEPS = 12


@dataclass(frozen=True)
class Dynamics:
    """The constants of the law; all times in minutes, all moves in log price per minute."""

    regime_length: float
    drift: float = 9e-5
    lean: float = 3.0
    volatility: float = 4e-4
    clustering: float = 0.3
    memory: float = 240.0
    trend_volume: float = 1.6


PLANTED = Dynamics(regime_length=480.0)
# A regime that never ends: the same noise, and flat for ever.
RANDOM_WALK = Dynamics(regime_length=math.inf)


class State(NamedTuple):
    """All that the future depends on: log price over starting price, log volatility, regime."""

    level: float = 0.0
    log_volatility: float = 0.0
    regime: int = 0


@dataclass(frozen=True)
class Block:
    """One week of minutes.

    Parameters
    ----------
    level : (BLOCK + 1,) log price over starting price, before the first minute and after each
    volatility : (BLOCK,) deviation of the log return in each minute
    regime : (BLOCK,) int8 in -1, 0, 1: whose drift is in force in each minute
    """

    level: FloatArray
    volatility: FloatArray
    regime: IntArray
    last: State


def _log_volatility(law: Dynamics, start: float, shocks: FloatArray) -> FloatArray:
    """Run the AR(1) process in closed form; one week is 42 memories, far from overflow."""
    decay = np.exp(-np.arange(1, len(shocks) + 1) / law.memory)
    spread = law.clustering * math.sqrt(1 - math.exp(-2 / law.memory))
    return decay * (start + np.cumsum(spread * shocks / decay))


def _next_regime(law: Dynamics, regime: int, level: float, chance: float) -> int:
    lower, upper = (r for r in (-1, 0, 1) if r != regime)
    odds = math.exp(-law.lean * (upper - lower) * level)
    return upper if chance < odds / (1 + odds) else lower


def _regimes(
    law: Dynamics, start: State, noise: FloatArray, rng: np.random.Generator
) -> tuple[IntArray, int]:
    """Draw the regime of every minute, and of the first minute after the block."""
    walk = np.concatenate([[0.0], np.cumsum(noise)])
    regimes = np.zeros(len(noise), dtype=np.int8)
    minute, drifted, regime = 0, start.level, start.regime
    while True:
        end = minute + max(math.ceil(min(rng.exponential(law.regime_length), 2 * BLOCK)), 1)
        regimes[minute:end] = regime
        if end > len(noise):
            return regimes, regime
        drifted += (end - minute) * law.drift * regime
        regime = _next_regime(law, regime, drifted + walk[end], rng.random())
        minute = end


def simulate(law: Dynamics, start: State, entropy: tuple[int, ...]) -> Block:
    """Carry one pair through one week.

    Parameters
    ----------
    law : which market
    start : where the week before has left the pair
    entropy : seed, pair and week; the same numbers give the same week
    """
    rng = chance(entropy)
    log_volatility = _log_volatility(law, start.log_volatility, rng.standard_normal(BLOCK))
    volatility = law.volatility * np.exp(log_volatility)
    noise = volatility * rng.standard_normal(BLOCK)
    regime, next_regime = _regimes(law, start, noise, rng)
    moves = np.concatenate([[start.level], noise + law.drift * regime])
    level = np.cumsum(moves)
    last = State(float(level[-1]), float(log_volatility[-1]), next_regime)
    return Block(level, volatility, regime, last)


def paths(block: Block, entropy: tuple[int, ...]) -> FloatArray:
    """Fill each minute with a Brownian bridge from its open to its close.

    Returns
    -------
    (BLOCK, STEPS + 1) log price over starting price every five seconds, both ends included;
    the last column of a row is the first of the next.
    """
    rng = chance(entropy)
    walk = np.cumsum(rng.standard_normal((BLOCK, STEPS)), axis=1) / math.sqrt(STEPS)
    share = np.arange(1, STEPS + 1) / STEPS
    path = np.empty((BLOCK, STEPS + 1))
    path[:, 0] = block.level[:-1]
    move = np.diff(block.level)[:, None]
    bridge = block.volatility[:, None] * (walk - share * walk[:, -1:])
    path[:, 1:] = path[:, :1] + share * move + bridge
    path[:, -1] = block.level[1:]
    return path


def activity(law: Dynamics, block: Block, entropy: tuple[int, ...]) -> FloatArray:
    """(BLOCK,) traded volume of each minute relative to a usual one, always positive."""
    shocks = chance(entropy).standard_normal(BLOCK)
    wildness = block.volatility / law.volatility
    surprise = np.abs(np.diff(block.level)) / block.volatility
    trend = np.where(block.regime != 0, law.trend_volume, 1.0)
    return trend * wildness * (0.6 + 0.5 * surprise) * np.exp(0.4 * shocks)

"""Measure what an agent's courses are worth after costs, and what of it chance would bring."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.comparison import Interval, block_interval
from dualwindow.judging.overfitting import sharpe_of
from dualwindow_agent.market.arena import BROKEN
from dualwindow_agent.market.following import Course

_DAY = 86400
DAYS_OF_YEAR = 365  # these markets never close
_N_BLOCKS = 8  # of days in a row, for the probability of overfitting


@dataclass(frozen=True)
class Worth:
    """What one who trades has come to, all pairs together, each with an account of its own.

    Parameters
    ----------
    growth : change of the log of the account, per day and pair
    profit : of all accounts together, a fraction of what they began with
    drawdown : the largest fall of their worth from a peak, a fraction of it, day by day
    sharpe : mean daily return over its deviation, times the root of 365 days; NaN without any
    days : whole or begun days, of which the returns are
    trades : positions opened, per day and pair
    turnover : traded per day and pair, in units of the account
    in_market : share of the candles at whose end something was held
    alive : share of the candles until an account was broken; growth over it is that while alive
    """

    growth: float
    profit: float
    drawdown: float
    sharpe: float
    days: int
    trades: float
    turnover: float
    in_market: float
    alive: float

    def facts(self) -> dict[str, Any]:
        """Lay it out for JSON; what is unknown is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def daily_growth(courses: Sequence[Course]) -> tuple[IntArray, FloatArray]:
    """Add the growth of each account up by days: days since 1970, and (days, accounts)."""
    days = np.unique(np.concatenate([course.date // _DAY for course in courses]))
    table = np.zeros((len(days), len(courses)))
    for column, course in enumerate(courses):
        rows = np.searchsorted(days, course.date // _DAY)
        table[:, column] = np.bincount(rows, course.growth, len(days))
    return days, table


def daily_returns(courses: Sequence[Course]) -> FloatArray:
    """Compute the return of all accounts together, begun alike and never levelled: (days,)."""
    _, growth = daily_growth(courses)
    worth = np.exp(np.cumsum(growth, axis=0)).mean(axis=1)
    return worth / np.concatenate([[1.0], worth[:-1]]) - 1


def worth_of(courses: Sequence[Course], step: int) -> Worth:
    """Measure what courses have come to.

    Parameters
    ----------
    courses : of the same days, a pair each
    step : seconds of a candle
    """
    returns = daily_returns(courses)
    worth = np.cumprod(1 + returns)
    peak = np.maximum.accumulate(np.concatenate([[1.0], worth]))[1:]
    n_candles = sum(len(course.growth) for course in courses)
    pair_days = n_candles * step / _DAY
    return Worth(
        growth=sum(float(course.growth.sum()) for course in courses) / pair_days,
        profit=float(worth[-1] - 1),
        drawdown=float((1 - worth / peak).max()),
        sharpe=sharpe_of(returns) * math.sqrt(DAYS_OF_YEAR),
        days=len(returns),
        trades=sum(course.trades for course in courses) / pair_days,
        turnover=sum(float(course.traded.sum()) for course in courses) / pair_days,
        in_market=sum(int((course.side != 0).sum()) for course in courses) / n_candles,
        alive=sum(_n_alive(course) for course in courses) / n_candles,
    )


def _n_alive(course: Course) -> int:
    worth = np.cumsum(course.growth)
    peak = np.maximum.accumulate(np.maximum(worth, 0.0))
    broken = worth < peak + math.log(BROKEN)
    return int(broken.argmax()) + 1 if broken.any() else len(worth)


def difference(mine: Sequence[Course], others: Sequence[Course]) -> Interval:
    """Estimate by how much one grows faster than another, per day and pair.

    Both have lived through the same days. A day is a block: what pairs do on the same day is one
    piece of evidence, and days are what an agent begins anew with; see `block_interval`.
    """
    days, growth = daily_growth(mine)
    of_others, others_growth = daily_growth(others)
    assert np.array_equal(days, of_others), "both have lived through the same days"
    return block_interval(growth.mean(axis=1) - others_growth.mean(axis=1), days)


def overfitting(growth: FloatArray) -> float | None:
    """Estimate how often the best of some days is below the median of all on the others.

    Source: D. Bailey, J. Borwein, M. Lopez de Prado and J. Zhu, "The Probability of Backtest
    Overfitting", Journal of Computational Finance 2016.

    Parameters
    ----------
    growth : (who, days); of fewer than eight days, of one alone, or where most did the same, as
        those do who never trade, nothing is said
    """
    # Not above: it is an extra's.
    from purgedcv import probability_of_backtest_overfitting

    n_ways = len(np.unique(growth, axis=0))
    if growth.shape[1] < _N_BLOCKS or n_ways < 2 or 2 * n_ways < len(growth):
        return None
    found = probability_of_backtest_overfitting(growth, n_splits=_N_BLOCKS, metric=np.mean)
    return float(found.pbo)


def summary(worths: Sequence[Worth]) -> dict[str, float]:
    """Tell the median and the worst growth of several seeds."""
    growth = [each.growth for each in worths]
    return {"median": float(np.median(growth)), "worst": min(growth), "best": max(growth)}


def _plain(value: float) -> float | int | None:
    return value if isinstance(value, int) or math.isfinite(value) else None


def interval_facts(found: Interval) -> Mapping[str, float | None]:
    """Lay an interval out for JSON; of too few days its ends are None."""
    return {name: _plain(value) for name, value in found._asdict().items()}

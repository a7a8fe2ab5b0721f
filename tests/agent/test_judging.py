import math

import numpy as np
import pandas as pd
import pytest
from agent.examples_agent import random_tape
from scipy.stats import norm

from dualwindow.judging.overfitting import deflated_sharpe, sharpe_of
from dualwindow_agent.judging.splits import combinatorial_splits, in_parts, within
from dualwindow_agent.judging.worth import (
    daily_growth,
    daily_returns,
    difference,
    overfitting,
    worth_of,
)
from dualwindow_agent.market.following import Course
from dualwindow_agent.market.tape import TapeError

DAY = 86400
HALF = DAY // 2


def course_of(growth, side=None, start=0, step=HALF, trades=0, traded=None) -> Course:
    """Two candles a day."""
    growth = np.asarray(growth, dtype=np.float64)
    n = len(growth)
    zeros = np.zeros(n)
    return Course(
        "A/USDT",
        start + np.arange(n) * step,
        zeros.astype(np.int64),
        np.zeros(n, np.int64) if side is None else np.asarray(side),
        growth,
        zeros if traded is None else np.asarray(traded),
        costs=0.0,
        trades=trades,
        turnover=0.0,
    )


def test_growth_is_added_up_by_day_and_account():
    one = course_of([0.1, 0.2, 0.3, 0.4])
    late = course_of([1.0, 2.0], start=DAY + HALF)
    days, table = daily_growth([one, late])
    assert days.tolist() == [0, 1, 2]
    np.testing.assert_allclose(table, [[0.3, 0], [0.7, 1.0], [0, 2.0]])


def test_worth_by_pencil():
    """Two accounts of 1: one doubles and halves, the other loses a half and stays."""
    doubles = course_of(np.log([1, 2, 1, 0.5]), [0, 1, 1, 1], trades=1, traded=[0, 1, 0, 1])
    halves = course_of(np.log([0.5, 1, 1, 1]), [0, 0, 0, 0], trades=3, traded=[2, 0, 0, 0])
    returns = daily_returns([doubles, halves])
    # worth: 2 -> 2.5 -> 1.5, of two accounts together
    np.testing.assert_allclose(returns, [0.25, -0.4])
    found = worth_of([doubles, halves], HALF)
    assert found.profit == pytest.approx(-0.25)
    assert found.drawdown == pytest.approx(0.4)
    assert found.growth == pytest.approx(math.log(0.5) / 4)  # of two pairs in two days
    assert found.days == 2
    assert found.trades == pytest.approx(4 / 4)
    assert found.turnover == pytest.approx(4 / 4)
    assert found.in_market == pytest.approx(3 / 8)
    mean, deviation = -0.075, 0.65 / math.sqrt(2)
    assert found.sharpe == pytest.approx(mean / deviation * math.sqrt(365))


def test_a_fall_from_the_beginning_is_a_drawdown():
    assert worth_of([course_of(np.log([0.9, 1]))], HALF).drawdown == pytest.approx(0.1)


def test_one_who_never_trades_has_no_sharpe_ratio():
    found = worth_of([course_of([0.0] * 6)], HALF)
    assert math.isnan(found.sharpe)
    assert found.facts()["sharpe"] is None
    assert found.drawdown == 0
    assert math.isnan(sharpe_of(np.array([0.1])))
    assert math.isnan(deflated_sharpe(np.zeros(9), [0.1, 0.2], 2))


def test_the_difference_is_per_day_and_pair_and_needs_days():
    mine = [course_of([0.3, 0.1] * 7), course_of([0.1, 0.1] * 7)]
    others = [course_of([0.1, 0.1] * 7), course_of([0.1, 0.1] * 7)]
    found = difference(mine, others)
    assert found == pytest.approx((0.1, 0.1, 0.1))
    few = difference([mine[0]][:1], [others[0]])
    assert few.mean == pytest.approx(0.2)
    short = difference([course_of([0.3] * 10)], [course_of([0.1] * 10)])  # five days
    assert math.isnan(short.low)


def test_deflated_sharpe_ratio_of_the_paper():
    """A daily Sharpe ratio of 2.5 a year in 1250 days, skewness -3, kurtosis 10, 100 trials.

    D. Bailey and M. Lopez de Prado find 0.9004 where the trials' variance is 0.5 a year. Returns of
    only two values have just this skewness and kurtosis.
    """
    ups = round(1250 * (13 + math.sqrt(117)) / 26)
    returns = np.concatenate([np.ones(ups), np.full(1250 - ups, -math.sqrt(117) - 1)])
    returns = (returns - returns.mean()) / returns.std(ddof=1) + 2.5 / math.sqrt(250)
    spread = math.sqrt(0.5 / 250 / 2)  # two Sharpe ratios of this variance
    found = deflated_sharpe(returns, [spread, -spread], 100)
    assert found == pytest.approx(0.9004, abs=0.001)
    assert deflated_sharpe(returns, [spread, -spread], 46) > found
    # What is not finite was tried, but tells nothing of the variance.
    assert deflated_sharpe(returns, [spread, math.nan, -spread], 100) == pytest.approx(found)


@pytest.mark.parametrize("tried", [[0.2], [0.2, math.nan], [0.2, 0.2]])
def test_what_was_tried_deflates_also_where_few_sharpe_ratios_are_known(tried):
    returns = np.random.default_rng(1).normal(0.2, 1, 100)
    alone, among_many = (deflated_sharpe(returns, tried, n) for n in (len(tried), 101))
    assert alone > 0.7
    # By chance the best of 101 who are worth nothing has about 2.5 / sqrt(100) in 100 days.
    assert among_many == pytest.approx(
        norm.cdf((sharpe_of(returns) - 0.25) * math.sqrt(99)), abs=0.05
    )
    assert among_many < alone - 0.4


def test_one_who_is_best_everywhere_is_not_overfitted_and_few_days_tell_nothing():
    rng = np.random.default_rng(0)
    growth = rng.normal(0, 0.01, (5, 40))
    growth[3] += 0.1
    assert overfitting(growth) == 0
    assert overfitting(growth[:1]) is None
    assert overfitting(growth[:, :7]) is None
    assert overfitting(np.zeros((3, 40))) is None  # none of them has ever traded
    mostly_flat = np.concatenate([np.zeros((8, 40)), growth[:2]])
    assert overfitting(mostly_flat) is None  # three ways to trade among ten
    assert overfitting(mostly_flat[5:]) is not None
    best_in_turn = np.kron(np.eye(8), np.ones(5)) - 0.01  # each on its own eighth of the days
    assert overfitting(best_in_turn) > 0.5


def test_the_rate_while_alive_is_that_until_an_account_is_broken():
    lost = course_of([math.log(0.05), math.log(0.1), 0, 0])
    lives = course_of([math.log(0.05), math.log(10), 0, 0])
    found = worth_of([lost, lives], HALF)
    assert found.alive == pytest.approx((2 + 4) / 8)
    # A hundredth of the peak, not of the beginning.
    risen = course_of([math.log(8), math.log(0.005), 0, 0])
    assert worth_of([risen], HALF).alive == pytest.approx(0.5)
    assert worth_of([course_of([math.log(0.02)] + [0.0] * 3)], HALF).alive == 1


def tape_of_days(n_days: int, **others):
    return random_tape(n_days * 1440, 1, **others)


def test_parts_tell_each_row_once():
    tape = tape_of_days(5, first=2000)
    parts = in_parts([tape], 1440)
    assert len(parts) == 4
    dates = np.concatenate([part.candles.date[part.first :] for part in parts])
    np.testing.assert_array_equal(dates, tape.candles.date[2000:])
    assert [part.first for part in parts] == [1440] * 4
    row = parts[2].first
    at = np.searchsorted(tape.candles.date, parts[2].candles.date[row])
    np.testing.assert_array_equal(parts[2].probabilities[row], tape.probabilities[at])
    assert [len(part) - part.first for part in in_parts([tape], 10**6)] == [len(tape) - 2000]


def test_spans_without_candles_are_left_out():
    tape = tape_of_days(1)
    first = int(tape.candles.date[0])
    (found,) = within([tape], ((0, 60), (first + 600, first + 720), (first + 900, first + 960)))
    assert found.candles.date[found.first :].tolist() == [first + 600, first + 660]


def test_combinatorial_splits_hold_every_choice_out_and_know_nothing_of_it():
    tapes = [tape_of_days(10), tape_of_days(9)]
    splits = combinatorial_splits(tapes, 5, 2, horizon=60)
    names = " ".join(each.name for each in splits)
    assert names == "0-1 0-2 0-3 0-4 1-2 1-3 1-4 2-3 2-4 3-4"
    begin, group = int(tapes[0].candles.date[0]), 2 * DAY
    for each in splits:
        held = [(begin + g * group, begin + (g + 1) * group) for g in each.groups]
        minutes = sum(stop - start for start, stop in each.held_out) // 60
        assert minutes == 2 * 2 * 1440
        for start, stop in held:
            assert any(a <= start and stop <= b for a, b in each.held_out)
            for a, b in each.learn:
                # A position of the last row that is acted on could reach a horizon further.
                assert b - 60 + 60 * 60 <= start or a >= stop + 60 * 60
        learnt = sum(b - a for a, b in each.learn)
        assert learnt > 6 * DAY - len(each.learn) * 4 * 3600


def test_groups_shorter_than_what_is_purged_are_refused():
    with pytest.raises(TapeError, match="no longer than the two horizons"):
        combinatorial_splits([tape_of_days(1)], 6, 2, horizon=120)


def test_days_are_those_of_utc():
    moment = int(pd.Timestamp("2024-03-01 23:59", tz="UTC").timestamp())
    days, table = daily_growth([course_of([1.0, 2.0], start=moment, step=60)])
    assert len(days) == 2
    np.testing.assert_allclose(table[:, 0], [1, 2])

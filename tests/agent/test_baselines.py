import numpy as np
import pytest
from agent.examples_agent import BARRIERS, flat_tape, random_tape, settings_of, terms_of

from dualwindow.judging.decisions import ConfidenceError
from dualwindow.market.labels import Barriers
from dualwindow_agent.judging.baselines import (
    Ground,
    always_flat,
    buy_and_hold,
    expected_value,
    holding_periods,
    same_turnover,
    uniform,
)
from dualwindow_agent.settings import PUBLISHED

UP, DOWN, NONE = [0.0, 0.05, 0.95], [0.95, 0.05, 0.0], [0.1, 0.8, 0.1]


def ground(tapes, barriers=BARRIERS, horizon=3, **market) -> Ground:
    settings = settings_of(**market)
    return Ground.of(tapes, settings, terms_of(settings, barriers, horizon))


def told(rows, prices=None, **others):
    """A tape of single prices whose probabilities are given."""
    prices = [100.0] * len(rows) if prices is None else prices
    return flat_tape(prices, probabilities=np.array(rows), **others)


def test_who_is_always_flat_keeps_what_it_has():
    courses = always_flat(ground([random_tape(200, 1), random_tape(150, 2)]))
    assert [course.profit for course in courses] == [0, 0]
    assert [course.trades for course in courses] == [0, 0]


def test_buy_and_hold_is_the_price_less_one_fee_whatever_is_predicted():
    unknown = np.zeros(6, dtype=bool)
    tape = flat_tape([100.0, 110.0, 60.0, 300.0, 90.0, 121.0], valid=unknown)
    (course,) = buy_and_hold(ground([tape], fee=0.001))
    # bought at the open of the second candle; neither the stop nor the horizon ends it
    assert course.profit == pytest.approx(121 / 110 / 1.001 - 1, rel=1e-12)
    assert course.side.tolist() == [1] * 5
    assert course.trades == 1


def test_the_rule_enters_when_it_is_flat_and_leaves_the_end_to_the_horizon():
    rows = [NONE, UP, DOWN, NONE, DOWN, DOWN, UP, UP, NONE, NONE]
    (course,) = expected_value(ground([told(rows)]))
    # UP at 1, held for three candles whatever is said, out; DOWN at 5, held for three, out
    assert course.side.tolist() == [0, 1, 1, 1, 0, -1, -1, -1, 0]
    assert course.trades == 2


def test_the_rule_ends_at_a_barrier_and_enters_again():
    rows = [UP, NONE, NONE, UP, NONE, NONE]
    prices = [100.0, 100.0, 103.0, 103.0, 103.0, 103.0]
    (course,) = expected_value(ground([told(rows, prices)], fee=0.001))
    assert course.side.tolist() == [1, 0, 0, 1, 1]
    # beyond the take-profit of 2 % already at the open, which is the price then
    assert course.growth[1] == pytest.approx(np.log((103 - 0.103) / 100), abs=2e-6)


def test_the_rule_needs_a_prediction_and_both_costs():
    """p * 0.02 - (1 - p) * 0.01 is worth more than 0.0061 from p = 0.537 on."""
    near = [[0.0, 1 - p, p] for p in (0.53, 0.54, 0.54)]
    tape = told([*near, NONE], valid=np.array([True, False, True, True]))
    (course,) = expected_value(ground([tape], fee=0.002, slippage=0.00105))
    assert course.side.tolist() == [0, 0, 1]
    (course,) = expected_value(ground([tape], fee=0.002, slippage=0.00115))
    assert course.trades == 0


def test_without_shorts_the_rule_stays_out():
    (course,) = expected_value(ground([told([DOWN, DOWN, DOWN, UP, NONE])], shorts=False))
    assert course.side.tolist() == [0, 0, 0, 1]


def test_the_rule_leaves_by_barriers_and_horizon_also_where_the_agent_does_not():
    rows = [NONE, UP, DOWN, NONE, DOWN, DOWN, UP, UP, NONE, NONE]
    here = Ground.of([told(rows)], PUBLISHED, terms_of(PUBLISHED, horizon=3))
    (course,) = expected_value(here)
    assert course.side.tolist() == [0, 1, 1, 1, 0, -1, -1, -1, 0]
    # The terms of the others stay the agent's.
    (course,) = here.by_plan([np.array([1] + [-1] * 9)])
    assert course.side.tolist() == [1] * 9


def test_labels_without_take_profits_have_no_rule():
    with pytest.raises(ConfidenceError, match="needs take-profits"):
        expected_value(ground([told([UP, UP])], Barriers(np.inf, 0.01, np.inf, 0.01)))


def test_those_held_against_an_agent_of_parts_take_positions():
    (course,) = expected_value(ground([told([UP, NONE, NONE])], actions="published"))
    assert course.side.tolist() == [1, 1]


@pytest.mark.parametrize("seed", range(5))
def test_random_agents_trade_as_much_as_the_one_they_are_held_against(seed):
    tapes = [random_tape(3000, seed), random_tape(2000, seed + 50, pair="B/USDT")]
    here = ground(tapes, horizon=30)
    agent = expected_value(here)
    assert all(course.trades > 20 for course in agent)
    for courses in same_turnover(here, agent, 3, seed):
        for course, own in zip(courses, agent, strict=True):
            assert course.trades == pytest.approx(own.trades, abs=1)
            assert course.traded.sum() == pytest.approx(own.traded.sum(), rel=0.03)
            assert (course.side != 0).sum() <= (own.side != 0).sum()
            assert not np.array_equal(course.side, own.side)
    again = [same_turnover(here, agent, 1, s)[0][0].side for s in (seed, seed, seed + 1)]
    assert np.array_equal(again[0], again[1])
    assert not np.array_equal(again[0], again[2])


def test_random_agents_of_one_who_never_trades_never_do():
    here = ground([random_tape(300, 1)])
    assert same_turnover(here, always_flat(here), 2)[1][0].trades == 0


def test_random_agents_of_one_who_always_trades_fit_into_its_time():
    here = ground([random_tape(1000, 3, volatility=1e-4)], horizon=30, fee=0.0001)
    (restless,) = here.by_plan([np.arange(1000) % 2])  # long, flat, long, flat
    (course,) = same_turnover(here, [restless], 1)[0]
    assert restless.trades > 400
    assert course.trades == pytest.approx(restless.trades, abs=1)


def test_periods_are_told_apart_by_their_side():
    side = np.array([1, 1, -1, 0, 0, -1, -1, -1, 0, 1])
    assert holding_periods(side).tolist() == [2, 1, 3, 1]
    assert holding_periods(np.zeros(4, dtype=np.int64)).tolist() == []


def test_an_untaught_policy_takes_all_allowed_actions_equally_often():
    (course,) = uniform(ground([told([UP] * 3001)], horizon=10_000, fee=0.0))
    flat_before = np.concatenate([[True], course.side[:-1] == 0])
    entered = course.side[flat_before]
    # three can be taken while it is flat, two while it is not
    assert np.mean(entered == 1) == pytest.approx(1 / 3, abs=0.05)
    assert np.mean(entered == -1) == pytest.approx(1 / 3, abs=0.05)
    assert np.mean(course.side[~flat_before] == 0) == pytest.approx(1 / 2, abs=0.05)

import math

import numpy as np
import pytest
from agent.examples_agent import flat_tape, random_tape, settings_of, terms_of

from dualwindow_agent.market.accounts import Accounts
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.rewards import Before, Rewards
from dualwindow_agent.settings import RewardSettings

# Of three accounts: before the candle and after it.
WORTH, COSTS = (1.0, 2.0, 0.5), (0.01, 0.0, 0.2)
AFTER = {
    "cash": (1.1, 1.6, 0.6),
    "units": (0.0, 0.01, -0.01),
    "mark": (50.0, 20.0, 20.0),  # worth 1.1, 1.8 and 0.4
    "costs": (0.03, 0.0, 0.25),
    "booked": (0.12, 0.0, -0.04),
    "peak": (1.1, 2.0, 1.0),
}
GROWTH = [math.log(1.1), math.log(0.9), math.log(0.8)]


def paid(**weights: float) -> list[float]:
    accounts = Accounts.opened(np.ones(3))
    for name, values in AFTER.items():
        getattr(accounts, name)[:] = values
    rewards = Rewards.of(RewardSettings(**weights), 3)
    before = Before(np.array(WORTH), np.array(COSTS))
    return rewards.paid(accounts, before, np.array([False, True, False])).tolist()


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        pytest.param({}, GROWTH, id="growth-is-the-default"),
        pytest.param({"growth": 2}, [2 * g for g in GROWTH], id="growth"),
        pytest.param(
            {"growth": 0, "realised": 0.5},
            [0.5 * math.log(1.12), 0, 0.5 * math.log(1 - 0.04 / 0.5)],
            id="realised",
        ),
        pytest.param(
            {"cost": 3},
            [g + 3 * c for g, c in zip(GROWTH, (math.log(0.98), 0, math.log(0.9)), strict=True)],
            id="cost",
        ),
        # log(2 / 1.8) = 0.105 and log(1 / 0.4) = 0.916 below their peaks, beyond 0.1 twice
        pytest.param(
            {"drawdown": 0.1},
            [
                g - 0.1 * (d + max(d - 0.1, 0))
                for g, d in zip(GROWTH, (0, math.log(10 / 9), math.log(2.5)), strict=True)
            ],
            id="drawdown",
        ),
        pytest.param(
            {"holding": 0.01}, [GROWTH[0], GROWTH[1] - 0.01, GROWTH[2] - 0.01], id="holding"
        ),
        pytest.param({"invalid": 1}, [GROWTH[0], GROWTH[1] - 1, GROWTH[2]], id="invalid"),
        pytest.param({"limit": 0.1}, [GROWTH[0], -0.1, -0.1], id="limit"),
        pytest.param({"limit": 0.09}, [0.09, -0.09, -0.09], id="limit-of-rewards"),
        pytest.param({"sharpe": 1}, GROWTH, id="sharpe-not-before-ten-candles"),
    ],
)
def test_terms_are_those_of_the_pencil(weights, expected):
    np.testing.assert_allclose(paid(**weights), expected, atol=1e-15)


def test_terms_add_up():
    alone = [
        np.subtract(paid(**{name: 0.3}), GROWTH)
        for name in ("realised", "cost", "drawdown", "holding", "invalid")
    ]
    together = paid(realised=0.3, cost=0.3, drawdown=0.3, holding=0.3, invalid=0.3)
    np.testing.assert_allclose(together, np.add(GROWTH, sum(alone)), atol=1e-15)


def test_the_ratio_looks_at_the_last_ten_candles_and_forgets_the_account_before():
    settings = settings_of(fee=0, barriers=False, horizon=False)
    settings = settings.model_copy(update={"reward": RewardSettings(growth=1, sharpe=0.5)})
    growths = np.random.default_rng(1).normal(0.0005, 0.001, 40)
    tape = flat_tape(100 * np.exp(np.concatenate([[0, 0], np.cumsum(growths)])))
    arena = Arena([tape], settings, terms_of(settings), 1, seed=0)
    for _ in range(2):
        arena.begin(np.array([0]), np.array([41]))
        got = np.array([arena.step(np.array([1]))[0][0] for _ in range(41)])
        growth = np.concatenate([[0], growths])
        for i in range(41):
            last = growth[i - 9 : i + 1]
            ratio = np.clip(last.mean() / last.std(), -0.5, 1.0) if i >= 9 else 0
            assert got[i] == pytest.approx(growth[i] + 0.5 * ratio, abs=1e-12)
    ratios = (got - growth)[9:] / 0.5
    assert ratios.min() < 0.2 < ratios.max()


def test_the_ratio_is_held_within_its_bounds_and_nothing_where_nothing_moves():
    settings = settings_of(fee=0, barriers=False, horizon=False)
    settings = settings.model_copy(update={"reward": RewardSettings(sharpe=1)})
    for action, expected in ((1, 1.0), (2, -0.5), (0, 0.0)):
        prices = 100 * np.cumprod(np.where(np.arange(14) % 2, 1.01, 1.02))
        arena = Arena([flat_tape(prices)], settings, terms_of(settings), 1, seed=0)
        arena.begin(np.array([0]), np.array([13]))
        before = 0.0
        for _ in range(12):
            before = np.log(arena.accounts.worth[0])
            reward = arena.step(np.array([action]))[0][0]
        growth = np.log(arena.accounts.worth[0]) - before
        assert reward - growth == pytest.approx(expected, abs=1e-12)


def test_growth_adds_up_to_the_change_of_the_log_of_the_account(actions):
    settings = settings_of(actions=actions)
    arena = Arena([random_tape(300, seed=4)], settings, terms_of(settings), 1, seed=0)
    arena.begin(np.array([0]), np.array([299]))
    rng, total = np.random.default_rng(1), 0.0
    for _ in range(299):
        total += arena.step(rng.integers(0, arena.exchange.n_actions, 1))[0][0]
    assert total == pytest.approx(np.log(arena.accounts.worth[0]), abs=1e-12)
    assert arena.accounts.trades[0] > 20


def test_what_is_realised_less_costs_is_what_an_account_has_grown_by_when_all_is_closed():
    """To second order: each candle's share is of what the account was worth before it."""
    settings = settings_of(fee=0.001, barriers=False, horizon=False)
    reward = RewardSettings(growth=0, realised=1, cost=1)
    settings = settings.model_copy(update={"reward": reward})
    tape = flat_tape([100, 100, 101, 99, 98, 98])
    arena = Arena([tape], settings, terms_of(settings), 1, seed=0)
    arena.begin(np.array([0]), np.array([5]))
    got = [arena.step(np.array([action]))[0][0] for action in (1, 1, 0, 2, 0)]
    assert got[1] == 0  # nothing is closed in it
    assert sum(got) == pytest.approx(np.log(arena.accounts.worth[0]), abs=2e-4)
    assert got[2] == pytest.approx(math.log1p(-0.01 / 1.01) + math.log1p(-0.001), abs=2e-4)

import pytest
from pydantic import ValidationError

from dualwindow_agent.market.accounts import N_ACTIONS
from dualwindow_agent.settings import (
    PUBLISHED,
    AgentSettings,
    LearningSettings,
    MarketSettings,
    RewardSettings,
)

# Batches of these fit whatever else is tried.
FITTING = {LearningSettings: {"steps": 1024, "accounts": 16, "batch_size": 1024}}

# (class, field, allowed, refused)
BOUNDS = [
    (MarketSettings, "fee", (0, 0.499), (-1e-9, 0.5)),
    (MarketSettings, "slippage", (0, 0.099), (-1e-9, 0.1)),
    (MarketSettings, "leverage", (1, 20), (0.999, 20.001)),
    (MarketSettings, "maintenance", (1e-9, 0.0499), (0, 0.05)),
    (RewardSettings, "growth", (1e-9, 100), (-1e-9,)),
    *[
        (RewardSettings, name, (0, 100), (-1e-9,))
        for name in ("realised", "cost", "drawdown", "sharpe", "holding", "invalid", "limit")
    ],
    (LearningSettings, "seed", (0, 2**31 - 1), (-1, 2**31)),
    (LearningSettings, "timesteps", (1,), (0,)),
    (LearningSettings, "accounts", (16, 4096), (0, 4097)),
    (LearningSettings, "episode", (2,), (1,)),
    (LearningSettings, "steps", (64, 1024), (1,)),
    (LearningSettings, "batch_size", (2, 8192), (1,)),
    (LearningSettings, "epochs", (1,), (0,)),
    (LearningSettings, "learning_rate", (1e-9, 0.999), (0, 1)),
    (LearningSettings, "gamma", (1e-9, 1), (0, 1.001)),
    (LearningSettings, "gae_lambda", (0, 1), (-1e-9, 1.001)),
    (LearningSettings, "clip_range", (1e-9, 1), (0, 1.001)),
    (LearningSettings, "entropy", (0,), (-1e-9,)),
    (LearningSettings, "policy_units", ((1,), ()), ((0,),)),
    (LearningSettings, "value_units", ((1,), ()), ((0,),)),
    (LearningSettings, "validation", (1e-9, 0.899), (0, 0.9)),
    (LearningSettings, "evaluate_every", (1,), (0,)),
    (LearningSettings, "checkpoint_every", (1,), (0,)),
]


def test_every_number_has_bounds_on_this_table():
    named = {(kind, name) for kind, name, *_ in BOUNDS}
    for kind in (MarketSettings, RewardSettings, LearningSettings):
        for name, field in kind.model_fields.items():
            is_number = field.annotation in (int, float) or name.endswith("_units")
            assert ((kind, name) in named) == is_number, name


@pytest.mark.parametrize(("kind", "name", "allowed", "refused"), BOUNDS)
def test_bounds_hold_on_both_sides(kind, name, allowed, refused):
    others = FITTING.get(kind, {})
    for value in allowed:
        assert getattr(kind(**{**others, name: value}), name) == value
    for value in refused:
        with pytest.raises(ValidationError, match=name):
            kind(**{**others, name: value})


def test_what_is_not_known_is_refused():
    for kind in (AgentSettings, MarketSettings, RewardSettings, LearningSettings):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            kind(nothing=1)
    for wrong in ({"actions": "four"}, {"shorts": "perhaps"}):
        with pytest.raises(ValidationError):
            MarketSettings(**wrong)


def test_batches_must_fit_what_is_collected():
    LearningSettings(steps=10, accounts=6, batch_size=20)
    with pytest.raises(ValidationError, match=r"must divide steps \* accounts, 60\. Received: 40"):
        LearningSettings(steps=10, accounts=6, batch_size=40)


def test_something_must_be_worth_something():
    RewardSettings(growth=0, realised=1e-9)
    with pytest.raises(ValidationError, match="growth or realised must be above 0"):
        RewardSettings(growth=0, cost=1)


def test_the_published_agent_is_as_it_was_published():
    learning = PUBLISHED.learning
    assert N_ACTIONS[PUBLISHED.market.actions] == 9
    assert learning.model_dump(include={"algorithm", "learning_rate", "timesteps", "accounts"}) == {
        "algorithm": "ppo",
        "learning_rate": 0.0003,
        "timesteps": 150_000,
        "accounts": 16,
    }
    assert (learning.steps, learning.batch_size, learning.epochs) == (1024, 2048, 20)
    assert (learning.gamma, learning.gae_lambda, learning.clip_range) == (0.99, 0.95, 0.2)
    assert learning.entropy == 0.01
    assert learning.policy_units == learning.value_units == (1280, 640)
    assert (learning.evaluate_every, learning.checkpoint_every) == (5_000, 25_000)

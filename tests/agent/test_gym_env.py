import numpy as np
import pytest
from agent.examples_agent import flat_tape, random_tape, settings_of, terms_of

checker = pytest.importorskip("gymnasium.utils.env_checker")
MarketEnv = pytest.importorskip("dualwindow_agent.market.gym_env").MarketEnv

# Prices and profits have no bounds: gymnasium warns of every such space.
UNBOUNDED = "ignore:.*A Box observation space (minimum|maximum) value is -?infinity"


def env_of(actions: str = "positions", **options):
    settings = settings_of(actions=actions, **options)
    return MarketEnv([random_tape(300, seed=1)], settings, terms_of(settings), seed=5)


@pytest.mark.filterwarnings(UNBOUNDED)
def test_gymnasiums_checker_passes(actions):
    checker.check_env(env_of(actions), skip_render_check=True)


@pytest.mark.filterwarnings(UNBOUNDED)
def test_the_checker_of_stable_baselines3_passes(actions):
    own = pytest.importorskip("stable_baselines3.common.env_checker")
    own.check_env(env_of(actions), warn=True, skip_render_check=True)


def course(env, seed: int | None) -> list[np.ndarray]:
    seen, _ = env.reset(seed=seed)
    return [seen, *(env.step(action)[0] for action in (1, 1, 0, 2, 2))]


def test_a_seed_is_honoured():
    env = env_of()
    first = course(env, seed=8)
    unseeded = course(env, seed=None)
    assert not np.array_equal(first[0], unseeded[0])
    np.testing.assert_array_equal(course(env, seed=8), first)
    np.testing.assert_array_equal(course(env_of(), seed=8), first)
    assert not np.array_equal(course(env, seed=9)[0], first[0])


def test_it_is_truncated_when_its_candles_are_over_and_not_before():
    settings = settings_of(episode=7, fee=0, barriers=False)
    env = MarketEnv([flat_tape(np.full(20, 100.0))], settings, terms_of(settings))
    lengths = set()
    for _ in range(200):
        env.reset()
        # The last row is not decided on: no candle follows it.
        length = min(7, 19 - int(env.arena.row[0]))
        ends = [env.step(0)[2:4] for _ in range(length)]
        assert ends == [(False, False)] * (length - 1) + [(False, True)]
        lengths.add(length)
    assert lengths == {1, 2, 3, 4, 5, 6, 7}


def opened_at_the_first_row(env) -> dict:
    while True:
        _, told = env.reset()
        if env.arena.row[0] == 0:
            return told


def test_it_is_terminated_when_it_is_broken_even_in_its_last_candle():
    settings = settings_of(actions="positions", leverage=5, barriers=False, fee=0)
    env = MarketEnv([flat_tape([100, 100, 50])], settings, terms_of(settings), seed=0)
    opened_at_the_first_row(env)
    assert env.step(1)[2:4] == (False, False)
    seen, reward, terminated, truncated, told = env.step(1)
    assert (terminated, truncated) == (True, False)
    assert told["worth"] == pytest.approx(1e-6)
    assert reward == pytest.approx(np.log(1e-6))
    assert np.isfinite(seen).all()


def test_it_tells_of_the_account():
    settings = settings_of(fee=0.01, barriers=False)
    env = MarketEnv([flat_tape([100] * 6)], settings, terms_of(settings), seed=0)
    told = opened_at_the_first_row(env)
    assert told == {"worth": 1.0, "costs": 0.0, "trades": 0, "turnover": 0.0, "refused": 0}
    assert env.action_masks().tolist() == [True, True, True]
    told = env.step(1)[4]
    assert env.action_masks().tolist() == [True, True, False]
    assert told["turnover"] == pytest.approx(1 / 1.01)
    assert told["costs"] == pytest.approx(0.01 / 1.01)
    assert told["worth"] == pytest.approx(1 / 1.01)
    assert env.step(2)[4]["refused"] == 1
    assert env.step(0)[4] == {
        "worth": pytest.approx(0.99 / 1.01),
        "costs": pytest.approx(0.01 / 1.01 * 2),
        "trades": 1,
        "turnover": pytest.approx(2 / 1.01),
        "refused": 1,
    }


def test_a_policy_learns_in_it():
    ppo = pytest.importorskip("sb3_contrib").MaskablePPO
    model = ppo("MlpPolicy", env_of(episode=20), n_steps=32, batch_size=16, n_epochs=1, seed=1)
    model.learn(64)
    assert model.num_timesteps == 64
    assert model.env.envs[0].unwrapped.arena.accounts.refused[0] == 0

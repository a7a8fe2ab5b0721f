import numpy as np
import pytest
from agent_toys import toy_task
from sb3_contrib.common.maskable.utils import (
    get_action_masks,
    is_masking_supported,
)

from dualwindow_agent.learning.vec_env import ArenaVecEnv
from dualwindow_agent.market.arena import Arena


def small_arena(n: int = 3, seed: int = 5) -> Arena:
    task = toy_task(episode=20)
    return Arena(task.learn, task.settings, task.terms, n, seed)


def test_it_steps_as_the_arena_does() -> None:
    env, arena = ArenaVecEnv(small_arena()), small_arena()
    np.testing.assert_array_equal(env.reset(), arena.reset())
    rng = np.random.default_rng(0)
    n_done = 0
    for _ in range(100):
        np.testing.assert_array_equal(get_action_masks(env), arena.allowed())
        actions = rng.integers(0, 3, 3)
        seen, paid, done, told = env.step(actions)
        expected, broken, over = arena.step(actions)
        last = arena.seen()
        np.testing.assert_array_equal(paid, expected)
        np.testing.assert_array_equal(done, broken | over)
        for i in range(3):
            if done[i]:
                np.testing.assert_array_equal(told[i]["terminal_observation"], last[i])
                assert told[i]["TimeLimit.truncated"] == (not broken[i])
            else:
                assert told[i] == {}
        np.testing.assert_array_equal(seen, arena.reopen(done))
        n_done += int(done.sum())
    assert n_done >= 12  # of 20 candles at most, or less at the end of the tape


def test_a_broken_account_has_ended_and_is_not_cut_off() -> None:
    arena = small_arena(2)
    env = ArenaVecEnv(arena)
    env.reset()
    arena.accounts.cash[0] = 0.005  # of a peak of 1: no action can bring it back
    *_, done, told = env.step(np.zeros(2, dtype=np.int64))
    assert done.tolist() == [True, False]
    assert told[0]["TimeLimit.truncated"] is False


def test_what_stable_baselines_asks_for_is_there() -> None:
    env = ArenaVecEnv(small_arena())
    assert is_masking_supported(env)
    assert env.render_mode is None
    assert env.get_attr("num_envs", [0, 2]) == [3, 3]
    assert env.env_is_wrapped(object) == [False] * 3
    assert len(env.env_method("action_masks", indices=1)) == 1
    assert not env.has_attr("no such thing")
    with pytest.raises(AttributeError, match="no method 'render'"):
        env.env_method("render")
    with pytest.raises(AttributeError, match="nothing of an arena's accounts can be set"):
        env.set_attr("a", 1)

"""An arena as stable-baselines3 wants environments: many in one, each begins again by itself."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent.market.arena import Arena

_NOTHING: dict[str, Any] = {}  # told of accounts that go on; only read

Indices = int | Sequence[int] | None


class ArenaVecEnv(VecEnv):
    """Each account is an environment, and all are stepped at once by arrays, in this process.

    An account that runs out of candles is cut off, not ended: what it could still have earned
    counts, and the learner is told by ``TimeLimit.truncated``. One that is broken has ended.

    Parameters
    ----------
    arena : its random rows come from its own generator, so `seed` changes nothing
    """

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self._actions = np.zeros(arena.n, dtype=np.int64)
        seen = spaces.Box(-np.inf, np.inf, (arena.n_columns,), np.float32)
        super().__init__(arena.n, seen, spaces.Discrete(arena.exchange.n_actions))

    def reset(self) -> FloatArray:
        """Open all accounts; return (n, columns) float32."""
        return self.arena.reset()

    def step_async(self, actions: IntArray) -> None:
        """Take the actions of the next step."""
        self._actions = actions

    def step_wait(self) -> tuple[FloatArray, FloatArray, BoolArray, list[dict[str, Any]]]:
        """Step, and open anew what is at its end."""
        paid, broken, over = self.arena.step(self._actions)
        done = broken | over
        told = [_NOTHING] * self.num_envs
        seen = self.arena.seen()
        if done.any():
            for i in np.flatnonzero(done).tolist():
                told[i] = {
                    "terminal_observation": seen[i],
                    "TimeLimit.truncated": not broken[i],
                }
            seen = self.arena.reopen(done)
        return seen, paid, done, told

    def action_masks(self) -> BoolArray:
        """Mark which actions can be taken: (n, actions)."""
        return self.arena.allowed()

    def env_method(
        self, method_name: str, *args: Any, indices: Indices = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of all accounts; there is `action_masks` only."""
        if method_name != "action_masks":
            raise AttributeError(f"an arena's accounts have no method {method_name!r}")
        masks = self.action_masks()
        return list(masks if indices is None else masks[self._places(indices)])

    def get_attr(self, attr_name: str, indices: Indices = None) -> list[Any]:
        """Give what is the same for all accounts, once for each."""
        value = None if attr_name == "render_mode" else getattr(self, attr_name)
        return [value for _ in self._places(indices)]

    def set_attr(self, attr_name: str, value: Any, indices: Indices = None) -> None:
        """Refuse: an account has nothing that could be set."""
        raise AttributeError(f"nothing of an arena's accounts can be set. Received: {attr_name!r}")

    def env_is_wrapped(self, wrapper_class: type, indices: Indices = None) -> list[bool]:
        """Tell that none is wrapped."""
        return [False for _ in self._places(indices)]

    def close(self) -> None:
        """There is nothing to close."""

    def _places(self, indices: Indices) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        return [indices] if isinstance(indices, int) else list(indices)

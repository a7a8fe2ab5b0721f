"""One account of an arena as an environment of gymnasium, for whatever learns from those."""

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.settings import AgentSettings


class MarketEnv(gymnasium.Env):
    """An account that opens at a random candle and acts on up to `learning.episode` of them.

    It is terminated when it is broken, and truncated when its candles are over: what it holds then
    would have gone on.

    Parameters
    ----------
    tapes, settings, terms : as for an `Arena`
    seed : of the random candles, until `reset` is given another one
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(
        self, tapes: Sequence[Tape], settings: AgentSettings, terms: Terms, seed: int = 0
    ) -> None:
        self.arena = Arena(tapes, settings, terms, 1, seed)
        self.action_space = spaces.Discrete(self.arena.exchange.n_actions)
        self.observation_space = spaces.Box(-np.inf, np.inf, (self.arena.n_columns,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[FloatArray, dict[str, Any]]:
        """Open the account at a random candle; there are no `options`."""
        super().reset(seed=seed)
        if seed is not None:
            self.arena.reseed(seed)
        return self.arena.reset()[0], self._told()

    def step(self, action: int) -> tuple[FloatArray, float, bool, bool, dict[str, Any]]:
        """Act at the next open; return what is seen at its close, the reward, and whether it ends.

        An action that cannot be taken leaves everything as it is, and is counted as `refused`.
        """
        paid, broken, over = self.arena.step(np.array([action]))
        is_broken = bool(broken[0])
        is_over = bool(over[0]) and not is_broken
        return self.arena.seen()[0], float(paid[0]), is_broken, is_over, self._told()

    def action_masks(self) -> BoolArray:
        """Mark which actions can be taken: (actions,); MaskablePPO asks for it by this name."""
        return self.arena.allowed()[0]

    def _told(self) -> dict[str, Any]:
        accounts = self.arena.accounts
        return {
            "worth": float(accounts.worth[0]),
            "costs": float(accounts.costs[0]),
            "trades": int(accounts.trades[0]),
            "turnover": float(accounts.turnover[0]),
            "refused": int(accounts.refused[0]),
        }

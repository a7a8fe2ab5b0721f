"""Proximal policy optimisation over an arena, which can be packed into plain values at any rollout.

The algorithms are those of stable-baselines3 and sb3-contrib; import this file after
`leave_tensorflow_out` only.
"""

import random  # noqa: TID251 - whose state is put back
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger, TensorBoardOutputFormat
from stable_baselines3.common.vec_env import VecNormalize

from dualwindow.arrays import FloatArray
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.learning.task import AgentTask
from dualwindow_agent.learning.vec_env import ArenaVecEnv
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.observation import names_of

_ALGORITHMS = {"ppo": PPO, "maskable_ppo": MaskablePPO}
_STATISTICS = ("obs_rms", "ret_rms")


class Learner:
    """What learns, and what it learns in.

    Parameters
    ----------
    task : see there
    """

    def __init__(self, task: AgentTask) -> None:
        self._task = task
        s = task.settings.learning
        self.arena = Arena(task.learn, task.settings, task.terms, s.accounts, s.seed)
        self._env = VecNormalize(ArenaVecEnv(self.arena), gamma=s.gamma)
        units = {"pi": list(s.policy_units), "vf": list(s.value_units)}
        self.model = _ALGORITHMS[s.algorithm](
            "MlpPolicy",
            self._env,
            learning_rate=s.learning_rate,
            n_steps=s.steps,
            batch_size=s.batch_size,
            n_epochs=s.epochs,
            gamma=s.gamma,
            gae_lambda=s.gae_lambda,
            clip_range=s.clip_range,
            ent_coef=s.entropy,
            seed=s.seed,
            device="cpu",
            policy_kwargs={"net_arch": units, "activation_fn": torch.nn.Tanh},
        )
        # Its own choice of a logger makes a folder among the temporary files.
        self.model.set_logger(_logger_of(task))

    def learn(self, at_rollout: Callable[[int], None], at_step: Callable[[], None]) -> None:
        """Learn to the end, from where it is.

        Parameters
        ----------
        at_rollout : called with the timesteps so far, before each rollout and at the end
        at_step : called after each candle
        """

        class Calls(BaseCallback):
            def _on_rollout_start(self) -> None:
                at_rollout(self.num_timesteps)

            def _on_step(self) -> bool:
                at_step()
                return True

        rest = self._task.settings.learning.timesteps - self.model.num_timesteps
        try:
            self.model.learn(rest, Calls(), reset_num_timesteps=False)
            at_rollout(self.model.num_timesteps)
        finally:
            self.model.logger.close()

    def record(self, values: dict[str, float]) -> None:
        """Write values to TensorBoard, where it is asked for."""
        for name, value in values.items():
            self.model.logger.record(name, value)
        self.model.logger.dump(self.model.num_timesteps)

    def policy(self) -> Policy:
        """Copy what it would do now into plain arrays."""
        network, task = self.model.policy, self._task
        layers = [layer for layer in network.mlp_extractor.policy_net if hasattr(layer, "weight")]
        layers.append(network.action_net)
        return Policy(
            task.settings,
            task.barriers,
            task.horizon,
            names_of(task.settings.observation, len(task.learn[0].further)),
            self._env.obs_rms.mean.copy(),
            self._env.obs_rms.var.copy(),
            tuple(_array(layer.weight).T.copy() for layer in layers),
            tuple(_array(layer.bias) for layer in layers),
            dict(task.facts),
        )

    def is_finite(self) -> bool:
        """Tell whether all weights, and what observations are normalised by, are finite numbers."""
        rms = self._env.obs_rms
        arrays = [*map(_array, self.model.policy.parameters()), rms.mean, rms.var]
        return all(np.isfinite(array).all() for array in arrays)

    def state(self) -> dict[str, Any]:
        """Copy all that changes while it learns, random generators included.

        The values are numbers, texts, lists and arrays. What a rollout has collected is no part of
        it: a rollout that was begun is begun anew.
        """
        optimizer = self.model.policy.optimizer.state_dict()["state"]
        return {
            "timesteps": self.model.num_timesteps,
            "updates": self.model._n_updates,
            "network": {k: _array(v) for k, v in self.model.policy.state_dict().items()},
            "optimizer": [
                {name: _array(value) for name, value in optimizer[i].items()}
                for i in range(len(optimizer))
            ],
            "statistics": {
                name: {part: np.asarray(getattr(rms, part)) for part in ("mean", "var", "count")}
                for name, rms in ((name, getattr(self._env, name)) for name in _STATISTICS)
            },
            "returns": self._env.returns.copy(),
            "arena": self.arena.state(),
            "seen": self.model._last_obs.copy(),
            "begun": self.model._last_episode_starts.copy(),
            "chance": _chance(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state`; the next rollout is, bit for bit, the one that would have come."""
        self.model.num_timesteps = state["timesteps"]
        self.model._n_updates = state["updates"]
        network = {k: torch.from_numpy(v.copy()) for k, v in state["network"].items()}
        self.model.policy.load_state_dict(network)
        optimizer = self.model.policy.optimizer.state_dict()
        optimizer["state"] = {
            i: {name: torch.from_numpy(value.copy()) for name, value in moments.items()}
            for i, moments in enumerate(state["optimizer"])
        }
        self.model.policy.optimizer.load_state_dict(optimizer)
        for name, parts in state["statistics"].items():
            rms = getattr(self._env, name)
            rms.mean, rms.var = parts["mean"].copy(), parts["var"].copy()
            rms.count = float(parts["count"])
        self._env.returns = state["returns"].copy()
        self.arena.restore(state["arena"])
        self.model._last_obs = state["seen"].copy()
        self.model._last_episode_starts = state["begun"].copy()
        _set_chance(state["chance"])


@contextmanager
def apart(threads: int) -> Iterator[None]:
    """Give the caller's random generators and threads of PyTorch back afterwards.

    stable-baselines3 seeds and uses the generators that all of a process share.
    """
    chance, before = _chance(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        _set_chance(chance)


def _chance() -> dict[str, Any]:
    name, keys, *numbers = np.random.get_state()  # noqa: NPY002 - its buffers shuffle by it
    version, words, gauss = random.getstate()
    return {
        "torch": torch.get_rng_state().numpy().copy(),
        "numpy": [name, np.array(keys), *numbers],
        "python": [version, list(words), gauss],
    }


def _set_chance(state: dict[str, Any]) -> None:
    torch.set_rng_state(torch.from_numpy(state["torch"].copy()))
    np.random.set_state(tuple(state["numpy"]))  # noqa: NPY002
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))


def _array(value: Any) -> FloatArray:
    return value.detach().cpu().numpy().copy()


def _logger_of(task: AgentTask) -> Any:
    if task.tensorboard is None:
        return Logger(folder=None, output_formats=[])
    folder = str(task.tensorboard)
    return Logger(folder=folder, output_formats=[TensorBoardOutputFormat(folder)])

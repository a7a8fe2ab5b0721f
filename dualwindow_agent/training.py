"""Train an agent by proximal policy optimisation, and keep the best that validation has seen."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from dualwindow.market.labels import Barriers
from dualwindow.outside import elapsed
from dualwindow_agent.accounts import Terms
from dualwindow_agent.arena import Arena
from dualwindow_agent.following import Course, follow
from dualwindow_agent.observation import names_of
from dualwindow_agent.policy import Policy
from dualwindow_agent.settings import AgentSettings
from dualwindow_agent.tape import Tape

_DAY = 86400


class TrainingError(RuntimeError):
    """An agent that cannot be trained."""


class Progress(NamedTuple):
    """How far a training has come, and how good its policy is on what it does not learn from.

    Parameters
    ----------
    timesteps, total : candles acted on so far, and in the end, in all accounts together
    growth : mean change of the log of the account, per day and pair, on validation
    trades_per_day : per pair, on validation
    seconds : since the training began, interruptions not counted
    """

    timesteps: int
    total: int
    growth: float
    trades_per_day: float
    seconds: float


@dataclass(frozen=True)
class AgentTask:
    """All that a training needs; it can be handed to another process.

    Parameters
    ----------
    learn, validate : tapes to learn from, and later ones to choose the best policy on
    settings, barriers, horizon : of the agent and of the labels
    facts : what it is made from, kept with the policy
    checkpoints : folder to go on from after an interruption; None for no checkpoints
    tensorboard : folder of its logs; None for none
    """

    learn: tuple[Tape, ...]
    validate: tuple[Tape, ...]
    settings: AgentSettings
    barriers: Barriers
    horizon: int
    facts: dict[str, Any]
    checkpoints: Path | None = None
    tensorboard: Path | None = None

    @property
    def terms(self) -> Terms:
        """By which its accounts trade."""
        return Terms(self.settings.market, self.barriers, self.horizon)


class Trained(NamedTuple):
    """The best policy of a training, and all validations of it."""

    policy: Policy
    history: tuple[Progress, ...]


def judge(courses: Sequence[Course], step: int) -> tuple[float, float]:
    """Measure mean growth and trades, per day and pair; `step` is seconds of a candle."""
    days = sum(len(course.growth) for course in courses) * step / _DAY
    growth = sum(float(course.growth.sum()) for course in courses)
    return growth / days, sum(course.trades for course in courses) / days


def train(
    task: AgentTask,
    report: Callable[[Progress], None] = lambda progress: None,
    interrupt: Callable[[], None] = lambda: None,
) -> Trained:
    """Train an agent.

    Parameters
    ----------
    task : see there
    report : called after each validation
    interrupt : called often; what it raises ends the training

    Raises
    ------
    TrainingError
        If PyTorch is missing.
    """
    leave_tensorflow_out()
    from stable_baselines3.common.callbacks import BaseCallback

    learning = task.settings.learning
    model = make_model(task)
    validation = _Validation(task, model, report)

    class Callbacks(BaseCallback):
        def _on_rollout_start(self) -> None:
            validation.look(self.num_timesteps)

        def _on_step(self) -> bool:
            interrupt()
            return True

        def _on_training_end(self) -> None:
            validation.look(self.num_timesteps, last=True)

    model.learn(learning.timesteps, Callbacks())
    assert validation.best is not None
    return Trained(validation.best, tuple(validation.history))


def leave_tensorflow_out() -> None:
    """Let PyTorch's TensorBoard writer do without TensorFlow, which it would import if it is there.

    TensorBoard itself asks for a module of this name before it does; stable-baselines3 imports the
    writer whether it is used or not, which costs 500 MB and seconds.
    """
    name = "tensorboard.compat.notf"
    sys.modules.setdefault(name, ModuleType(name))


def make_model(task: AgentTask) -> Any:
    """Build the learner and what it learns in."""
    import torch
    from sb3_contrib import MaskablePPO
    from stable_baselines3 import PPO
    from stable_baselines3.common.vec_env import VecNormalize

    from dualwindow_agent.vec_env import ArenaVecEnv

    s = task.settings.learning
    torch.set_num_threads(1)
    arena = Arena(task.learn, task.settings, task.terms, s.accounts, s.seed)
    env = VecNormalize(ArenaVecEnv(arena), gamma=s.gamma)
    algorithm = {"ppo": PPO, "maskable_ppo": MaskablePPO}[s.algorithm]
    return algorithm(
        "MlpPolicy",
        env,
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
        tensorboard_log=None if task.tensorboard is None else str(task.tensorboard),
        policy_kwargs={"net_arch": {"pi": list(s.policy_units), "vf": list(s.value_units)}},
    )


def policy_of(model: Any, task: AgentTask) -> Policy:
    """Copy what it would do now into plain arrays."""
    network = model.policy
    layers = [layer for layer in network.mlp_extractor.policy_net if hasattr(layer, "weight")]
    layers.append(network.action_net)
    normalised = model.get_env().obs_rms
    n_further = len(task.learn[0].further)
    return Policy(
        task.settings,
        task.barriers,
        task.horizon,
        names_of(task.settings.observation, n_further),
        normalised.mean.copy(),
        normalised.var.copy(),
        tuple(layer.weight.detach().numpy().T.copy() for layer in layers),
        tuple(layer.bias.detach().numpy().copy() for layer in layers),
        task.facts,
    )


class _Validation:
    """Looks at the policy now and then, and keeps the best."""

    def __init__(self, task: AgentTask, model: Any, report: Callable[[Progress], None]) -> None:
        self.task, self.model, self.report = task, model, report
        self.history: list[Progress] = []
        self.best: Policy | None = None
        self._next = 0
        self._begun = elapsed()
        s = task.settings.learning
        self.total = -(-s.timesteps // (s.steps * s.accounts)) * s.steps * s.accounts

    def look(self, timesteps: int, *, last: bool = False) -> None:
        if timesteps < self._next and not last:
            return
        every = self.task.settings.learning.evaluate_every
        self._next = (timesteps // every + 1) * every
        policy = policy_of(self.model, self.task)
        courses = follow(
            lambda seen, allowed, rows: policy.choose(seen, allowed),
            self.task.validate,
            self.task.settings,
            self.task.terms,
        )
        growth, trades = judge(courses, self.task.validate[0].candles.step)
        if self.best is None or growth > max(p.growth for p in self.history):
            self.best = policy
        now = elapsed() - self._begun
        self.history.append(Progress(timesteps, self.total, growth, trades, now))
        self.report(self.history[-1])

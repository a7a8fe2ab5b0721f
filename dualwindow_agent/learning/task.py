"""What the training of an agent is given, and what it tells."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from dualwindow.market.labels import Barriers
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.settings import AgentSettings


class TrainingError(RuntimeError):
    """An agent that cannot be trained."""


class Progress(NamedTuple):
    """How far a training has come, and how good its policy was on what it does not learn from.

    Parameters
    ----------
    timesteps, total : candles acted on so far, and in the end, in all accounts together; whole
        rollouts
    growth : mean change of the log of the account, per day and pair, in the last validation
    trades_per_day : per pair, in the last validation
    seconds : since the training began, without interruptions
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
    settings, barriers, horizon : of the agent, and of the labels
    facts : what it is made from, kept with the policy
    checkpoints : folder of this training's own, to go on from after an interruption, or None; they
        stay until `remove_checkpoints`
    tensorboard : folder of its logs, or None
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

    @property
    def total(self) -> int:
        """Timesteps to learn for: whole rollouts, at least as many as the settings ask for."""
        s = self.settings.learning
        rollout = s.steps * s.accounts
        return -(-s.timesteps // rollout) * rollout


class Trained(NamedTuple):
    """The best policy of a training, and all validations of it."""

    policy: Policy
    history: tuple[Progress, ...]

    @property
    def best(self) -> Progress:
        """The validation that the policy was chosen by."""
        return max(self.history, key=lambda progress: progress.growth)

    @property
    def loses(self) -> bool:
        """Whether even the best policy loses on validation."""
        return self.best.growth < 0

    def acting(self) -> Policy:
        """Give what every host lets act: the best policy, kept flat where even that loses.

        Then its facts say so, with the growth a day and pair on validation.
        """
        if not self.loses:
            return self.policy
        facts = {**self.policy.facts, "kept flat, growth on validation": self.best.growth}
        return replace(self.policy.made_flat(), facts=facts)

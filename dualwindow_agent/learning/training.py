"""Train an agent, and keep the best policy that validation has seen."""

import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dualwindow.outside import elapsed
from dualwindow_agent.learning.checkpoints import Checkpoints, facts_of
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.learning.task import AgentTask, Progress, Trained, TrainingError
from dualwindow_agent.market.following import Course, follow

if TYPE_CHECKING:
    from dualwindow_agent.learning.learner import Learner

__all__ = ["AgentTask", "Progress", "Trained", "TrainingError", "train"]

_DAY = 86400
_EXTRA = ("torch", "stable_baselines3", "sb3_contrib", "gymnasium")

_DIVERGED = "a weight is not a finite number; train with a lower learning_rate"

Report = Callable[[Progress], None]


def train(
    task: AgentTask,
    report: Report = lambda progress: None,
    interrupt: Callable[[], None] = lambda: None,
    *,
    threads: int = 1,
) -> Trained:
    """Train an agent; same task, same policy.

    The first policy, which has learnt nothing, is a candidate, too.

    Parameters
    ----------
    task : see there
    report : called after each rollout, with what the last validation has found
    interrupt : called often; what it raises ends the training
    threads : of PyTorch; a small network is slower with more

    Raises
    ------
    TrainingError
        If the extra `agent` is not installed, or a weight is no finite number any more.
    CheckpointError
        If a checkpoint is of another training, or cannot be written.
    """
    require_extra()
    leave_tensorflow_out()
    from dualwindow_agent.learning.learner import Learner, apart

    with apart(threads):
        learner = Learner(task)
        course = _Training(task, learner, report, threads)
        course.go_on()
        try:
            learner.learn(course.at_rollout, interrupt)
        except ValueError as error:  # of PolicyError, or of PyTorch's distributions
            if learner.is_finite():
                raise
            raise TrainingError(_DIVERGED) from error
    assert course.best is not None
    return Trained(course.best, tuple(course.history))


def missing_packages() -> list[str]:
    """Name the packages of the extra that are not installed."""
    return [name for name in _EXTRA if find_spec(name) is None]


def require_extra() -> None:
    """Refuse where a package is missing that a training needs.

    Raises
    ------
    TrainingError
        If so.
    """
    if missing := missing_packages():
        raise TrainingError(
            f"training an agent needs packages that are not installed: {', '.join(missing)}; "
            "install PyTorch's CPU build first, then the rest by pip install -e '.[agent]', see "
            "docs/agent.md"
        )


def leave_tensorflow_out() -> None:
    """Let PyTorch's TensorBoard writer do without TensorFlow, which it imports if it is there.

    stable-baselines3 imports the writer whether it is used or not, and TensorFlow costs 500 MB and
    seconds. TensorBoard itself looks for a module of this name, and then takes its own stand-in.
    """
    name = "tensorboard.compat.notf"
    sys.modules.setdefault(name, ModuleType(name))


def judge(courses: Sequence[Course], step: int) -> tuple[float, float]:
    """Measure mean growth and trades, per day and pair; `step` is seconds of a candle."""
    days = sum(len(course.growth) for course in courses) * step / _DAY
    growth = sum(float(course.growth.sum()) for course in courses)
    return growth / days, sum(course.trades for course in courses) / days


class _Training:
    """Validates, reports and keeps checkpoints between rollouts.

    Parameters
    ----------
    task, learner, report, threads : see there
    """

    def __init__(self, task: AgentTask, learner: "Learner", report: Report, threads: int) -> None:
        self._task, self._learner, self._report = task, learner, report
        self._checkpoints = (
            None
            if task.checkpoints is None
            else Checkpoints(task.checkpoints, facts_of(task, threads))
        )
        self._saved = 0  # timesteps of the last checkpoint
        self._seconds, self._since = 0.0, elapsed()  # of earlier runs, and where this one began
        self.history: list[Progress] = []
        self.best: Policy | None = None

    def go_on(self) -> None:
        """Take up the last checkpoint, where there is one."""
        state = None if self._checkpoints is None else self._checkpoints.load()
        if state is None:
            return
        self._learner.restore(state["learner"])
        self.history = [Progress(*each) for each in state["history"]]
        self.best = Policy.of_parts(state["best"]["facts"], state["best"]["arrays"])
        self._seconds = state["seconds"]
        self._saved = state["learner"]["timesteps"]

    def at_rollout(self, timesteps: int) -> None:
        """Do what is due before a rollout, or at the end."""
        s, is_over = self._task.settings.learning, timesteps >= self._task.total
        last = self.history[-1].timesteps if self.history else None
        if last is None or _is_due(timesteps, last, s.evaluate_every, always=is_over):
            self._validate(timesteps)
        growth, trades = self.history[-1].growth, self.history[-1].trades_per_day
        self._report(Progress(timesteps, self._task.total, growth, trades, self._now()))
        if _is_due(timesteps, self._saved, s.checkpoint_every, always=is_over):
            self._save(timesteps)

    def _validate(self, timesteps: int) -> None:
        task, policy = self._task, self._learner.policy()
        courses = follow(
            lambda seen, allowed, rows: policy.choose(seen, allowed),
            task.validate,
            task.settings,
            task.terms,
        )
        growth, trades = judge(courses, task.validate[0].candles.step)
        if self.best is None or growth > max(before.growth for before in self.history):
            self.best = policy
        self.history.append(Progress(timesteps, task.total, growth, trades, self._now()))
        self._learner.record(
            {"validation/growth_per_day": growth, "validation/trades_per_day": trades}
        )

    def _save(self, timesteps: int) -> None:
        if self._checkpoints is None:
            return
        assert self.best is not None
        state: dict[str, Any] = {
            "learner": self._learner.state(),
            "history": [list(each) for each in self.history],
            "best": {"facts": self.best.to_facts(), "arrays": self.best.arrays()},
            "seconds": self._now(),
        }
        self._checkpoints.save(state, timesteps)
        self._saved = timesteps

    def _now(self) -> float:
        return self._seconds + elapsed() - self._since


def _is_due(timesteps: int, last: int, every: int, *, always: bool) -> bool:
    """Tell whether a multiple of `every` lies after `last`, up to `timesteps`.

    Examples
    --------
    >>> [_is_due(now, 96, 50, always=False) for now in (99, 100, 101)]
    [False, True, True]
    """
    return timesteps > last and (always or timesteps // every > last // every)

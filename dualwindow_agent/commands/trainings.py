"""Put the trainings of agents together, and train those that are not finished."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dualwindow_agent.commands.agent_folder import AgentFolder
    from dualwindow_agent.learning.task import AgentTask, Trained
    from dualwindow_agent.market.tables import Told
    from dualwindow_agent.market.tape import Tape
    from dualwindow_agent.settings import AgentSettings

# The handlers import what they need, so that --help does not wait.
_VALIDATION_PART = 2 * 1440  # candles of an account on validation
SEEDS = "seeds"


def seeded(settings: "AgentSettings", seed: int) -> "AgentSettings":
    """Give settings another seed."""
    learning = settings.learning.model_copy(update={"seed": seed})
    return settings.model_copy(update={"learning": learning})


def make_task(
    folder: "AgentFolder",
    name: str,
    settings: "AgentSettings",
    told: "Told",
    parts: tuple[Sequence["Tape"], Sequence["Tape"]],
) -> "AgentTask":
    """Put a training together; its checkpoints lie beside its agent."""
    import numpy as np

    from dualwindow_agent.judging.splits import in_parts, trimmed
    from dualwindow_agent.learning.task import AgentTask

    learn, validate = parts
    dates = [tape.candles.date[[tape.first, -1]] for tape in learn]
    span = [int(min(d[0] for d in dates)), int(max(d[1] for d in dates))]
    facts = {
        "pairs": sorted({tape.pair for tape in learn}),
        "learnt_from": [f"{np.datetime64(second, 's')}Z" for second in span],
    }
    return AgentTask(
        tuple(trimmed(tape) for tape in learn),
        tuple(in_parts(validate, _VALIDATION_PART)),
        settings,
        told.barriers,
        told.horizon,
        facts,
        checkpoints=folder.path / name / "checkpoints",
        tensorboard=folder.path / name / "tensorboard",
    )


def train_missing(folder: "AgentFolder", tasks: Mapping[str, "AgentTask"], n_workers: int) -> None:
    """Train all that are not finished, and keep each; one line for each validation."""
    from dualwindow_agent.commands.progress import training_progress
    from dualwindow_agent.learning.checkpoints import remove_checkpoints
    from dualwindow_agent.learning.processes import train_all

    missing = []
    for name in tasks:
        if folder.load(name) is None:
            missing.append(name)
        else:
            print(f"{name}: there from an earlier run")
    if not missing:
        return
    every = tasks[missing[0]].settings.learning.evaluate_every
    totals = {name: tasks[name].total for name in missing}

    def keep(index: int, trained: "Trained") -> None:
        folder.save(missing[index], trained)
        remove_checkpoints(folder.path / missing[index] / "checkpoints")

    with training_progress(totals, every) as report:
        train_all([tasks[name] for name in missing], n_workers, report, keep)


def best_growth(trained: "Trained | None") -> float:
    """Tell what the kept policy of a training came to on validation."""
    assert trained is not None, "it is finished"
    return max(each.growth for each in trained.history)

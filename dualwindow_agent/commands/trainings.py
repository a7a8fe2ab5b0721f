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


def train_missing(
    folder: "AgentFolder", tasks: Mapping[str, "AgentTask"], n_workers: int
) -> dict[str, "Trained"]:
    """Train all that are not finished, and keep each; one line for each validation."""
    loaded = {name: folder.load(name) for name in tasks}
    found = {name: trained for name, trained in loaded.items() if trained is not None}
    for name in found:
        print(f"{name}: there from an earlier run")
    missing = [name for name in tasks if name not in found]
    if missing:
        _train(folder, {name: tasks[name] for name in missing}, n_workers, found)
    _tell_flat([name for name in tasks if found[name].loses])
    return {name: found[name] for name in tasks}


def _train(
    folder: "AgentFolder",
    tasks: Mapping[str, "AgentTask"],
    n_workers: int,
    found: dict[str, "Trained"],
) -> None:
    from dualwindow_agent.commands.progress import training_progress
    from dualwindow_agent.learning.checkpoints import remove_checkpoints
    from dualwindow_agent.learning.processes import train_all

    missing = list(tasks)
    every = tasks[missing[0]].settings.learning.evaluate_every
    totals = {name: task.total for name, task in tasks.items()}

    def keep(index: int, trained: "Trained") -> None:
        name = missing[index]
        folder.save(name, trained)
        folder.remember({name: trained.best.growth})  # at once: what is tried counts
        found[name] = trained
        remove_checkpoints(folder.path / name / "checkpoints")

    with training_progress(totals, every) as report:
        train_all(list(tasks.values()), n_workers, report, keep)


def _tell_flat(names: Sequence[str]) -> None:
    if names:
        print(
            f"note: all that {', '.join(names)} learnt loses on validation: kept flat by "
            "'evaluate' and 'export', as in freqtrade"
        )

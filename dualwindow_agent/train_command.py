"""The command ``dualwindow agent train``: an agent for each seed, from a folder of predictions."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.cli import CommandError, Topics
from dualwindow.outside import cores
from dualwindow_trainer.arguments import add_candles, days, fee, positive

if TYPE_CHECKING:
    from dualwindow_agent.agent_folder import AgentFolder
    from dualwindow_agent.settings import AgentSettings
    from dualwindow_agent.tables import Told
    from dualwindow_agent.tape import Tape
    from dualwindow_agent.task import AgentTask, Trained

# The handlers import what they need, so that --help does not wait.
_VALIDATION_PART = 2 * 1440  # candles of an account on validation
SEEDS = "seeds"


def train_agents(arguments: argparse.Namespace) -> int:
    """Train every seed that is not finished."""
    from dualwindow_agent.agent_folder import AgentFolder
    from dualwindow_agent.asked import boundary_of, settings_of, tapes_of
    from dualwindow_agent.checkpoints import CheckpointError
    from dualwindow_agent.tape import TapeError
    from dualwindow_agent.task import TrainingError
    from dualwindow_agent.training import require_extra

    try:
        require_extra()
        settings = settings_of(arguments)
        _refuse_useless_further(arguments, settings)
        told = tapes_of(arguments, arguments.walk, further=arguments.further)
        boundary = boundary_of(told.tapes, arguments.until, arguments.test_days)
        folder = AgentFolder(arguments.out)
        folder.begin(plan_of(arguments, settings, told, boundary))
        if arguments.combinatorial is not None:
            from dualwindow_agent.combinatorial import train_combinatorial

            return train_combinatorial(arguments, folder, settings, told, boundary)
        return _train_seeds(arguments, folder, settings, told, boundary)
    except (TrainingError, CheckpointError, TapeError) as error:
        raise CommandError(f"agent: {error}") from error


def plan_of(
    arguments: argparse.Namespace, settings: "AgentSettings", told: "Told", boundary: int
) -> dict[str, Any]:
    """Name everything that shapes agents beside their seed, and where to find it again."""
    data = arguments.data and [str(path.resolve()) for path in arguments.data]
    datadir = arguments.datadir and str(arguments.datadir.resolve())
    return {
        "walk": str(arguments.walk.resolve()),
        "further": [str(path.resolve()) for path in arguments.further],
        "pair": arguments.pair,
        "datadir": datadir,
        "data": data,
        "timeframe": arguments.timeframe,
        "timerange": arguments.timerange,
        "boundary": boundary,
        "combinatorial": arguments.combinatorial,
        "barriers": vars(told.barriers),
        "horizon": told.horizon,
        "tapes": [tape_digest(tape) for tape in told.tapes],
        "settings": settings.model_copy(
            update={"learning": settings.learning.model_copy(update={"seed": 0})}
        ).model_dump(mode="json"),
    }


def tape_digest(tape: "Tape") -> str:
    """Digest the predictions and prices of a tape."""
    from dualwindow.learning.fingerprint import digest_arrays

    c = tape.candles
    arrays: list[Any] = [
        c.date,
        tape.opens,
        c.high,
        c.low,
        c.close,
        tape.probabilities,
        *tape.further,
    ]
    return digest_arrays(arrays)


def _refuse_useless_further(arguments: argparse.Namespace, settings: "AgentSettings") -> None:
    if arguments.further and settings.observation != "published":
        raise CommandError(
            "agent: --further is of the observation 'published' only; leave it out, or take "
            "--preset published"
        )


def _train_seeds(
    arguments: argparse.Namespace,
    folder: "AgentFolder",
    settings: "AgentSettings",
    told: "Told",
    boundary: int,
) -> int:
    from dualwindow_agent.tape import split

    step = told.tapes[0].candles.step
    early = [tape.between(0, boundary - told.horizon * step) for tape in told.tapes]
    learn, validate = split(early, settings.learning.validation, told.horizon)
    first = settings.learning.seed
    names = {f"{SEEDS}/{seed}": seed for seed in range(first, first + arguments.seeds)}
    tasks = {
        name: make_task(folder, name, seeded(settings, seed), told, (learn, validate))
        for name, seed in names.items()
    }
    train_missing(folder, tasks, arguments.workers or cores())
    n_tried = folder.remember({name: best_growth(folder.load(name)) for name in names})
    print(
        f"{len(names)} agents in {folder.path / SEEDS}, {n_tried} tried here in all; what they are "
        f"worth: dualwindow agent evaluate --agents {folder.path}"
    )
    return 0


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

    from dualwindow_agent.splits import in_parts, trimmed
    from dualwindow_agent.task import AgentTask

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


def train_missing(folder: "AgentFolder", tasks: dict[str, "AgentTask"], n_workers: int) -> None:
    """Train all that are not finished, and keep each; one line for each validation."""
    from dualwindow_agent.checkpoints import remove_checkpoints
    from dualwindow_agent.processes import train_all
    from dualwindow_agent.progress import training_progress

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


def add_train(commands: Topics) -> None:
    """Add the parser."""
    command = commands.add_parser(
        "train",
        help="train an agent for each seed",
        description="Train agents on the out-of-sample predictions of a walk-forward, an agent for "
        "each seed, and leave the last part of the time untouched for 'evaluate'. A run that was "
        "ended goes on from its checkpoints.",
    )
    command.add_argument(
        "--walk", type=Path, required=True, metavar="DIR", help="--out of a walk-forward"
    )
    command.add_argument(
        "--further",
        type=Path,
        nargs="+",
        default=[],
        metavar="DIR",
        help="of walk-forwards of one or two other horizons, which --preset published sees",
    )
    add_candles(command, "of the predictions that are used; default all")
    untouched = command.add_mutually_exclusive_group()
    untouched.add_argument(
        "--until", metavar="YYYYMMDD", help="nothing is learnt from this day on (a quarter)"
    )
    untouched.add_argument(
        "--test-days", type=days, metavar="N", help="instead: the last N days are left untouched"
    )
    command.add_argument("--seeds", type=positive, default=10, metavar="N", help="how many (10)")
    command.add_argument(
        "--combinatorial",
        type=positive,
        nargs=2,
        metavar=("GROUPS", "HELD_OUT"),
        help="instead: divide the time before the untouched part into groups, and train an agent "
        "for every choice of groups held out, judged on these",
    )
    command.add_argument("--workers", type=positive, metavar="N", help="default all cores")
    command.add_argument(
        "--preset", choices=["default", "published"], default="default", help="(default)"
    )
    command.add_argument(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="any setting of docs/agent.md: learning.timesteps=50000",
    )
    command.add_argument(
        "--fee", type=fee, metavar="RATE", help="of each side; short for --set market.fee=RATE"
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="of the agents; made if not there"
    )
    command.set_defaults(handler=train_agents)

"""The command ``dualwindow agent train``: an agent for each seed, from a folder of predictions."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.cli import CommandError, Topics
from dualwindow.outside import cores
from dualwindow_agent.commands.trainings import SEEDS, make_task, seeded, train_missing
from dualwindow_trainer.arguments import add_candles, days, fee, positive

if TYPE_CHECKING:
    from dualwindow_agent.commands.agent_folder import AgentFolder
    from dualwindow_agent.market.tables import Told
    from dualwindow_agent.settings import AgentSettings

# The handlers import what they need, so that --help does not wait.


def train_agents(arguments: argparse.Namespace) -> int:
    """Train every seed that is not finished."""
    from dualwindow_agent.commands.agent_folder import AgentFolder
    from dualwindow_agent.commands.asked import boundary_of, settings_of, tapes_of
    from dualwindow_agent.learning.checkpoints import CheckpointError
    from dualwindow_agent.learning.task import TrainingError
    from dualwindow_agent.learning.training import require_extra
    from dualwindow_agent.market.tape import TapeError

    try:
        require_extra()
        settings = settings_of(arguments)
        _refuse_useless_further(arguments, settings)
        told = tapes_of(arguments, arguments.walk, further=arguments.further)
        boundary = boundary_of(told.tapes, arguments.until, arguments.test_days)
        folder = AgentFolder(arguments.out)
        folder.begin(plan_of(arguments, settings, told, boundary))
        if arguments.combinatorial is not None:
            from dualwindow_agent.commands.combinatorial import train_combinatorial

            return train_combinatorial(arguments, folder, settings, told, boundary)
        return _train_seeds(arguments, folder, settings, told, boundary)
    except (TrainingError, CheckpointError, TapeError) as error:
        raise CommandError(f"agent: {error}") from error


def plan_of(
    arguments: argparse.Namespace, settings: "AgentSettings", told: "Told", boundary: int
) -> dict[str, Any]:
    """Name everything that shapes agents beside their seed, and where to find it again."""
    from dualwindow_agent.learning.checkpoints import digest_of, made_with

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
        "tapes": [digest_of(tape) for tape in told.tapes],
        "made with": made_with(),
        "settings": settings.model_copy(
            update={"learning": settings.learning.model_copy(update={"seed": 0})}
        ).model_dump(mode="json"),
    }


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
    from dualwindow_agent.market.tape import split

    step = told.tapes[0].candles.step
    early = [tape.between(0, boundary - told.horizon * step) for tape in told.tapes]
    learn, validate = split(early, settings.learning.validation, told.horizon)
    first = settings.learning.seed
    names = {f"{SEEDS}/{seed}": seed for seed in range(first, first + arguments.seeds)}
    tasks = {
        name: make_task(folder, name, seeded(settings, seed), told, (learn, validate))
        for name, seed in names.items()
    }
    found = train_missing(folder, tasks, arguments.workers or cores())
    n_tried = folder.remember({name: trained.best.growth for name, trained in found.items()})
    print(
        f"{len(names)} agents in {folder.path / SEEDS}, {n_tried} tried here in all; what they are "
        f"worth: dualwindow agent evaluate --agents {folder.path}"
    )
    return 0


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
    _add_time(command)
    _add_settings(command)
    command.add_argument("--seeds", type=positive, default=10, metavar="N", help="how many (10)")
    command.add_argument("--workers", type=positive, metavar="N", help="default all cores")
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="of the agents; made if not there"
    )
    command.set_defaults(handler=train_agents)


def _add_time(command: argparse.ArgumentParser) -> None:
    untouched = command.add_mutually_exclusive_group()
    untouched.add_argument(
        "--until", metavar="YYYYMMDD", help="nothing is learnt from this day on (a quarter)"
    )
    untouched.add_argument(
        "--test-days", type=days, metavar="N", help="instead: the last N days are left untouched"
    )
    command.add_argument(
        "--combinatorial",
        type=positive,
        nargs=2,
        metavar=("GROUPS", "HELD_OUT"),
        help="instead: divide the time before the untouched part into groups, and train an agent "
        "for every choice of groups held out, judged on these",
    )


def _add_settings(command: argparse.ArgumentParser) -> None:
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

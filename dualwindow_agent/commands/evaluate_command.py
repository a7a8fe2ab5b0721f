"""The command ``dualwindow agent evaluate``: all agents on the part that was left untouched."""

import argparse
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.cli import CommandError, Topics
from dualwindow_trainer.arguments import whole

if TYPE_CHECKING:
    from dualwindow_agent.commands.agent_folder import AgentFolder
    from dualwindow_agent.learning.task import Trained
    from dualwindow_agent.market.tables import Told
    from dualwindow_agent.market.tape import Tape


def evaluate_agents(arguments: Namespace) -> int:
    """Judge all, print a table and write a JSON."""
    from dualwindow_agent.commands.agent_folder import AgentFolder
    from dualwindow_agent.market.tape import TapeError
    from dualwindow_agent.market.walk_table import TableError

    folder = AgentFolder(arguments.agents)
    try:
        return _judge(folder, arguments.baseline_walk, arguments.tried)
    except (TableError, TapeError) as error:
        raise CommandError(f"agent: {error}") from error


def _judge(folder: "AgentFolder", baseline_walk: Path | None, n_tried_elsewhere: int) -> int:
    from rich.console import Console

    from dualwindow.reports.progress import steps
    from dualwindow_agent.commands.agent_folder import EVALUATION
    from dualwindow_agent.judging.evaluation import evaluate
    from dualwindow_agent.judging.report import evaluation_table

    agents = finished(folder)
    plan = folder.plan()
    tapes = untouched(plan, Path(plan["walk"]))
    baseline = None if baseline_walk is None else _baseline(plan, baseline_walk, tapes)
    with steps("parts") as done:
        acting = {name: trained.acting() for name, trained in agents.items()}
        found = evaluate(acting, tapes, baseline, done.start)
    best = max(agents, key=lambda name: agents[name].best.growth)
    flat = [name for name, trained in agents.items() if trained.loses]
    facts = found.facts(best, folder.n_trials() + n_tried_elsewhere)
    facts["kept flat"] = flat
    folder.write(EVALUATION, facts)
    Console(width=max(Console().width, 104)).print(evaluation_table(found, best, flat))
    for line in [*(f"note: {note}" for note in found.notes), *_verdict(facts)]:
        print(line)
    print(f"all of it in {folder.path / EVALUATION}")
    return 0


def finished(folder: "AgentFolder") -> dict[str, "Trained"]:
    """Load all agents of a folder, by name.

    Raises
    ------
    CommandError
        If there are none, or one is damaged, or they are of ``--combinatorial``.
    """
    from dualwindow_agent.commands.agent_folder import COMBINATORIAL
    from dualwindow_agent.commands.trainings import SEEDS

    if folder.plan()["combinatorial"] is not None:
        raise CommandError(
            f"agent: {folder.path} is of 'agent train --combinatorial', whose agents are judged as "
            f"they are trained, in {folder.path / COMBINATORIAL}; train without it in another "
            "folder to have agents for the untouched part"
        )
    paths = (folder.path / SEEDS).glob("*")
    numbers = sorted(int(path.name) for path in paths if path.name.isdecimal())
    loaded = {f"{SEEDS}/{number}": folder.load(f"{SEEDS}/{number}") for number in numbers}
    found = {name: trained for name, trained in loaded.items() if trained is not None}
    if not found:
        raise CommandError(
            f"agent: {folder.path}: no agent is finished; run 'dualwindow agent train' again"
        )
    for name in loaded.keys() - found.keys():
        print(f"note: {name} is not finished, and left out")
    return found


def untouched(plan: dict[str, Any], walk: Path, *, is_other: bool = False) -> list["Tape"]:
    """Read the tapes of a plan once more, and cut the part out that nothing was learnt from.

    A pair whose predictions end before it is left out.

    Parameters
    ----------
    plan : of the agents
    walk : folder of the predictions
    is_other : whether these are others than those learnt from, by someone held against them

    Raises
    ------
    CommandError
        If candles or predictions have changed since, or do not reach over the part.
    """
    from dualwindow.market.labels import Barriers
    from dualwindow_agent.commands.asked import tapes_of
    from dualwindow_agent.judging.splits import acted_on, trimmed
    from dualwindow_agent.learning.checkpoints import digest_of

    labels: tuple[Barriers, int] = (Barriers(**plan["barriers"]), plan["horizon"])
    further = () if is_other else [Path(path) for path in plan["further"]]
    told: Told = tapes_of(_arguments(plan), walk, labels, further)
    if not is_other and [digest_of(tape) for tape in told.tapes] != plan["tapes"]:
        raise CommandError(
            f"agent: {walk}: predictions or candles are others than those that the agents have "
            "learnt from; train them again"
        )
    end = max(int(tape.candles.date[-1]) + tape.candles.step for tape in told.tapes)
    found = acted_on([trimmed(tape.between(plan["boundary"], end)) for tape in told.tapes])
    if not is_other:
        for pair in sorted({tape.pair for tape in told.tapes} - {tape.pair for tape in found}):
            print(f"note: {pair}: its predictions end before the untouched part, it is left out")
    return found


def _baseline(plan: dict[str, Any], walk: Path, tapes: list["Tape"]) -> list["Tape"]:
    """Read the tapes of the same pairs and candles with the predictions of ``ranges``."""
    _refuse_other_kind(walk)
    mine = {tape.pair: _span_of(tape) for tape in tapes}
    found = [tape for tape in untouched(plan, walk, is_other=True) if tape.pair in mine]
    theirs = {tape.pair: _span_of(tape) for tape in found}
    for pair, span in mine.items():
        if theirs.get(pair) != span:
            raise CommandError(
                f"agent: --baseline-walk {walk}: {pair}: of the untouched part it tells "
                f"{theirs.get(pair, 'nothing')}, the agents' predictions {span}; walk forward over "
                "the same timerange"
            )
    return found


def _span_of(tape: "Tape") -> str:
    import numpy as np

    first, last = (np.datetime64(int(tape.candles.date[row]), "s") for row in (tape.first, -1))
    return f"{first} to {last} UTC"


def _arguments(plan: dict[str, Any]) -> Namespace:
    data = plan["data"] and [Path(path) for path in plan["data"]]
    datadir = plan["datadir"] and Path(plan["datadir"])
    names = ("pair", "timeframe", "timerange")
    return Namespace(data=data, datadir=datadir, **{name: plan[name] for name in names})


def _refuse_other_kind(walk: Path) -> None:
    from dualwindow_agent.market.walk_table import WalkTable

    kind = WalkTable.read(walk).settings.model.kind
    if kind != "ranges":
        raise CommandError(
            f"agent: --baseline-walk {walk}: its models are of kind '{kind}'; the baseline is "
            "'ranges': dualwindow train --walk-forward --kind ranges"
        )


def _verdict(facts: dict[str, Any]) -> list[str]:
    deflated, overfit = (
        facts["deflated sharpe of best on validation"],
        facts["probability of overfitting"],
    )
    lines = []
    if deflated is not None:
        lines.append(
            f"deflated Sharpe ratio of {facts['best on validation']}, the best on validation of "
            f"{facts['trials']} tried: {deflated:.3f} (chance that its true one is above 0)"
        )
    if overfit is not None:
        lines.append(f"probability of overfitting among the agents: {overfit:.2f}")
    return lines


def add_evaluate(commands: Topics) -> None:
    """Add the parser."""
    command = commands.add_parser(
        "evaluate",
        help="judge all agents on the part that was left untouched",
        description="Let all agents of a folder, and those whom they have to beat, live through "
        "the part of the time that nothing was learnt from: one table, one JSON.",
    )
    add_agents(command)
    command.add_argument(
        "--baseline-walk",
        type=Path,
        metavar="DIR",
        help="--out of a walk-forward of kind ranges, on which the rule acts, too",
    )
    command.add_argument(
        "--tried",
        type=whole,
        default=0,
        metavar="N",
        help="agents that were tried elsewhere for the same end: the deflated Sharpe ratio counts "
        "them (0)",
    )
    command.set_defaults(handler=evaluate_agents)


def add_agents(command: argparse.ArgumentParser) -> None:
    """Add the argument that says which agents."""
    command.add_argument(
        "--agents", type=Path, required=True, metavar="DIR", help="--out of 'agent train'"
    )

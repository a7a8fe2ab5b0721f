"""The command ``dualwindow agent export``: one agent, as files to take away."""

from argparse import Namespace
from pathlib import Path
from typing import Any

from dualwindow.cli import CommandError, Topics
from dualwindow_agent.commands.evaluate_command import add_agents, finished


def export_agent(arguments: Namespace) -> int:
    """Copy an agent, and write beside it how it came to be."""
    from dualwindow_agent.commands.agent_folder import EVALUATION, AgentFolder
    from dualwindow_agent.commands.trainings import SEEDS

    folder, out = AgentFolder(arguments.agents), AgentFolder(arguments.out)
    agents = finished(folder)
    name = f"{SEEDS}/{arguments.seed}"
    if arguments.seed == "best":
        name = max(agents, key=lambda each: agents[each].best.growth)
    if name not in agents:
        there = ", ".join(each.removeprefix(f"{SEEDS}/") for each in agents)
        raise CommandError(
            f"agent: --seed must be 'best' or one of {there}. Received: {arguments.seed}"
        )
    if out.path.is_dir() and any(out.path.iterdir()):
        raise CommandError(f"agent: --out {out.path} is not empty; choose another folder")
    trained = agents[name]
    summary: dict[str, Any] = {
        "seed": name.removeprefix(f"{SEEDS}/"),
        "best on validation": trained.best.growth,
        "kept flat": trained.loses,
        "agents tried": folder.n_trials(),
        "validation": [each._asdict() for each in trained.history],
    }
    if (folder.path / EVALUATION).is_file():
        found = folder.read(EVALUATION, "")
        summary["untouched part"] = found["agents"].get(name)
        summary["others"] = found["others"]
    try:
        trained.acting().save(out.path)
    except OSError as error:
        raise CommandError(
            f"agent: --out {out.path} cannot be written ({error.strerror})"
        ) from error
    out.write("summary.json", summary)
    print(f"{name} in {out.path}: policy.npz, agent.json and summary.json")
    if trained.loses:
        print("note: all that it has learnt loses on validation, so it is kept flat")
    return 0


def add_export(commands: Topics) -> None:
    """Add the parser."""
    command = commands.add_parser(
        "export",
        help="write one agent to a folder of its own",
        description="Write one agent to a folder of its own: arrays and JSON, which need neither "
        "PyTorch nor a pickle to act.",
    )
    add_agents(command)
    command.add_argument(
        "--seed", default="best", metavar="SEED", help="of the agent (default best: on validation)"
    )
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="an empty folder")
    command.set_defaults(handler=export_agent)

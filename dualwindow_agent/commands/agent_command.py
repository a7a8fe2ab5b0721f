"""The command ``dualwindow agent``: train agents, judge them, take one away."""

from dualwindow.cli import Command, Topics
from dualwindow_agent.commands.evaluate_command import add_evaluate
from dualwindow_agent.commands.export_command import add_export
from dualwindow_agent.commands.train_command import add_train


def _add(topics: Topics) -> None:
    agent = topics.add_parser("agent", help="let agents trade on out-of-sample predictions")
    commands = agent.add_subparsers(required=True, metavar="COMMAND")
    add_train(commands)
    add_evaluate(commands)
    add_export(commands)


AGENT = Command(_add)

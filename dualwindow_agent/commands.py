"""The command ``dualwindow agent``: train agents, judge them, take the best one away."""

from dualwindow.cli import Command, Topics


def _add(topics: Topics) -> None:
    agent = topics.add_parser("agent", help="let agents trade on out-of-sample predictions")
    agent.add_subparsers(required=True, metavar="COMMAND")


AGENT = Command(_add)

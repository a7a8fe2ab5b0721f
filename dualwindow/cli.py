"""The program ``dualwindow``: finds the commands that packages have registered, and runs one."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, NoReturn, TypeAlias

# Packages register a `Command` each under this name, in [project.entry-points] of pyproject.toml.
ENTRY_POINTS = "dualwindow.commands"
_FAILURE = 2
_INTERRUPTED = 130  # as shells and freqtrade have it

Topics: TypeAlias = "argparse._SubParsersAction[Any]"  # what `add_parser` is called on


class CommandError(Exception):
    """A command cannot do what it was asked to."""


@dataclass(frozen=True)
class Command:
    """What a package registers.

    Parameters
    ----------
    add : adds a parser to the topics, and imports nothing slow; its default `handler` takes the
        parsed arguments and returns the exit status, or raises `CommandError`
    takes_rest : as they are typed, those commands that take more after ``--``; their parsers have
        a default `takes_rest`, and their handlers find it in `rest`
    """

    add: Callable[[Topics], None]
    takes_rest: tuple[str, ...] = ()


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error of this program."""

    def error(self, message: str) -> NoReturn:
        self.exit(_FAILURE, f"dualwindow: {message}; see '{self.prog} --help'\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 2 means that it could not be done.

    Everything behind the first ``--`` belongs to another program, to which the command gives it.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    own = words[: words.index("--")] if "--" in words else words
    try:
        commands = _registered()
        arguments = _parsed(own, commands)
        arguments.rest = words[len(own) + 1 :]
        if arguments.rest and "takes_rest" not in arguments:
            raise CommandError(f"only {_taking_rest(commands)} take more after --")
        return int(arguments.handler(arguments))
    except CommandError as problem:
        print(f"dualwindow: {problem}", file=sys.stderr)
        return _FAILURE
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("dualwindow"):
            raise
        missing = f"the package '{error.name}' is not installed"
        hint = "pip install -e '.[freqtrade,study]' brings what all commands need"
        print(f"dualwindow: {missing}; {hint}", file=sys.stderr)
        return _FAILURE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _registered() -> list[Command]:
    points = sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)
    if not points:
        raise CommandError(
            "no commands are registered, as after an update: install it again, pip install -e "
            "'.[freqtrade]'"
        )
    return [point.load() for point in points]


def _parsed(words: Sequence[str], commands: Iterable[Command]) -> argparse.Namespace:
    parser = _Parser(prog="dualwindow", description="Tools around the DualWindowLSTM model.")
    topics = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in commands:
        command.add(topics)
    arguments, unknown = parser.parse_known_args(words)
    if unknown:
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)}; what {_taking_rest(commands)} pass on "
            "goes after --"
        )
    return arguments


def _taking_rest(commands: Iterable[Command]) -> str:
    *names, last = sorted(f"'{name}'" for command in commands for name in command.takes_rest)
    return f"{', '.join(names)} and {last}" if names else last

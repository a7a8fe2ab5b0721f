"""The command line, ``dualwindow ...``: reads arguments, calls what does the work, prints it."""

import argparse
import json
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.commands import add_sandbox

_FOUND, _FAILURE = 1, 2
_INTERRUPTED = 130  # as shells and freqtrade have it


class CommandError(Exception):
    """A command cannot do what it was asked to."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error of this program."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            message += "; what 'sandbox run' and 'check' pass on goes after --"
        self.exit(_FAILURE, f"dualwindow: {message}; see '{self.prog} --help'\n")


def _status(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from dualwindow_freqtrade.live_status import STATUS_FILE, status_table

    files = sorted(arguments.models.glob(f"*/{STATUS_FILE}"))
    if not files:
        raise CommandError(
            f"--models: no {STATUS_FILE} in a folder of {arguments.models}; a bot writes it once "
            "it has looked at its first candle. In the sandbox the folder is "
            "user_data/sandbox/planted-1/models"
        )
    for path in files:
        table = status_table(path.parent.name, json.loads(path.read_text()), time.time())
        Console().print(table)
    return 0


def _check(arguments: argparse.Namespace) -> int:
    from dualwindow_freqtrade.checks import CheckError, run_check

    logging.disable(logging.INFO)  # freqtrade tells its whole start
    try:
        report = run_check(arguments.what, arguments.rest)
    except CheckError as error:
        raise CommandError(f"check {arguments.what}: {error}") from error
    finally:
        logging.disable(logging.NOTSET)
    for note in report.notes:
        print(f"note: {note}")
    for problem in report.problems:
        print(f"WRONG: {problem}")
    if not report.checked:
        raise CommandError(f"check {arguments.what}: nothing was compared, so nothing is proved")
    wrong = f"{len(report.problems)} problems" if report.problems else "all as it should be"
    print(f"{arguments.what}: {report.checked} values compared, {wrong}")
    return _FOUND if report.problems else 0


def _parser() -> _Parser:
    parser = _Parser(prog="dualwindow", description="Tools around the DualWindowLSTM model.")
    topics = parser.add_subparsers(required=True, metavar="COMMAND")
    status = topics.add_parser("status", help="how the live bots are doing")
    status.add_argument(
        "--models",
        type=Path,
        default=Path("user_data", "models"),
        metavar="DIR",
        help="FreqAI's models (default user_data/models)",
    )
    status.set_defaults(handler=_status)
    check = topics.add_parser(
        "check",
        usage="dualwindow check {parity,leak} [-- OPTIONS OF freqtrade backtesting]",
        help="prove on your own configuration and candles that live is as the backtest",
    )
    check.add_argument(
        "what",
        choices=["parity", "leak"],
        help="parity: stored live predictions against the same candles predicted as a backtest "
        "does; leak: change the future, and nothing before it may move",
    )
    check.set_defaults(handler=_check, takes_rest=True)
    add_sandbox(topics)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 2 means that it could not be done.

    Everything behind the first ``--`` belongs to the command of ``sandbox run``, or to freqtrade.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    own = words[: words.index("--")] if "--" in words else words
    arguments = _parser().parse_args(own)
    arguments.rest = words[len(own) + 1 :]
    if arguments.rest and "takes_rest" not in arguments:
        print("dualwindow: only 'sandbox run' and 'check' take more after --", file=sys.stderr)
        return _FAILURE
    try:
        return int(arguments.handler(arguments))
    except (CommandError, SandboxError) as problem:
        print(f"dualwindow: {problem}", file=sys.stderr)
        return _FAILURE
    except KeyboardInterrupt:
        return _INTERRUPTED

"""The commands ``dualwindow status`` and ``dualwindow check``, for those who run bots."""

import argparse
import logging
import math
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import epoch_seconds

if TYPE_CHECKING:
    from rich.console import Group

# The handlers import what they need, so that --help does not wait for freqtrade.
_FOUND = 1


def _status(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from dualwindow_freqtrade.live.status import STATUS_FILE
    from dualwindow_freqtrade.reporting.status import StatusError

    files = sorted(arguments.models.glob(f"*/{STATUS_FILE}"))
    if not files:
        raise CommandError(
            f"--models: no {STATUS_FILE} in a folder of {arguments.models}; a bot writes it once "
            "it has looked at its first candle. In the sandbox the folder is "
            "user_data/sandbox/planted-1/models"
        )
    now, silent, unread = epoch_seconds(), math.inf, []
    console = Console(markup=False)  # what a bot tells is the text of errors, brackets and all
    for path in files:
        try:
            table, seconds = _read(path, now)
        except StatusError as error:
            unread.append(str(error))
            continue
        console.print(table)
        silent = min(silent, seconds)
    if unread:
        raise CommandError("; ".join(unread))
    longest = arguments.silent_after
    if longest is None or silent <= 60 * longest:
        return 0
    print(f"silent: no candle of the last {longest:g} minutes was looked at with a model")
    return _FOUND


def _read(path: Path, now: float) -> "tuple[Group, float]":
    """Make a table of a bot's status, and tell how long it has been silent."""
    from dualwindow_freqtrade.live.status_table import seconds_silent, status_table
    from dualwindow_freqtrade.reporting.status import read_status

    name = path.parent.name
    return read_status(
        path, lambda facts: (status_table(name, facts, now), seconds_silent(facts, now))
    )


def _check(arguments: argparse.Namespace) -> int:
    from freqtrade.exceptions import FreqtradeException

    from dualwindow_freqtrade.checks.leak import check_leak
    from dualwindow_freqtrade.checks.parity import check_parity
    from dualwindow_freqtrade.freqai.workbench import Workbench, read_words_of_check

    checks = {"parity": check_parity, "leak": check_leak}
    logging.disable(logging.INFO)  # freqtrade tells its whole start
    try:
        report = checks[arguments.what](Workbench(read_words_of_check(arguments.rest)))
    except FreqtradeException as error:
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


def _add_status(topics: Topics) -> None:
    status = topics.add_parser("status", help="how the live bots are doing")
    status.add_argument(
        "--models",
        type=Path,
        default=Path("user_data", "models"),
        metavar="DIR",
        help="FreqAI's models (default user_data/models)",
    )
    status.add_argument(
        "--silent-after",
        type=float,
        metavar="MINUTES",
        help="for health checks: end with status 1 if no bot has looked at a candle with a model "
        "for so long, whether its process lives or not",
    )
    status.set_defaults(handler=_status)


def _add_check(topics: Topics) -> None:
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


STATUS = Command(_add_status)
CHECK = Command(_add_check, takes_rest=("check",))

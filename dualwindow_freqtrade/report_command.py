"""The command ``dualwindow report``: what a backtest, a bot or a walk-forward was worth."""

import argparse
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import epoch_seconds
from dualwindow_trainer.arguments import add_report_of_walk

# The handlers import what they need, so that --help waits for nothing, and a walk-forward needs
# no freqtrade.
if TYPE_CHECKING:
    from dualwindow.judging.evidence import Evidence

_NEEDS_MODELS = (
    "there are no importances of features: --importance needs freqai.save_backtest_models true "
    "when a backtest runs, under a freqai.identifier that has no cached predictions"
)


def _report(arguments: argparse.Namespace) -> int:
    from dualwindow.judging.finding import find
    from dualwindow.reports.files import write_report
    from dualwindow.reports.progress import steps
    from dualwindow.reports.words import spoken

    with steps("parts", 3 if arguments.png is None else 4) as done:
        done.start("gathering predictions and candles")
        evidence, folder = _of_walk(arguments) if arguments.walk_forward else _of_host(arguments)
        done.start("judging them")
        found = find(_narrowed(evidence, arguments), epoch_seconds())
        try:
            done.start("writing the page")
            page = write_report(found, arguments.out or folder)
            if arguments.png is not None:
                from dualwindow.reports.pictures import write_pictures

                done.start("drawing the pictures")
                write_pictures(found, arguments.png)
        except OSError as error:
            raise CommandError(f"report: it cannot be written: {error}") from error
    print("\n".join(spoken(found)))
    if arguments.importance and not evidence.importances:
        print(f"note: {_NEEDS_MODELS}")
    print(f"\nThe report: {page}")
    if arguments.png is not None:
        print(f"The pictures: {arguments.png}")
    return 0


def _of_walk(arguments: argparse.Namespace) -> "tuple[Evidence, Path]":
    from dualwindow_trainer.report_walk import walk_evidence

    return walk_evidence(arguments.walk_forward, arguments), arguments.walk_forward / "report"


def _of_host(arguments: argparse.Namespace) -> "tuple[Evidence, Path]":
    from dualwindow_freqtrade.reporting.gathered import gathered
    from dualwindow_freqtrade.reporting.run_file import RunError

    kind = True if arguments.live else False if arguments.backtest else None
    try:
        return gathered(
            arguments.identifier,
            arguments.userdir,
            arguments.rest,
            is_live=kind,
            is_patient=arguments.importance,
        )
    except RunError as error:
        raise CommandError(f"report: {error}") from error


def _narrowed(evidence: "Evidence", arguments: argparse.Namespace) -> "Evidence":
    """Leave all but one pair out, and show one day, if that is asked for."""
    pair, day = arguments.pair, arguments.day
    if pair is not None:
        if pair not in evidence.candles:
            there = ", ".join(evidence.candles)
            raise CommandError(f"report: --pair: {pair} was not predicted; there are: {there}")
        from dualwindow_freqtrade.reporting.narrowed import of_pair

        evidence = of_pair(evidence, pair)
    if day is None:
        return evidence
    walk = next(iter(evidence.walks.values()))
    first, last = walk.table["date"].min(), walk.table["date"].max()
    if not first.timestamp() - 86400 < day.timestamp() <= last.timestamp():
        raise CommandError(
            f"report: --day: {day:%Y-%m-%d} was not predicted; there are {first:%Y-%m-%d} to "
            f"{last:%Y-%m-%d}"
        )
    return replace(evidence, day=int(day.timestamp()))


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a date like 2024-02-01. Received: {text}"
        ) from None


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "report",
        help="what a backtest, a bot or a walk-forward was worth, in words and as a page",
        description="Judge what was predicted out of sample, say it, and write it as a HTML page "
        "that opens offline, as JSON, and as CSV of daily returns. Without --identifier or "
        "--walk-forward, of the newest backtest or bot there is. After -- come options of "
        "freqtrade backtesting, where the notes of the run are not enough.",
    )
    what = command.add_mutually_exclusive_group()
    what.add_argument("--identifier", metavar="ID", help="freqai.identifier of a backtest or bot")
    what.add_argument(
        "--walk-forward", type=Path, metavar="DIR", help="folder of dualwindow walk-forward"
    )
    command.add_argument(
        "--userdir", type=Path, metavar="DIR", help="freqtrade's; default user_data"
    )
    kind = command.add_mutually_exclusive_group()
    kind.add_argument("--live", action="store_true", help="of the bot, where both are there")
    kind.add_argument("--backtest", action="store_true", help="of the backtest")
    command.add_argument("--pair", metavar="P", help="of this one alone")
    command.add_argument("--day", type=_day, metavar="YYYY-MM-DD", help="to show in detail")
    command.add_argument("--out", type=Path, metavar="DIR", help="default beside the models")
    command.add_argument(
        "--png", type=Path, metavar="DIR", help="write the charts as pictures, too"
    )
    command.add_argument(
        "--importance", action="store_true", help="of the features, also if that takes minutes"
    )
    add_report_of_walk(command)
    command.set_defaults(handler=_report, takes_rest=True)


REPORT = Command(_add, takes_rest=("report",))

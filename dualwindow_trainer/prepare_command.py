"""The command ``dualwindow prepare``: from candles to the training-ready files of others."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics
from dualwindow_trainer.arguments import add_candles, add_configuration

if TYPE_CHECKING:
    from dualwindow.samples.ready_data import ReadyRows

_OF_TRAININGS = ("kind", "epochs", "batch_size", "learning_rate", "seed")


def _prepare(arguments: argparse.Namespace) -> int:
    from dualwindow.market.labels import Labelling
    from dualwindow.market.ready_files import ONE_HOT, SINGLE, ready_bytes
    from dualwindow.reports.progress import steps
    from dualwindow.samples.ready_data import ready_rows
    from dualwindow_trainer.output import write_out
    from dualwindow_trainer.pairs import candles_of
    from dualwindow_trainer.ready_names import ready_name
    from dualwindow_trainer.request import configuration_of, timerange_of

    settings = configuration_of(arguments).settings
    columns = SINGLE if arguments.single_label else ONE_HOT
    start, stop = timerange_of(arguments.timerange)
    # All names before any work: what they cannot say is told at once.
    names = {p: ready_name(p, arguments.timeframe, settings, columns) for p in arguments.pair}
    with steps("pairs", len(names)) as done:
        for pair, candles in candles_of(arguments):
            rows = ready_rows(candles, Labelling.of(settings), start, stop)
            if len(rows.date) == 0:
                lost = _lost(rows)
                raise CommandError(f"{pair}: no row is left ({lost}); begin or end otherwise")
            path = arguments.out / names[pair]
            content = ready_bytes(rows.date, rows.features, rows.labels, columns)
            write_out(path, content, "prepare")
            done.say(f"{pair}: {len(rows.date):,} rows ({_classes(rows)}): {path}")
            done.say(f"  left out: {_lost(rows)}")
            done.advance()
    return 0


def _lost(rows: "ReadyRows") -> str:
    lost = [f"{n:,} {why}" for why, n in rows.left_out.items() if n]
    return ", ".join(lost) or ("none" if len(rows.date) else "no candles in the timerange")


def _classes(rows: "ReadyRows") -> str:
    from dualwindow.market.labels import CLASSES
    from dualwindow.samples.balancing import class_counts

    counts = class_counts(rows.labels).tolist()
    return " + ".join(f"{n:,} {name}" for n, name in zip(counts, CLASSES, strict=True))


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "prepare",
        help="write features and labels of candles as training-ready files",
        description="Write the training-ready file of each pair, with the features and the names "
        "of a published trainer. Rows of which anything is unknown are left out.",
    )
    add_candles(command, "default all candles; features look back before it, nothing looks after")
    add_configuration(command)
    command.add_argument(
        "--single-label",
        action="store_true",
        help="one column 'label' of 0, 1 and 2 instead of three of which one is 1",
    )
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the files"
    )
    command.set_defaults(handler=_prepare, **dict.fromkeys(_OF_TRAININGS))


PREPARE = Command(_add)

"""The command ``dualwindow doctor``: what is wrong here, and how to mend it."""

import argparse

from dualwindow.cli import Command, Topics
from dualwindow.outside import epoch_seconds

# The handlers import what they need, so that --help does not wait for freqtrade.
_FOUND = 1
_ITS_COMMANDS = ("trade", "backtesting")


def _doctor(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from dualwindow_freqtrade.doctor.examination import examine
    from dualwindow_freqtrade.doctor.rows import State
    from dualwindow_freqtrade.doctor.table import as_json, summary, table_of, to_copy
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow

    quiet_tensorflow()
    words = list(arguments.rest)
    if words and words[0] in _ITS_COMMANDS:  # as somebody may copy it
        words.pop(0)
    rows = examine(words, epoch_seconds())
    if arguments.json:
        print(as_json(rows))
    else:
        Console().print(table_of(rows))
        for command in to_copy(rows):
            print(f"{command}\n")
        print(summary(rows))
    return _FOUND if any(row.state == State.FAIL for row in rows) else 0


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "doctor",
        usage="dualwindow doctor [--json] [-- OPTIONS OF freqtrade backtesting]",
        help="look at configuration, candles, models and machine, and say what to mend",
        description="Make the checks that a backtest and a bot make at their start, and more, "
        "without your key: a line for each, with what to do. It ends with status 1 if "
        "something fails.",
    )
    command.add_argument("--json", action="store_true", help="for programs")
    command.set_defaults(handler=_doctor, takes_rest=True)


DOCTOR = Command(_add, takes_rest=("doctor",))

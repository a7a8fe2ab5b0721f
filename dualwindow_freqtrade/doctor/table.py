"""Lay out what the doctor has found, for a terminal or for a program."""

import json
from collections import Counter
from collections.abc import Sequence

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from dualwindow_freqtrade.doctor.rows import Row, State

_COLOURS = {State.PASS: "green", State.WARN: "yellow", State.FAIL: "bold red"}


def table_of(rows: Sequence[Row]) -> Table:
    """Make a table, with what to do below what is wrong."""
    table = Table(box=SIMPLE, pad_edge=False, show_header=False)
    table.add_column("", no_wrap=True)
    table.add_column("topic", no_wrap=True)
    table.add_column("found, and what to do", overflow="fold")
    for row in rows:
        told = Text(row.found)
        if row.fix:
            told.append(f"\n-> {row.fix}", style="bold")
        table.add_row(Text(row.state.value, style=_COLOURS[row.state]), row.topic, told)
    return table


def to_copy(rows: Sequence[Row]) -> list[str]:
    """List the commands, which a table breaks into lines."""
    return [row.fix for row in rows if row.fix.startswith("freqtrade ")]


def summary(rows: Sequence[Row]) -> str:
    """Say in a line how it stands."""
    counts = Counter(row.state for row in rows)
    words = ", ".join(f"{counts[state]} {state.value}" for state in State)
    if counts[State.FAIL]:
        return f"{words}: mend what fails before you run it"
    return f"{words}: it can run" if counts[State.WARN] else f"{words}: all is as it should be"


def as_json(rows: Sequence[Row]) -> str:
    """Give the same for a program."""
    worst = max((row.state for row in rows), key=list(State).index, default=State.PASS)
    told = [
        {"topic": row.topic, "state": row.state.value, "found": row.found, "fix": row.fix}
        for row in rows
    ]
    return json.dumps({"state": worst.value, "rows": told}, indent=1)

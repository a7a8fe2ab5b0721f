"""Lay out for a terminal what agents and those whom they have to beat have come to."""

import math
from collections.abc import Collection

from rich.box import SIMPLE
from rich.table import Table

from dualwindow.reports.terminal import number
from dualwindow_agent.judging.evaluation import Evaluation
from dualwindow_agent.judging.worth import DAYS_OF_YEAR, Worth, difference


def evaluation_table(found: Evaluation, best: str, kept_flat: Collection[str] = ()) -> Table:
    """Show all, the agents first; it fits into 104 columns.

    Parameters
    ----------
    found : see there
    best : the one that was best on validation
    kept_flat : those that lose on validation
    """
    median, worst = found.median(), found.worst()
    days = found.worth(median).days
    table = Table(
        title=f"Untouched part, {days} days, after costs; in %, growth of the log a day and pair",
        title_justify="left",
        caption="\n".join(_captions(found, median, has_flat=bool(kept_flat))),
        caption_justify="left",
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("who", no_wrap=True)
    for column in ("growth", "profit", "draw-\ndown", f"Sharpe\n({DAYS_OF_YEAR} d)"):
        table.add_column(column, justify="right", no_wrap=True)
    for column in ("trades\na day", "in mar-\nket", "median minus it"):
        table.add_column(column, justify="right", no_wrap=True)
    marks = {"m": [median], "w": [worst], "b": [best], "f": kept_flat}
    for name in found.agents:
        letters = " ".join(letter for letter, marked in marks.items() if name in marked)
        table.add_row(f"{name} {letters}", *_cells(found.worth(name)), "")
    table.add_section()
    for name, courses in found.others.items():
        gap = difference(found.agents[median], courses)
        told = f"{100 * gap.mean:+.2f} ({_percent(gap.low)} to {_percent(gap.high)})"
        table.add_row(name, *_cells(found.worth(name)), told)
    return table


def _cells(worth: Worth) -> list[str]:
    return [
        f"{100 * worth.growth:+.3f}",
        f"{100 * worth.profit:+.1f}",
        f"{100 * worth.drawdown:.1f}",
        number(worth.sharpe, "+.2f"),
        f"{worth.trades:.2f}",
        f"{100 * worth.in_market:.1f}",
    ]


def _percent(value: float) -> str:
    return "-" if math.isnan(value) else f"{100 * value:+.2f}"


def _captions(found: Evaluation, median: str, *, has_flat: bool) -> list[str]:
    lines = [
        "m the median agent, w the worst, b the best on validation, which one would have taken"
    ]
    if has_flat:
        lines.append("f kept flat, because all that it has learnt loses on validation")
    lines += ["in brackets: where the difference lies in 95 of 100 drawings of whole days"]
    if "expected value" in found.others:
        rule, mine = (found.worth(name).growth for name in ("expected value", median))
        if min(rule, mine) > 0:
            lines.append(f"the median agent grows {mine / rule:.2f} times as fast as the rule")
    return lines

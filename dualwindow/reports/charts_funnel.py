"""Draw what became of candles: from candles to trades, how trades ended, what training dropped."""

from collections.abc import Mapping, Sequence
from typing import Any

from dualwindow.judging.findings import Findings, Step
from dualwindow.reports.figures import Chart, Table, View, axis, figure, wrapped
from dualwindow.reports.numbers import UNKNOWN, count

_DROPPED_HINT = (
    "Added up over all trainings: a candle counts anew in each whose period it belongs to."
)
_FUNNEL_HINT = "How many are left at each step; the table says why the others are not."


def funnel_charts(findings: Findings) -> list[Chart]:
    """Draw the funnel, the reasons of exits, and why candles were not learnt from."""
    charts = [_funnel(findings.funnel)] if findings.funnel else []
    if findings.exits:
        charts.append(_reasons("exits", "How trades ended", "", findings.exits, "trades"))
    if findings.dropped:
        title, unit = "Why candles were not learnt from", "candles, of all trainings"
        charts.append(_reasons("dropped", title, _DROPPED_HINT, findings.dropped, unit))
    return charts


def _bars(names: Sequence[str], counts: Sequence[int]) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "y": [wrapped(name, 18) for name in names],
        "x": list(counts),
        "text": [f" {count(n)}" for n in counts],
        "textposition": "outside",
        "textangle": 0,
        "cliponaxis": False,
        "textfont": {"color": "@ink"},
        "marker": {"color": "@model-soft", "line": {"color": "@model", "width": 1.5}},
        "hovertemplate": "%{y}: %{x:,}<extra></extra>",
    }


def _layout(counts: Sequence[int]) -> dict[str, Any]:
    """Leave room to the right of the longest bar for its number."""
    return {
        "xaxis": axis(range=[0, 1.5 * max(*counts, 1)], showticklabels=False, showgrid=False),
        "yaxis": axis(
            type="category", autorange="reversed", showgrid=False, tickfont={"color": "@ink"}
        ),
        "bargap": 0.35,
    }


def _funnel(steps: Sequence[Step]) -> Chart:
    counts = [step.count for step in steps]
    bars = _bars([step.name for step in steps], counts)
    spoken = ", then ".join(f"{step.name}: {count(step.count)}" for step in steps)
    rows: list[tuple[str, ...]] = []
    for step in steps:
        lost = [(reason, count(n)) for reason, n in step.lost.items()] or [("", "")]
        rows.append((step.name, count(step.count), *lost[0]))
        rows += [("", "", *each) for each in lost[1:]]
    table = Table(("step", "left", "why others are not", "lost"), tuple(rows), (0, 2))
    view = View("", figure([bars], 36 + 44 * len(steps), **_layout(counts)), spoken, table)
    return Chart("funnel", "funnel", "How many are left", _FUNNEL_HINT, (view,), is_table_open=True)


def _reasons(name: str, title: str, hint: str, found: Mapping[str, int], unit: str) -> Chart:
    ordered = dict(sorted(found.items(), key=lambda item: -item[1]))
    counts = list(ordered.values())
    bars = _bars(list(ordered), counts)
    spoken = ", ".join(f"{reason}: {count(n)}" for reason, n in ordered.items()) or UNKNOWN
    table = Table(("reason", unit), tuple((reason, count(n)) for reason, n in ordered.items()))
    view = View("", figure([bars], 66 + 40 * len(counts), **_layout(counts)), spoken, table)
    return Chart(name, "funnel", title, hint, (view,))

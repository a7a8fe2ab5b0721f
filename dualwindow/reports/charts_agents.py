"""Draw how agents grew against what they are held against, and what they wanted over time."""

from collections.abc import Sequence
from typing import Any

from dualwindow.judging.findings import AgentRow, Agents, Findings
from dualwindow.reports.figures import (
    POSITION_TICKS,
    Chart,
    Table,
    View,
    axis,
    caption,
    figure,
    line,
    rows_of,
    shown,
    time_axis,
    wrapped,
)
from dualwindow.reports.numbers import count, listed, moment, number, percent


def agent_charts(findings: Findings) -> list[Chart]:
    """Draw growth, and positions over time, as far as there are agents."""
    found = findings.agents
    if found is None:
        return []
    charts = [_growth(found)] if found.rows else []
    if any(found.positions.values()):
        charts.append(_positions(found, findings.subject.last))
    return charts


def _growth(found: Agents) -> Chart:
    rows = sorted(found.rows, key=lambda row: -1e9 if row.growth is None else row.growth)
    bars = [
        _bars(name, [row for row in rows if row.is_baseline == is_baseline], colour, line_colour)
        for name, is_baseline, colour, line_colour in (
            ("agent", False, "@model-soft", "@model"),
            ("held against", True, "@grid", "@hold"),
        )
    ]
    layout = {
        "xaxis": axis("growth a day and pair, %", tickformat="+", zeroline=True, nticks=6),
        "yaxis": axis(type="category", showgrid=False, tickfont={"color": "@ink"}, dtick=1)
        | {"categoryorder": "array", "categoryarray": [wrapped(row.name) for row in rows]},
    }
    hint = "One bar for each seed; hatched bars are what agents are held against. One seed alone "
    hint += "says little: look at the middle and at the worst."
    spoken = "; ".join(f"{row.name} {percent(row.growth, 3, sign=True)}" for row in rows[::-1])
    view = View(
        "",
        figure(bars, 110 + 28 * len(rows), **layout, barmode="overlay"),
        spoken,
        _growth_table(found),
    )
    return Chart("agents", "agents", "Seeds and baselines", hint, (view,), is_table_open=True)


def _bars(name: str, rows: Sequence[AgentRow], colour: str, edge: str) -> dict[str, Any]:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [wrapped(row.name) for row in rows],
        "x": [None if row.growth is None else 100 * row.growth for row in rows],
        "marker": {
            "color": colour,
            "line": {"color": edge, "width": 1.5},
            "pattern": {
                "shape": "/" if name != "agent" else "",
                "size": 6,
                "fillmode": "overlay",
                "fgcolor": edge,
            },
        },
        "hovertemplate": "%{y}: %{x:+.3f} % a day and pair<extra></extra>",
    }


def _growth_table(found: Agents) -> Table:
    names = dict.fromkeys(name for row in found.rows for name in row.more)
    more = [name for name in names if any(row.more.get(name) is not None for row in found.rows)]
    rows = tuple(
        (
            row.name,
            "baseline" if row.is_baseline else "agent",
            percent(row.growth, 3, sign=True),
            *(number(row.more.get(name), ".4g") for name in more),
        )
        for row in found.rows
    )
    return Table(("who", "what", "growth a day and pair", *more), rows, (0, 1))


def _positions(found: Agents, end: int) -> Chart:
    there = {pair: changes for pair, changes in found.positions.items() if changes}
    rows = rows_of(len(there), 34, 70)
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "shapes": []}
    for i, (pair, changes) in enumerate(there.items()):
        suffix = "" if i == 0 else str(i + 1)
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": shown(pair),
                # The last one holds to the end.
                "x": [1000 * at for at in (*(at for at, _ in changes), end)],
                "y": [position for _, position in (*changes, changes[-1])],
                "yaxis": f"y{suffix}",
                # Thin, so that many short positions are lighter than a long one.
                "line": {"shape": "hv", "width": 0.5, "color": "@model"},
                "fill": "tozeroy",
                "fillcolor": "@model",
                "showlegend": False,
                "hovertemplate": "%{x|%Y-%m-%d %H:%M}: %{y}<extra></extra>",
            }
        )
        layout[f"yaxis{suffix}"] = axis(domain=rows[i], **POSITION_TICKS)
        layout["annotations"].append(caption(shown(pair), rows[i][1]))
        layout["shapes"].append(line(0, f"y{suffix}"))
    layout["xaxis"] = time_axis(anchor=f"y{len(rows) if len(rows) > 1 else ''}")
    layout["margin"] = {"l": 8, "r": 12, "t": 30, "b": 8}
    table = Table(
        ("pair", "from, UTC", "position"),
        tuple((pair, moment(at), count(p)) for pair, all_ in there.items() for at, p in all_),
        (0, 1),
    )
    view = View(
        "", figure(traces, 104 * len(rows) + 70, **layout), f"Positions of {listed(there)}.", table
    )
    hint = "What the agent wanted at the close of each candle. Where a barrier or the horizon "
    hint += "ended a trade, it may have held less."
    return Chart("positions", "agents", "What the agent wanted to hold", hint, (view,))

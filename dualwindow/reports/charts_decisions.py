"""Draw what probabilities were worth: entering from a threshold on, reliability, confusion."""

from collections.abc import Sequence
from typing import Any

from dualwindow.judging.findings import Bin, Findings, Signals
from dualwindow.reports.charts_confusion import confusion_charts
from dualwindow.reports.figures import (
    COLOURS,
    MARKS,
    Chart,
    Table,
    View,
    axis,
    caption,
    figure,
    line,
    rows_of,
)
from dualwindow.reports.numbers import count, hundredths, number, with_error

SIGNALS_HEAD = (
    "signals (independent)",
    "per\u00a0day and\u00a0pair",
    "hit rate (needed), %",
    "base rate, %",
    "lift",
    "value ± standard error, %",
)


def decision_charts(findings: Findings) -> list[Chart]:
    """Draw thresholds of each direction, reliability of each class, confusion of each way."""
    thresholds = [
        _thresholds(side, rows, findings.entered_from.get(side))
        for side, rows in findings.thresholds.items()
        if any(row.signals for row in rows)
    ]
    reliability = [_reliability(name, bins) for name, bins in findings.reliability.items() if bins]
    return [*thresholds, *reliability, *confusion_charts(findings.ways)]


def _thresholds(side: str, rows: Sequence[Signals], entered_from: float | None) -> Chart:
    curve = [row for row in rows if row.threshold is not None and row.signals]
    heights = rows_of(3, 40, 120)
    x = [row.threshold for row in curve]
    traces = [*_rates(side, curve, x), _values(side, curve, x), _counts(side, curve, x)]
    layout: dict[str, Any] = {
        "xaxis": axis(f"probability of {side}, at least", anchor="y3", showgrid=False),
        "yaxis": axis(domain=heights[0], ticksuffix=" %", nticks=5, rangemode="tozero"),
        "yaxis2": axis(domain=heights[1], ticksuffix=" %", tickformat="+.1f", nticks=5),
        "yaxis3": axis(domain=heights[2], type="log", nticks=4, tickformat="~s"),
        "annotations": [
            caption("value after fees, % ± standard error", heights[1][1]),
            caption("number of signals (logarithmic)", heights[2][1]),
        ],
        "shapes": [line(0, "y2")],
    }
    if entered_from is not None:
        layout["shapes"].append(_upright(entered_from))
    return Chart(
        f"threshold-{side.lower()}",
        "decisions",
        f"{side}: entering from which probability on",
        "The hit rate is held against what would be needed if every miss were a full stop; most "
        "entries end at the horizon, so the value decides. Few signals make wide whiskers: a good "
        "value that rests on a handful of them is luck as likely as not."
        + ("" if entered_from is None else " The upright line is where the rule enters."),
        (
            View(
                "",
                figure(traces, 500, **layout, showlegend=True),
                f"Hit rate, value and number of {side} signals over {len(curve)} thresholds.",
                signals_table(rows),
            ),
        ),
        is_table_open=True,
    )


def _hundred(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else 100 * value for value in values]


def _rates(side: str, rows: Sequence[Signals], x: list[Any]) -> list[dict[str, Any]]:
    shared = {"type": "scatter", "x": x, "yaxis": "y"}
    quoted = (
        ("needed at full stops", [row.needed for row in rows], "@ink", "dash"),
        ("base rate", [row.base_rate for row in rows], "@hold", "dot"),
    )
    lines = [
        {
            **shared,
            "mode": "lines",
            "name": name,
            "y": _hundred(values),
            "line": {"color": colour, "width": 2, "dash": dash},
            "hovertemplate": f"{name} %{{y:.1f}} %<extra></extra>",
        }
        for name, values, colour, dash in quoted
        if any(value is not None for value in values)
    ]
    hits = {
        **shared,
        "mode": "lines+markers",
        "name": "hit rate",
        "y": _hundred([row.hit_rate for row in rows]),
        "line": {"color": COLOURS[side], "width": 2.5},
        "marker": {"symbol": MARKS[side], "size": 9, "color": COLOURS[side]},
        "hovertemplate": "from %{x:.3f}: hit rate %{y:.1f} %<extra></extra>",
    }
    return [hits, *lines]


def _values(side: str, rows: Sequence[Signals], x: list[Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "value",
        "x": x,
        "y": _hundred([row.value for row in rows]),
        "error_y": {
            "type": "data",
            "array": [100 * (row.error or 0.0) for row in rows],
            "color": COLOURS[side],
            "thickness": 1.5,
            "width": 4,
        },
        "yaxis": "y2",
        "marker": {"symbol": MARKS[side], "size": 9, "color": COLOURS[side]},
        "showlegend": False,
        "hovertemplate": "from %{x:.3f}: %{y:+.2f} %<extra></extra>",
    }


def _counts(side: str, rows: Sequence[Signals], x: list[Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "signals",
        "x": x,
        "y": [row.signals for row in rows],
        "yaxis": "y3",
        "line": {"color": COLOURS[side], "width": 2},
        "marker": {"symbol": MARKS[side], "size": 7, "color": COLOURS[side]},
        "showlegend": False,
        "hovertemplate": "from %{x:.3f}: %{y:,} signals<extra></extra>",
    }


def _upright(x: float) -> dict[str, Any]:
    plain = {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1}
    return plain | {"line": {"color": "@muted", "width": 1.5, "dash": "dashdot"}}


def signals_table(rows: Sequence[Signals]) -> Table:
    """Lay out what entering from each threshold on would have met."""
    cells = tuple(
        ("the rule" if row.threshold is None else number(row.threshold, ".3f"), *signals_cells(row))
        for row in rows
    )
    return Table(("from", *SIGNALS_HEAD), cells, ())


def signals_cells(row: Signals) -> tuple[str, ...]:
    """Lay out what signals met, as `SIGNALS_HEAD` names it."""
    return (
        f"{count(row.signals)} ({count(row.independent)})",
        number(row.per_day, ",.1f"),
        f"{hundredths(row.hit_rate)} ({hundredths(row.needed)})",
        hundredths(row.base_rate),
        number(row.lift, ".2f"),
        with_error(row.value, row.error),
    )


def _reliability(name: str, bins: Sequence[Bin]) -> Chart:
    heights = ((0.3, 1.0), (0.0, 0.2))
    told, top = [each.told for each in bins], max(max(b.told, b.high) for b in bins)
    bottom = min(min(b.told, b.low) for b in bins)
    bottom = 0.0 if bottom < top / 2 else bottom
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "name": "happened",
        "x": told,
        "y": [each.happened for each in bins],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [max(each.high - each.happened, 0.0) for each in bins],
            "arrayminus": [max(each.happened - each.low, 0.0) for each in bins],
            "color": COLOURS[name],
            "thickness": 1.5,
            "width": 4,
        },
        "line": {"color": COLOURS[name], "width": 2},
        "marker": {"symbol": MARKS[name], "size": 9, "color": COLOURS[name]},
        "hovertemplate": "told %{x:.3f}, happened %{y:.3f}<extra></extra>",
    }
    counts = {
        "type": "bar",
        "x": told,
        "y": [each.count for each in bins],
        "yaxis": "y2",
        "marker": {"color": COLOURS[name]},
        "hovertemplate": "%{y:,} candles<extra></extra>",
    }
    diagonal = {"type": "line", "x0": bottom, "y0": bottom, "x1": top, "y1": top}
    diagonal["line"] = {"color": "@zero", "width": 1.5, "dash": "dash"}
    ends = {"range": [bottom - 0.03 * (top - bottom), top + 0.03 * (top - bottom)]}
    layout = {
        "xaxis": axis(f"probability of {name} that was told", anchor="y2", **ends),
        "yaxis": axis("share that happened", domain=heights[0], nticks=6, **ends),
        "yaxis2": axis("candles", domain=heights[1], nticks=3, rangemode="tozero", tickformat=",d"),
        "shapes": [diagonal],
        "showlegend": False,
    }
    return Chart(
        f"reliability-{name.lower()}",
        "reliability",
        f"{name}: told and happened",
        "",
        (
            View(
                "",
                figure([points, counts], 380, **layout),
                f"What was told of {name} against what happened, in {len(bins)} groups of candles.",
                _bin_table(bins),
            ),
        ),
    )


def _bin_table(bins: Sequence[Bin]) -> Table:
    head: tuple[str, ...] = ("told", "happened", "95 % band from", "to", "candles")
    rows = tuple(
        (*(number(x, ".3f") for x in (b.told, b.happened, b.low, b.high)), count(b.count))
        for b in bins
    )
    return Table(head, rows, ())

"""Draw a plan: a map of each quantity over the grid, and what is foreseen against its costs."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from dualwindow.judging.plan_rows import MOST_DEARER
from dualwindow.judging.planned import Plan, Row
from dualwindow.market.labels import CLASSES
from dualwindow.reports.figures import (
    CAPTION_MARGIN,
    Chart,
    Table,
    View,
    axis,
    caption,
    figure,
    heat,
    rows_of,
)
from dualwindow.reports.numbers import distance, number, percent

_ROW, _GAP = 190, 64  # pixels
_MARKS = ("circle", "square", "diamond", "triangle-up", "star", "cross", "x", "hexagon")
_COLOURS = ("@model", "@long", "@short", "@baseline", "@hold")
_LOPSIDED = " Where LONG and SHORT have distances of their own, that of LONG comes first."
_MOST_ROWS = 12  # of a map: more are a scroll, not a picture


class _Quantity(NamedTuple):
    """Something that every row has: its name, how to read it, and how it is written."""

    name: str
    of: Callable[[Row], float | None]
    form: str
    factor: float = 1.0


_QUANTITIES = (
    _Quantity("skill of three numbers", lambda row: row.skill, "+.3f"),
    _Quantity("skill in touch", lambda row: row.touch, "+.3f"),
    _Quantity("skill in direction", lambda row: row.direction, "+.3f"),
    _Quantity("HOLD, % of candles", lambda row: row.shares["HOLD"], ".1f", 100),
    _Quantity("hit rate needed, points above chance", lambda row: row.dearer, ".1f", 100),
    _Quantity("independent moves per training", lambda row: sum(row.moves.values()), ",.0f"),
    _Quantity("hours to touch", lambda row: row.hours_to_touch, ".1f"),
)


def map_chart(plan: Plan) -> Chart:
    """Draw one map of take-profit against stop for each horizon, of a quantity to choose."""
    drawn = _drawn(plan.rows)
    hint = "A map for each horizon; what is configured has a frame. A stronger colour is more."
    if n_others := len({row.horizon for row in plan.rows} - {*drawn}):
        hint += f" There is no room for {n_others} more; the table has them all."
    if any(row.is_lopsided for row in plan.rows):
        hint += _LOPSIDED
    views = tuple(_map(plan, quantity, drawn) for quantity in _QUANTITIES)
    return Chart("plan-map", "map", "Over the grid", hint, views, "quantity")


def _drawn(rows: Sequence[Row]) -> list[int]:
    """Choose the horizons that have a map: the shortest, and that which is configured."""
    configured = {row.horizon for row in rows if row.is_configured}
    others = sorted({row.horizon for row in rows} - configured)
    return sorted([*configured, *others[: max(_MOST_ROWS - len(configured), 0)]])


def _map(plan: Plan, quantity: _Quantity, horizons: Sequence[int]) -> View:
    known = [value for row in plan.rows if (value := _value(row, quantity)) is not None]
    limits = (min(known, default=0.0), max(known, default=0.0))
    places = rows_of(len(horizons), _GAP, _ROW)
    traces, layout, notes, shapes = [], {}, [], []
    for i, (horizon, place) in enumerate(zip(horizons, places, strict=True)):
        suffix = "" if i == 0 else str(i + 1)
        rows = [row for row in plan.rows if row.horizon == horizon]
        takes, stops = (
            _names(row.take_profits for row in rows),
            _names(row.stop_losses for row in rows),
        )
        cells = {(_take(row), _stop(row)): row for row in rows}
        traces.append(_heat(cells, takes, stops, quantity, limits) | _on(suffix))
        is_last = i == len(horizons) - 1
        layout[f"xaxis{suffix}"] = axis(
            "take-profit, %" if is_last else "",
            type="category",
            showgrid=False,
            anchor=f"y{suffix}",
            tickfont={"color": "@ink"},
        )
        layout[f"yaxis{suffix}"] = axis(
            "stop, %", type="category", showgrid=False, domain=place, tickfont={"color": "@ink"}
        )
        notes.append(caption(f"<b>within {horizon} candles</b>", place[1]))
        shapes += [
            _frame(takes.index(_take(row)), stops.index(_stop(row)), suffix)
            for row in rows
            if row.is_configured
        ]
    height = len(horizons) * _ROW + (len(horizons) - 1) * _GAP + 100
    drawn = figure(
        traces, height, **layout, annotations=notes, shapes=shapes, margin=CAPTION_MARGIN
    )
    drawn["layout"]["showlegend"] = False
    return View(quantity.name, drawn, _spoken(plan.rows, quantity), _map_table(plan, quantity))


def _heat(
    cells: Mapping[tuple[str, str], Row],
    takes: Sequence[str],
    stops: Sequence[str],
    quantity: _Quantity,
    limits: tuple[float, float],
) -> dict[str, object]:
    values = [
        [_value(cells[t, s], quantity) if (t, s) in cells else None for t in takes] for s in stops
    ]
    told = [[number(value, quantity.form) for value in line] for line in values]
    return heat(list(takes), list(stops), values, told) | {
        "zmin": limits[0],
        "zmax": limits[1] if limits[1] > limits[0] else limits[0] + 1,
        "hovertemplate": f"take-profit %{{x}} %, stop %{{y}} %: %{{text}} ({quantity.name})"
        "<extra></extra>",
    }


def _on(suffix: str) -> dict[str, str]:
    return {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}


def _frame(column: int, line: int, suffix: str) -> dict[str, object]:
    """Frame the cell that is configured now."""
    return {
        "type": "rect",
        "xref": f"x{suffix}",
        "yref": f"y{suffix}",
        "x0": column - 0.5,
        "x1": column + 0.5,
        "y0": line - 0.5,
        "y1": line + 0.5,
        "line": {"color": "@ink", "width": 2.5},
    }


def _spoken(rows: Sequence[Row], quantity: _Quantity) -> str:
    told = [(value, row) for row in rows if (value := _value(row, quantity)) is not None]
    if not told:
        return f"{quantity.name}: unknown everywhere."
    (low, least), (high, most) = (
        min(told, key=lambda each: each[0]),
        max(told, key=lambda each: each[0]),
    )
    return (
        f"{quantity.name}: from {number(low, quantity.form)} at {_said(least)} to "
        f"{number(high, quantity.form)} at {_said(most)}."
    )


def _map_table(plan: Plan, quantity: _Quantity) -> Table:
    rows = sorted(plan.rows, key=lambda r: (r.horizon, r.long_take_profit, r.long_stop_loss))
    return Table(
        ("horizon, candles", "take-profit, %", "stop, %", quantity.name),
        tuple(
            (str(r.horizon), _take(r), _stop(r), number(_value(r, quantity), quantity.form))
            for r in rows
        ),
        (),
    )


def cost_chart(plan: Plan) -> Chart:
    """Draw what three numbers foresee against how much more often than by chance one must hit."""
    known = [row for row in plan.rows if row.skill is not None]
    traces = [_points(known, i, h) for i, h in enumerate(sorted({row.horizon for row in known}))]
    now = [row for row in known if row.is_configured]
    traces.append(
        {
            "type": "scatter",
            "mode": "markers",
            "name": "configured now",
            "x": [100 * row.dearer for row in now],
            "y": [row.skill for row in now],
            "marker": {
                "symbol": "circle-open",
                "size": 20,
                "line": {"width": 2.5},
                "color": "@ink",
            },
            "hoverinfo": "skip",
        }
    )
    layout = {
        "xaxis": axis("points above chance, after fees", rangemode="tozero"),
        "yaxis": axis("skill of three numbers", tickformat="+.2f", zeroline=True),
        "shapes": [_limit()],
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "margin": CAPTION_MARGIN,
    }
    head = (
        "horizon",
        "take-profit, %",
        "stop, %",
        "points above chance",
        "skill",
        "± standard error",
        "hint",
    )
    table = Table(head, tuple(_cost_cells(row) for row in known), (6,))
    spoken = f"Skill against what fees ask, of {len(known)} combinations."
    hint = (
        "Left is cheap, up is foreseen; whiskers are one standard error. Right of the dotted line "
        "fees ask for more than any model of docs/results.md has shown on real candles."
    )
    views = (View("", figure(traces, 440, **layout), spoken, table),)
    return Chart("plan-cost", "map", "What is foreseen against what fees ask", hint, views)


def _points(known: Sequence[Row], i: int, horizon: int) -> dict[str, object]:
    rows = [row for row in known if row.horizon == horizon]
    colour = _COLOURS[i % len(_COLOURS)]
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{horizon} candles",
        "x": [100 * row.dearer for row in rows],
        "y": [row.skill for row in rows],
        "error_y": {
            "type": "data",
            "array": [row.error or 0.0 for row in rows],
            "thickness": 1,
            "width": 0,
            "color": colour,
        },
        "text": [f"take-profit {_take(row)} %, stop {_stop(row)} %: {row.hint}" for row in rows],
        "marker": {"symbol": _MARKS[i % len(_MARKS)], "size": 9, "color": colour},
        "hovertemplate": "%{text}<br>%{x:.1f} points above chance, skill %{y:+.3f}<extra></extra>",
    }


def _limit() -> dict[str, object]:
    at = 100 * MOST_DEARER
    line = {"color": "@zero", "width": 1.5, "dash": "dot"}
    return {"type": "line", "x0": at, "x1": at, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _cost_cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.horizon),
        _take(row),
        _stop(row),
        number(100 * row.dearer, ".1f"),
        number(row.skill, "+.3f"),
        number(row.error, ".3f"),
        row.hint,
    )


def all_rows(plan: Plan, rows: Sequence[Row]) -> Table:
    """Lay all numbers of rows out."""
    head = (
        "take-profit, %",
        "stop, %",
        "horizon",
        *(f"{name}, %" for name in CLASSES),
        "needs, %",
        "points above chance",
        "hours to touch",
        f"moves in {plan.train_days:g} days, SHORT",
        "LONG",
        "skill",
        "± standard error",
        "touch",
        "direction",
        "hint",
    )
    return Table(head, tuple(tuple(_all_cells(row)) for row in rows), (len(head) - 1,))


def _all_cells(row: Row) -> Iterator[str]:
    yield f"{'► ' if row.is_configured else ''}{_take(row)}"
    yield from (_stop(row), str(row.horizon))
    yield from (percent(row.shares[name]).removesuffix(" %") for name in CLASSES)
    yield "/".join(dict.fromkeys(number(100 * each, ".1f") for each in row.break_even.values()))
    yield from (number(100 * row.dearer, ".1f"), number(row.hours_to_touch, ".1f"))
    yield from (number(row.moves[side], ",.0f") for side in ("SHORT", "LONG"))
    yield from (number(row.skill, "+.3f"), number(row.error, ".3f"))
    yield from (number(each, "+.3f") for each in (row.touch, row.direction))
    yield row.hint


def _value(row: Row, quantity: _Quantity) -> float | None:
    value = quantity.of(row)
    return None if value is None else quantity.factor * value


def _take(row: Row) -> str:
    return distance(*row.take_profits)


def _stop(row: Row) -> str:
    return distance(*row.stop_losses)


def _said(row: Row) -> str:
    return f"take-profit {_take(row)} %, stop {_stop(row)} %, {row.horizon} candles"


def _names(distances: Iterable[tuple[float, float]]) -> list[str]:
    """Name distances, the smallest of LONG first."""
    return [distance(*each) for each in sorted({*distances})]

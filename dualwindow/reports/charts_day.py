"""Draw days candle by candle: price, trades with their barriers, the three probabilities."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dualwindow.judging.findings import Day, Deal, Findings
from dualwindow.reports.figures import (
    CAPTION_MARGIN,
    COLOURS,
    DASHES,
    POSITION_TICKS,
    Chart,
    Table,
    View,
    axis,
    caption,
    figure,
    time_axis,
)
from dualwindow.reports.figures import shown as safe
from dualwindow.reports.numbers import UNKNOWN, count, day, moment, number, percent

_TAKE_AND_STOP = {
    "LONG": (("long_take_profit", 1, "@long", "dash"), ("long_stop_loss", -1, "@short", "dot")),
    "SHORT": (("short_take_profit", -1, "@long", "dash"), ("short_stop_loss", 1, "@short", "dot")),
}

_LEGEND_OF_PROBABILITIES = {
    "orientation": "h",
    "x": 1,
    "xanchor": "right",
    "yanchor": "bottom",
    "bgcolor": "@ground",
}


def day_charts(findings: Findings) -> list[Chart]:
    """Draw the days that the report shows."""
    if not findings.days:
        return []
    hint = "The closing price within the range from low to high; triangles are entries, "
    hint += "rings exits, dashes the take-profit and dots the stop of a trade. Below, the three "
    hint += "probabilities of each candle"
    if any(level is not None for day in findings.days for level in day.entered_from.values()):
        hint += "; the level lines are where the rule enters"
    views = tuple(_view(each, findings.subject.barriers) for each in findings.days)
    return [
        Chart(
            "day",
            "day",
            "Price, trades and probabilities",
            f"{hint}.",
            views,
            choice="day and pair",
        )
    ]


def _view(shown: Day, barriers: Mapping[str, float]) -> View:
    has_actions = any(action is not None for action in shown.actions)
    sizes = (250, 150, 60, 60) if has_actions else (250, 150, 60)
    rows, height = _heights(sizes, 40), sum(sizes) + 40 * len(sizes) + 70
    x = [1000 * t for t in shown.date]
    layout = _layout(shown, rows)
    traces = [
        *_price(shown, x),
        *_deals(shown, barriers),
        *_probabilities(shown, x),
        *_thresholds(shown, x),
    ]
    if has_actions:
        traces.append(_actions(shown, x))
    name = f"{day(shown.date[0])}, {shown.pair}" if shown.date else shown.pair
    return View(
        name,
        figure(traces, height, **layout, showlegend=True, hovermode="x unified"),
        f"{len(shown.date)} candles and {len(shown.deals)} trades.",
        _table(shown),
    )


def _whole(shown: Day) -> list[int]:
    """Tell from when to when the day reaches: trades may begin before it and end after it.

    The last one may have begun within the last candle.
    """
    if not shown.date:
        return []
    last = max([shown.date[-1], *(math.ceil(deal.opened) for deal in shown.deals)])
    return [1000 * shown.date[0], 1000 * last]


def _heights(sizes: Sequence[int], gap: int) -> list[tuple[float, float]]:
    """Share the height of a figure among rows of several sizes: (bottom, top), the upper first."""
    whole, top, found = sum(sizes) + gap * (len(sizes) - 1), 1.0, []
    for size in sizes:
        found.append((max(top - size / whole, 0.0), top))
        top -= (size + gap) / whole
    return found


def _layout(shown: Day, rows: Sequence[tuple[float, float]]) -> dict[str, Any]:
    last = len(rows)
    layout: dict[str, Any] = {
        "xaxis": time_axis(anchor=f"y{last}", range=_whole(shown)),
        "yaxis": axis(domain=rows[0], nticks=6, separatethousands=True, exponentformat="none"),
        "yaxis2": axis(domain=rows[1], tickformat=".0%", nticks=5, rangemode="tozero"),
        "yaxis3": axis(domain=rows[2], tickformat=".0%", nticks=3),
        "annotations": [
            caption("price", rows[0][1]),
            caption("probability", rows[1][1]),
            caption("probability of HOLD", rows[2][1]),
        ],
        "legend2": _LEGEND_OF_PROBABILITIES | {"y": rows[1][1]},
        "margin": CAPTION_MARGIN if shown.deals else CAPTION_MARGIN | {"t": 26},
    }
    if last > 3:
        layout["yaxis4"] = axis(domain=rows[3], **POSITION_TICKS)
        layout["annotations"].append(caption("the agent's position", rows[3][1]))
    return layout


def _price(shown: Day, x: list[int]) -> list[dict[str, Any]]:
    plain = {"type": "scatter", "mode": "lines", "x": x, "yaxis": "y"}
    edge = {**plain, "line": {"width": 0}, "hoverinfo": "skip", "showlegend": False}
    return [
        {**edge, "name": "low", "y": list(shown.low)},
        {
            **edge,
            "name": "low to high",
            "y": list(shown.high),
            "fill": "tonexty",
            "fillcolor": "@model-soft",
        },
        {
            **plain,
            "name": "close",
            "showlegend": False,
            "y": list(shown.close),
            "line": {"color": "@model", "width": 1.6},
            "hovertemplate": "%{y:,}<extra>close</extra>",
        },
    ]


def _deals(shown: Day, barriers: Mapping[str, float]) -> Iterator[dict[str, Any]]:
    is_first = True
    for side, symbol in (("LONG", "triangle-up"), ("SHORT", "triangle-down")):
        made = [deal for deal in shown.deals if deal.side == side]
        if made:
            yield _entries(side, symbol, made)
            yield from _levels(side, made, barriers, is_first=is_first)
            is_first = False
    ended = [deal for deal in shown.deals if deal.closed is not None]
    if ended:
        yield _exits(ended)


def _entries(side: str, symbol: str, made: Sequence[Deal]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": f"{side} entry",
        "x": [1000 * deal.opened for deal in made],
        "y": [deal.open_rate for deal in made],
        "text": [safe(deal.tag) for deal in made],
        "marker": _mark(symbol, COLOURS[side], 13),
        "hovertemplate": f"{side} at %{{y:,}}  %{{text}}<extra></extra>",
    }


def _exits(ended: Sequence[Deal]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "exit",
        "x": [1000 * deal.closed for deal in ended if deal.closed is not None],
        "y": [deal.close_rate for deal in ended],
        "text": [f"{safe(deal.reason)}, {percent(deal.profit, 2, sign=True)}" for deal in ended],
        "marker": {"symbol": "circle-open", "color": "@ink", "size": 14, "line": {"width": 2}},
        "hovertemplate": "exit at %{y:,}: %{text}<extra></extra>",
    }


def _mark(symbol: str, colour: str, size: int) -> dict[str, Any]:
    edge = {"color": "@ground", "width": 1.5}
    return {"symbol": symbol, "color": colour, "size": size, "line": edge}


def _levels(
    side: str, made: Sequence[Deal], barriers: Mapping[str, float], *, is_first: bool
) -> Iterator[dict[str, Any]]:
    """Draw take-profit and stop of each trade, as far as it ran; None lifts the pen."""
    for key, sign, colour, dash in _TAKE_AND_STOP[side]:
        if key not in barriers:
            continue
        ended = [deal for deal in made if deal.closed is not None]
        x = [t for d in ended for t in (1000 * d.opened, 1000 * (d.closed or 0.0), None)]
        levels = [deal.open_rate * (1 + sign * barriers[key]) for deal in ended]
        yield {
            "type": "scatter",
            "mode": "lines",
            "name": "take-profit" if "take" in key else "stop",
            "legendgroup": "take-profit" if "take" in key else "stop",
            "showlegend": is_first,
            "x": x,
            "y": [y for level in levels for y in (level, level, None)],
            "line": {"color": colour, "width": 1.5, "dash": dash},
            "hoverinfo": "skip",
        }


def _probabilities(shown: Day, x: list[int]) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": name,
            "x": x,
            "y": list(shown.probabilities[name]),
            "yaxis": "y3" if name == "HOLD" else "y2",
            "legend": "legend2",
            "showlegend": name != "HOLD",
            "line": {"color": colour, "width": 1.6, "dash": DASHES[name]},
            "hovertemplate": f"%{{y:.1%}}<extra>{name}</extra>",
        }
        for name, colour in COLOURS.items()
        if name in shown.probabilities
    ]


def _thresholds(shown: Day, x: list[int]) -> Iterator[dict[str, Any]]:
    """Draw where the rule enters; a line of the layout might lie outside of what is shown."""
    for side, threshold in shown.entered_from.items():
        if threshold is not None and x:
            yield {
                "type": "scatter",
                "mode": "lines",
                "name": f"{side} from",
                "x": [x[0], x[-1]],
                "y": [threshold, threshold],
                "yaxis": "y2",
                "line": {"color": COLOURS[side], "width": 1.2, "dash": DASHES[side]},
                "showlegend": False,
                "hoverinfo": "skip",
            }


def _actions(shown: Day, x: list[int]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "position",
        "showlegend": False,
        "x": x,
        "y": list(shown.actions),
        "yaxis": "y4",
        "line": {"color": "@model", "width": 2, "shape": "hv"},
        "hovertemplate": "%{y}<extra>position</extra>",
    }


def _table(shown: Day) -> Table:
    """Lay out every candle, with what was traded in it."""
    said: dict[int, list[str]] = {}
    for deal in shown.deals:
        said.setdefault(int(deal.opened), []).append(f"{deal.side} entry at {deal.open_rate:,}")
        if deal.closed is not None:
            rate = number(deal.close_rate, ",")
            profit = percent(deal.profit, 2, sign=True)
            said.setdefault(int(deal.closed), []).append(f"exit at {rate}: {deal.reason}, {profit}")
    names = [name for name in COLOURS if name in shown.probabilities]
    rows = tuple(
        (
            moment(t),
            *(number(x, ",") for x in (shown.high[i], shown.low[i], shown.close[i])),
            *(percent(shown.probabilities[name][i]) for name in names),
            count(shown.actions[i]) if shown.actions else UNKNOWN,
            "; ".join(said.pop(t, [])),
        )
        for i, t in enumerate(shown.date)
    )
    rest = tuple(
        (moment(t), *("" for _ in range(4 + len(names))), "; ".join(words))
        for t, words in sorted(said.items())
    )
    head = ("time, UTC", "high", "low", "close", *names, "position", "trades")
    return Table(head, rows + rest, (0, len(head) - 1))

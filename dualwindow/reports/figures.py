"""What a chart is, before anybody draws it, and how all of them look.

A figure is a dictionary as plotly takes it. Its colours are names such as ``@long``, which a theme
turns into colours: the page does that in the browser, pictures by `painted`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from textwrap import wrap
from typing import Any, Literal

Figure = dict[str, Any]
Theme = Literal["light", "dark"]

# Vermillion, bluish green and blue of Okabe and Ito, lighter on a dark ground; every colour has a
# contrast of at least 3 on its ground, and a shape or a dash tells them apart, too.
THEMES: dict[Theme, dict[str, str]] = {
    "light": {
        "ground": "#ffffff",
        "ink": "#1b2430",
        "muted": "#566070",
        "grid": "#e4e8ee",
        "zero": "#9aa4b2",
        "short": "#cf5a00",
        "hold": "#7d8794",
        "long": "#008a64",
        "model": "#0072b2",
        "model-soft": "#a6cfea",
        "baseline": "#a2527f",
        "heat-low": "#f3f6fa",
        "heat-high": "#5aa7d6",
    },
    "dark": {
        "ground": "#151b23",
        "ink": "#e7ebf1",
        "muted": "#a5afbd",
        "grid": "#2a3340",
        "zero": "#66717f",
        "short": "#f28c45",
        "hold": "#98a2b0",
        "long": "#3cc79b",
        "model": "#56b4e9",
        "model-soft": "#275a7c",
        "baseline": "#dd94bd",
        "heat-low": "#1b232d",
        "heat-high": "#1f6f9f",
    },
}
COLOURS = {"SHORT": "@short", "HOLD": "@hold", "LONG": "@long"}
MARKS = {"SHORT": "triangle-down", "HOLD": "square", "LONG": "triangle-up"}
DASHES = {"SHORT": "solid", "HOLD": "dot", "LONG": "6px,2px"}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Liberation Sans', sans-serif"


# In the margin above a figure; the page makes it higher where a legend needs more lines.
_LEGEND = {"orientation": "h", "x": 0, "xanchor": "left"}
_LEGEND |= {"yref": "container", "y": 1, "yanchor": "top"}
POSITION_TICKS: dict[str, Any] = {
    "range": [-1.3, 1.3],
    "tickvals": [-1, 0, 1],
    "ticktext": ["short", "flat", "long"],
}
CAPTION_MARGIN = {"l": 8, "r": 12, "t": 52, "b": 8}


@dataclass(frozen=True)
class Table:
    """The numbers behind a chart, or beside it: cells as they are read.

    `head` names the columns with their units; those in `words` are not numbers.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class View:
    """One figure of a chart, what a screen reader says of it, and its table."""

    label: str
    figure: Figure
    spoken: str
    table: Table


@dataclass(frozen=True)
class Chart:
    """What is drawn in one place: one view, or several to choose from.

    Parameters
    ----------
    name : unique; letters, digits and hyphens
    section : of the page that it belongs to
    title : what it shows
    hint : how to read it, in a sentence or two; may be empty
    views : at least one, the one to show first is the first
    choice : what distinguishes the views, as "day"
    is_table_open : whether the table is shown from the beginning
    """

    name: str
    section: str
    title: str
    hint: str
    views: tuple[View, ...]
    choice: str = ""
    is_table_open: bool = False


def heat(x: Sequence[Any], y: Sequence[Any], z: Sequence[Any], text: Sequence[Any]) -> Figure:
    """Lay out a map of cells as all charts have it: a stronger colour is more."""
    return {
        "type": "heatmap",
        "x": x,
        "y": y,
        "z": z,
        "text": text,
        "texttemplate": "%{text}",
        "textfont": {"color": "@ink", "size": 13},
        "colorscale": [[0, "@heat-low"], [1, "@heat-high"]],
        "showscale": False,
        "xgap": 3,
        "ygap": 3,
    }


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """Lay out an axis as all charts have it."""
    plain: dict[str, Any] = {
        "gridcolor": "@grid",
        "linecolor": "@zero",
        "zerolinecolor": "@zero",
        "zeroline": False,
        "automargin": True,
        "tickfont": {"color": "@muted"},
        "fixedrange": True,
    }
    if title:
        font = {"size": 12.5, "color": "@muted"}
        plain["title"] = {"text": title, "standoff": 8, "font": font}
    return plain | more


def time_axis(**more: Any) -> dict[str, Any]:
    """Lay out an axis of moments, given in milliseconds since 1970 UTC."""
    return axis(type="date", showgrid=False, ticks="outside", tickcolor="@zero", **more)


def figure(traces: Sequence[Mapping[str, Any]], height: int, **layout: Any) -> Figure:
    """Make a figure of traces and what its layout has beside what all have."""
    named = [trace for trace in traces if trace.get("showlegend", True)]
    has_legend = layout.get("showlegend", len(named) > 1)
    plain = {
        "height": height,
        "margin": {"l": 8, "r": 12, "t": 38 if has_legend else 8, "b": 8},
        "paper_bgcolor": "@ground",
        "plot_bgcolor": "@ground",
        "font": {"family": FONT, "size": 13, "color": "@ink"},
        "hoverlabel": {"bgcolor": "@ground", "bordercolor": "@zero", "font": {"color": "@ink"}},
        "legend": _LEGEND,
        "showlegend": has_legend,
        "bargap": 0.25,
        "separators": ".,",
    }
    return {"data": [dict(trace) for trace in traces], "layout": plain | layout}


def rows_of(n: int, gap: int, height: int) -> list[tuple[float, float]]:
    """Share the height of a figure among `n` rows: (bottom, top) of each, the upper one first."""
    inner = n * height + (n - 1) * gap
    tops = [1 - i * (height + gap) / inner for i in range(n)]
    return [(max(top - height / inner, 0.0), top) for top in tops]


def caption(text: str, top: float, **more: Any) -> dict[str, Any]:
    """Write what a row of a figure shows above its upper left corner."""
    plain = {
        "text": text,
        "xref": "paper",
        "yref": "paper",
        "x": 0,
        "y": top,
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12.5, "color": "@muted"},
        "bgcolor": "@ground",
        "align": "left",
    }
    return plain | more


def line(y: Any, axis_name: str = "y", **more: Any) -> dict[str, Any]:
    """Draw a thin horizontal line across a row of a figure."""
    plain = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "yref": axis_name}
    return plain | {"y0": y, "y1": y, "line": {"color": "@zero", "width": 1, **more}}


def shown(text: str) -> str:
    """Make a text safe where plotly reads markup and templates: it shows as it was given.

    Examples
    --------
    >>> shown("<b>%{x}")
    '&lt;b&gt;% {x}'
    """
    return escape(text, quote=False).replace("%{", "% {")


def wrapped(text: str, width: int = 20) -> str:
    """Break a name into lines, so that it leaves room for what it names.

    Examples
    --------
    >>> wrapped("ensemble of lstm and trees")
    'ensemble of lstm and<br>trees'
    """
    return "<br>".join(shown(line) for line in wrap(text, width)) or shown(text)


def painted(value: Any, theme: Theme, *, is_colour: bool = False) -> Any:
    """Put the colours of a theme in the place of their names; what is given stays as it is.

    Only what lies below a colour's key is a name: a text may begin with ``@`` and stays a text.

    Examples
    --------
    >>> painted({"color": "@ink", "text": "@ink"}, "light")
    {'color': '#1b2430', 'text': '@ink'}
    """
    if isinstance(value, Mapping):
        return {
            name: painted(item, theme, is_colour=name.endswith(("color", "colorscale")))
            for name, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [painted(item, theme, is_colour=is_colour) for item in value]
    if is_colour and isinstance(value, str) and value.startswith("@"):
        return THEMES[theme][value[1:]]
    return value

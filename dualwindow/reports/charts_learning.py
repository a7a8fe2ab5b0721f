"""Draw how the model learnt, and what it learnt from: learning curves and the mix of labels."""

import math
from collections.abc import Sequence
from typing import Any

from dualwindow.judging.findings import Findings, LearningCurve, Window
from dualwindow.reports.charts_skill import pairs_of, span_of
from dualwindow.reports.figures import (
    COLOURS,
    Chart,
    Figure,
    Table,
    View,
    axis,
    figure,
    line,
    shown,
    time_axis,
)
from dualwindow.reports.numbers import UNKNOWN, count, day, listed, moment, number

_WITH_LINE = (
    "Validation loss should fall below the dotted line, which is what quoting the class "
    "frequencies costs."
)
_WITHOUT_LINE = (
    "Classes are balanced, so losses are weighted, and there is no line of the class frequencies "
    "to hold them against; validation loss should fall."
)
_PATTERNS = {"SHORT": "/", "HOLD": "", "LONG": "\\"}


def learning_charts(findings: Findings) -> list[Chart]:
    """Draw learning curves and the mix of labels."""
    charts = [_learning(findings.learning)] if findings.learning else []
    if findings.skill.rows:
        charts.append(_mix(findings.skill.rows))
    return charts


def _learning(curves: Sequence[LearningCurve]) -> Chart:
    newest_first = sorted(curves, key=lambda curve: -curve.start)
    has_line = any(curve.loss_of_frequencies is not None for curve in curves)
    return Chart(
        "learning",
        "learning",
        "Learning curves",
        f"{_WITH_LINE if has_line else _WITHOUT_LINE} Where it rises again, the model began to "
        "learn by heart, and the epoch with the lowest one was kept.",
        tuple(map(_curve, newest_first)),
        choice="training",
    )


def _curve(curve: LearningCurve) -> View:
    epochs = list(range(1, len(curve.loss) + 1))
    plain = {"type": "scatter", "mode": "lines+markers", "x": epochs}
    hover = "epoch %{x}: %{y:.4f}"
    traces: list[dict[str, Any]] = [
        {
            **plain,
            "name": "training",
            "y": list(curve.loss),
            "line": {"color": "@hold", "width": 2, "dash": "dot"},
            "marker": {"symbol": "square", "size": 6, "color": "@hold"},
            "hovertemplate": f"{hover}<extra>training</extra>",
        },
        {
            **plain,
            "name": "validation",
            "y": list(curve.validation_loss),
            "line": {"color": "@model", "width": 2.5},
            "marker": {"symbol": "circle", "size": 6, "color": "@model"},
            "hovertemplate": f"{hover}<extra>validation</extra>",
        },
    ]
    if 0 < curve.best <= len(curve.validation_loss):
        traces.append(_kept(curve.best, curve.validation_loss[curve.best - 1]))
    layout = {
        "xaxis": axis("epoch", showgrid=False, tick0=1, dtick=_every(len(curve.loss))),
        "yaxis": axis("log loss, nats", tickformat=".3f"),
        "shapes": _line_of_frequencies(curve.loss_of_frequencies),
        "showlegend": True,
        # About what its labels take. From almost none, plotly's search for margins may swing
        # between two widths, which it complains of.
        "margin": {"l": 60, "r": 12, "t": 38, "b": 48},
    }
    kept = f"epoch {curve.best} was kept" if curve.best else "no epoch was kept"
    return View(
        f"{curve.name}, {day(curve.start)}",
        figure(traces, 320, **layout),
        f"Training and validation loss over {len(epochs)} epochs; {kept}.",
        _curve_table(curve),
    )


def _line_of_frequencies(loss: float | None) -> list[dict[str, Any]]:
    return [] if loss is None else [line(loss, color="@baseline", dash="dot", width=2)]


def _every(n_epochs: int) -> int:
    """Put ticks on whole epochs, at most ten: between two of them plotly would look for others."""
    return max(1, math.ceil(n_epochs / 10))


def _kept(epoch: int, loss: float) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "epoch kept",
        "x": [epoch],
        "y": [loss],
        "marker": {"symbol": "star", "size": 15, "color": "@long"},
        "hovertemplate": "kept: epoch %{x}<extra></extra>",
    }


def _curve_table(curve: LearningCurve) -> Table:
    rows = tuple(
        (str(epoch), number(loss, ".4f"), number(validation, ".4f"))
        for epoch, (loss, validation) in enumerate(
            zip(curve.loss, curve.validation_loss, strict=False), 1
        )
    )
    if curve.loss_of_frequencies is not None:
        of_frequencies = number(curve.loss_of_frequencies, ".4f")
        rows += (("class frequencies", UNKNOWN, of_frequencies),)
    return Table(("epoch", "training loss", "validation loss"), rows)


def _mix(rows: Sequence[Window]) -> Chart:
    return Chart(
        "label-mix",
        "learning",
        "What happened in each window",
        "Shares of the classes that became true. Where they change much from window to window, "
        "what was learnt before may not hold.",
        tuple(_mix_of(pair, windows) for pair, windows in pairs_of(rows).items()),
        choice="pair",
    )


def _mix_of(pair: str, windows: Sequence[Window]) -> View:
    names = [*COLOURS, *sorted({n for window in windows for n in window.labels} - set(COLOURS))]
    traces = [
        {
            "type": "bar",
            "name": shown(name),
            "x": [1000 * window.start for window in windows],
            "y": [window.labels.get(name, 0) for window in windows],
            "width": [960 * (window.stop - window.start) for window in windows],
            "offset": 0,
            "marker": {
                "color": COLOURS.get(name, "@grid"),
                "pattern": {
                    "shape": _PATTERNS.get(name, ""),
                    "fillmode": "overlay",
                    "fgcolor": "@ground",
                    "solidity": 0.15,
                    "size": 7,
                },
            },
            "hovertemplate": f"%{{x|%Y-%m-%d}}: %{{y:.1f}} %<extra>{shown(name)}</extra>",
        }
        for name in names
        if any(window.labels.get(name) for window in windows)
    ]
    return View(
        pair,
        _stacked(traces, span_of(windows)),
        f"Shares of {listed(names)} of {pair}.",
        _mix_table(windows),
    )


def _stacked(traces: list[dict[str, Any]], span: list[int]) -> Figure:
    return figure(
        traces,
        300,
        barmode="stack",
        barnorm="percent",
        xaxis=time_axis(range=span),
        yaxis=axis("candles, %", range=[0, 100]),
        showlegend=True,
    )


def _mix_table(windows: Sequence[Window]) -> Table:
    names = [*COLOURS, *sorted({n for window in windows for n in window.labels} - set(COLOURS))]
    head = ("from", *(f"{name}, candles" for name in names), *(f"{n}, taught" for n in COLOURS))
    rows = tuple(
        (
            moment(window.start),
            *(count(window.labels.get(name, 0)) for name in names),
            *(count(window.taught.get(name)) for name in COLOURS),
        )
        for window in windows
    )
    return Table(head, rows)

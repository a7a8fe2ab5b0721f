"""Draw what a model listens to: the importance of its features and of groups of them."""

from collections.abc import Sequence
from typing import Any

from dualwindow.judging.findings import Findings, Importance, Importances
from dualwindow.reports.charts_confusion import confusion_chart
from dualwindow.reports.figures import (
    COLOURS,
    MARKS,
    Chart,
    Table,
    View,
    axis,
    figure,
    wrapped,
)
from dualwindow.reports.numbers import count, day, number


def importance_charts(findings: Findings) -> list[Chart]:
    """Draw the importance of groups and of features, and the confusion on the same candles."""
    found = findings.importances
    charts = [
        chart
        for chart in (
            _chart("importance-groups", "Groups of features", found, is_group=True),
            _chart("importance-features", "Features one by one", found, is_group=False),
        )
        if chart is not None
    ]
    for i, each in enumerate(found):
        title = f"Confusion on validation: {each.pair}, until {day(each.trained_until)}"
        charts.append(confusion_chart(f"validation-{i + 1}", "importance", title, each.confusion))
    return charts


def _chart(name: str, title: str, found: Sequence[Importances], *, is_group: bool) -> Chart | None:
    views = []
    for each in found:
        rows = sorted(
            (row for row in each.rows if row.is_group == is_group), key=lambda row: row.loss
        )
        if rows:
            views.append(_view(each, rows))
    if not views:
        return None
    hint = "How much worse the log loss gets when a feature is shuffled among candles: the longer "
    hint += "the bar, the more the model listens to it. Marks show it for each class against the "
    hint += "others, whiskers one standard error. Features that tell the same stand in for each "
    hint += "other, and look unimportant."
    return Chart(name, "importance", title, hint if is_group else "", tuple(views), choice="model")


def _view(found: Importances, rows: Sequence[Importance]) -> View:
    names = [wrapped(row.name, 24) for row in rows]
    bars = {
        "type": "bar",
        "orientation": "h",
        "name": "all classes",
        "y": names,
        "x": [row.loss for row in rows],
        "error_x": {
            "type": "data",
            "array": [row.error or 0.0 for row in rows],
            "color": "@ink",
            "thickness": 1.2,
            "width": 3,
        },
        "marker": {"color": "@model-soft", "line": {"color": "@model", "width": 1}},
        "hovertemplate": "%{y}: %{x:+.4f}<extra>all classes</extra>",
    }
    layout: dict[str, Any] = {
        "xaxis": axis("log loss added, nats", tickformat="+.3f", zeroline=True, nticks=5),
        "yaxis": axis(type="category", showgrid=False, tickfont={"color": "@ink"}, dtick=1),
        "showlegend": True,
    }
    return View(
        f"{found.pair}, trained until {day(found.trained_until)}",
        figure([bars, *_marks(names, rows)], 120 + 24 * len(rows), **layout),
        f"Most important: {rows[-1].name}, {number(rows[-1].loss, '+.4f')} nats.",
        _table(rows),
    )


def _marks(names: list[str], rows: Sequence[Importance]) -> list[dict[str, Any]]:
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": side,
            "y": names,
            "x": [row.of_class.get(side) for row in rows],
            "marker": {
                "symbol": MARKS[side],
                "size": 9,
                "color": COLOURS[side],
                "line": {"color": "@ground", "width": 1},
            },
            "hovertemplate": f"%{{y}}: %{{x:+.4f}}<extra>{side}</extra>",
        }
        for side in COLOURS
        if any(side in row.of_class for row in rows)
    ]


def _table(rows: Sequence[Importance]) -> Table:
    head: tuple[str, ...] = ("shuffled", "log loss added, nats", "± standard error", *COLOURS)
    cells = tuple(
        (
            row.name,
            number(row.loss, "+.4f"),
            number(row.error, ".4f"),
            *(number(row.of_class.get(side), "+.4f") for side in COLOURS),
        )
        for row in reversed(rows)
    )
    return Table(head, cells)


def importance_words(found: Importances) -> str:
    """Say on what importances rest."""
    return (
        f"{found.pair}: the model trained until {day(found.trained_until)}, on "
        f"{count(found.windows)} windows of its validation part, each shuffled "
        f"{found.repeats} time{'' if found.repeats == 1 else 's'}; log loss without shuffling "
        f"{number(found.log_loss, '.4f')}. That part calibrated the model, too."
    )

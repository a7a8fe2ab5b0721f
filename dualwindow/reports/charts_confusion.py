"""Draw how often each class was decided where each was true."""

from collections.abc import Sequence

from dualwindow.judging.findings import Way
from dualwindow.reports.figures import COLOURS, Chart, Table, View, axis, figure, heat
from dualwindow.reports.numbers import UNKNOWN, count, number, percent

CLASSES = tuple(COLOURS)


def confusion_charts(ways: Sequence[Way]) -> list[Chart]:
    """Draw the confusion of each way of deciding."""
    return [
        confusion_chart(
            f"confusion-{i}", "decisions", f"Confusion: {way.name}", way.confusion, _of_way(way)
        )
        for i, way in enumerate(ways, 1)
    ]


def _of_way(way: Way) -> Table:
    head: tuple[str, ...] = ("", *(f"decided {name}" for name in CLASSES), "recall")
    rows = [
        (f"was {name}", *map(count, row), percent(recall))
        for name, row, recall in zip(CLASSES, way.confusion, way.recall, strict=True)
    ]
    rows.append(("precision", *map(percent, way.precision), UNKNOWN))
    rows.append(("F1", *(number(f1, ".3f") for f1 in way.f1), UNKNOWN))
    rows.append(("accuracy", percent(way.accuracy), "", "", UNKNOWN))
    return Table(head, tuple(rows))


def confusion_chart(
    name: str, section: str, title: str, counts: Sequence[Sequence[int]], table: Table | None = None
) -> Chart:
    """Draw how often each class was decided where each was true.

    The shade is the share of the true class, so that rare classes can be seen beside HOLD.
    """
    shares = [[100 * n / max(sum(row), 1) for n in row] for row in counts]
    cells = [
        [f"<b>{count(n)}</b><br>{share:.1f} %" for n, share in zip(row, part, strict=True)]
        for row, part in zip(counts, shares, strict=True)
    ]
    cells_drawn = heat(CLASSES, CLASSES, shares, cells) | {
        "zmin": 0,
        "zmax": 100,
        "hovertemplate": "was %{y}, decided %{x}: %{z:.1f} % of its row<extra></extra>",
    }
    layout = {
        "xaxis": axis("decided", side="top", showgrid=False, tickfont={"color": "@ink"}),
        "yaxis": axis("was", autorange="reversed", showgrid=False, tickfont={"color": "@ink"}),
    }
    plain = Table(
        ("", *(f"decided {c}" for c in CLASSES)),
        tuple((f"was {c}", *map(count, row)) for c, row in zip(CLASSES, counts, strict=True)),
    )
    spoken = "; ".join(
        f"of {sum(row):,} {c}, {share[i]:.0f} % were decided so"
        for i, (c, row, share) in enumerate(zip(CLASSES, counts, shares, strict=True))
    )
    view = View("", figure([cells_drawn], 300, **layout), spoken, table or plain)
    return Chart(name, section, title, "", (view,))

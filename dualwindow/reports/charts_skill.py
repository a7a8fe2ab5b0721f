"""Draw what the model was worth: its skill window by window, and the ladder."""

from collections.abc import Sequence
from typing import Any

from dualwindow.judging.findings import Findings, Rung, Skill, Window
from dualwindow.reports.figures import (
    CAPTION_MARGIN,
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
from dualwindow.reports.numbers import (
    UNKNOWN,
    between,
    count,
    hundredths,
    listed,
    moment,
    number,
    skill,
)

_BAR = {"color": "@model-soft", "line": {"color": "@model", "width": 1.5}}


def skill_charts(findings: Findings) -> list[Chart]:
    """Draw skill window by window, and the ladder."""
    found = findings.skill
    is_known = any(row.skill is not None for row in found.rows)
    charts = [_over_time(found)] if is_known else []
    if found.ladder:
        charts.append(_ladder(found))
    return charts


def pairs_of(rows: Sequence[Window]) -> dict[str, list[Window]]:
    """Sort windows by pair, in the order of their first one."""
    found: dict[str, list[Window]] = {}
    for row in rows:
        found.setdefault(row.pair, []).append(row)
    return found


def span_of(rows: Sequence[Window]) -> list[int]:
    """Tell from when to when windows reach, in milliseconds."""
    return [1000 * min(row.start for row in rows), 1000 * max(row.stop for row in rows)]


def _over_time(found: Skill) -> Chart:
    by_pair = pairs_of(found.rows)
    rows = rows_of(len(by_pair), 34, 130)
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"annotations": [], "shapes": []}
    for i, (pair, windows) in enumerate(by_pair.items()):
        suffix = "" if i == 0 else str(i + 1)
        layout[f"yaxis{suffix}"] = axis(domain=rows[i], tickformat="+.2f", nticks=5)
        layout["annotations"].append(caption(shown(pair), rows[i][1]))
        layout["shapes"].append(line(0, f"y{suffix}"))
        traces += _bars_and_steps(pair, windows, found.baseline, suffix, is_first=i == 0)
    layout["xaxis"] = time_axis(
        anchor=f"y{len(rows) if len(rows) > 1 else ''}", range=span_of(found.rows)
    )
    height = 164 * len(rows) + 64
    return Chart(
        "skill-over-time",
        "skill",
        "Skill, window by window",
        "A bar above 0 is a window in which the model was better than quoting how often each class "
        "had occurred; the line shows how three numbers did on the same candles.",
        (
            View(
                "",
                figure(traces, height, **layout, margin=CAPTION_MARGIN),
                f"Skill of {found.windows} windows of {listed(by_pair)}, {found.above_zero} of "
                f"them above 0, mean {skill(found.mean.mean)}.",
                _window_table(found.rows),
            ),
        ),
    )


def _bars_and_steps(
    pair: str, windows: Sequence[Window], baseline: str | None, suffix: str, *, is_first: bool
) -> list[dict[str, Any]]:
    shared = {"xaxis": "x", "yaxis": f"y{suffix}", "showlegend": is_first}
    bars = {
        "type": "bar",
        "name": "model",
        "legendgroup": "model",
        "x": [1000 * window.start for window in windows],
        "y": [window.skill for window in windows],
        "width": [960 * (window.stop - window.start) for window in windows],
        "offset": 0,
        "marker": _BAR,
        "hovertemplate": f"%{{x|%Y-%m-%d}}  skill %{{y:+.3f}}<extra>{shown(pair)}</extra>",
        **shared,
    }
    if baseline is None or all(window.baseline_skill is None for window in windows):
        return [bars]
    ends = [*windows, windows[-1]]
    steps = {
        "type": "scatter",
        "mode": "lines",
        "name": "three numbers",
        "legendgroup": "baseline",
        "x": [*(1000 * window.start for window in windows), 1000 * windows[-1].stop],
        "y": [window.baseline_skill for window in ends],
        "line": {"color": "@ink", "width": 2, "shape": "hv", "dash": "dot"},
        "hovertemplate": "%{y:+.3f}<extra>three numbers</extra>",
        **shared,
    }
    return [bars, steps]


def _window_table(rows: Sequence[Window]) -> Table:
    head: tuple[str, ...] = (
        "pair",
        "from",
        "to",
        "candles judged",
        "without prediction",
        "log loss",
    )
    head += ("of frequencies", "skill", "touch", "direction", "three numbers", "AUC SHORT")
    head += ("AUC LONG", "windows learnt from", "validation loss", "training, s")
    return Table(head, tuple(map(_window_cells, rows)), (0, 1, 2))


def _window_cells(row: Window) -> tuple[str, ...]:
    return (
        row.pair,
        moment(row.start),
        moment(row.stop),
        count(row.judged),
        count(row.unpredicted),
        number(row.log_loss, ".4f"),
        number(row.log_loss_of_frequencies, ".4f"),
        skill(row.skill),
        skill(row.touch),
        skill(row.direction),
        skill(row.baseline_skill),
        number(row.auc_short, ".3f"),
        number(row.auc_long, ".3f"),
        count(row.training_windows),
        number(row.validation_loss, ".4f"),
        number(row.seconds, ",.1f"),
    )


def _ladder(found: Skill) -> Chart:
    rungs = found.ladder[::-1]  # plotly's first is at the bottom
    known = [(rung, rung.skill.mean) for rung in rungs if rung.skill.mean is not None]
    dots = {
        "type": "scatter",
        "mode": "markers",
        "name": "mean skill",
        "x": [mean for _, mean in known],
        "y": [wrapped(rung.name) for rung, _ in known],
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [_reach(rung.skill.high, mean) for rung, mean in known],
            "arrayminus": [_reach(mean, rung.skill.low) for rung, mean in known],
            "color": "@model",
            "thickness": 2,
            "width": 5,
        },
        "marker": {"color": "@model", "size": 11},
        "hovertemplate": "%{y}: %{x:+.3f}<extra></extra>",
    }
    zero = {"type": "line", "x0": 0, "x1": 0, "yref": "paper", "y0": 0, "y1": 1}
    zero["line"] = {"color": "@zero", "width": 1}
    layout = {
        "xaxis": axis("skill", tickformat=".2f", nticks=5, tickangle=0),
        "yaxis": axis(type="category", showgrid=False, tickfont={"color": "@ink"}),
        "shapes": [zero],
    }
    return Chart(
        "ladder",
        "skill",
        "The ladder",
        "Who predicted the same candles, the best one first: mean skill and its 95 % range. Where "
        "ranges overlap widely, the order may be chance.",
        (
            View(
                "",
                figure([dots], 80 + 38 * len(rungs), **layout),
                "; ".join(f"{rung.name} {skill(rung.skill.mean)}" for rung in found.ladder),
                _ladder_table(found.ladder),
            ),
        ),
        is_table_open=True,
    )


def _reach(upper: float | None, lower: float | None) -> float:
    """Length of a whisker; none where its end is unknown."""
    return 0.0 if upper is None or lower is None else upper - lower


def _ladder_table(rungs: Sequence[Rung]) -> Table:
    head: tuple[str, ...] = (
        "who",
        "mean skill",
        "95 % range",
        "windows above 0, %",
        "worst window",
        "touch",
    )
    head += ("direction", "calibration error", "signals", "hit rate, %", "training, s")
    rows = tuple(
        (
            rung.name,
            skill(rung.skill.mean),
            between(rung.skill) or UNKNOWN,
            hundredths(rung.above_zero, 0),
            skill(rung.worst),
            skill(rung.touch),
            skill(rung.direction),
            number(rung.calibration_error, ".3f"),
            count(rung.signals),
            hundredths(rung.hit_rate),
            number(rung.seconds, ",.1f"),
        )
        for rung in rungs
    )
    return Table(head, rows)

"""Lay numbers out as tables for a terminal."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE
from rich.table import Table

from dualwindow.judging.evaluation import Direction, Quality
from dualwindow.judging.ladder import Line
from dualwindow.judging.out_of_sample import FoldScores, Scores
from dualwindow.learning.metrics import beats_reference
from dualwindow.market.labels import CLASSES


def number(value: float, form: str) -> str:
    """Format a number; what is unknown is a dash."""
    return "-" if math.isnan(value) else format(value, form)


def _count(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _value(direction: Direction) -> str:
    mean, error = direction.expected_value, direction.standard_error
    return f"{number(100 * mean, '+.2f')} ± {number(100 * error, '.2f')}"


def _hits(direction: Direction) -> str:
    needed = number(100 * direction.break_even, ".0f")
    return f"{number(100 * direction.hit_rate, '.0f')} ({needed})"


def comparison_table(title: str, ways: Mapping[str, Quality]) -> Table:
    """Compare ways of deciding over everything: a column per way, a line per number."""
    table = Table("", *ways, title=title, title_justify="left")
    several = list(ways.values())

    def line(name: str, cells: list[str]) -> None:
        table.add_row(name, *cells)

    line("candles", [f"{q.candles:,}" for q in several])
    line("accuracy", [number(q.accuracy, ".3f") for q in several])
    for field in ("precision", "recall", "f1"):
        name = f"{field.replace('f1', 'F1')} {' / '.join(CLASSES)}"
        line(name, [" / ".join(number(x, ".3f") for x in getattr(q, field)) for q in several])
    line("trading F1", [number(q.trading_f1, ".3f") for q in several])
    line("share of HOLD, %", [number(100 * q.share_of_hold, ".1f") for q in several])
    line("signals per day and pair", [number(q.signals_per_day, ".1f") for q in several])
    for side in ("short", "long"):
        both = [getattr(q, side) for q in several]
        name = side.upper()
        counts = [f"{d.signals:,} ({_count(d.independent)})" for d in both]
        line(f"{name} signals (independent)", counts)
        line(f"{name} hit rate, % (needed after fees)", [_hits(d) for d in both])
        line(f"{name} value per signal, % ± standard error", [_value(d) for d in both])
    return table


def walk_forward_table(folds: Sequence[FoldScores], overall: Scores) -> Table:
    """Show what each fold of a walk-forward was worth, and all; it fits into 80 columns."""
    above = sum(beats_reference(scores.skill) for _, _, scores in folds)
    table = Table(
        title="Out of sample; skill is the share saved of the class frequencies' log loss",
        title_justify="left",
        caption=f"Skill above 0 in {above} of {len(folds)} folds",
        caption_justify="left",
        box=SIMPLE,
        show_edge=False,
        padding=0,
    )
    for column in ("pair", "from"):
        table.add_column(column, no_wrap=True)
    for column in (
        "candles",
        "log\nloss",
        "freq.\nloss",
        "skill",
        "AUC\nSHORT",
        "AUC\nLONG",
        "s",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    for fold, record, scores in folds:
        day = f"{datetime.fromtimestamp(fold.start, UTC):%Y-%m-%d}"
        table.add_row(fold.pair, day, *_score_cells(scores), _seconds(record.seconds))
    seconds = sum(record.seconds for _, record, _ in folds)
    table.add_section()
    table.add_row("all", f"{len(folds)} folds", *_score_cells(overall), _seconds(seconds))
    return table


def ladder_table(lines: Sequence[Line], baseline: str, needed: float) -> Table:
    """Show those who predicted the same candles, the best one first; it fits into 100 columns.

    Parameters
    ----------
    lines : of `ladder`
    baseline : name of the one that all are held against
    needed : hit rate at which a signal pays its costs; NaN where it is unknown
    """
    table = Table(
        title="Out of sample, the best one first",
        title_justify="left",
        caption="\n".join(_captions(lines)),
        caption_justify="left",
        box=SIMPLE,
        pad_edge=False,
        collapse_padding=True,
    )
    columns = ["mean\nskill", "above\n0", "worst", "touch /\ndirection", "cal.\nerror"]
    columns += [f"signals, %\nhit ({number(100 * needed, '.0f')})", "behind\nbest", "s", "GB"]
    table.add_column("who", max_width=28)
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for line in lines:
        gap, is_best = line.behind_best, line is lines[0]
        table.add_row(
            f"{line.name} †" if line.name == baseline else line.name,
            f"{line.skills.mean():+.4f}",
            f"{100 * (line.skills > 0).mean():.0f} %",
            f"{line.skills.min():+.3f}",
            f"{number(line.touch, '+.3f')} / {number(line.direction, '+.3f')}",
            f"{line.calibration_error:.3f}",
            f"{line.signals:,}, {number(100 * line.hit_rate, '.0f')}",
            "" if is_best else f"{gap.mean:.4f}{'*' if gap.low > 0 else ' '}",
            _seconds(line.seconds),
            "-" if line.memory is None else f"{line.memory / 1e9:.1f}",
        )
    return table


def _captions(lines: Sequence[Line]) -> Iterator[str]:
    yield "† the baseline, that all are held against"
    if any(line.behind_best.low > 0 for line in lines):
        yield "* behind the best one by more than noise"


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _score_cells(scores: Scores) -> list[str]:
    areas = (math.nan if area is None else area for area in (scores.auc_short, scores.auc_long))
    return [
        f"{scores.candles:,}",
        number(scores.log_loss, ".3f"),
        number(scores.log_loss_of_frequencies, ".3f"),
        number(scores.skill, "+.3f"),
        *(number(area, ".2f") for area in areas),
    ]

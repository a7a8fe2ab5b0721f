"""Lay numbers out as tables for a terminal."""

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE
from rich.table import Table

from dualwindow.judging.findings import Signals, Way
from dualwindow.judging.ladder import Line
from dualwindow.judging.out_of_sample import FoldScores, Scores
from dualwindow.learning.metrics import beats_reference
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT


def number(value: float | None, form: str) -> str:
    """Format a number; what is unknown is a dash."""
    return "-" if value is None or math.isnan(value) else format(value, form)


def _hundredths(value: float | None, form: str) -> str:
    return number(None if value is None else 100 * value, form)


def _counts(each: Signals) -> str:
    return f"{each.signals:,} ({'-' if each.independent is None else f'{each.independent:,}'})"


def _value(each: Signals) -> str:
    return f"{_hundredths(each.value, '+.2f')} ± {_hundredths(each.error, '.2f')}"


def _hits(each: Signals) -> str:
    return f"{_hundredths(each.hit_rate, '.0f')} ({_hundredths(each.needed, '.0f')})"


def comparison_table(title: str, ways: Sequence[Way]) -> Table:
    """Compare ways of deciding over everything: a column per way, a line per number."""
    table = Table("", *(way.name for way in ways), title=title, title_justify="left")

    def line(name: str, cells: Iterable[str]) -> None:
        table.add_row(name, *cells)

    line("candles", (f"{way.candles:,}" for way in ways))
    line("accuracy", (number(way.accuracy, ".3f") for way in ways))
    for field in ("precision", "recall", "f1"):
        name = f"{field.replace('f1', 'F1')} {' / '.join(CLASSES)}"
        line(name, (" / ".join(number(x, ".3f") for x in getattr(way, field)) for way in ways))
    line("trading F1", (number(_trading_f1(way), ".3f") for way in ways))
    line("share of HOLD, %", (_hundredths(_share_of_hold(way), ".1f") for way in ways))
    line("signals per day and pair", (number(_per_day(way), ".1f") for way in ways))
    for side in ("SHORT", "LONG"):
        both = [way.sides[side] for way in ways]
        line(f"{side} signals (independent)", (_counts(each) for each in both))
        line(f"{side} hit rate, % (needed after fees)", map(_hits, both))
        line(f"{side} value per signal, % ± standard error", map(_value, both))
    return table


def _trading_f1(way: Way) -> float | None:
    """Average the F1 of SHORT and LONG."""
    short, long = way.f1[SHORT], way.f1[LONG]
    return None if short is None or long is None else (short + long) / 2


def _per_day(way: Way) -> float | None:
    return sum(each.per_day for each in way.sides.values()) if way.candles else None


def _share_of_hold(way: Way) -> float | None:
    held = sum(row[HOLD] for row in way.confusion)
    return held / way.candles if way.candles else None


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

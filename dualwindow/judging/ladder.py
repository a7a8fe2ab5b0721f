"""Compare those who predicted the same candles, and tell whether the best is so by chance."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.comparison import Interval, block_interval
from dualwindow.judging.decisions import Rule, decide
from dualwindow.judging.out_of_sample import training_frequencies
from dualwindow.learning.metrics import calibration_errors, log_loss, skill, split_loss
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, HOLD, UNKNOWN


class LadderError(ValueError):
    """They have not predicted the same."""


class Line(NamedTuple):
    """What one who predicts was worth.

    Parameters
    ----------
    name : who
    skills : (w,) of each window: the share that is saved of the log loss of quoting the class
        frequencies which the baseline was trained on, the same yardstick for all
    touch, direction : skill over all windows in the two questions of which the loss is made: is a
        barrier touched, and which one, given that; NaN where it was never asked
    calibration_error : the largest of the three classes, over all windows
    signals, hit_rate : of the rule; NaN without signals
    seconds : mean of its trainings
    behind_best, behind_baseline : how much better the best one and the baseline are: mean over the
        windows with its 95 % interval, drawn by whole windows of time
    """

    name: str
    skills: FloatArray
    touch: float
    direction: float
    calibration_error: float
    signals: int
    hit_rate: float
    seconds: float
    behind_best: Interval
    behind_baseline: Interval


class _Said(NamedTuple):
    """What one says of the candles that all have predicted."""

    skills: FloatArray
    probabilities: FloatArray
    seconds: float


def ladder(walks: Mapping[str, WalkForward], baseline: str, rule: Rule) -> list[Line]:
    """Lay several walk-forwards over the same pairs and windows side by side, the best one first.

    Only the candles count that all of them have predicted, and whose label is known.

    Parameters
    ----------
    walks : by name, with the same folds
    baseline : name of the one whose training frequencies are the yardstick
    rule : what decides on an entry

    Raises
    ------
    LadderError
        If they have not the same folds, or have no candle in common.
    """
    first = walks[baseline]
    for name, walk in walks.items():
        if _spans(walk) != _spans(first):
            raise LadderError(
                f"{name} predicts other windows than {baseline}: candles are missing before them"
            )
    truth = first.table["label"].to_numpy()
    judged: BoolArray = truth != UNKNOWN
    for name, walk in walks.items():
        if not np.array_equal(walk.table["label"].to_numpy(), truth):
            raise LadderError(f"{name} has other labels than {baseline}")
        judged &= walk.table["valid"].to_numpy()
    if not judged.any():
        raise LadderError("there is no candle that all have predicted and whose label is known")
    windows = [judged & rows for rows in _windows(first)]
    quoted = np.empty((len(truth), len(CLASSES)))
    for rows, record in zip(windows, first.records, strict=True):
        quoted[rows] = training_frequencies(record.labels)
    said = {name: _said(walk, truth, windows, quoted) for name, walk in walks.items()}
    best = max(said, key=lambda name: said[name].skills.mean())
    blocks = np.array([f.start for f, w in zip(first.folds, windows, strict=True) if w.any()])
    lines = [
        _line(
            name,
            mine,
            (said[best], said[baseline]),
            (truth[judged], quoted[judged]),
            judged,
            blocks,
            rule,
        )
        for name, mine in said.items()
    ]
    return sorted(lines, key=lambda line: -line.skills.mean())


def _spans(walk: WalkForward) -> list[tuple[str, int, int]]:
    return [(fold.pair, fold.start, fold.stop) for fold in walk.folds]


def _windows(walk: WalkForward) -> list[BoolArray]:
    pair, fold = walk.table["pair"].to_numpy(), walk.table["fold"].to_numpy()
    return [(pair == each.pair) & (fold == each.number) for each in walk.folds]


def _said(
    walk: WalkForward, truth: IntArray, windows: Sequence[BoolArray], quoted: FloatArray
) -> _Said:
    given = walk.table[list(CLASSES)].to_numpy()
    skills = [
        skill(log_loss(given[rows], truth[rows]), log_loss(quoted[rows], truth[rows]))
        for rows in windows
        if rows.any()
    ]
    return _Said(np.array(skills), given, float(np.mean([r.seconds for r in walk.records])))


def _line(
    name: str,
    mine: _Said,
    others: tuple[_Said, _Said],
    known: tuple[IntArray, FloatArray],
    judged: BoolArray,
    blocks: IntArray,
    rule: Rule,
) -> Line:
    truth, quoted = known
    given = mine.probabilities[judged]
    split, reference = split_loss(given, truth), split_loss(quoted, truth)
    chosen = decide(given, rule)
    entered = chosen != HOLD
    behind = [block_interval(other.skills - mine.skills, blocks) for other in others]
    return Line(
        name,
        mine.skills,
        _skill(split.touch, reference.touch),
        _skill(split.direction, reference.direction),
        max(calibration_errors(given, truth)),
        int(entered.sum()),
        float((chosen == truth)[entered].mean()) if entered.any() else float("nan"),
        mine.seconds,
        *behind,
    )


def _skill(loss: float, reference: float) -> float:
    """NaN where the question was never asked, as of the direction where nothing has moved."""
    return skill(loss, reference) if reference > 0 else float("nan")


def verdict(lines: Sequence[Line], baseline: str) -> list[str]:
    """Say in words who is best, and whether that is more than noise."""
    best = lines[0]
    told = [f"best: {best.name}, mean skill {best.skills.mean():+.4f}"]
    others = {lines[1].name: lines[1]} if len(lines) > 1 else {}
    others |= {line.name: line for line in lines[1:] if line.name == baseline}
    for name, line in others.items():
        gap = line.behind_best
        if np.isnan(gap.low):
            told.append(
                f"better than {name} by {gap.mean:.4f}; of a single window of time nothing can be "
                "said about chance"
            )
            continue
        how = "more than noise" if gap.low > 0 else "no more than noise"
        between = f"({gap.low:+.4f} .. {gap.high:+.4f})"
        told.append(f"better than {name} by {gap.mean:.4f} {between}: {how}")
    return told

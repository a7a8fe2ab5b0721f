"""Compare those who predicted the same candles, and tell whether the best is so by chance."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.comparison import LEAST_BLOCKS, Interval, block_interval, blocks_of
from dualwindow.judging.decisions import Rule, decide
from dualwindow.judging.out_of_sample import FoldScores, fold_scores, overall_scores
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, HOLD, UNKNOWN
from dualwindow.settings import Fallback


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
    memory : bytes, the most that a process had while it trained and predicted; None where nobody
        has looked
    behind_best, behind_baseline : how much better the best one and the baseline are: mean over the
        windows with its 95 % interval, of whole windows of time
    """

    name: str
    skills: FloatArray
    touch: float
    direction: float
    calibration_error: float
    signals: int
    hit_rate: float
    seconds: float
    memory: int | None
    behind_best: Interval
    behind_baseline: Interval


def ladder(
    walks: Mapping[str, WalkForward], baseline: str, rule: Rule, fallback: Fallback = "hold"
) -> list[Line]:
    """Lay several walk-forwards over the same pairs and windows side by side, the best one first.

    Only the candles count that all of them have predicted, and whose label is known.

    Parameters
    ----------
    walks : by name, with the same folds
    baseline : name of the one whose training frequencies are the yardstick
    rule, fallback : what decides on an entry, see `decide`

    Raises
    ------
    LadderError
        If they have not the same folds or labels, or have no candle in common.
    """
    same = alike(walks, baseline)
    windows = {name: _judged(fold_scores(walk)) for name, walk in same.items()}
    references = windows[baseline]
    if not references:
        raise LadderError("there is no candle that all have predicted and whose label is known")
    skills = {name: skills_of(theirs, references) for name, theirs in windows.items()}
    best = max(skills, key=lambda name: skills[name].mean())
    blocks = _blocks(same[baseline], references)
    lines = []
    for name, walk in same.items():
        behind = [block_interval(skills[w] - skills[name], blocks) for w in (best, baseline)]
        lines.append(
            Line(
                name,
                skills[name],
                *skills_by_question(windows[name], references),
                max(overall_scores(walk).calibration_errors),
                *_signals(walk, rule, fallback),
                float(np.mean([record.seconds for record in walk.records])),
                max((r.memory for r in walk.records if r.memory is not None), default=None),
                *behind,
            )
        )
    return sorted(lines, key=lambda line: -line.skills.mean())


def alike(walks: Mapping[str, WalkForward], first: str) -> dict[str, WalkForward]:
    """Leave out the candles that one of them has not predicted.

    Raises
    ------
    LadderError
        If one has other folds or other labels than the first.
    """
    reference = walks[first]
    labels, valid = reference.table["label"], reference.table["valid"].to_numpy().copy()
    for name, walk in walks.items():
        if _spans(walk) != _spans(reference):
            raise LadderError(
                f"{name} predicts other windows than {first}: candles are missing before them"
            )
        if not np.array_equal(walk.table["label"], labels):
            raise LadderError(f"{name} has other labels than {first}")
        valid &= walk.table["valid"].to_numpy()
    return {n: walk._replace(table=walk.table.assign(valid=valid)) for n, walk in walks.items()}


def skills_of(windows: Sequence[FoldScores], references: Sequence[FoldScores]) -> FloatArray:
    """Share that is saved of the log loss of the frequencies which the references know: (w,)."""
    return np.array(
        [
            1 - window.scores.log_loss / reference.scores.log_loss_of_frequencies
            for window, reference in zip(windows, references, strict=True)
        ]
    )


def skills_by_question(
    windows: Sequence[FoldScores], references: Sequence[FoldScores]
) -> tuple[float, float]:
    """Skill over all windows in each question: is a barrier touched, and which one.

    NaN where a question was never asked, as that of the direction where nothing has moved.
    """
    sizes = np.array([window.scores.candles for window in windows])
    split = np.array([window.scores.split for window in windows])
    quoted = np.array([window.scores.split_of_frequencies for window in references])
    lost, of = sizes @ split, sizes @ quoted
    touch, direction = 1 - np.divide(lost, of, out=np.full(2, np.nan), where=of > 0)
    return float(touch), float(direction)


def _spans(walk: WalkForward) -> list[tuple[str, int, int]]:
    return [(fold.pair, fold.start, fold.stop) for fold in walk.folds]


def _judged(windows: Sequence[FoldScores]) -> list[FoldScores]:
    return [window for window in windows if window.scores.candles]


def _blocks(walk: WalkForward, judged: Sequence[FoldScores]) -> IntArray:
    """Find the blocks of time of the judged windows: those that they have among all windows."""
    starts, stops = np.array([(fold.start, fold.stop) for fold in walk.folds]).T
    found = dict(zip(walk.folds, blocks_of(starts, stops).tolist(), strict=True))
    return np.array([found[each.fold] for each in judged])


def _signals(walk: WalkForward, rule: Rule, fallback: Fallback) -> tuple[int, float]:
    """Count the entries of a rule, and the share of them that came true."""
    table = walk.table[walk.table["valid"] & (walk.table["label"] != UNKNOWN)]
    chosen = decide(table[list(CLASSES)].to_numpy(), rule, fallback)
    truth = table["label"].to_numpy()
    entered = chosen != HOLD
    hits = float((chosen == truth)[entered].mean()) if entered.any() else float("nan")
    return int(entered.sum()), hits


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
                f"better than {name} by {gap.mean:.4f}; of fewer than {LEAST_BLOCKS} windows of "
                "time nothing can be said about chance"
            )
            continue
        how = "more than noise" if gap.low > 0 else "no more than noise"
        between = f"({gap.low:+.4f} .. {gap.high:+.4f})"
        told.append(f"better than {name} by {gap.mean:.4f} {between}: {how}")
    return told

"""Say what every window was worth: its scores, its labels, and what its training was taught."""

from collections.abc import Sequence

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.findings import LearningCurve, Window
from dualwindow.judging.out_of_sample import FoldScores
from dualwindow.judging.rungs import or_none
from dualwindow.learning.metrics import skill
from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, UNKNOWN

NOT_KNOWN = "unknown"


def windows(
    scored: Sequence[FoldScores],
    blocks: IntArray,
    labels: Sequence[IntArray],
    baseline: FloatArray,
) -> tuple[Window, ...]:
    """Lay out every window, in the order of time.

    Parameters
    ----------
    scored : of each window
    blocks : (w,) of time, of each window
    labels : of each window, those of its candles
    baseline : (w,) skill of the baseline; NaN where it is unknown
    """
    rows = zip(scored, blocks.tolist(), labels, baseline.tolist(), strict=True)
    return tuple(_window(*row) for row in rows)


def _window(each: FoldScores, block: int, labels: IntArray, baseline: float) -> Window:
    fold, record, scores = each
    counts = {name: int((labels == code).sum()) for code, name in enumerate(CLASSES)}
    split, quoted = scores.split, scores.split_of_frequencies
    return Window(
        pair=fold.pair,
        start=fold.start,
        stop=fold.stop,
        block=block,
        judged=scores.candles,
        unpredicted=scores.unpredicted,
        log_loss=or_none(scores.log_loss),
        log_loss_of_frequencies=or_none(scores.log_loss_of_frequencies),
        skill=or_none(scores.skill),
        touch=_part(split.touch, quoted.touch),
        direction=_part(split.direction, quoted.direction),
        baseline_skill=or_none(baseline),
        auc_short=scores.auc_short,
        auc_long=scores.auc_long,
        labels={**counts, NOT_KNOWN: int((labels == UNKNOWN).sum())},
        taught=_counts(record.training_labels),
        training_windows=record.training_windows.total,
        validation_loss=or_none(record.validation.log_loss),
        seconds=record.seconds,
    )


def _part(lost: float, of: float) -> float | None:
    return or_none(skill(lost, of)) if of > 0 else None


def _counts(counts: ClassCounts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in CLASSES}


def learning_curves(walk: WalkForward) -> tuple[LearningCurve, ...]:
    """Give the losses of every training that had epochs; of one that pairs share, once."""
    found, told = [], set[tuple[object, ...]]()
    for fold, record in zip(walk.folds, walk.records, strict=True):
        losses = [epoch.validation_loss for epoch in record.epochs]
        key = (fold.start, record.learnt_from or record.pair, tuple(losses))
        if not losses or key in told or not np.isfinite(losses).all():
            continue
        told.add(key)
        found.append(_curve(fold.start, record))
    return tuple(found)


def _curve(start: int, record: TrainingRecord) -> LearningCurve:
    who = ", ".join(record.learnt_from) or record.pair
    is_weighted = record.settings.balancing.method != "none"
    return LearningCurve(
        name=who,
        start=start,
        loss=tuple(epoch.loss for epoch in record.epochs),
        validation_loss=tuple(epoch.validation_loss for epoch in record.epochs),
        best=record.best_epoch,
        loss_of_frequencies=None if is_weighted else record.validation.log_loss_of_frequencies,
    )


def dropped(walk: WalkForward) -> dict[str, int]:
    """Add up why rows were no training windows, over all trainings, whose periods may overlap."""
    counts: dict[str, int] = {}
    for record in walk.records:
        for reason, n in record.rejected.items():
            counts[reason] = counts.get(reason, 0) + n
    return {reason: n for reason, n in counts.items() if n}

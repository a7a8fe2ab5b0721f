"""Judge the out-of-sample predictions of a walk-forward, fold by fold and all together."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray
from dualwindow.learning.folds import Fold
from dualwindow.learning.metrics import (
    SplitLoss,
    auc,
    calibration_errors,
    log_loss,
    skill,
    split_loss,
)
from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, LONG, SHORT, UNKNOWN
from dualwindow.samples.balancing import smoothed


class Scores(NamedTuple):
    """What probabilities were worth.

    Parameters
    ----------
    candles : predicted, with a known label; the others count nowhere
    unpredicted : without a prediction, though asked for
    log_loss, log_loss_of_frequencies : in nats per candle; of the class frequencies that the
        training labels had. NaN without candles
    skill : share of the frequencies' loss that is saved
    auc_short, auc_long : of one class against the others; None if either is absent
    calibration_errors : of SHORT, HOLD and LONG
    split, split_of_frequencies : both losses by question: is a barrier touched, and which one
    """

    candles: int
    unpredicted: int
    log_loss: float
    log_loss_of_frequencies: float
    skill: float
    auc_short: float | None
    auc_long: float | None
    calibration_errors: tuple[float, ...]
    split: SplitLoss
    split_of_frequencies: SplitLoss


class FoldScores(NamedTuple):
    """The scores of one fold, with the record of its training."""

    fold: Fold
    record: TrainingRecord
    scores: Scores


def fold_scores(walk: WalkForward) -> list[FoldScores]:
    """Score every fold: in the order of `walk.folds`."""
    return [
        FoldScores(fold, record, _scores([(rows, record)]))
        for fold, (rows, record) in zip(walk.folds, _parts(walk), strict=True)
    ]


def overall_scores(walk: WalkForward) -> Scores:
    """Score all folds together; every candle is held against the frequencies of its own fold."""
    return _scores(_parts(walk))


def _parts(walk: WalkForward) -> list[tuple[pd.DataFrame, TrainingRecord]]:
    """Take the table apart: the rows of each fold, with the record of its training."""
    rows = dict(iter(walk.table.groupby(["pair", "fold"], observed=True)))
    found = [rows[fold.pair, fold.number] for fold in walk.folds]
    return list(zip(found, walk.records, strict=True))


def training_frequencies(counts: ClassCounts) -> FloatArray:
    """Estimate how common SHORT, HOLD and LONG are: (3,), never 0 (Laplace's rule)."""
    return smoothed(np.array([getattr(counts, name) for name in CLASSES]))


def _scores(parts: Sequence[tuple[pd.DataFrame, TrainingRecord]]) -> Scores:
    judged = [part[part["valid"] & (part["label"] != UNKNOWN)] for part, _ in parts]
    truth = np.concatenate([part["label"].to_numpy() for part in judged])
    given = np.concatenate([part[list(CLASSES)].to_numpy() for part in judged])
    quoted = np.concatenate(
        [
            np.tile(training_frequencies(record.labels), (len(part), 1))
            for part, (_, record) in zip(judged, parts, strict=True)
        ]
    )
    unpredicted = sum(int((~part["valid"]).sum()) for part, _ in parts)
    if len(truth) == 0:
        nothing = float("nan")
        unknown, split = (nothing,) * len(CLASSES), SplitLoss(nothing, nothing)
        return Scores(0, unpredicted, nothing, nothing, nothing, None, None, unknown, split, split)
    loss, reference = log_loss(given, truth), log_loss(quoted, truth)
    return Scores(
        len(truth),
        unpredicted,
        loss,
        reference,
        skill(loss, reference),
        auc(given, truth, SHORT),
        auc(given, truth, LONG),
        calibration_errors(given, truth),
        split_loss(given, truth),
        split_loss(quoted, truth),
    )


def facts(scores: Scores) -> dict[str, object]:
    """Lay scores out for JSON; what is not a number is None."""
    plain: dict[str, object] = {}
    for name, value in scores._asdict().items():
        if isinstance(value, SplitLoss):
            plain[name] = {part: _or_none(loss) for part, loss in value._asdict().items()}
        elif isinstance(value, tuple):
            plain[name] = [_or_none(v) for v in value]
        else:
            plain[name] = _or_none(value)
    return plain


def _or_none(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value

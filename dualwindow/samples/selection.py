"""Select the window ends to learn from and to validate on, and say why not the others."""

from dataclasses import dataclass

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES, UNKNOWN
from dualwindow.samples.balancing import (
    class_counts,
    recency_weights,
    sample_weights,
    thin_evenly,
)
from dualwindow.samples.data import Rows, Samples, TrainingData, TrainingError
from dualwindow.samples.scaling import Scaled
from dualwindow.samples.splits import Split
from dualwindow.samples.windows import Rejection, broken_windows, count_rejections
from dualwindow.settings import BalancingSettings, Settings


@dataclass(frozen=True)
class Selection:
    """The window ends of one training.

    Parameters
    ----------
    train : (m,) rows at which training windows end
    weights : (m,) how much each counts, 1 on average
    validation : (k,) rows at which validation windows end
    validation_weights : (k,) how much each counts, 1 on average
    overlap : neighbouring windows whose labels share candles
    rejected : reason to number of rows
    """

    train: IntArray
    weights: FloatArray
    validation: IntArray
    validation_weights: FloatArray
    overlap: int
    rejected: dict[str, int]

    def samples(self, labels: IntArray, rows: Rows) -> tuple[Samples, Samples]:
        """Refer to the training and the validation windows."""
        return (
            Samples(rows, self.train, labels[self.train], self.weights),
            Samples(rows, self.validation, labels[self.validation], self.validation_weights),
        )


def select(data: TrainingData, settings: Settings, split: Split, scaled: Scaled) -> Selection:
    """Select every `stride`-th whole window with a known label, then balance the classes.

    Parameters
    ----------
    data : n candles of a training
    settings : what shapes it
    split : the rows of the training and of the validation part
    scaled : the n rows; an unknown one spoils every window with it, an outlier ends no window but
        may be inside

    Raises
    ------
    TrainingError
        If too few windows remain.
    """
    reasons = broken_windows(data.candles, scaled.known, settings.history, settings.max_untraded)
    reasons[Rejection.OUTLIER] = scaled.known & ~scaled.inliers
    reasons[Rejection.FUTURE] = data.labels == UNKNOWN
    reasons[Rejection.PURGED] = split.purged
    good = ~np.logical_or.reduce(list(reasons.values()))
    rejected = count_rejections(reasons)
    stride = settings.model.stride
    candidates = np.flatnonzero(good & split.train)[::stride]
    validation = np.flatnonzero(good & split.validation)[::stride]
    rejected[Rejection.STRIDE.value] = int(good.sum()) - len(candidates) - len(validation)
    _refuse_poor_selection(data, candidates, validation, rejected)
    kept, weights = _balance(data.labels[candidates], settings.balancing)
    train = candidates[kept]
    recency = recency_weights(int(split.train.sum()), settings.weight_factor)
    weights = weights * recency[train]
    rejected[Rejection.THINNED.value] = len(candidates) - len(train)
    return Selection(
        train,
        weights / weights.mean(),
        validation,
        _validation_weights(data.labels, train, weights, validation, settings.balancing),
        max(settings.horizon // stride, 1),
        rejected,
    )


def _balance(labels: IntArray, settings: BalancingSettings) -> tuple[IntArray, FloatArray]:
    everything, alike = np.arange(len(labels)), np.ones(len(labels))
    if settings.method == "undersample":
        kept = thin_evenly(labels, settings.floor)
        return kept, alike[kept]
    if settings.method == "class_weights":
        given = settings.class_weights
        weights = None if given is None else given.model_dump()
        return everything, sample_weights(labels, weights)
    return everything, alike


def _validation_weights(
    labels: IntArray,
    train: IntArray,
    weights: FloatArray,
    validation: IntArray,
    settings: BalancingSettings,
) -> FloatArray:
    """Weigh validation windows so that early stopping judges the task that is trained: (k,).

    Without balancing they weigh alike, and their loss is the one that is reported. With it they
    weigh as if their classes were mixed as it mixed those of training; a class that validation
    lacks is made up for by the others.
    """
    if settings.method == "none":
        return np.ones(len(validation))
    mass = np.bincount(labels[train], weights, minlength=len(CLASSES)) / weights.sum()
    share = class_counts(labels[validation]) / len(validation)
    per_class = np.divide(mass, share, out=np.zeros(len(CLASSES)), where=share > 0)
    found = per_class[labels[validation]]
    return found / found.mean()


def _refuse_poor_selection(
    data: TrainingData, candidates: IntArray, validation: IntArray, rejected: dict[str, int]
) -> None:
    lost = ", ".join(f"{n} {reason}" for reason, n in rejected.items() if n)
    if len(candidates) == 0 or len(validation) == 0:
        part = "training" if len(candidates) == 0 else "validation"
        raise TrainingError(
            f"{data.pair}: no whole window is left in the {part} part of {len(data.candles)} "
            f"candles ({lost}); raise `train_days` or `validation_share`, or shorten `history` or "
            "`horizon`"
        )


def refuse_one_class(names: str, labels: IntArray) -> None:
    """Refuse training windows that are all of one class.

    Parameters
    ----------
    names : of their pairs, for the message
    labels : (m,) of SHORT, HOLD, LONG

    Raises
    ------
    TrainingError
        If they are.
    """
    counts = class_counts(labels)
    if (counts > 0).sum() == 1:
        raise TrainingError(
            f"{names}: all {len(labels)} training windows are {CLASSES[counts.argmax()]}, "
            "so there is nothing to tell apart; set `labels` to barriers, or a delta, that the "
            "price sometimes reaches, or lower `model.stride`"
        )

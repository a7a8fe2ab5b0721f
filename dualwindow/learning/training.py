"""Turn labelled candles and their features into a trained artifact."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from datasieve.pipeline import Pipeline

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.calibration import (
    Calibration,
    Evidence,
    calibrate,
    frequencies_only,
    uncalibrated,
)
from dualwindow.learning.metrics import auc
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, LONG, SHORT, UNKNOWN
from dualwindow.samples.balancing import (
    class_counts,
    class_frequencies,
    recency_weights,
    sample_weights,
    thin_evenly,
)
from dualwindow.samples.scaling import apply_pipeline, fit_pipeline, known_rows
from dualwindow.samples.splits import Split, chronological_split
from dualwindow.samples.windows import Rejection, broken_windows, count_rejections
from dualwindow.settings import BalancingSettings, Settings

if TYPE_CHECKING:
    from dualwindow.models.network import Epoch, Samples

_DAY = 86400


class TrainingError(ValueError):
    """The data or the settings do not allow a training."""


@dataclass(frozen=True)
class TrainingData:
    """Candles of one pair with what is known of them.

    Parameters
    ----------
    pair : name, for messages
    candles : n candles
    features : (n, f) unscaled; NaN or infinite where unknown
    feature_names : f names
    labels : (n,) of SHORT, HOLD, LONG, UNKNOWN
    """

    pair: str
    candles: Candles
    features: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray


@dataclass(frozen=True)
class _Selection:
    """The window ends to learn from and to validate on."""

    train: IntArray
    weights: FloatArray
    validation: IntArray
    rejected: dict[str, int]


def train(
    data: TrainingData,
    settings: Settings,
    pipeline: Pipeline,
    *,
    previous: Artifact | None = None,
    report: "Callable[[Epoch], None]" = lambda epoch: None,
    interrupt: Callable[[], None] = lambda: None,
    tensorboard: Path | None = None,
) -> Artifact:
    """Split, scale, select windows, fit, calibrate and evaluate.

    The pipeline is fitted here, on the training part only; validation lies later in time and a
    purge keeps training labels from looking into it. No input is modified but `pipeline`.

    Parameters
    ----------
    data : of one pair, oldest first
    settings : checked settings
    pipeline : unfitted
    previous : an earlier model of the pair to go on from, if its network has the same shape; its
        weights are kept if no epoch is better on the validation part
    report : called after every epoch
    interrupt : called after every batch and between the steps; what it raises ends the training
    tensorboard : folder for TensorBoard's files, or None

    Raises
    ------
    TrainingError
        If prices are broken, the history is too short, or too few windows or classes remain.
    """
    from dualwindow.models import network

    began = time.perf_counter()
    _refuse_unusable(data, settings)
    purge = settings.windows.horizon * data.candles.step
    split = chronological_split(data.candles.date, purge, settings.windows.validation_share)
    usable = known_rows(data.features)
    if not (usable & split.train).any():
        raise TrainingError(f"{data.pair}: no candle of the training part has all its features")
    fit_pipeline(pipeline, data.features[usable & split.train])
    scaled = apply_pipeline(pipeline, data.features)
    selection = _select(data, settings, split, usable, scaled.inliers)
    interrupt()

    options = settings.training
    shape = network.Shape(
        settings.windows.history,
        scaled.rows.shape[1],
        options.lstm_units,
        options.dense_units,
        options.dropout,
        options.feature_dropout,
    )
    warm = previous is not None and previous.shape == shape
    training, validation = _samples(data.labels, scaled.rows, selection)
    fitted = network.fit(
        shape,
        training,
        validation,
        options,
        start=previous.weights if previous is not None and warm else None,
        report=report,
        interrupt=interrupt,
        tensorboard=tensorboard,
    )
    evidence = Evidence(
        network.predict(shape, fitted.weights, scaled.rows, selection.validation),
        validation.labels,
        class_frequencies(data.labels),
        _mixture(training),
        overlap=max(settings.windows.horizon // options.stride, 1),
    )
    calibration, remarks = calibrate(settings.dual_window.calibration, evidence)
    metadata = {
        **_facts(data, settings, split, selection),
        "epochs": [epoch._asdict() for epoch in fitted.epochs],
        "best_epoch": fitted.best_epoch,
        "calibration": {
            "method": calibration.method,
            "scale": calibration.scale.tolist(),
            "shift": calibration.shift.tolist(),
            "remarks": remarks,
        },
        "validation": _scores(evidence, calibration),
        "warm_start": {"validation_loss": fitted.start_loss} if warm else None,
        "device": network.use_device(),
        "seconds": round(time.perf_counter() - began, 3),
    }
    context = slice(max(len(data.candles) - settings.windows.history + 1, 0), None)
    return Artifact(
        shape,
        network.to_keras(shape, fitted.weights),
        pipeline,
        calibration,
        data.feature_names,
        settings.dual_window.max_untraded_candles,
        data.candles[context],
        data.features[context].copy(),
        metadata,
    )


def _refuse_unusable(data: TrainingData, settings: Settings) -> None:
    candles, windows = data.candles, settings.windows
    for length, key in (
        (windows.history, "conv_width"),
        (windows.horizon, "feature_parameters.label_period_candles"),
    ):
        if length >= len(candles):
            raise TrainingError(
                f"{data.pair}: freqai.{key} is {length} candles, the training data has only "
                f"{len(candles)}; lower it or raise train_period_days"
            )
    broken = np.flatnonzero(~candles.priced)
    if len(broken):
        raise TrainingError(
            f"{data.pair}: {len(broken)} candles have a price that is not a positive number, the "
            f"first at {_date(candles, broken[0])}; download these candles again"
        )
    _refuse_short_history(data)


def _refuse_short_history(data: TrainingData) -> None:
    known = np.isfinite(data.features)
    ever = np.logical_or.reduce(known, axis=0)
    days = np.where(ever, known.argmax(axis=0), len(known)) * data.candles.step / _DAY
    short = (days > 1) | ~ever
    if not short.any():
        return
    names = ", ".join(n for n, s in zip(data.feature_names, short, strict=True) if s)
    worst = days[short].max()
    more = f"{np.ceil(worst):.0f}" if ever[short].all() else f"more than {np.ceil(worst):.0f}"
    raise TrainingError(
        f"{data.pair}: the history is too short, or has broken prices: {names} unknown for the "
        f"first {worst:.1f} days of the training data, which begins at {_date(data.candles, 0)} "
        f"and has {len(known) * data.candles.step / _DAY:.1f} days; download {more} days of "
        "candles, of every timeframe, before those you have; averages over 30 days need 30"
    )


def _select(
    data: TrainingData, settings: Settings, split: Split, usable: BoolArray, inliers: BoolArray
) -> _Selection:
    dual_window, windows = settings.dual_window, settings.windows
    reasons = broken_windows(
        data.candles, usable, windows.history, dual_window.max_untraded_candles
    )
    reasons[Rejection.OUTLIER] = usable & ~inliers
    reasons[Rejection.FUTURE] = data.labels == UNKNOWN
    reasons[Rejection.PURGED] = split.purged
    good = ~np.logical_or.reduce(list(reasons.values()))
    rejected = count_rejections(reasons)
    stride = settings.training.stride
    candidates = np.flatnonzero(good & split.train)[::stride]
    validation = np.flatnonzero(good & split.validation)[::stride]
    rejected[Rejection.STRIDE.value] = int(good.sum()) - len(candidates) - len(validation)
    _refuse_poor_selection(data, candidates, validation, rejected)
    kept, weights = _balance(data.labels[candidates], dual_window.balancing)
    train = candidates[kept]
    recency = recency_weights(int(split.train.sum()), windows.weight_factor)
    weights = weights * recency[train]
    rejected[Rejection.THINNED.value] = len(candidates) - len(train)
    return _Selection(train, weights / weights.mean(), validation, rejected)


def _balance(labels: IntArray, settings: BalancingSettings) -> tuple[IntArray, FloatArray]:
    everything, alike = np.arange(len(labels)), np.ones(len(labels))
    if settings.method == "undersample":
        kept = thin_evenly(labels, settings.floor)
        return kept, alike[kept]
    if settings.method == "class_weights":
        return everything, sample_weights(labels, settings.class_weights)
    return everything, alike


def _refuse_poor_selection(
    data: TrainingData, candidates: IntArray, validation: IntArray, rejected: dict[str, int]
) -> None:
    lost = ", ".join(f"{n} {reason}" for reason, n in rejected.items() if n)
    if len(candidates) == 0 or len(validation) == 0:
        part = "training" if len(candidates) == 0 else "validation"
        raise TrainingError(
            f"{data.pair}: no whole window is left in the {part} part of {len(data.candles)} "
            f"candles ({lost}); raise train_period_days or data_split_parameters.test_size, or "
            "shorten conv_width or label_period_candles"
        )
    counts = class_counts(data.labels[candidates])
    if (counts > 0).sum() == 1:
        raise TrainingError(
            f"{data.pair}: all {len(candidates)} training windows are {CLASSES[counts.argmax()]}, "
            "so there is nothing to tell apart; set freqai.dual_window.labels to barriers that "
            "the price sometimes touches, or lower model_training_parameters.stride"
        )


def _samples(
    labels: IntArray, rows: FloatArray, selection: _Selection
) -> tuple["Samples", "Samples"]:
    from dualwindow.models import network

    train, validation = selection.train, selection.validation
    # Early stopping has to judge the task that is trained: validation windows weigh as if their
    # classes were mixed as balancing mixed the training windows.
    mass = np.bincount(labels[train], selection.weights, minlength=len(CLASSES)) / len(train)
    share = class_counts(labels[validation]) / len(validation)
    per_class = np.divide(mass, share, out=np.zeros(len(CLASSES)), where=share > 0)
    return (
        network.Samples(rows, train, labels[train], selection.weights),
        network.Samples(rows, validation, labels[validation], per_class[labels[validation]]),
    )


def _mixture(training: "Samples") -> FloatArray:
    """How common balancing made the classes: (3,), never 0."""
    mass = np.bincount(training.labels, training.weights, minlength=len(CLASSES)) + 1
    return np.asarray(mass / mass.sum())


def _facts(
    data: TrainingData, settings: Settings, split: Split, selection: _Selection
) -> dict[str, Any]:
    labels = data.labels
    known = labels[labels != UNKNOWN]
    return {
        "pair": data.pair,
        "candles": len(data.candles),
        "first_candle": _date(data.candles, 0),
        "last_candle": _date(data.candles, -1),
        "features": list(data.feature_names),
        "classes": list(CLASSES),
        "labels": _by_class(known) | {"unknown": int((labels == UNKNOWN).sum())},
        "training_labels": _by_class(labels[split.train & (labels != UNKNOWN)]),
        "training_windows": _by_class(labels[selection.train]),
        "validation_windows": _by_class(labels[selection.validation]),
        "rejected": selection.rejected,
        "settings": settings.model_dump(mode="json"),
        "seed": settings.training.seed,
        "versions": {p: version(p) for p in ("dualwindow", "tensorflow", "keras", "numpy")},
    }


def _scores(evidence: Evidence, calibration: Calibration) -> dict[str, float | None]:
    probabilities, truth = calibration.apply(evidence.scores), evidence.labels
    return {
        "log_loss": evidence.log_loss(calibration),
        "log_loss_of_raw_scores": evidence.log_loss(uncalibrated()),
        "log_loss_of_frequencies": evidence.log_loss(frequencies_only(evidence)),
        "auc_short": auc(probabilities, truth, SHORT),
        "auc_long": auc(probabilities, truth, LONG),
    }


def _by_class(labels: IntArray) -> dict[str, int]:
    return dict(zip(CLASSES, class_counts(labels).tolist(), strict=True))


def _date(candles: Candles, row: int) -> str:
    return np.datetime_as_string(candles.date[row].astype("datetime64[s]"), unit="m") + "Z"

"""Turn labelled candles and their features into a trained artifact."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.calibration import (
    Calibration,
    Evidence,
    calibrate,
    frequencies_only,
    uncalibrated,
)
from dualwindow.learning.group import Part, Prepared, date_of, prepare
from dualwindow.learning.metrics import auc
from dualwindow.learning.record import (
    CalibrationFacts,
    ClassCounts,
    TrainingRecord,
    ValidationScores,
    versions,
)
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, LONG, SHORT, UNKNOWN
from dualwindow.models.classifier import Fitted, Hooks, make_classifier
from dualwindow.outside import elapsed
from dualwindow.samples.balancing import class_counts, class_frequencies, class_mixture
from dualwindow.samples.data import TrainingData
from dualwindow.samples.scaling import RowScaler
from dualwindow.samples.selection import refuse_one_class
from dualwindow.settings import Settings

_SAME = 1e-9  # probabilities that differ by less tell no candles apart


def train(
    data: TrainingData,
    settings: Settings,
    scaler: RowScaler,
    *,
    previous: Artifact | None = None,
    hooks: Hooks | None = None,
) -> Artifact:
    """Train on one pair: `train_together` with it alone."""
    return train_together([data], settings, scaler, previous=previous, hooks=hooks)[0]


def train_together(
    group: Sequence[TrainingData],
    settings: Settings,
    scaler: RowScaler,
    *,
    previous: Artifact | None = None,
    hooks: Hooks | None = None,
) -> list[Artifact]:
    """Split, scale, select windows, fit, calibrate and evaluate: one model of all pairs.

    The scaler is fitted here, on the training parts only; validation lies later in time and a
    purge keeps training labels from looking into it. Scaler and calibration are shared, too: what a
    calibration falls back on are the class frequencies of all pairs together, not each pair's own.
    A pair from which nothing can be learnt is left out of several, and gets the model of the
    others; its record says why. The order of the pairs changes nothing. No input is modified but
    `scaler`.

    Parameters
    ----------
    group : data of one pair each, oldest first
    settings : checked settings
    scaler : unfitted
    previous : an earlier model to go on from, if its kind can
    hooks : how the host follows it; its `interrupt` is also called between the steps

    Returns
    -------
    An artifact for each pair, in the order given, which differ in context and record.

    Raises
    ------
    TrainingError
        If prices are broken, the history is too short, or too few windows or classes remain, of
        each pair. If the pairs have not the same number of features.
    FloatingPointError
        If what is learnt becomes NaN or infinite.
    """
    began, hooks = elapsed(), hooks or Hooks()
    prepared = prepare(group, settings, scaler)
    training, settings = prepared.training, prepared.settings
    refuse_one_class(", ".join(part.data.pair for part in prepared.parts), training.labels)
    hooks.interrupt()
    n_features = training.rows.features.shape[1]
    classifier = make_classifier(settings.model, settings.history, n_features)
    start = previous.fitted if previous is not None else None
    fitted = classifier.fit(training, prepared.validation, start, hooks)
    found = _calibrated(fitted, prepared, settings)
    shared = (n_features, fitted.to_bytes(), scaler, found.calibration)
    records = {p.data.pair: _record(p, settings, found, prepared, began) for p in prepared.parts}
    first = records[prepared.parts[0].data.pair]
    for data in group:
        if why := prepared.left_out.get(data.pair):
            records[data.pair] = first.handed_to(data.pair, data.feature_names, why)
    return [Artifact(*shared, *_context(data, settings), records[data.pair]) for data in group]


def _context(data: TrainingData, settings: Settings) -> tuple[Candles, FloatArray]:
    newest = slice(max(len(data.candles) - settings.history + 1, 0), None)
    return data.candles[newest], data.features[newest].copy()


class _Calibrated(NamedTuple):
    """What a training has found."""

    fitted: Fitted
    evidence: Evidence
    calibration: Calibration
    remarks: list[str]


def _calibrated(fitted: Fitted, prepared: Prepared, settings: Settings) -> _Calibrated:
    parts, training, validation = prepared.parts, prepared.training, prepared.validation
    evidence = Evidence(
        fitted.scores(validation.rows, validation.ends),
        validation.labels,
        class_frequencies(np.concatenate([part.data.labels for part in parts])),
        class_mixture(training.labels, training.weights),
        # What several pairs do in the same minutes is one piece of evidence.
        parts[0].selection.overlap * len(parts),
    )
    return _Calibrated(fitted, evidence, *calibrate(settings.calibration, evidence))


def _record(
    part: Part,
    settings: Settings,
    found: _Calibrated,
    prepared: Prepared,
    began: float,
) -> TrainingRecord:
    data, labels, calibration = part.data, part.data.labels, found.calibration
    known: BoolArray = labels != UNKNOWN
    return TrainingRecord(
        pair=data.pair,
        learnt_from=prepared.learnt_from,
        candles=len(data.candles),
        first_candle=date_of(data.candles, 0),
        last_candle=date_of(data.candles, -1),
        features=data.feature_names,
        labels=_counts(labels[known]),
        unknown_labels=int((~known).sum()),
        training_labels=_counts(labels[part.split.train & known]),
        training_windows=_counts(prepared.training.labels),
        validation_windows=_counts(found.evidence.labels),
        rejected=part.selection.rejected,
        settings=settings,
        epochs=found.fitted.epochs,
        best_epoch=found.fitted.best_epoch,
        start_loss=found.fitted.start_loss,
        calibration=CalibrationFacts(
            method=calibration.method,
            scale=tuple(calibration.scale.tolist()),
            shift=tuple(calibration.shift.tolist()),
            remarks=tuple(found.remarks),
        ),
        validation=_scores(found.evidence, calibration),
        is_constant=_is_constant(found.evidence, calibration),
        device=found.fitted.device,
        seconds=round(elapsed() - began, 3),
        versions=versions(),
    )


def _is_constant(evidence: Evidence, calibration: Calibration) -> bool:
    probabilities = calibration.apply(evidence.scores)
    return bool(np.ptp(probabilities, axis=0).max() <= _SAME)


def _scores(evidence: Evidence, calibration: Calibration) -> ValidationScores:
    probabilities, truth = calibration.apply(evidence.scores), evidence.labels
    return ValidationScores(
        log_loss=evidence.log_loss(calibration),
        log_loss_of_raw_scores=evidence.log_loss(uncalibrated()),
        log_loss_of_frequencies=evidence.log_loss(frequencies_only(evidence)),
        auc_short=auc(probabilities, truth, SHORT),
        auc_long=auc(probabilities, truth, LONG),
    )


def _counts(labels: np.ndarray) -> ClassCounts:
    return ClassCounts(**dict(zip(CLASSES, class_counts(labels).tolist(), strict=True)))

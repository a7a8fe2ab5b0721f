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
from dualwindow.samples.data import Rows, Samples, TrainingData, TrainingError, pooled
from dualwindow.samples.scaling import RowScaler, known_rows
from dualwindow.samples.selection import Selection, refuse_one_class, select
from dualwindow.samples.splits import Split, split_of
from dualwindow.settings import Settings

_DAY = 86400
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
    The order of the pairs changes nothing. No input is modified but `scaler`.

    Parameters
    ----------
    group : data of one pair each, oldest first; all must begin and end at the same time, or one
        pair would be taught what another is validated on
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
        If prices are broken, the history is too short, too few windows or classes remain, or the
        pairs are not of the same time.
    FloatingPointError
        If what is learnt becomes NaN or infinite.
    """
    began, hooks = elapsed(), hooks or Hooks()
    _refuse_other_times(group)
    parts, samples = _select_all(sorted(group, key=lambda data: data.pair), settings, scaler)
    training, validation = pooled(samples)
    del samples  # of several pairs, their rows have been put together
    refuse_one_class(", ".join(part.data.pair for part in parts), training.labels)
    hooks.interrupt()
    n_features = training.rows.features.shape[1]
    classifier = make_classifier(settings.model, settings.history, n_features)
    start = previous.fitted if previous is not None else None
    fitted = classifier.fit(training, validation, start, hooks)
    found = _calibrated(fitted, training, validation, parts, settings)
    content = fitted.to_bytes()
    by_pair = {part.data.pair: part for part in parts}
    return [
        Artifact(
            n_features,
            content,
            scaler,
            found.calibration,
            *_context(data, settings),
            _record(by_pair[data.pair], settings, found, training, began),
        )
        for data in group
    ]


def _refuse_other_times(group: Sequence[TrainingData]) -> None:
    first = group[0]
    for data in group:
        theirs, ours = ([_date(d.candles, row) for row in (0, -1)] for d in (data, first))
        if theirs != ours:
            raise TrainingError(
                f"{data.pair}: its candles are from {theirs[0]} to {theirs[1]}, those of "
                f"{first.pair} from {ours[0]} to {ours[1]}; pairs that are learnt from together "
                "must be of the same time"
            )


def _context(data: TrainingData, settings: Settings) -> tuple[Candles, FloatArray]:
    newest = slice(max(len(data.candles) - settings.history + 1, 0), None)
    return data.candles[newest], data.features[newest].copy()


class _Part(NamedTuple):
    """One pair of a training."""

    data: TrainingData
    split: Split
    selection: Selection


def _select_all(
    group: Sequence[TrainingData], settings: Settings, scaler: RowScaler
) -> tuple[list[_Part], list[tuple[Samples, Samples]]]:
    """Select the windows of all pairs, and fit the scaler to their training parts."""
    splits, taught = [], []
    for data in group:
        refuse_unusable(data, settings)
        split = split_of(data.candles, settings)
        known = known_rows(data.features) & split.train
        if not known.any():
            raise TrainingError(f"{data.pair}: no candle of the training part has all its features")
        splits.append(split)
        taught.append(data.features[known])
    scaler.fit(np.concatenate(taught) if len(taught) > 1 else taught[0])
    parts, samples = [], []
    for data, split in zip(group, splits, strict=True):
        scaled = scaler.apply(data.features)
        selection = select(data, settings, split, scaled)
        parts.append(_Part(data, split, selection))
        samples.append(selection.samples(data.labels, Rows(scaled.rows, data.candles)))
    return parts, samples


class _Calibrated(NamedTuple):
    """What a training has found."""

    fitted: Fitted
    evidence: Evidence
    calibration: Calibration
    remarks: list[str]
    pairs: tuple[str, ...]


def _calibrated(
    fitted: Fitted,
    training: Samples,
    validation: Samples,
    parts: Sequence[_Part],
    settings: Settings,
) -> _Calibrated:
    evidence = Evidence(
        fitted.scores(validation.rows, validation.ends),
        validation.labels,
        class_frequencies(np.concatenate([part.data.labels for part in parts])),
        class_mixture(training.labels, training.weights),
        # What several pairs do in the same minutes is one piece of evidence.
        parts[0].selection.overlap * len(parts),
    )
    pairs = tuple(part.data.pair for part in parts)
    calibration, remarks = calibrate(settings.calibration, evidence)
    return _Calibrated(fitted, evidence, calibration, remarks, pairs)


def refuse_unusable(data: TrainingData, settings: Settings) -> None:
    """Refuse data that no training can begin with, before anything is computed.

    Raises
    ------
    TrainingError
        If prices are broken, or the history is too short for the windows or the features.
    """
    candles = data.candles
    for length, name in ((settings.history, "history"), (settings.horizon, "horizon")):
        if length >= len(candles):
            raise TrainingError(
                f"{data.pair}: `{name}` is {length} candles, the training data has only "
                f"{len(candles)}; lower it or raise `train_days`"
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


def _record(
    part: _Part, settings: Settings, found: _Calibrated, training: Samples, began: float
) -> TrainingRecord:
    data, labels, calibration = part.data, part.data.labels, found.calibration
    known: BoolArray = labels != UNKNOWN
    return TrainingRecord(
        pair=data.pair,
        learnt_from=found.pairs if len(found.pairs) > 1 else (),
        candles=len(data.candles),
        first_candle=_date(data.candles, 0),
        last_candle=_date(data.candles, -1),
        features=data.feature_names,
        labels=_counts(labels[known]),
        unknown_labels=int((~known).sum()),
        training_labels=_counts(labels[part.split.train & known]),
        training_windows=_counts(training.labels),
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


def _date(candles: Candles, row: int) -> str:
    return np.datetime_as_string(candles.date[row].astype("datetime64[s]"), unit="m") + "Z"

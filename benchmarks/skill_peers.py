"""LightGBM, taught and calibrated with the very windows that our own model learns from."""

from collections.abc import Callable
from typing import NamedTuple

import lightgbm
import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.learning.calibration import Evidence, calibrate
from dualwindow.learning.walk_forward import Task
from dualwindow.samples.data import TrainingData
from dualwindow.samples.scaling import Scaled, known_rows, scattered
from dualwindow.samples.selection import Selection, select
from dualwindow.samples.splits import split_of
from dualwindow.samples.windows import gather
from dualwindow.settings import Settings

CANDLE, WINDOW = "lightgbm, candle", "lightgbm, window"

Inputs = Callable[[IntArray], FloatArray]


class Asked(NamedTuple):
    """A fold, and the (n,) mask of those of its candles that are to be predicted."""

    task: Task
    wanted: np.ndarray


def peer_probabilities(asked: Asked) -> dict[str, FloatArray]:
    """Train both peers on a fold and let them predict it.

    Returns
    -------
    For each peer the (n, 3) probabilities; NaN where none are wanted
    """
    task = asked.task
    data, length = task.data, task.settings.history
    rows = np.concatenate([data.features, task.features]).astype(np.float32)
    inputs: dict[str, Inputs] = {
        CANDLE: lambda ends: rows[ends],
        WINDOW: lambda ends: gather(rows, ends, length).reshape(len(ends), -1),
    }
    selection = _selection(data, task.settings)
    ends = len(data.candles) + np.flatnonzero(asked.wanted)
    found = {}
    for name, of_ends in inputs.items():
        found[name] = np.full((len(asked.wanted), 3), np.nan)
        if len(ends):
            predict = _taught(data, task.settings, selection, of_ends)
            found[name][asked.wanted] = predict(ends)
    return found


def _selection(data: TrainingData, settings: Settings) -> Selection:
    """Select window ends as a training does; trees need no scaled rows."""
    split = split_of(data.candles, settings)
    return select(data, settings, split, _unscaled(data.features))


def _unscaled(features: FloatArray) -> Scaled:
    known = known_rows(features)
    part = features[known]
    return scattered(part, known, np.ones(len(part), dtype=bool), np.zeros(len(part)))


def _taught(
    data: TrainingData, settings: Settings, selection: Selection, inputs: Inputs
) -> Callable[[IntArray], FloatArray]:
    """Train, stop early, calibrate; return a map of window ends to probabilities."""
    labels, fit_on, check_on = data.labels, selection.train, selection.validation
    model = lightgbm.LGBMClassifier(random_state=settings.model.seed, verbose=-1, n_jobs=1)
    model.fit(
        inputs(fit_on),
        labels[fit_on],
        sample_weight=selection.weights,
        eval_X=inputs(check_on),
        eval_y=labels[check_on],
        callbacks=[lightgbm.early_stopping(10, verbose=False)],
    )

    def scores(ends: IntArray) -> FloatArray:
        full = np.zeros((len(ends), 3))
        full[:, model.classes_] = model.predict_proba(inputs(ends))
        return full

    evidence = Evidence(
        scores(check_on),
        labels[check_on],
        selection.frequencies,
        selection.mixture(labels),
        selection.overlap,
    )
    calibration, _ = calibrate(settings.calibration, evidence)
    return lambda ends: calibration.apply(scores(ends))

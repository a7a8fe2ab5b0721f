"""Fit FreqAI's feature pipeline on the training part and apply it to any rows."""

from typing import Any, NamedTuple

import numpy as np
import psutil
from datasieve.pipeline import Pipeline
from datasieve.transforms import SKLearnWrapper
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from dualwindow.arrays import BoolArray, FloatArray

_SCALERS: dict[str, Any] = {
    "standard": StandardScaler,
    "robust": RobustScaler,
    "minmax": lambda: MinMaxScaler(feature_range=(-1, 1)),
}


_LARGEST = float(np.finfo(np.float32).max)


def prepared(pipeline: Pipeline, scaler: str, seed: int) -> Pipeline:
    """Make FreqAI's pipeline fit for us: another scaler, nothing left to chance.

    The step that drops constant features goes: a scaled constant is a harmless 0, while a network
    whose inputs come and go would have to be compiled anew.

    Parameters
    ----------
    pipeline : unfitted, as FreqAI defines it
    scaler : ``standard``, ``robust`` or ``minmax``
    seed : for the SVM, which scikit-learn would seed and shuffle differently in every run
    """
    steps = []
    for name, step in pipeline.steps:
        if name == "scaler":
            steps.append((name, SKLearnWrapper(_SCALERS[scaler]())))
        elif name != "const":
            steps.append((name, step))
        if name == "svm":
            step._skl.set_params(shuffle=False, random_state=seed)
    return Pipeline(steps)


class Scaled(NamedTuple):
    """Rows as the network takes them.

    Parameters
    ----------
    rows : (n, g) float32, all finite; zeros where `known` is False
    known : (n,) True where every feature is, and stays when it is scaled, a finite float32
    inliers : (n,) `known`, and no outlier
    dissimilarity : (n,) FreqAI's DI values, 0 where there are none
    """

    rows: FloatArray
    known: BoolArray
    inliers: BoolArray
    dissimilarity: FloatArray


def known_rows(features: FloatArray) -> BoolArray:
    """Mark the rows of (n, f) features that are all finite as float32, too: (n,)."""
    return np.logical_and.reduce(np.abs(features) <= _LARGEST, axis=1)


def fit_pipeline(pipeline: Pipeline, rows: FloatArray) -> None:
    """Fit every step in turn on (n, f) finite rows of the training part.

    Raises
    ------
    MemoryError
        If the dissimilarity index would need more memory than is free.
    """
    if "di" in pipeline:
        _refuse_large_dissimilarity(len(rows))
    # Not pipeline.fit(): datasieve hands each step the *untransformed* rows there. A copy goes
    # in, because steps write to what they are given.
    pipeline.fit_transform(rows.copy())


def apply_pipeline(pipeline: Pipeline, rows: FloatArray) -> Scaled:
    """Scale (n, f) rows and flag those unlike the training data; no row is removed."""
    known = known_rows(rows)
    inliers, dissimilarity = known.copy(), np.zeros(len(rows))
    if not known.any():
        return Scaled(np.zeros(rows.shape, dtype=np.float32), known, inliers, dissimilarity)
    part, flags, _ = pipeline.transform(rows[known], outlier_check=True)
    inliers[known] = np.asarray(flags) == 1
    if "di" in pipeline:
        dissimilarity[known] = pipeline["di"].di_values
    held = known_rows(part)  # by float32: a scaler can make too much of a feature
    known[known] = held
    scaled = np.zeros((len(rows), part.shape[1]), dtype=np.float32)
    scaled[known] = part[held]
    return Scaled(scaled, known, inliers & known, dissimilarity)


def _refuse_large_dissimilarity(n_rows: int) -> None:
    # datasieve holds all pairwise distances twice, and a mask of them.
    needed, free = 17 * n_rows**2, _free_memory()
    if needed > free:
        raise MemoryError(
            f"feature_parameters.DI_threshold compares all pairs of {n_rows} training candles, "
            f"which takes about {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free. Shorten "
            "train_period_days, or use use_SVM_to_remove_outliers instead"
        )


def _free_memory() -> int:
    return int(psutil.virtual_memory().available)

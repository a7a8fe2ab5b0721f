"""FreqAI's feature pipeline (scaler, PCA, SVM, dissimilarity index), scaling rows for the core."""

import numpy as np
from datasieve.pipeline import Pipeline
from datasieve.transforms import SKLearnWrapper

from dualwindow.arrays import FloatArray
from dualwindow.samples.scaling import (
    RowScaler,
    Scaled,
    feature_scaler,
    known_rows,
    scattered,
)
from dualwindow.settings import ScalerKind


def prepared(pipeline: Pipeline, scaler: ScalerKind, seed: int) -> Pipeline:
    """Make FreqAI's pipeline fit for us: another scaler, nothing left to chance.

    The step that drops constant features goes: a scaled constant is a harmless 0, while a network
    whose inputs come and go would have to be compiled anew.

    Parameters
    ----------
    pipeline : unfitted, as FreqAI defines it
    scaler : which one takes the place of FreqAI's
    seed : for the SVM, which scikit-learn would seed and shuffle differently in every run
    """
    steps = []
    for name, step in pipeline.steps:
        if name == "scaler":
            steps.append((name, SKLearnWrapper(feature_scaler(scaler))))
        elif name != "const":
            steps.append((name, step))
        if name == "svm":
            step._skl.set_params(shuffle=False, random_state=seed)
    return Pipeline(steps)


class PipelineScaler:
    """Scales rows by a pipeline that FreqAI has defined.

    Principal components, of which every training keeps another number, are followed by zeros: each
    width would be another network to compile, and stay in memory.

    Parameters
    ----------
    pipeline : unfitted; FreqAI keeps it, too
    """

    _width = 0  # of those that were saved before rows had one

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def fit(self, rows: FloatArray) -> None:
        """Fit every step in turn on (n, f) finite rows of the training part.

        Raises
        ------
        MemoryError
            If the dissimilarity index would need more memory than is free.
        """
        if "di" in self._pipeline:
            refuse_large_dissimilarity(len(rows))
        # Not pipeline.fit(): datasieve hands each step the *untransformed* rows there. A copy goes
        # in, because steps write to what they are given.
        self._pipeline.fit_transform(rows.copy())
        self._width = rows.shape[1]

    def apply(self, rows: FloatArray) -> Scaled:
        """Scale (n, f) rows and flag those unlike the training data; no row is removed."""
        known = known_rows(rows)
        if not known.any():
            return scattered(rows[known], known, known[known], np.zeros(0))
        part, flags, _ = self._pipeline.transform(rows[known], outlier_check=True)
        has_index = "di" in self._pipeline
        dissimilarity = self._pipeline["di"].di_values if has_index else np.zeros(len(part))
        lacking = max(self._width - part.shape[1], 0)
        part = np.pad(np.asarray(part), ((0, 0), (0, lacking)))
        return scattered(part, known, np.asarray(flags) == 1, dissimilarity)


def pipeline_of(scaler: RowScaler) -> Pipeline:
    """Return the pipeline by which a model that FreqAI has trained scales rows."""
    assert isinstance(scaler, PipelineScaler)
    return scaler._pipeline


def refuse_large_dissimilarity(n_rows: int) -> None:
    """Refuse FreqAI's dissimilarity index where it cannot fit.

    Raises
    ------
    MemoryError
        If it would need more memory than is free.
    """
    # datasieve holds all pairwise distances twice, and a mask of them.
    needed, free = 17 * n_rows**2, _free_memory()
    if needed > free:
        raise MemoryError(
            f"feature_parameters.DI_threshold compares all pairs of {n_rows} training candles, "
            f"which takes about {needed / 1e9:.0f} GB; {free / 1e9:.0f} GB are free. Shorten "
            "train_period_days, or use use_SVM_to_remove_outliers instead"
        )


def _free_memory() -> int:
    import psutil  # not above: a model is exported without it

    return int(psutil.virtual_memory().available)

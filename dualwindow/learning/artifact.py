"""What a training leaves behind: all that prediction needs, picklable, and nothing else."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from datasieve.pipeline import Pipeline

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.learning.calibration import Calibration
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES
from dualwindow.samples.scaling import apply_pipeline, known_rows
from dualwindow.samples.windows import broken_windows, whole

if TYPE_CHECKING:
    from dualwindow.models.network import Shape, Weights


@dataclass(frozen=True)
class Prediction:
    """One row per candle that was asked for.

    Parameters
    ----------
    probabilities : (n, 3) of SHORT, HOLD, LONG, calibrated; NaN where `valid` is False
    scores : (n, 3) the plain softmax they are made from; NaN where `valid` is False
    valid : (n,) False where the window is not whole, the candle is an outlier, or the network
        gave no numbers
    failed : (n,) True where it is for the last reason that `valid` is False
    dissimilarity : (n,) FreqAI's DI values, 0 where there are none
    """

    probabilities: FloatArray
    scores: FloatArray
    valid: BoolArray
    failed: BoolArray
    dissimilarity: FloatArray

    def without_newest(self) -> "Prediction":
        """Return the same with a newest row that is no prediction."""
        is_newest = np.arange(len(self.valid)) == len(self.valid) - 1
        return replace(
            self,
            probabilities=np.where(is_newest[:, None], np.nan, self.probabilities),
            scores=np.where(is_newest[:, None], np.nan, self.scores),
            valid=self.valid & ~is_newest,
        )


@dataclass(frozen=True)
class Artifact:
    """A trained model with its scaler and the candles just before its first prediction.

    Parameters
    ----------
    shape : of the network
    keras_file : weights, the content of a ``.keras`` file that plain Keras can load
    pipeline : fitted on the training part
    calibration : fitted on the validation part
    feature_names : columns of the rows to predict from, in order
    max_untraded : longer runs of candles without volume count as gaps
    context, context_features : the last ``history - 1`` candles of the training data and their
        unscaled features, so that the very first candle after training has a whole window
    metadata : what a person wants to know of the training, JSON types only
    """

    shape: "Shape"
    keras_file: bytes
    pipeline: Pipeline
    calibration: Calibration
    feature_names: tuple[str, ...]
    max_untraded: int
    context: Candles
    context_features: FloatArray
    metadata: dict[str, Any]

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "weights"}

    @cached_property
    def weights(self) -> "Weights":
        """The network's weights, read from the ``.keras`` content once per process."""
        from dualwindow.models import network

        return network.from_keras(self.shape, self.keras_file)

    def is_sound(self) -> bool:
        """Tell whether all weights are numbers."""
        return all(bool(np.isfinite(w).all()) for w in self.weights)

    def predict(
        self, candles: Candles, features: FloatArray, n_newest: int | None = None
    ) -> Prediction:
        """Predict every candle whose window is whole, in one batched pass.

        Candle *t* looks at the rows ``t-history+1 .. t``. The training context goes before the
        given candles where it is older than they are; a window across a gap is never used, so
        live (a few candles) and backtest (a whole slice) agree.

        Parameters
        ----------
        candles : n candles
        features : (n, f) unscaled, in the order of `feature_names`; NaN where unknown
        n_newest : predict so many of the last candles, leave the others out; all if None
        """
        from dualwindow.models import network

        older = self.context.date < candles.date[0] if len(candles) else np.empty(0, dtype=bool)
        n_context = int(older.sum())
        candles = self.context[slice(n_context)].followed_by(candles)
        features = np.concatenate([self.context_features[:n_context], features])
        scaled = apply_pipeline(self.pipeline, features)
        usable = known_rows(features)
        broken = broken_windows(candles, usable, self.shape.history, self.max_untraded)
        valid = whole(broken) & scaled.inliers
        valid[: n_context if n_newest is None else max(n_context, len(valid) - n_newest)] = False
        scores = np.full((len(candles), len(CLASSES)), np.nan)
        scores[valid] = network.predict(
            self.shape, self.weights, scaled.rows, np.flatnonzero(valid)
        )
        failed = valid & ~known_rows(scores)
        scores[failed] = np.nan
        asked = slice(n_context, None)
        return Prediction(
            self.calibration.apply(scores[asked]),
            scores[asked],
            (valid & ~failed)[asked],
            failed[asked],
            scaled.dissimilarity[asked],
        )

"""What a training leaves behind: all that prediction needs, picklable, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.learning.calibration import Calibration
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES
from dualwindow.models.classifier import Fitted, make_classifier
from dualwindow.samples.data import Rows
from dualwindow.samples.scaling import RowScaler, known_rows
from dualwindow.samples.windows import broken_windows, whole

# Counts up whenever a pickled artifact of before can no longer be used. The first one had no
# number: its class lay in a module that is gone.
FORMAT = 4
_GONE = "dualwindow.artifact"


class FormatError(Exception):
    """An artifact is of another format."""

    def __init__(self, found: object) -> None:
        super().__init__(
            f"it was written by another version of DualWindowLSTM (format {found}, this one has "
            f"{FORMAT})"
        )


@dataclass(frozen=True)
class Prediction:
    """One row per candle that was asked for.

    Parameters
    ----------
    probabilities : (n, 3) of SHORT, HOLD, LONG, calibrated; NaN where `valid` is False
    scores : (n, 3) the plain scores they are made from; NaN where `valid` is False
    valid : (n,) False where the window is not whole, the candle is an outlier, or the classifier
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
    n_features : columns of the scaled rows
    content : what the classifier has learnt, as `Fitted.to_bytes` gives it
    scaler : fitted on the training part
    calibration : fitted on the validation part
    context, context_features : the last ``history - 1`` candles of the training data and their
        unscaled features, so that the very first candle after training has a whole window
    record : what a person wants to know of the training, with the settings in effect
    """

    n_features: int
    content: bytes
    scaler: RowScaler
    calibration: Calibration
    context: Candles
    context_features: FloatArray
    record: TrainingRecord

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (FORMAT, {f.name: getattr(self, f.name) for f in fields(self)})

    @cached_property
    def fitted(self) -> Fitted:
        """What the classifier has learnt, unpacked once per process."""
        settings = self.record.settings
        classifier = make_classifier(settings.model, settings.history, self.n_features)
        return classifier.from_bytes(self.content)

    def made_from(self, facts: Mapping[str, Any]) -> "Artifact":
        """Return it with what the host knows of what shapes its predictions."""
        return replace(self, record=self.record.model_copy(update={"made_from": dict(facts)}))

    def handed_to(self, pair: str, features: tuple[str, ...], why: str) -> "Artifact":
        """Return it for a pair that was not learnt from, without any context.

        Parameters
        ----------
        pair : name
        features : what its host calls this pair's features, in the order of the record's
        why : it was not learnt from
        """
        return replace(
            self,
            context=self.context[:0],
            context_features=self.context_features[:0],
            record=self.record.handed_to(pair, features, why),
        )

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
        features : (n, f) unscaled, in the order of the record's features; NaN where unknown
        n_newest : predict so many of the last candles, leave the others out; all if None
        """
        settings = self.record.settings
        older = self.context.date < candles.date[0] if len(candles) else np.empty(0, dtype=bool)
        n_context = int(older.sum())
        candles = self.context[slice(n_context)].followed_by(candles)
        features = np.concatenate([self.context_features[:n_context], features])
        scaled = self.scaler.apply(features)
        broken = broken_windows(candles, scaled.known, settings.history, settings.max_untraded)
        valid = whole(broken) & scaled.inliers
        valid[: n_context if n_newest is None else max(n_context, len(valid) - n_newest)] = False
        scores = np.full((len(candles), len(CLASSES)), np.nan)
        scores[valid] = self.fitted.scores(Rows(scaled.rows, candles), np.flatnonzero(valid))
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


def _restore(found: object, state: dict[str, Any]) -> Artifact:
    """Unpickle an artifact; every later format keeps this function, so that it can be told.

    Raises
    ------
    FormatError
        If it is of another format.
    """
    if found != FORMAT:
        raise FormatError(found)
    # A record lacks the fields that it has got since it was pickled; here it gets their defaults.
    record = TrainingRecord(**vars(state["record"]))
    return Artifact(**{**state, "record": record})


def format_trouble(error: BaseException) -> FormatError | None:
    """Tell whether unpickling failed because the artifact is of an older format.

    Before there were formats, the classes were pickled by the names of modules that are gone.
    """
    if isinstance(error, FormatError):
        return error
    is_old = isinstance(error, ModuleNotFoundError) and error.name == _GONE
    return FormatError(1) if is_old else None

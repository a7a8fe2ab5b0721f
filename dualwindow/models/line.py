"""A logistic regression on a few numbers that sum a window up: what all baselines share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES
from dualwindow.models.classifier import Epoch, Fitted, Hooks
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import LineSettings

_LEARNT = ("mean", "deviation", "slopes", "levels")
_ABSENT = -50.0  # log odds of a class that the training part does not hold


# Of candles, (m,) rows and spans: (m, x) numbers, each of which looks at ``t-span+1 .. t``.
Inputs = Callable[[Candles, IntArray, tuple[int, ...]], FloatArray]


class Line(NamedTuple):
    """What a logistic regression on x numbers has learnt; see `FittedLine`."""

    mean: FloatArray
    deviation: FloatArray
    slopes: FloatArray
    levels: FloatArray

    def scores(self, x: FloatArray) -> FloatArray:
        """Give the softmax of the lines at (m, x) numbers: (m, 3)."""
        scaled = (x - self.mean) / self.deviation
        return np.asarray(softmax(scaled @ self.slopes.T + self.levels, axis=1))


def fit_line(x: FloatArray, labels: IntArray, weights: FloatArray, penalty: float) -> Line:
    """Fit a logistic regression to numbers that are scaled alike; a class may be absent.

    Parameters
    ----------
    x : (m, x) finite numbers
    labels : (m,) of SHORT, HOLD, LONG, at least two of them
    weights : (m,) how much each counts
    penalty : how strongly slopes are held near 0
    """
    mean, deviation = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
    model = LogisticRegression(C=1 / penalty, max_iter=1000, tol=1e-8)
    model.fit((x - mean) / deviation, labels, weights)
    slopes = np.zeros((len(CLASSES), x.shape[1]))
    levels = np.full(len(CLASSES), _ABSENT)
    # Of two classes, scikit-learn gives the odds of the second alone.
    two = len(model.classes_) == 2
    slopes[model.classes_] = np.vstack([0 * model.coef_, model.coef_]) if two else model.coef_
    levels[model.classes_] = [0, *model.intercept_] if two else model.intercept_
    return Line(mean, deviation, slopes, levels)


@dataclass(frozen=True)
class LineClassifier:
    """A multinomial logistic regression on what `inputs` makes of the candles of several spans."""

    settings: LineSettings
    spans: tuple[int, ...]
    inputs: Inputs

    def fit(
        self, training: Samples, validation: Samples, start: Fitted | None, hooks: Hooks
    ) -> "FittedLine":
        """Fit it to the training part alone; it has no epochs and always begins anew."""
        hooks.interrupt()
        x = self.inputs(training.rows.candles, training.ends, self.spans)
        line = fit_line(x, training.labels, training.weights, self.settings.penalty)
        hooks.interrupt()
        return FittedLine(self.inputs, self.spans, *line)

    def from_bytes(self, content: bytes) -> "FittedLine":
        """Read the JSON text."""
        found = json.loads(content)
        mean, deviation, slopes, levels = (np.array(found[name]) for name in _LEARNT)
        return FittedLine(self.inputs, self.spans, mean, deviation, slopes, levels)


@dataclass(frozen=True)
class FittedLine:
    """What it has learnt.

    Parameters
    ----------
    inputs, spans : that make x numbers of candles
    mean, deviation : (x,) of the inputs in the training part
    slopes : (3, x) of the scaled inputs
    levels : (3,)
    """

    inputs: Inputs
    spans: tuple[int, ...]
    mean: FloatArray
    deviation: FloatArray
    slopes: FloatArray
    levels: FloatArray

    epochs: tuple[Epoch, ...] = ()
    best_epoch: int = 0
    start_loss: float | None = None
    device: str = "CPU"

    def scores(self, rows: Rows, ends: IntArray) -> FloatArray:
        """Give the softmax of the lines."""
        if len(ends) == 0:
            return np.empty((0, len(CLASSES)))
        line = Line(self.mean, self.deviation, self.slopes, self.levels)
        return line.scores(self.inputs(rows.candles, ends, self.spans))

    def is_sound(self) -> bool:
        """Tell whether all that it has learnt are finite numbers."""
        return all(bool(np.isfinite(getattr(self, name)).all()) for name in _LEARNT)

    def to_bytes(self) -> bytes:
        """Write JSON text, which keeps every bit."""
        return json.dumps({name: getattr(self, name).tolist() for name in _LEARNT}).encode()

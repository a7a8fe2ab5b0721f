"""The baseline of smoothed labels: a logistic regression on how far, and which way.

Half of such a label has happened when it is predicted: the close against the mean of those before.
Whoever looks at that alone predicts well, so it is what a network must be better than.
"""

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow.market.summaries import closes_to_means, mean_log_ranges
from dualwindow.models.line import LineClassifier
from dualwindow.settings import TrendSettings, spans_of


def make(settings: TrendSettings, history: int, n_features: int) -> LineClassifier:
    """Make the classifier; it looks at candles only, whatever the features are."""
    return LineClassifier(settings, spans_of(settings.spans, history), trends_and_ranges)


def use_threads(settings: TrendSettings, n: int) -> None:
    """Do nothing: it has no threads of its own."""


def trends_and_ranges(candles: Candles, ends: IntArray, spans: tuple[int, ...]) -> FloatArray:
    """Compute the close against the mean close, and the mean range, of each span: (m, 2 * s)."""
    both = closes_to_means(candles, ends, spans), mean_log_ranges(candles, ends, spans)
    return np.hstack(both)

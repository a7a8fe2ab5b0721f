"""The baseline: a logistic regression on how far candles have moved lately."""

from dualwindow.market.summaries import mean_log_ranges
from dualwindow.models.line import LineClassifier
from dualwindow.settings import RangesSettings, spans_of


def make(settings: RangesSettings, history: int, n_features: int) -> LineClassifier:
    """Make the classifier; it looks at candles only, whatever the features are."""
    return LineClassifier(settings, spans_of(settings.spans, history), mean_log_ranges)


def use_threads(settings: RangesSettings, n: int) -> None:
    """Do nothing: it has no threads of its own."""

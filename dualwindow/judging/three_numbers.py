"""What three numbers foresee: the baseline kind, asked about many windows and labels quickly.

It selects, fits and calibrates as in any training. What is saved is what a walk-forward does anew
for each window and each labelling: features that the baseline does not look at, the sums of its
candles, and the records and files that nobody would read.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.learning.calibration import Evidence, calibrate
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, UNKNOWN
from dualwindow.market.summaries import running_closes_to_means, running_log_ranges
from dualwindow.models.line import fit_line
from dualwindow.samples.balancing import class_frequencies, class_mixture
from dualwindow.samples.data import TrainingData
from dualwindow.samples.scaling import Scaled
from dualwindow.samples.selection import refuse_one_class, select
from dualwindow.samples.splits import split_of, validation_start
from dualwindow.samples.windows import broken_windows, whole
from dualwindow.settings import LineSettings, RangesSettings, Settings, TrendSettings, spans_of


def baseline_settings(settings: Settings) -> Settings:
    """Let the baseline learn from the same labels in the same windows, weighted as by default.

    What may serve a network, as balanced classes or scores that nobody calibrates, would spoil it:
    a yardstick is worth the same whatever is held against it. Of smoothed labels, half has happened
    when they are predicted, so the baseline sees that half: it is `trend` for them, else `ranges`.
    """
    is_smoothed = settings.labels.rule == "smoothed"
    model = TrendSettings() if is_smoothed else RangesSettings()
    plain = Settings()
    return settings.model_copy(
        update={
            "model": model,
            "pooling": plain.pooling,
            "balancing": plain.balancing,
            "calibration": plain.calibration,
            "weight_factor": plain.weight_factor,
        }
    )


@dataclass(frozen=True)
class ThreeNumbers:
    """The candles of one pair, summed up once.

    Parameters
    ----------
    candles : n candles
    settings : of a kind that is a line on what candles are summed up to; see `baseline_settings`.
        Its labels are not looked at: they are given
    usable : (n,) False where a candle cannot be used, as where a feature that others look at is
        unknown; all of them where None
    """

    candles: Candles
    settings: Settings
    usable: BoolArray | None = None

    @cached_property
    def numbers(self) -> FloatArray:
        """What each window is summed up to: (n, x), NaN where a price is unknown."""
        model = self._model
        spans = spans_of(model.spans, self.settings.history)
        ranges = running_log_ranges(self.candles, spans)
        if isinstance(model, TrendSettings):
            return np.hstack([running_closes_to_means(self.candles, spans), ranges])
        return ranges

    @cached_property
    def whole(self) -> BoolArray:
        """Mark the rows that end a whole window: (n,)."""
        settings = self.settings
        broken = broken_windows(self.candles, self._usable, settings.history, settings.max_untraded)
        return whole(broken)

    @property
    def _model(self) -> LineSettings:
        model = self.settings.model
        assert isinstance(model, LineSettings), "three numbers are a line"
        return model

    @cached_property
    def _usable(self) -> BoolArray:
        return np.ones(len(self.candles), dtype=bool) if self.usable is None else self.usable

    def foresee(self, labels: IntArray, train: slice, predict: slice) -> FloatArray:
        """Learn from some rows and predict later ones.

        Nothing from ``train.stop`` on is learnt from: a label that looks there counts as unknown.

        Parameters
        ----------
        labels : (n,) of SHORT, HOLD, LONG, UNKNOWN; row *t* looks at ``t+1 .. t+horizon``, smoothed
            ones at ``t-horizon .. t-1``, too
        train, predict : rows, with a beginning and an end; the second begins where the first ends,
            or later

        Returns
        -------
        (m, 3) calibrated probabilities of the rows to predict; NaN where the window is not whole

        Raises
        ------
        TrainingError
            If too few windows or classes are left to learn from.
        """
        assert train.stop <= predict.start, "what is predicted has not been learnt from"
        settings, data = self.settings, self._taught(labels, train)
        boundary = validation_start(data.candles.date, settings.validation_share)
        split = split_of(data.candles, settings, boundary)
        n, known = len(data.candles), self._usable[train]
        nothing = np.empty((n, 0), dtype=np.float32)
        chosen = select(data, settings, split, Scaled(nothing, known, known, np.zeros(n)))
        taught, numbers = data.labels[chosen.train], self.numbers[train]
        refuse_one_class("three numbers", taught)
        line = fit_line(numbers[chosen.train], taught, chosen.weights, self._model.penalty)
        evidence = Evidence(
            line.scores(numbers[chosen.validation]),
            data.labels[chosen.validation],
            class_frequencies(data.labels),
            class_mixture(taught, chosen.weights),
            chosen.overlap,
        )
        calibration, _ = calibrate(settings.calibration, evidence)
        rows = np.arange(predict.start, predict.stop)
        asked = self.whole[predict]
        found = np.full((len(rows), len(CLASSES)), np.nan)
        found[asked] = calibration.apply(line.scores(self.numbers[rows[asked]]))
        return found

    def _taught(self, labels: IntArray, train: slice) -> TrainingData:
        own, horizon = labels[train].copy(), self.settings.horizon
        own[max(len(own) - horizon, 0) :] = UNKNOWN
        if self.settings.labels.rule == "smoothed":
            own[:horizon] = UNKNOWN
        candles, none = self.candles[train], np.empty((len(own), 0))
        return TrainingData("three numbers", candles, none, (), own)

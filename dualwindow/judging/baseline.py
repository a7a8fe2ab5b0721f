"""Let three numbers predict the candles that a walk-forward has predicted."""

from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.seen import Seen
from dualwindow.judging.three_numbers import ThreeNumbers, baseline_settings
from dualwindow.learning.folds import Fold
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, Labelling, Smoothed
from dualwindow.samples.data import TrainingError
from dualwindow.settings import Settings

DAYS = 30.0  # that the baseline learns from, where there are so many
_DAY = 86400


class Foreseen(NamedTuple):
    """What the baseline has predicted.

    Parameters
    ----------
    kind : of the baseline
    probabilities : (n, 3) of the walk's table; NaN where it could not
    days : it has learnt from, the fewest and the most; None if it could never
    failed : what kept it from a window, and of how many
    """

    kind: str
    probabilities: FloatArray
    days: tuple[float, float] | None
    failed: dict[str, int]


def foreseen(walk: WalkForward, seen: list[Seen]) -> Foreseen:
    """Ask the baseline about every window; it has seen nothing later than the window's start.

    It learns from the last `DAYS` before the window, or from the training period if that is
    shorter, each pair by itself.
    """
    probabilities = np.full((len(walk.table), len(CLASSES)), np.nan)
    days, failed = set(), dict[str, int]()
    for each in seen:
        if each.candles is None:
            mine = {fold for fold in walk.folds if fold.pair == each.pair}
            failed["there are no candles"] = failed.get("there are no candles", 0) + len(mine)
            continue
        asked = _Asked.of(each.candles, walk.records[0].settings)
        for i, fold in enumerate(walk.folds):
            if fold.pair != each.pair:
                continue
            own = each.window == i
            try:
                n_days, found = asked.window(fold, each.place[own], walk.records[i].settings)
            except TrainingError as error:
                why = str(error).partition("(")[0].removeprefix("three numbers: ").strip()
                failed[why] = failed.get(why, 0) + 1
            else:
                probabilities[each.rows[own]] = found
                days.add(n_days)
    kind = baseline_settings(walk.records[0].settings).model.kind
    return Foreseen(kind, probabilities, (min(days), max(days)) if days else None, failed)


class _Asked(NamedTuple):
    """The candles of one pair, summed up, and what they are labelled by."""

    numbers: ThreeNumbers
    labels: IntArray | None
    moves: FloatArray | None

    @classmethod
    def of(cls, candles: Candles, settings: Settings) -> "_Asked":
        labelling, numbers = (
            Labelling.of(settings),
            ThreeNumbers(candles, baseline_settings(settings)),
        )
        if isinstance(labelling.rule, Smoothed):  # each training may have a delta of its own
            return cls(numbers, None, labelling.moves(candles))
        return cls(numbers, labelling.label(candles), None)

    def window(self, fold: Fold, place: IntArray, settings: Settings) -> tuple[float, FloatArray]:
        """Predict a window: the days learnt from, and (m, 3) for the rows at `place`."""
        candles = self.numbers.candles
        begin = max(fold.start - round(DAYS * _DAY), fold.train_from, int(candles.date[0]))
        a, b, c = np.searchsorted(candles.date, [begin, fold.start, fold.stop]).tolist()
        if b - a <= max(settings.history, settings.horizon):
            raise TrainingError("there are no candles before the window")
        labels = self.labels
        if self.moves is not None:
            rule = Labelling.of(settings).rule
            assert isinstance(rule, Smoothed)
            labels = rule.label(self.moves)
        assert labels is not None
        whole = self.numbers.foresee(labels, slice(a, b), slice(b, c))
        found = np.full((len(place), len(CLASSES)), np.nan)
        there = (place >= b) & (place < c)
        found[there] = whole[place[there] - b]
        return (fold.start - begin) / _DAY, found

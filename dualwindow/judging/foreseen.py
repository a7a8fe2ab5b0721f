"""Ask three numbers what they foresee of many labellings of the same candles, in time order."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.survey import Point, labels_by
from dualwindow.judging.three_numbers import ThreeNumbers
from dualwindow.learning.metrics import log_loss, skill, split_loss
from dualwindow.market.candles import Candles
from dualwindow.market.labels import UNKNOWN
from dualwindow.samples.balancing import class_frequencies
from dualwindow.samples.data import TrainingError
from dualwindow.settings import Settings

_DAY = 86400


Lack = Literal["begins too late", "ends too early", "has a gap"]


class Span(NamedTuple):
    """A training and the window predicted after it: seconds since 1970 UTC, as those of a fold."""

    train_from: int
    start: int
    stop: int


class Foreseen(NamedTuple):
    """What was foreseen of one labelling in one window of one pair; NaN where nothing could be.

    Parameters
    ----------
    skill : share that is saved of the log loss of the frequencies of the training part
    split, quoted : (2,) losses per candle by question, touch and direction: of the three numbers,
        and of the frequencies
    candles : that were judged
    """

    skill: float
    split: FloatArray
    quoted: FloatArray
    candles: int


def spread(
    first: int, last: int, step: int, train_days: float, window_days: float, n: int
) -> list[Span]:
    """Spread windows evenly over the time that can be predicted.

    Parameters
    ----------
    first, last : when the first and the last candle open
    step : seconds from one candle to the next
    train_days, window_days : lengths
    n : windows at most; fewer where they would overlap

    Returns
    -------
    In the order of time. The last one ends with the candles; empty where a training and an hour to
    predict do not fit.

    Examples
    --------
    >>> day = 86400
    >>> [span.start // day for span in spread(0, 30 * day - 60, 60, 10, 5, 3)]
    [10, 17, 25]
    """
    train, end = round(train_days * _DAY), last + step
    window = min(round(window_days * _DAY), end - first - train)
    if window < 3600:
        return []
    n = min(n, (end - first - train) // window)
    found = []
    for start in np.linspace(first + train, end - window, n) if n > 1 else [end - window]:
        whole = first + int(start - first) // step * step
        found.append(Span(whole - train, whole, whole + window))
    return found


class Window(NamedTuple):
    """The candles of a training, of the window after it, and of the longest horizon after that.

    Parameters
    ----------
    pair, number : whose, and which of the spans
    candles : as many of them as there are
    n_train, n_predict : how many are of the training, and of the window
    """

    pair: str
    number: int
    candles: Candles
    n_train: int
    n_predict: int


def windows_of(pairs: Mapping[str, Candles], spans: Sequence[Span], horizon: int) -> list[Window]:
    """Cut the spans out of the candles of pairs; without one whose training is not wholly there.

    Parameters
    ----------
    pairs : candles by pair
    spans : of `spread`
    horizon : the longest of all points, candles
    """
    found = []
    for pair, candles in pairs.items():
        for number, span in enumerate(spans):
            if lacks(candles, span) is None:
                a, b, c = np.searchsorted(candles.date, span).tolist()
                found.append(Window(pair, number, candles[a : c + horizon], b - a, c - b))
    return found


def lacks(candles: Candles, span: Span) -> Lack | None:
    """Say what keeps candles from being asked in a span; None if nothing does."""
    if candles.date[0] > span.train_from:
        return "begins too late"
    if candles.date[-1] < span.start:
        return "ends too early"
    a, b, c = np.searchsorted(candles.date, span).tolist()
    is_whole = a < b < c and candles.date[a] == span.train_from
    return None if is_whole else "has a gap"


def foresee(window: Window, points: Sequence[Point], settings: Settings) -> list[Foreseen]:
    """Learn three numbers before a window, and judge what they say of it: by each point.

    Parameters
    ----------
    window : see there
    points : labels and horizons
    settings : of the baseline, see `baseline_settings`; its horizon is that of each point
    """
    rows = slice(0, window.n_train + window.n_predict)
    labels = labels_by(window.candles, points, settings.labels.rule, settings.max_untraded)
    of_horizon = {
        horizon: ThreeNumbers(
            window.candles[rows], settings.model_copy(update={"horizon": horizon})
        )
        for horizon in {point.horizon for point in points}
    }
    return [
        _foreseen(of_horizon[point.horizon], each[rows], window.n_train)
        for point, each in zip(points, labels, strict=True)
    ]


def _foreseen(numbers: ThreeNumbers, labels: IntArray, n_train: int) -> Foreseen:
    nothing = Foreseen(np.nan, np.full(2, np.nan), np.full(2, np.nan), 0)
    train, predict = slice(0, n_train), slice(n_train, len(labels))
    try:
        given = numbers.foresee(labels, train, predict)
    except TrainingError:  # too few moves: there is nothing to be foreseen
        return nothing
    judged = (labels[predict] != UNKNOWN) & ~np.isnan(given).any(axis=1)
    if not judged.any():
        return nothing
    given, truth = given[judged], labels[predict][judged]
    # Labels whose future ends in the window are not known to a training.
    taught = labels[: max(n_train - numbers.settings.horizon, 0)]
    quoted = np.tile(class_frequencies(taught), (len(truth), 1))
    return Foreseen(
        skill(log_loss(given, truth), log_loss(quoted, truth)),
        np.array(split_loss(given, truth)),
        np.array(split_loss(quoted, truth)),
        len(truth),
    )

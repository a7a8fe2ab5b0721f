"""Ask three numbers what they foresee of many labellings of the same candles, in time order."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.three_numbers import ThreeNumbers
from dualwindow.learning.metrics import log_loss, skill, split_loss
from dualwindow.learning.parallel import Workers, run_tasks
from dualwindow.market.candles import Candles
from dualwindow.market.labels import UNKNOWN
from dualwindow.samples.balancing import class_frequencies
from dualwindow.samples.data import TrainingError
from dualwindow.settings import Settings

_DAY = 86400


class Span(NamedTuple):
    """A training and the window predicted after it: seconds since 1970 UTC, as those of a fold."""

    train_from: int
    start: int
    stop: int


class Labelled(NamedTuple):
    """One pair's n candles, and (n,) labels of each labelling in the order of the horizons."""

    pair: str
    candles: Candles
    labels: Sequence[IntArray]


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


def foresee(
    pairs: Sequence[Labelled],
    spans: Sequence[Span],
    horizons: Sequence[int],
    settings: Settings,
    workers: Workers,
) -> Iterator[tuple[str, int, list[Foreseen]]]:
    """Learn three numbers before each window, and judge what they say of it.

    Parameters
    ----------
    pairs : all with a labelling for each of the horizons
    spans : of `spread`; one whose training a pair has not wholly is left out for it
    horizons : of the labellings
    settings : of the baseline, see `baseline_settings`; its horizon is that of each labelling
    workers : windows are independent of each other

    Yields
    ------
    Pair, number of the span, and what was foreseen of each labelling; in no certain order.
    """
    wanted, tasks = [], []
    for pair in pairs:
        for number, span in enumerate(spans):
            a, b, c = np.searchsorted(pair.candles.date, span).tolist()
            if a < b < c and pair.candles.date[a] == span.train_from:
                wanted.append((pair.pair, number))
                rows = slice(a, c)
                labels = [each[rows] for each in pair.labels]
                tasks.append(_Task(pair.candles[rows], labels, b - a, tuple(horizons)))
    for i, found in run_tasks(partial(_judged, settings=settings), tasks, workers):
        yield (*wanted[i], found)


class _Task(NamedTuple):
    candles: Candles
    labels: Sequence[IntArray]
    n_train: int
    horizons: tuple[int, ...]


def _judged(task: _Task, settings: Settings) -> list[Foreseen]:
    of_horizon = {
        horizon: ThreeNumbers(task.candles, settings.model_copy(update={"horizon": horizon}))
        for horizon in sorted(set(task.horizons))
    }
    return [
        _foreseen(of_horizon[horizon], labels, task.n_train)
        for horizon, labels in zip(task.horizons, task.labels, strict=True)
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

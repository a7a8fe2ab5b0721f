"""Divide a span of time into folds: a training period each, and the window predicted after it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import IntArray
from dualwindow.market.candles import Candles
from dualwindow.samples.pair_data import PairData

_DAY = 86400


class FoldError(ValueError):
    """The candles do not allow the folds that were asked for."""


class Fold(NamedTuple):
    """One training of one pair, and what its model predicts.

    Parameters
    ----------
    pair : whose candles
    number : folds of the same time have the same number, from 0
    train_from, start, stop : seconds since 1970 UTC. Trained on the candles that open in
        ``[train_from, start)``, predicted are those in ``[start, stop)``
    """

    pair: str
    number: int
    train_from: int
    start: int
    stop: int


@dataclass(frozen=True)
class Schedule:
    """When a walk-forward trains and predicts.

    Parameters
    ----------
    start, stop : seconds since 1970 UTC; the candles that open in ``[start, stop)`` are predicted
    train_days : length of every training period; it ends where the window begins
    window_days : how long a model predicts before the next one; the last one may be shorter
    """

    start: int
    stop: int
    train_days: float
    window_days: float


def folds(pairs: Sequence[PairData], schedule: Schedule) -> tuple[list[Fold], list[str]]:
    """List the folds of all pairs, in the order of time.

    A fold whose training period reaches behind the pair's first candle is left out, and so is one
    without a candle to predict.

    Returns
    -------
    The folds, and for each pair of which some were left out, a sentence that says so.

    Raises
    ------
    FoldError
        If none is left; it says how many days of candles are missing. If a pair is named twice, or
        a length is not above 0.
    """
    if schedule.stop <= schedule.start:
        raise FoldError("no fold: the timerange ends before it begins")
    names = [pair.pair for pair in pairs]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FoldError(f"no fold: named more than once: {', '.join(twice)}")
    train, window = round(schedule.train_days * _DAY), round(schedule.window_days * _DAY)
    for name, length in (("train_days", train), ("window_days", window)):
        if length < 1:
            given = getattr(schedule, name)
            raise FoldError(f"no fold: `{name}` must be above 0. Received: {given!r}")
    starts = range(schedule.start, schedule.stop, window)
    found, remarks, missing = [], [], []
    for pair in pairs:
        date = pair.candles.date
        mine = [
            Fold(pair.pair, i, start - train, start, min(start + window, schedule.stop))
            for i, start in enumerate(starts)
        ]
        held = [f for f in mine if _begins_by(date, f) and _any_between(date, f.start, f.stop)]
        found += held
        if len(held) < len(mine):
            why, n_lost = _missing_days(pair.candles, mine), len(mine) - len(held)
            remarks.append(f"{pair.pair}: {n_lost} of {len(mine)} folds are left out; {why}")
            missing.append(f"{pair.pair}: {why}")
    if not found:
        raise FoldError(
            f"no fold of {schedule.train_days:g} days of training and {schedule.window_days:g} "
            f"days to predict fits in: {'; '.join(missing)}"
        )
    return sorted(found, key=lambda fold: (fold.start, fold.pair)), remarks


def _begins_by(date: IntArray, fold: Fold) -> bool:
    return len(date) > 0 and bool(date[0] <= fold.train_from)


def _any_between(date: IntArray, start: int, stop: int) -> bool:
    first, last = np.searchsorted(date, [start, stop])
    return bool(last > first)


def _missing_days(candles: Candles, asked: Sequence[Fold]) -> str:
    if not len(candles):
        return "there are no candles"
    before = int(candles.date[0]) - asked[0].train_from
    after = asked[-1].stop - int(candles.date[-1]) - candles.step
    sides = ((before, "before the first"), (after, "after the last"))
    parts = [f"{math.ceil(10 * s / _DAY) / 10} days {side}" for s, side in sides if s > 0]
    if not parts:
        return "there is a gap of whole windows"
    return f"candles are missing, {' and '.join(parts)}"

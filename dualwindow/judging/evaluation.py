"""Turn decisions and what really happened into numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from sklearn.metrics import precision_recall_fscore_support

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.decisions import break_even
from dualwindow.judging.outcomes import Costs, ends_of, independent
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, UNKNOWN


class Direction(NamedTuple):
    """What the signals of one direction were worth.

    Parameters
    ----------
    signals : how many
    independent : how many of them begin when the one before has ended; None if that is unknown
    hit_rate : share of all signals that reached their label, NaN without signals
    break_even : hit rate at which take-profit, stop and fees balance
    expected_value : mean outcome of the independent signals after fees, fraction of the stake
    standard_error : of that mean, NaN below two signals
    """

    signals: int
    independent: int | None
    hit_rate: float
    break_even: float
    expected_value: float
    standard_error: float


class Quality(NamedTuple):
    """How good decisions were.

    Parameters
    ----------
    candles : decided on, with a known label
    accuracy : share of decisions that are the label
    precision, recall, f1 : (SHORT, HOLD, LONG)
    trading_f1 : mean F1 of SHORT and LONG
    share_of_hold : of the decisions
    signals_per_day : SHORT and LONG decisions
    short, long : per direction
    """

    candles: int
    accuracy: float
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    f1: tuple[float, ...]
    trading_f1: float
    share_of_hold: float
    signals_per_day: float
    short: Direction
    long: Direction


class Record(NamedTuple):
    """What the decisions of one pair and one span of time met; records can be pooled.

    Parameters
    ----------
    truth, chosen : (m,) labels and decisions, of the candles where both are known
    outcomes : profits of the independent SHORT and of the independent LONG signals; None where
        candles without prices do not tell how a trade ends
    days : that the m candles cover
    """

    truth: IntArray
    chosen: IntArray
    outcomes: tuple[list[float], list[float]] | None
    days: float


def follow(candles: Candles, labels: IntArray, decisions: IntArray, costs: Costs) -> Record:
    """Compare decisions with labels, and follow each independent signal to its end.

    Signals overlap: while one runs, the next dozens see almost the same future. So of each
    direction only those count as independent that begin when the one before has ended.

    Parameters
    ----------
    candles : n candles, for how trades end: candle *t* looks at ``t+1 .. t+horizon``
    labels : (n,) of SHORT, HOLD, LONG; UNKNOWN rows are left out
    decisions : (n,) of SHORT, HOLD, LONG; UNKNOWN where there is no prediction, left out, too
    costs : of a trade
    """
    judged = (labels != UNKNOWN) & (decisions != UNKNOWN)
    outcomes = None
    if candles.has_prices:
        short, long = (
            _independent_outcomes(candles, judged & (decisions == side), side, costs)
            for side in (SHORT, LONG)
        )
        outcomes = short, long
    days = judged.sum() * candles.step / 86400
    return Record(labels[judged], decisions[judged], outcomes, float(days))


def quality(records: Sequence[Record], costs: Costs) -> Quality:
    """Sum records up; what cannot be said, for want of candles or signals, is NaN."""
    nothing = np.empty(0, dtype=np.int8)
    truth = np.concatenate([nothing, *(record.truth for record in records)])
    chosen = np.concatenate([nothing, *(record.chosen for record in records)])
    n, days = len(truth), sum(record.days for record in records)
    precision, recall, f1 = _by_class(truth, chosen)
    short, long = (
        _direction(truth, chosen, _pooled_outcomes(records, i), side, costs)
        for i, side in enumerate((SHORT, LONG))
    )
    return Quality(
        n,
        float((truth == chosen).mean()) if n else math.nan,
        tuple(map(float, precision)),
        tuple(map(float, recall)),
        tuple(map(float, f1)),
        float((f1[SHORT] + f1[LONG]) / 2),
        float((chosen == HOLD).mean()) if n else math.nan,
        float((chosen != HOLD).sum() / days) if n else math.nan,
        short,
        long,
    )


def _by_class(truth: IntArray, chosen: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    if len(truth) == 0:
        unknown = np.full(len(CLASSES), np.nan)
        return unknown, unknown, unknown
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, chosen, labels=range(len(CLASSES)), zero_division=np.nan
    )
    return precision, recall, f1


def _independent_outcomes(
    candles: Candles, signal: BoolArray, side: int, costs: Costs
) -> list[float]:
    if not signal.any():
        return []
    ends = ends_of(candles, side, costs)
    return ends.profit[independent(signal, ends)].tolist()


def _pooled_outcomes(records: Sequence[Record], i: int) -> list[float] | None:
    """Put those of one direction together; None if those of any record are unknown."""
    pooled: list[float] = []
    for record in records:
        if record.outcomes is None:
            return None
        pooled += record.outcomes[i]
    return pooled


def _direction(
    truth: IntArray, chosen: IntArray, found: list[float] | None, side: int, costs: Costs
) -> Direction:
    signal, outcomes = chosen == side, found or []
    n = len(outcomes)
    return Direction(
        int(signal.sum()),
        None if found is None else n,
        float((truth[signal] == side).mean()) if signal.any() else math.nan,
        break_even(costs.labelling.barriers, costs.fees)[side],
        float(np.mean(outcomes)) if n else math.nan,
        float(np.std(outcomes, ddof=1) / np.sqrt(n)) if n > 1 else math.nan,
    )

"""Count what many barriers and horizons would make of the same candles."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow.market.labels import (
    CLASSES,
    LONG,
    RULES,
    RULES_BY_TOUCHES,
    SHORT,
    UNKNOWN,
    Barriers,
    Labelling,
    Touches,
)
from dualwindow.market.touches import falls_of, rises_of

# Rows at a time: what one distance needs of them stays in the caches of a core.
_CHUNK = 1 << 14


class Point(NamedTuple):
    """Barriers, fractions of the close, and the candles in which one must be touched."""

    barriers: Barriers
    horizon: int


class Surveyed(NamedTuple):
    """What a point makes of the candles of one pair.

    Parameters
    ----------
    counts : (3,) of SHORT, HOLD, LONG
    candles_to_touch : of all moves together, from the candle that is labelled to the take-profit
    independent : SHORT and LONG moves of those that begin when the one before has ended
    """

    counts: IntArray
    candles_to_touch: int
    independent: tuple[int, int]


def survey(
    candles: Candles, points: Sequence[Point], rule: str, max_untraded: int
) -> list[Surveyed]:
    """Label candles by every point, and count.

    When a distance is first touched is found once, for the longest horizon: for a shorter one it
    is touched by then or it is not. So many points cost little more than one.

    Parameters
    ----------
    candles : n candles; candle *t* looks at its own close and at ``t+1 .. t+horizon``
    points : at least one
    rule : ``exclusive`` or ``first_touch``
    max_untraded : a longer run of candles without volume inside the horizon counts as a gap

    Returns
    -------
    One for each point, in the order given; memory does not grow with their number.
    """
    tallies = [_Tally() for _ in points]
    for part in _labelled(candles, points, rule, max_untraded):
        tallies[part.number].add(part)
    return [tally.total() for tally in tallies]


def labels_by(
    candles: Candles, points: Sequence[Point], rule: str, max_untraded: int
) -> list[IntArray]:
    """Label candles by every point: (n,) int8 each, those of `Labelling.label`.

    Parameters are those of `survey`.
    """
    found = [np.empty(len(candles), dtype=np.int8) for _ in points]
    for part in _labelled(candles, points, rule, max_untraded):
        found[part.number][part.rows] = part.labels
    return found


class _Part(NamedTuple):
    """Some rows, as the point of a number labels them: (m,) labels, and when levels are touched."""

    number: int
    rows: slice
    labels: IntArray
    touches: Touches


def _labelled(
    candles: Candles, points: Sequence[Point], rule: str, max_untraded: int
) -> Iterator[_Part]:
    """Label chunk after chunk, each by all points while its tables are in the caches."""
    known = {
        horizon: Labelling(RULES[rule], points[0].barriers, horizon, max_untraded).known_futures(
            candles
        )
        for horizon in {point.horizon for point in points}
    }
    label = RULES_BY_TOUCHES[rule]
    for rows, touched in _touched(candles, [point.barriers for point in points], max(known)):
        for number, point in enumerate(points):
            touches = touched.of(point.barriers)
            labels = label(touches, point.horizon)
            labels[~known[point.horizon][rows]] = UNKNOWN
            yield _Part(number, rows, labels, touches)


class _Touched(NamedTuple):
    """By distance: (m,) candles until the price is so far above the close, or so far below."""

    above: Mapping[float, IntArray]
    below: Mapping[float, IntArray]

    def of(self, barriers: Barriers) -> Touches:
        return Touches(
            self.above[barriers.long_take_profit],
            self.below[barriers.long_stop_loss],
            self.below[barriers.short_take_profit],
            self.above[barriers.short_stop_loss],
        )


def _touched(
    candles: Candles, barriers: Iterable[Barriers], horizon: int
) -> Iterator[tuple[slice, _Touched]]:
    """Find when each distance is touched, chunk by chunk."""
    above, below = set(), set()
    for each in barriers:
        above |= {each.long_take_profit, each.short_stop_loss}
        below |= {each.long_stop_loss, each.short_take_profit}
    n = len(candles)
    for start in range(0, n, _CHUNK):
        rows = slice(start, min(start + _CHUNK, n))
        close = candles.close[rows]
        rises = rises_of(_ahead(candles.high, rows, horizon), horizon)
        falls = falls_of(_ahead(candles.low, rows, horizon), horizon)
        yield (
            rows,
            _Touched(
                {d: rises(_watched(d, close)[0]).astype(np.int32) for d in above},
                {d: falls(_watched(d, close)[1]).astype(np.int32) for d in below},
            ),
        )


def _ahead(prices: FloatArray, rows: slice, horizon: int) -> FloatArray:
    """Take the prices of rows and of the horizon after them; what is past the end is NaN."""
    found = prices[rows.start : rows.stop + horizon]
    missing = rows.stop - rows.start + horizon - len(found)
    return np.concatenate([found, np.full(missing, np.nan)]) if missing else found


def _watched(distance: float, close: FloatArray) -> tuple[FloatArray | float, FloatArray | float]:
    """Compute the prices from which on a touch counts, so far above and below the close."""
    barriers = Barriers(distance, distance, distance, distance)
    level = Labelling(RULES["exclusive"], barriers, 1, 0).watched(close)
    return level.long_take, level.long_stop


class _Tally:
    """Counts what one point makes of the candles, chunk by chunk."""

    def __init__(self) -> None:
        self._counts = np.zeros(len(CLASSES), dtype=np.int64)
        self._candles_to_touch = 0
        self._independent = np.zeros(2, dtype=np.int64)
        self._free = 0  # the first row at which the last independent move has ended

    def add(self, part: _Part) -> None:
        """Count the next rows."""
        labels, touches = part.labels, part.touches
        is_long = labels == LONG
        moves = np.flatnonzero(is_long | (labels == SHORT))
        of_long = is_long[moves]
        lengths = np.where(of_long, touches.long_take[moves], touches.short_take[moves])
        n_long, n_moves = int(of_long.sum()), len(moves)
        n_known = int(np.count_nonzero(labels != UNKNOWN))
        self._counts += (n_moves - n_long, n_known - n_moves, n_long)
        self._candles_to_touch += int(lengths.sum())
        taken = self._one_after_another(part.rows, moves, lengths)
        n_long = int(of_long[taken].sum())
        self._independent += (len(taken) - n_long, n_long)

    def _one_after_another(self, rows: slice, moves: IntArray, lengths: IntArray) -> list[int]:
        """Take moves that begin when the one before has ended, as numbers among the moves."""
        ends, n = moves + lengths, rows.stop - rows.start
        before = np.zeros(n + 1, dtype=np.int64)  # how many moves begin before a row
        before[moves + 1] = 1
        np.cumsum(before, out=before)
        following = before[np.minimum(ends, n)].tolist()
        i, taken = int(before[min(max(self._free - rows.start, 0), n)]), []
        while i < len(moves):
            taken.append(i)
            i = following[i]
        if taken:
            self._free = rows.start + int(ends[taken[-1]])
        return taken

    def total(self) -> Surveyed:
        """Sum up."""
        short, long = self._independent.tolist()
        return Surveyed(self._counts, self._candles_to_touch, (short, long))

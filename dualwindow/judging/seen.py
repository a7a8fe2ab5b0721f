"""Lay predictions beside the candles that they are about, pair by pair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.outcomes import Costs, Ends, ends_of
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, UNKNOWN


@dataclass(frozen=True)
class Seen:
    """What was predicted of one pair, and its candles.

    Parameters
    ----------
    pair : name
    rows : (m,) of the walk's table
    window : (m,) place of the window in the walk's folds
    date : (m,) seconds since 1970 UTC
    probabilities : (m, 3)
    labels : (m,) of SHORT, HOLD, LONG, UNKNOWN
    valid : (m,) whether there is a prediction
    vetoed : (m,) whether the host does not enter there, whatever is predicted
    candles : of the pair; None if there are none with prices
    place : (m,) row of the candles, -1 where it is not there
    costs : of a trade
    ends : how trades end from each of the candles, by side; found when first asked for, and shared
        with others who predict the same candles
    """

    pair: str
    rows: IntArray
    window: IntArray
    date: IntArray
    probabilities: FloatArray
    labels: IntArray
    valid: BoolArray
    vetoed: BoolArray
    candles: Candles | None
    place: IntArray
    costs: Costs
    ends: dict[int, Ends] = field(default_factory=dict)

    @property
    def judged(self) -> BoolArray:
        """(m,) with a prediction and a known label."""
        return self.valid & (self.labels != UNKNOWN)

    def ends_of(self, side: int) -> Ends:
        """How trades of a side end from each of the candles."""
        assert self.candles is not None, "asked only where there are candles"
        if side not in self.ends:
            self.ends[side] = ends_of(self.candles, side, self.costs)
        return self.ends[side]

    def on_candles(self, chosen: BoolArray) -> BoolArray:
        """Mark the candles of the (m,) predictions that are chosen."""
        assert self.candles is not None, "asked only where there are candles"
        marked = np.zeros(len(self.candles), dtype=bool)
        marked[self.place[chosen & (self.place >= 0)]] = True
        return marked


def seconds_of(walk: WalkForward) -> IntArray:
    """Read the opening times of a table: (n,) seconds since 1970 UTC."""
    return walk.table["date"].to_numpy("datetime64[s]").astype(np.int64)


def windows_of(walk: WalkForward) -> IntArray:
    """Find the place of each row's window in the folds: (n,)."""
    places = {(fold.pair, fold.number): i for i, fold in enumerate(walk.folds)}
    keys = walk.table[["pair", "fold"]].drop_duplicates()
    groups = walk.table.groupby(["pair", "fold"], observed=True, sort=False).ngroup().to_numpy()
    of_group = np.array([places[key] for key in zip(keys["pair"], keys["fold"], strict=True)])
    return of_group[groups]


def all_seen(
    walk: WalkForward,
    candles: Mapping[str, Candles],
    vetoed: Mapping[str, np.ndarray],
    costs: Costs,
    others: Sequence[Seen] = (),
) -> list[Seen]:
    """Take a walk-forward apart by pairs, in the order of their names.

    Parameters
    ----------
    walk, candles, vetoed : see `Evidence`
    costs : of a trade
    others : the same candles with other predictions, if they were laid out before
    """
    table, window, date = walk.table, windows_of(walk), seconds_of(walk)
    probabilities = table[list(CLASSES)].to_numpy()
    labels, valid = table["label"].to_numpy(), table["valid"].to_numpy(dtype=bool)
    pairs = table["pair"].to_numpy()
    ends = {each.pair: each.ends for each in others}
    found = []
    for pair in sorted(set(pairs)):
        rows = np.flatnonzero(pairs == pair)
        own = candles.get(pair)
        if own is not None and not own.has_prices:
            own = None
        found.append(
            Seen(
                pair=pair,
                rows=rows,
                window=window[rows],
                date=date[rows],
                probabilities=probabilities[rows],
                labels=labels[rows].astype(np.int64),
                valid=valid[rows],
                vetoed=np.asarray(vetoed.get(pair, np.zeros(len(rows), dtype=bool)), dtype=bool),
                candles=own,
                place=_place(own, date[rows]),
                costs=costs,
                ends=ends.get(pair, {}),
            )
        )
    return found


def _place(candles: Candles | None, date: IntArray) -> IntArray:
    if candles is None or len(candles) == 0:
        return np.full(len(date), -1)
    row = np.minimum(np.searchsorted(candles.date, date), len(candles) - 1)
    return np.where(candles.date[row] == date, row, -1)

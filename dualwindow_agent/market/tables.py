"""Put out-of-sample tables and candles together into the tapes that an agent lives through."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.market.candles import Candles
from dualwindow.market.labels import UNKNOWN, Barriers, Labelling
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.market.walk_table import Predictions, TableError, WalkTable, told_labels

_LOOK_BACK = 1440  # candles before the first prediction, for averages
MOST_FURTHER = 2


@dataclass(frozen=True)
class Span:
    """What is asked for, seconds since 1970 UTC; infinite where all there is will do."""

    start: float = -math.inf
    stop: float = math.inf


@dataclass(frozen=True)
class Told:
    """Tapes, and what the labels of their predictions were made by."""

    tapes: tuple[Tape, ...]
    barriers: Barriers
    horizon: int


def read_tapes(
    folder: Path,
    candles: Mapping[str, Candles],
    further: Sequence[Path] = (),
    span: Span | None = None,
    labels: tuple[Barriers, int] | None = None,
) -> Told:
    """Read the tapes of several pairs.

    Parameters
    ----------
    folder : of a walk-forward
    candles : of each pair, with opens
    further : folders of walk-forwards of other horizons, for the observation ``published``
    span : what the table must tell of; without, all that it does
    labels : barriers and horizon that the table's labels must have; without, whatever they are

    Raises
    ------
    TableError
        If a table cannot be believed, has a hole, does not reach over the span, is of other
        labels, or does not fit the candles.
    """
    table = WalkTable.read(folder)
    if labels is not None and labels != (table.barriers, table.horizon):
        raise TableError(
            f"{folder}: the table is of {told_labels(table.barriers, table.horizon)}; asked for "
            f"is {told_labels(*labels)}: make a walk-forward of these, or train another agent"
        )
    others = _further(table, further)
    tapes = [_tape(table, others, pair, own, span or Span()) for pair, own in candles.items()]
    return Told(tuple(tapes), table.barriers, table.horizon)


def _further(table: WalkTable, folders: Sequence[Path]) -> list[WalkTable]:
    if len(folders) > MOST_FURTHER:
        raise TableError(
            f"there can be {MOST_FURTHER} tables of further horizons. Received: {len(folders)}"
        )
    found, taken = [], {table.horizon: table.folder}
    for folder in folders:
        other = WalkTable.read(folder)
        if other.horizon in taken:
            raise TableError(
                f"{folder}: horizon {other.horizon} is that of {taken[other.horizon]}, too; a "
                "further table needs models that were taught by another horizon"
            )
        taken[other.horizon] = folder
        found.append(other)
    return found


def _tape(
    table: WalkTable, others: Sequence[WalkTable], pair: str, candles: Candles, span: Span
) -> Tape:
    made = table.of_pair(pair, candles.step)
    _refuse_uncovered(table, pair, made, span, candles.step)
    _refuse_other_candles(table.folder, table.labelling, pair, made, candles)
    first, end = (int(i) for i in np.searchsorted(candles.date, [made.date[0], made.date[-1] + 1]))
    begin = max(first - _LOOK_BACK, _after_gap(candles, first))
    part, n_before = candles[begin:end], first - begin
    further = [_of_other(each, pair, made, candles) for each in others]
    # A further prediction that is missing would be seen as a certain one: nothing is entered there.
    known = [np.isfinite(each).all(axis=1) for each in further]
    valid = np.logical_and.reduce([made.valid, *known])
    tape = Tape(
        pair,
        part,
        _padded(np.where(valid[:, None], made.probabilities, np.nan), n_before),
        np.concatenate([np.zeros(n_before, dtype=bool), valid]),
        n_before,
        tuple(_padded(each, n_before) for each in further),
    )
    return tape.between(span.start, span.stop)


def _after_gap(candles: Candles, row: int) -> int:
    """Find the first candle from which on none is missing up to a row."""
    gaps = np.flatnonzero(candles.breaks[: row + 1])
    return int(gaps[-1]) if len(gaps) else 0


def _padded(probabilities: FloatArray, n: int) -> FloatArray:
    return np.concatenate([np.full((n, probabilities.shape[1]), np.nan), probabilities])


def _refuse_uncovered(
    table: WalkTable, pair: str, made: Predictions, span: Span, step: int
) -> None:
    begin, end = int(made.date[0]), int(made.date[-1]) + step
    late = math.isfinite(span.start) and span.start < begin
    if late or (math.isfinite(span.stop) and span.stop > end) or span.start >= end:
        there = " to ".join(str(np.datetime64(second, "s")) for second in (begin, end))
        raise TableError(
            f"{table.folder}: {pair}: there is no out-of-sample table for the whole period: it "
            f"reaches from {there} UTC; ask for less, or walk forward over more"
        )


def _refuse_other_candles(
    folder: Path, labelling: Labelling, pair: str, made: Predictions, candles: Candles
) -> None:
    """Refuse candles that are not there, or of which other labels come than stand in the table."""
    rows = np.searchsorted(candles.date, made.date)
    there = rows < len(candles)
    there[there] = candles.date[rows[there]] == made.date[there]
    if not there.all():
        lost = int((~there).argmax())
        raise TableError(
            f"{folder}: {pair}: {int((~there).sum()):,} candles of the table are missing, the "
            f"first at {np.datetime64(int(made.date[lost]), 's')} UTC; download them, or take the "
            "files that the walk-forward was made from"
        )
    around = candles[max(int(rows[0]) - 2 * labelling.horizon, 0) : int(rows[-1]) + 1]
    labels = labelling.label(around)[-len(rows) :].astype(np.int64)
    both = (labels != UNKNOWN) & (made.labels != UNKNOWN)
    if (odd := both & (labels != made.labels)).any():
        row = int(odd.argmax())
        raise TableError(
            f"{folder}: {pair}: these are other candles than those of the table: "
            f"{int(odd.sum()):,} labels come out otherwise, the first at "
            f"{np.datetime64(int(made.date[row]), 's')} UTC; take the files that the walk-forward "
            "was made from"
        )


def _of_other(other: WalkTable, pair: str, made: Predictions, candles: Candles) -> FloatArray:
    """Take a further table's probabilities of the same candles."""
    found = other.of_pair(pair, candles.step)
    _refuse_other_candles(other.folder, other.labelling, pair, found, candles)
    rows = np.searchsorted(found.date, made.date)
    if found.date[0] > made.date[0] or found.date[-1] < made.date[-1]:
        begin, end = (str(np.datetime64(int(made.date[i]), "s")) for i in (0, -1))
        raise TableError(
            f"{other.folder}: {pair}: the further table does not reach over the first one, from "
            f"{begin} to {end} UTC; walk forward over the same timerange"
        )
    return found.probabilities[rows]

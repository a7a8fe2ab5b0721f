"""Put what FreqAI has of an identifier into the table that everything is judged by."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas import DataFrame

from dualwindow.arrays import BoolArray, IntArray
from dualwindow.learning.fingerprint import digest
from dualwindow.learning.folds import Fold
from dualwindow.learning.record import TrainingRecord
from dualwindow.learning.walk_forward import RAW, WalkForward
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow_freqtrade.freqai.names import ACTION, DO_PREDICT

_SUM = 1e-3  # by which three probabilities may miss 1; what was skipped is 0


class Predicted(NamedTuple):
    """A window of one pair as FreqAI keeps it.

    Parameters
    ----------
    pair, start, stop : seconds since 1970 UTC, `stop` exclusive
    record : of the training before it
    rows : ``date``, the model's columns and ``do_predict``; of a model that acts, its actions
    """

    pair: str
    start: int
    stop: int
    record: TrainingRecord
    rows: DataFrame


class Table(NamedTuple):
    """The table, with what a host knows of each of its candles.

    Parameters
    ----------
    walk : see there
    vetoed : by pair, (n,) where `do_predict` is not 1: nothing is to be entered
    actions : by pair, (n,) what an agent wanted; empty without one
    """

    walk: WalkForward
    vetoed: dict[str, BoolArray]
    actions: dict[str, IntArray]


def table_of(windows: Sequence[Predicted], candles: Mapping[str, Candles]) -> Table:
    """Lay the windows of all pairs out in the order of time, and label every candle.

    A candle is a prediction where its probabilities sum to 1; FreqAI writes 0 where there is none.
    Labels are made of the candles by the settings of the record of the window.

    Parameters
    ----------
    windows : at least one
    candles : of each pair; they reach as far as labels are to be known
    """
    in_order = sorted(windows, key=lambda window: (window.start, window.pair))
    starts = sorted({window.start for window in windows})
    numbers = {start: number for number, start in enumerate(starts)}
    folds = [_fold(window, numbers[window.start]) for window in in_order]
    labels: dict[tuple[str, Labelling], IntArray] = {}
    parts = []
    for window, fold in zip(in_order, folds, strict=True):
        labelling, known = Labelling.of(window.record.settings), candles[window.pair]
        if (window.pair, labelling) not in labels:
            labels[window.pair, labelling] = labelling.label(known)
        parts.append(_part(window, fold, _found(labels[window.pair, labelling], known, window)))
    whole = pd.concat(parts, ignore_index=True)
    vetoed = dict(_by_pair(whole, "vetoed"))
    actions = dict(_by_pair(whole, ACTION)) if ACTION in whole else {}
    table = whole.drop(columns=["vetoed", ACTION], errors="ignore")
    table = table.astype({"pair": "category", "made_by": "category"})
    return Table(WalkForward(table, [w.record for w in in_order], folds), vetoed, actions)


def _fold(window: Predicted, number: int) -> Fold:
    first = int(pd.Timestamp(window.record.first_candle).timestamp())
    return Fold(window.pair, number, first, window.start, window.stop)


def _part(window: Predicted, fold: Fold, labels: IntArray) -> DataFrame:
    rows = window.rows
    given = rows[[*CLASSES, *RAW]].to_numpy(np.float64)
    valid = np.abs(given[:, : len(CLASSES)].sum(axis=1) - 1) <= _SUM
    told = np.where(valid[:, None], given, np.nan)
    part = DataFrame(
        {
            "date": rows["date"].dt.as_unit("ms").array,
            "pair": fold.pair,
            "fold": np.int32(fold.number),
            **dict(zip((*CLASSES, *RAW), told.T, strict=True)),
            "label": labels,
            "valid": valid,
            "made_by": digest([window.record.to_json().encode()]),
            "vetoed": rows[DO_PREDICT].to_numpy() != 1,
        }
    )
    return part.assign(**{ACTION: rows[ACTION].to_numpy(np.int64)}) if ACTION in rows else part


def _found(labels: IntArray, candles: Candles, window: Predicted) -> IntArray:
    """Find the labels of the rows of a window; UNKNOWN where there is no such candle."""
    date = window.rows["date"].to_numpy("datetime64[s]").astype(np.int64)
    place = np.minimum(np.searchsorted(candles.date, date), max(len(candles) - 1, 0))
    if not len(candles):
        return np.full(len(date), UNKNOWN, dtype=np.int8)
    return np.where(candles.date[place] == date, labels[place], UNKNOWN).astype(np.int8)


def _by_pair(table: DataFrame, column: str) -> Iterator[tuple[str, np.ndarray]]:
    for pair, rows in table.groupby("pair", observed=True):
        yield str(pair), rows[column].to_numpy()

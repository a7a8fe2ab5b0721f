"""Read and write the tables of features and labels that a published trainer learns from.

They hold no prices. Labels are three columns of which one is 1, or one column of 0, 1 and 2.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candle_files import CandleFileError, in_utc
from dualwindow.market.labels import CLASSES, UNKNOWN
from dualwindow.market.ready_features import READY_FEATURES

ONE_HOT = ("label_0", "label_1", "label_2")  # SHORT, HOLD, LONG
SINGLE = ("label",)
TIME = "timestamp"


class ReadyTable(NamedTuple):
    """What a file holds.

    Parameters
    ----------
    date : (n,) datetime64 of UTC, or numbers where there are none, which then count rows
    features : (n, 8) in the order of READY_FEATURES, finite
    labels : (n,) int8 of SHORT, HOLD, LONG
    """

    date: "pd.Series[Any]"
    features: FloatArray
    labels: IntArray


def ready_bytes(
    date: IntArray, features: FloatArray, labels: IntArray, label_columns: Sequence[str]
) -> bytes:
    """Lay a table out as the content of a feather file.

    Parameters
    ----------
    date : (n,) seconds since 1970 UTC
    features : (n, 8) in the order of READY_FEATURES
    labels : (n,) of SHORT, HOLD, LONG
    label_columns : ONE_HOT or SINGLE
    """
    codes = np.eye(len(CLASSES), dtype=np.uint8)[labels]
    columns = codes if len(label_columns) > 1 else labels[:, None].astype(np.uint8)
    frame = pd.DataFrame(dict(zip(READY_FEATURES, features.T, strict=True)))
    for name, column in zip(label_columns, columns.T, strict=True):
        frame[name] = column
    frame[TIME] = pd.to_datetime(date, unit="s", utc=True).as_unit("ms")
    content = io.BytesIO()
    frame.to_feather(content)
    return content.getvalue()


def read_ready_frame(path: Path) -> pd.DataFrame:
    """Read a file as it lies there.

    Raises
    ------
    CandleFileError
        If it is damaged, holds no rows, or a column twice.
    """
    try:
        frame = pd.read_feather(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CandleFileError(f"{path} is damaged ({reason})") from error
    if frame.empty:
        raise CandleFileError(f"{path} holds no rows")
    if twice := sorted({str(name) for name in frame.columns[frame.columns.duplicated()]}):
        raise CandleFileError(f"{path}: columns {twice} are there twice; drop one of each")
    return frame


def ready_table(frame: pd.DataFrame, label_columns: Sequence[str]) -> ReadyTable:
    """Check a table and take it apart; the order of its columns is free.

    Parameters
    ----------
    frame : n rows, with a column ``timestamp``, or an index of dates, or neither
    label_columns : ONE_HOT or SINGLE

    Raises
    ------
    ValueError
        If a column is missing or one too many, a feature is no finite number, a label is none, or
        a date is missing; it names the row, counted from 0.
    """
    _refuse_other_columns(frame, label_columns)
    features = _numbers(frame, READY_FEATURES)
    return ReadyTable(_dates(frame), features, _labels(_numbers(frame, label_columns)))


def _refuse_other_columns(frame: pd.DataFrame, label_columns: Sequence[str]) -> None:
    wanted = [*READY_FEATURES, *label_columns]
    there = [str(name) for name in frame.columns]
    if missing := [name for name in wanted if name not in there]:
        raise ValueError(f"columns {missing} are missing. Received: {there}")
    if surplus := [name for name in there if name not in (*wanted, TIME)]:
        raise ValueError(f"columns {surplus} are none of such a file; drop them")


def _numbers(frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    found = numbers_of(frame, names)
    for name, column in zip(names, found.T, strict=True):
        unknown = ~np.isfinite(column)
        if unknown.any():
            row = int(unknown.argmax())
            raise ValueError(
                f"row {row}: {name} must be a finite number. Received: {frame[name].iloc[row]}; "
                f"{int(unknown.sum())} rows are like that; leave them out, and they are a gap"
            )
    return found


def numbers_of(frame: pd.DataFrame, names: Sequence[str]) -> FloatArray:
    """Read columns as numbers: (n, columns); NaN where there is another thing, or no column."""
    found = np.full((len(frame), len(names)), np.nan)
    for i, name in enumerate(names):
        if name in frame and not pd.api.types.is_datetime64_any_dtype(frame[name]):
            numbers = pd.to_numeric(frame[name], errors="coerce")
            found[:, i] = numbers.to_numpy(np.float64, na_value=np.nan)
    return found


def classes_of(columns: FloatArray) -> IntArray:
    """Read (n, 3) columns of which one is 1, or (n, 1) of codes: (n,) int8, UNKNOWN where none."""
    if columns.shape[1] > 1:
        is_one = np.isin(columns, (0, 1)).all(axis=1) & (columns.sum(axis=1) == 1)
        codes = columns.argmax(axis=1)
    else:
        is_one = np.isin(columns[:, 0], range(len(CLASSES)))
        codes = np.where(is_one, columns[:, 0], 0).astype(np.int64)
    return np.where(is_one, codes, UNKNOWN).astype(np.int8)


def _labels(columns: FloatArray) -> IntArray:
    labels = classes_of(columns)
    wrong = labels == UNKNOWN
    if wrong.any():
        row, wanted = int(wrong.argmax()), "label must be 0 (SHORT), 1 (HOLD) or 2 (LONG)"
        if columns.shape[1] > 1:
            wanted = f"{', '.join(ONE_HOT)} must be one 1 and otherwise 0"
        raise ValueError(
            f"row {row}: {wanted}. Received: {', '.join(f'{x:g}' for x in columns[row])}; "
            f"{int(wrong.sum())} rows are like that; write the file anew"
        )
    return labels


def times_of(frame: pd.DataFrame) -> "pd.Series[Any] | None":
    """Find the times of a table as they lie there: the column, or an index of dates."""
    if TIME in frame:
        return frame[TIME].reset_index(drop=True)
    if isinstance(frame.index, pd.DatetimeIndex):
        return pd.Series(frame.index)
    return None


def _dates(frame: pd.DataFrame) -> "pd.Series[Any]":
    times = times_of(frame)
    if times is None:
        if not np.array_equal(frame.index, np.arange(len(frame))):
            raise ValueError(
                "rows are missing: there are no times, and the index is not 0, 1, 2 and so on; "
                "give the file a column timestamp"
            )
        return pd.Series(np.arange(len(frame)))
    if times.isna().any():
        raise ValueError(f"row {int(times.isna().to_numpy().argmax())} has no {TIME}; leave it out")
    try:
        return in_utc(times)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueError(f"{TIME}: {str(error).splitlines()[0]}") from error

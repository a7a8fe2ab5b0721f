"""Count what is wrong with a table of features and labels before anything is learnt from it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from dualwindow.market.candle_files import in_utc
from dualwindow.market.labels import CLASSES
from dualwindow.market.quality import order_of
from dualwindow.market.ready_features import READY_FEATURES
from dualwindow.market.ready_files import classes_of, numbers_of, times_of


class ReadyQuality(NamedTuple):
    """What such a file holds, as it lies there.

    Parameters
    ----------
    rows, first, last : how many, and the first and the last of their dates, if there are any
    nan, infinite : rows with a feature that is NaN or no number, or that is infinite
    without_class : rows whose label is no class
    without_date : rows that lack theirs
    duplicates, backwards, gaps, missing, longest_gap : as of `Quality`
    classes : rows of SHORT, HOLD, LONG
    """

    rows: int
    first: str
    last: str
    nan: int
    infinite: int
    without_class: int
    without_date: int
    duplicates: int
    backwards: int
    gaps: int
    missing: int
    longest_gap: int
    classes: tuple[int, int, int]


def ready_quality_of(frame: pd.DataFrame, label_columns: Sequence[str], step: int) -> ReadyQuality:
    """Look at a table as it was read, whatever is wrong with it.

    Parameters
    ----------
    frame : at least one row
    label_columns : ONE_HOT or SINGLE
    step : seconds from one row to the next

    Raises
    ------
    ValueError
        If its dates are none.
    """
    features, times = numbers_of(frame, READY_FEATURES), times_of(frame)
    dates, n_undated = np.empty(0, dtype=np.int64), len(frame)
    if times is not None and times.notna().any():
        dates = in_utc(times.dropna()).to_numpy("datetime64[s]").astype(np.int64)
        n_undated = int(times.isna().sum())
    first, last = "row 0", f"row {len(frame) - 1}"
    if len(dates):
        first, last = (str(np.datetime64(int(d), "s")) for d in (dates.min(), dates.max()))
    labels = classes_of(numbers_of(frame, label_columns))
    short, hold, long = (int((labels == code).sum()) for code in range(len(CLASSES)))
    return ReadyQuality(
        len(frame),
        first,
        last,
        int(np.isnan(features).any(axis=1).sum()),
        int(np.isinf(features).any(axis=1).sum()),
        len(frame) - short - hold - long,
        n_undated,
        *order_of(dates, step),
        (short, hold, long),
    )

"""Rows with features and labels but without prices: made of candles, or of a file of them."""

from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np
import pandas as pd

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.market.candles import Candles
from dualwindow.market.labels import UNKNOWN, Labelling
from dualwindow.market.ready_features import READY_FEATURES, ready_features
from dualwindow.market.ready_files import ReadyTable
from dualwindow.samples.pair_data import PairData, refuse_other_step
from dualwindow.samples.windows import count_rejections

# What features are called in records, so that nobody takes them for those of candles.
READY_NAMES = tuple(f"training_ready:{name}" for name in READY_FEATURES)


class LeftOut(StrEnum):
    """Why a candle is no row; in reports, it counts under its first reason."""

    AVERAGE = "before thirty days of candles"
    OUTAGE = "in an outage (untraded candles)"
    FEATURE = "without a trade to compare with"
    FUTURE = "future unknown"


class ReadyRows(NamedTuple):
    """What is left of candles: m of n rows.

    Parameters
    ----------
    date : (m,) seconds since 1970 UTC
    features : (m, 8) finite
    labels : (m,) of SHORT, HOLD, LONG
    left_out : reason to number of candles
    """

    date: IntArray
    features: FloatArray
    labels: IntArray
    left_out: dict[str, int]


def ready_rows(candles: Candles, labelling: Labelling, start: float, stop: float) -> ReadyRows:
    """Compute features and labels of the candles that open in ``[start, stop)``.

    Features look back, also before `start`; labels look ahead, but not at what opens at `stop` or
    later. A candle of which anything is unknown is left out, and so are those of an outage that is
    longer than `labelling.max_untraded`: without volumes, only missing rows can tell that no window
    may span it.

    Parameters
    ----------
    candles : n candles
    labelling : labels the candles
    start, stop : seconds since 1970 UTC
    """
    a, b = np.searchsorted(candles.date, [start, stop]).tolist()
    features = ready_features(candles)[a:b]
    labels = labelling.label(candles[a:b])
    known: BoolArray = np.isfinite(features)
    reasons = {
        LeftOut.AVERAGE: ~known[:, READY_FEATURES.index("price_to_ma43200")],
        LeftOut.OUTAGE: (candles.untraded_run > labelling.max_untraded)[a:b],
        LeftOut.FEATURE: ~known.all(axis=1),
        LeftOut.FUTURE: labels == UNKNOWN,
    }
    kept = ~np.logical_or.reduce(list(reasons.values()))
    left_out = count_rejections(reasons)
    return ReadyRows(candles.date[a:b][kept], features[kept], labels[kept], left_out)


def ready_pair(pair: str, table: ReadyTable, step: int) -> PairData:
    """Take a pair's rows from a file: candles without prices, with features and labels.

    Parameters
    ----------
    pair : name
    table : of the file; rows without dates follow each other without a gap, from 1970 on
    step : seconds from one row to the next

    Raises
    ------
    ValueError
        If dates do not increase, or are not a whole number of steps apart; it names the row.
    """
    date = table.date
    if not isinstance(date.dtype, pd.DatetimeTZDtype):
        date = pd.to_datetime(step * date, unit="s", utc=True)
    none = dict.fromkeys(("high", "low", "close", "volume"), np.nan)
    found = Candles.from_frame(pd.DataFrame({"date": date, **none}), step)
    refuse_other_step(found)
    candles = replace(found, has_prices=False)
    return PairData(pair, candles, table.features, READY_NAMES, table.labels)


def is_undated(candles: Candles) -> bool:
    """Tell whether these are rows of a file without dates, which are counted from 1970 on."""
    return not candles.has_prices and len(candles) > 0 and candles.date[0] == 0

"""Translate between FreqAI's frames, and tapes and what was done on them."""

import numpy as np
from pandas import DataFrame

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.learning.artifact import Prediction
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES
from dualwindow_agent.freqai.acting import LOOKBACK, Acted
from dualwindow_agent.market.tape import Tape
from dualwindow_freqtrade.freqai.frames import withdraw_newest
from dualwindow_freqtrade.freqai.names import (
    ACTING,
    ACTION,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    POSITION,
    TRAINED_AT,
)


def shown_tape(pair: str, candles: Candles, frame: DataFrame, do_predict: IntArray) -> Tape:
    """Lay the newest candles beside what FreqAI is told of them, to act on these.

    Parameters
    ----------
    pair : name
    candles : up to the last one predicted, with opens
    frame : the predictions of the last m of them
    do_predict : (m,) 1 where there is a prediction to enter on
    """
    return padded_tape(pair, candles, frame[list(CLASSES)].to_numpy(np.float64), do_predict == 1)


def predicted_tape(
    pair: str, candles: Candles, prediction: Prediction, *, is_constant: bool
) -> Tape:
    """Lay n candles beside a prediction of them, to act on those with enough before them."""
    first = min(LOOKBACK, len(candles) // 2)
    sound = (prediction.valid & (not is_constant))[first:]
    return padded_tape(pair, candles, prediction.probabilities[first:], sound)


def padded_tape(pair: str, candles: Candles, probabilities: FloatArray, sound: BoolArray) -> Tape:
    """Lay the newest candles beside probabilities of the last m of them, to act on these.

    Parameters
    ----------
    pair, candles : with opens
    probabilities : (m, 3)
    sound : (m,) where there is a prediction to enter on
    """
    m = len(sound)
    n = min(m + LOOKBACK, len(candles))
    padded, valid = np.full((n, len(CLASSES)), np.nan), np.zeros(n, dtype=bool)
    padded[n - m :] = np.where(sound[:, None], probabilities, np.nan)
    valid[n - m :] = sound
    return Tape(pair, candles[slice(len(candles) - n, None)], padded, valid, first=n - m)


def with_acted(frame: DataFrame, acted: Acted) -> DataFrame:
    """Add the columns of what was done on the last rows of a frame; the others are 0."""
    empty = np.zeros(len(frame) - len(acted.wanted))
    columns = {
        name: np.concatenate([empty, values]) for name, values in zip(ACTING, acted, strict=True)
    }
    return frame.assign(**columns)


def acted_of(frame: DataFrame) -> Acted:
    """Read what was done from the columns of a frame."""
    columns = [frame[name].to_numpy(np.float64) for name in ACTING]
    wanted, side, rate, candles = columns
    whole = np.int64
    return Acted(wanted.astype(whole), side.astype(whole), rate, candles.astype(whole))


def decided_in_backtest(frame: DataFrame) -> tuple[IntArray, IntArray]:
    """Read dates and wanted positions from the windows of a backtest: (k,) each."""
    return seconds(frame, "date"), acted_of(frame).wanted


def decided_live(stored: DataFrame) -> tuple[IntArray, IntArray]:
    """Read dates and wanted positions from stored predictions: (k,) each.

    Rows of candles that were skipped, or met by a model that had expired, are 0 throughout; nothing
    was decided on them.
    """
    made = (stored[TRAINED_AT].to_numpy(np.float64) != 0) & (stored[DO_PREDICT].to_numpy() != 2)
    wanted = stored[ACTION].to_numpy(np.float64).astype(np.int64)
    return seconds(stored, DATE_OF_PREDICTION)[made], wanted[made]


def let_stay(stored: DataFrame) -> None:
    """Make the newest stored row one that was in doubt: no prediction, and what was held stays."""
    newest = stored.index[-1]
    if stored.loc[newest, DO_PREDICT] != 1:  # it is already, or its model had expired
        return
    withdraw_newest(stored)
    stored.loc[newest, ACTION] = stored.loc[newest, POSITION]


def seconds(frame: DataFrame, column: str) -> IntArray:
    """Read dates as seconds since 1970 UTC."""
    return frame[column].to_numpy("datetime64[s]").astype(np.int64)

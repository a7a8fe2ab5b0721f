"""What a classifier learns from: rows of candles, and windows of them by reference."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candle_files import read_candles, seconds
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours


class TrainingError(ValueError):
    """The data or the settings do not allow a training.

    Settings are named in backticks, as ``Settings`` calls them, so that a host can translate them
    into the words of its own configuration.
    """


@dataclass(frozen=True)
class TrainingData:
    """Candles of one pair with what is known of them.

    Parameters
    ----------
    pair : name, for messages
    candles : n candles
    features : (n, f) unscaled; NaN or infinite where unknown
    feature_names : f names
    labels : (n,) of SHORT, HOLD, LONG, UNKNOWN
    """

    pair: str
    candles: Candles
    features: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray


@dataclass(frozen=True)
class PairData:
    """All candles of one pair, and the features of each.

    Parameters
    ----------
    pair : name
    candles : n candles
    features : (n, f) unscaled; NaN where unknown
    feature_names : f names
    """

    pair: str
    candles: Candles
    features: FloatArray
    feature_names: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path, pair: str, timeframe: str) -> "PairData":
        """Read freqtrade's candle files of the timeframe and of one hour; compute the features.

        Raises
        ------
        CandleFileError
            If a file is missing, damaged or empty.
        ValueError
            If columns are missing, or candles are not in the order of time.
        """
        minutes = _read(folder, pair, timeframe)
        hours = _read(folder, pair, "1h")
        levels = join_hours(minutes, hours.date, hours.close, hours.volume)
        return cls(pair, minutes, candle_features(minutes, levels), FEATURES)


def _read(folder: Path, pair: str, timeframe: str) -> Candles:
    step, frame = seconds(timeframe), read_candles(folder, pair, timeframe)
    try:
        return Candles.from_frame(frame, step)
    except ValueError as error:
        raise ValueError(f"{pair}, {timeframe}: {error}") from error


class Rows(NamedTuple):
    """What a classifier may look at.

    Parameters
    ----------
    features : (n, f) float32, scaled; zeros where unknown
    candles : the n candles they were computed from
    """

    features: FloatArray
    candles: Candles


class Samples(NamedTuple):
    """Windows to learn from, by reference: `rows` are shared, windows are gathered when needed.

    Parameters
    ----------
    rows : n rows
    ends : (m,) rows at which the windows end
    labels : (m,) of SHORT, HOLD, LONG
    weights : (m,) float
    """

    rows: Rows
    ends: IntArray
    labels: IntArray
    weights: FloatArray

"""All candles of one pair with the features of each, as a walk-forward begins with them."""

from dataclasses import dataclass
from pathlib import Path

from dualwindow.arrays import FloatArray
from dualwindow.market.candle_files import read_candles, seconds
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours


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
            If a column or a date is missing; it names the pair and the timeframe.
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

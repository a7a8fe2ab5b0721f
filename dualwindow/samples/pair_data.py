"""All candles of one pair with the features of each, as a walk-forward begins with them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray
from dualwindow.market.candle_files import completed, in_hours, read_candles, seconds
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours
from dualwindow.market.labels import Labelling
from dualwindow.samples.data import TrainingData


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

    def between(self, start: float, stop: float, labelling: Labelling) -> TrainingData:
        """Cut out the candles that open in ``[start, stop)``, to train on them.

        Labels are made of these candles alone, so the future of the last ones is unknown.

        Parameters
        ----------
        start, stop : seconds since 1970 UTC
        labelling : labels the candles
        """
        a, b = np.searchsorted(self.candles.date, [start, stop]).tolist()
        candles = self.candles[a:b]
        labels = labelling.label(candles)
        return TrainingData(self.pair, candles, self.features[a:b], self.feature_names, labels)

    def until(self, stop: float) -> "PairData":
        """Leave out the candles that open at `stop` (seconds since 1970 UTC) or later."""
        n = int(np.searchsorted(self.candles.date, stop))
        return PairData(self.pair, self.candles[:n], self.features[:n], self.feature_names)

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
        return cls._of(pair, minutes, _read(folder, pair, "1h"))

    @classmethod
    def of_frame(cls, pair: str, frame: pd.DataFrame, step: int) -> "PairData":
        """Take candles that lie in one frame; those of an hour are made of them.

        Parameters
        ----------
        pair : name
        frame : freqtrade's columns, as `read_candle_file` gives them
        step : seconds from one candle to the next, at most an hour

        Raises
        ------
        ValueError
            If dates do not increase or do not fit the step, or a price is not positive and finite;
            it names the pair and the row.
        """
        if 3600 % step:
            raise ValueError(f"{pair}: an hour is no whole number of candles of {step} s")
        try:
            found = Candles.from_frame(frame, step)
        except ValueError as error:
            raise ValueError(f"{pair}: {error}") from error
        off_step = np.diff(found.date) % step != 0
        if off_step.any():
            row = int(off_step.argmax()) + 1
            raise ValueError(
                f"{pair}: row {row} ({frame['date'].iloc[row]}) is no whole number of candles of "
                f"{step} s after the one before; is this another timeframe?"
            )
        if not found.known.all():
            row = int((~found.known).argmax())
            raise ValueError(
                f"{pair}: row {row} ({frame['date'].iloc[row]}) has a price or a volume that is no "
                "positive number; drop the row, and it is a gap"
            )
        whole = completed(frame, step)
        hours = Candles.from_frame(in_hours(whole), 3600)
        return cls._of(pair, Candles.from_frame(whole, step), hours)

    @classmethod
    def _of(cls, pair: str, minutes: Candles, hours: Candles) -> "PairData":
        levels = join_hours(minutes, hours.date, hours.close, hours.volume)
        return cls(pair, minutes, candle_features(minutes, levels), FEATURES)


def _read(folder: Path, pair: str, timeframe: str) -> Candles:
    step, frame = seconds(timeframe), read_candles(folder, pair, timeframe)
    try:
        return Candles.from_frame(frame, step)
    except ValueError as error:
        raise ValueError(f"{pair}, {timeframe}: {error}") from error

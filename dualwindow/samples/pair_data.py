"""All candles of one pair with the features of each, as a walk-forward begins with them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.candle_files import completed, in_hours, read_candles, seconds
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours
from dualwindow.market.labels import UNKNOWN, Labelling
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
    labels : (n,) of SHORT, HOLD, LONG, UNKNOWN that came with the candles, each made of the horizon
        after its candle; None where they are made of the candles' prices
    """

    pair: str
    candles: Candles
    features: FloatArray
    feature_names: tuple[str, ...]
    labels: IntArray | None = None

    def between(self, start: float, stop: float, labelling: Labelling) -> TrainingData:
        """Cut out the candles that open in ``[start, stop)``, to train on them.

        Labels are of these candles alone, so the future of the last ones is unknown, also where
        labels that came with them know it.

        Parameters
        ----------
        start, stop : seconds since 1970 UTC
        labelling : labels the candles
        """
        a, b = np.searchsorted(self.candles.date, [start, stop]).tolist()
        candles = self.candles[a:b]
        if self.labels is None:
            labels = labelling.label(candles)
        else:
            looks_beyond = candles.date + labelling.horizon * candles.step >= stop
            labels = np.where(looks_beyond, np.int8(UNKNOWN), self.labels[a:b])
        return TrainingData(self.pair, candles, self.features[a:b], self.feature_names, labels)

    def until(self, stop: float) -> "PairData":
        """Leave out the candles that open at `stop` (seconds since 1970 UTC) or later."""
        assert self.labels is None, "labels that came with the candles may look beyond"
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
        minutes = read_pair_candles(folder, pair, timeframe)
        return cls._of(pair, minutes, read_pair_candles(folder, pair, "1h"))

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
            If dates do not increase or do not fit the step, a price is not positive and finite, or
            a high is below its low; it names the pair and the row.
        """
        whole = completed_frame(pair, frame, step)
        hours = Candles.from_frame(in_hours(whole), 3600)
        return cls._of(pair, Candles.from_frame(whole, step), hours)

    @classmethod
    def _of(cls, pair: str, minutes: Candles, hours: Candles) -> "PairData":
        levels = join_hours(minutes, hours.date, hours.close, hours.volume)
        return cls(pair, minutes, candle_features(minutes, levels), FEATURES)


def completed_frame(pair: str, frame: pd.DataFrame, step: int) -> pd.DataFrame:
    """Check candles that lie in one frame, and fill in those that are not there.

    Parameters and errors are those of `PairData.of_frame`.
    """
    if 3600 % step:
        raise ValueError(f"{pair}: an hour is no whole number of candles of {step} s")
    try:
        found = Candles.from_frame(frame, step)
        refuse_other_step(found)
    except ValueError as error:
        raise ValueError(f"{pair}: {error}") from error
    if not found.known.all():
        row = int((~found.known).argmax())
        raise ValueError(
            f"{pair}: row {row} ({frame['date'].iloc[row]}) has a price or a volume that is no "
            "positive number; drop the row, and it is a gap"
        )
    if (crossed := found.high < found.low).any():
        row = int(crossed.argmax())
        raise ValueError(
            f"{pair}: row {row} ({frame['date'].iloc[row]}) has a high below its low; are columns "
            "exchanged?"
        )
    return completed(frame, step)


def refuse_other_step(candles: Candles) -> None:
    """Refuse candles that are not a whole number of steps apart.

    Raises
    ------
    ValueError
        If one is not; it names the row.
    """
    off_step = np.diff(candles.date) % candles.step != 0
    if off_step.any():
        row = int(off_step.argmax()) + 1
        raise ValueError(
            f"row {row} ({candles.date[row].astype('datetime64[s]')}) is no whole number of "
            f"candles of {candles.step} s after the one before; is this another timeframe?"
        )


def read_pair_candles(folder: Path, pair: str, timeframe: str) -> Candles:
    """Read freqtrade's candle file of one timeframe; errors are those of `PairData.read`."""
    step, frame = seconds(timeframe), read_candles(folder, pair, timeframe)
    try:
        return Candles.from_frame(frame, step)
    except ValueError as error:
        raise ValueError(f"{pair}, {timeframe}: {error}") from error

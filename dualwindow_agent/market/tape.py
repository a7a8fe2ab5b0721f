"""The candles of one pair beside what models that had not seen them said of each."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.market.candles import Candles


class TapeError(ValueError):
    """Candles and predictions that cannot be traded on."""


@dataclass(frozen=True)
class Tape:
    """What an agent lives through, candle by candle.

    The agent decides on row *t* when its candle has closed, and acts at the open of row ``t + 1``.

    Parameters
    ----------
    pair : name
    candles : (n) with their opens, each a step after the one before
    probabilities : (n, 3) of SHORT, HOLD, LONG, out of sample; NaN where not `valid`
    valid : (n,) where there is a prediction, of the further horizons, too
    first : row from which on the agent acts; those before are only looked back on
    further : probabilities of other horizons, each as `probabilities`
    """

    pair: str
    candles: Candles
    probabilities: FloatArray
    valid: BoolArray
    first: int = 0
    further: tuple[FloatArray, ...] = ()

    def __post_init__(self) -> None:
        if self.candles.open is None:
            raise TapeError(f"{self.pair}: the candles have no opens, at which an agent acts")
        hole = self.candles.breaks[1:]
        if hole.any():
            raise TapeError(
                f"{self.pair}: candles are missing before {self._moment(int(hole.argmax()) + 1)}"
            )
        opens = self.candles.open
        priced = self.candles.priced & np.isfinite(opens) & (opens > 0)
        if not priced.all():
            moment = self._moment(int(priced.argmin()))
            raise TapeError(f"{self.pair}: a price at {moment} is not a positive number")
        self._check_predictions()

    def _check_predictions(self) -> None:
        n = len(self.candles)
        shapes = {each.shape for each in (self.probabilities, *self.further)}
        if shapes != {(n, 3)} or self.valid.shape != (n,):
            raise TapeError(
                f"{self.pair}: {n} candles need {n} rows of three probabilities, and of `valid`. "
                f"Received: {sorted(shapes)} and {self.valid.shape}"
            )
        unknown = self.valid & ~np.isfinite(self.probabilities).all(axis=1)
        if unknown.any():
            moment = self._moment(int(unknown.argmax()))
            raise TapeError(f"{self.pair}: the prediction of {moment} is valid, but not a number")
        if self.first < 0:
            raise TapeError(f"{self.pair}: `first` must be a row. Received: {self.first}")

    def _moment(self, row: int) -> np.datetime64:
        return self.candles.date[row].astype("datetime64[s]")

    def __len__(self) -> int:
        return len(self.candles)

    @property
    def opens(self) -> FloatArray:
        """(n,) quote currency."""
        assert self.candles.open is not None
        return self.candles.open

    def between(self, start: float, stop: float) -> "Tape":
        """Cut out the rows that are acted on in ``[start, stop)``, with all that lies before.

        Parameters
        ----------
        start, stop : seconds since 1970 UTC, of when candles open
        """
        first, end = np.searchsorted(self.candles.date, [start, stop]).tolist()
        return replace(
            self,
            candles=self.candles[slice(end)],
            probabilities=self.probabilities[:end],
            valid=self.valid[:end],
            first=max(first, self.first),
            further=tuple(each[:end] for each in self.further),
        )


def common_step(tapes: Sequence[Tape]) -> int:
    """Tell the seconds from one candle to the next, which are those of all tapes of an agent.

    Raises
    ------
    TapeError
        If they are not, there is no tape, or some lack predictions that others have.
    """
    if not tapes:
        raise TapeError("there is nothing to act on: no pair has candles and predictions")
    for tape in tapes:
        if tape.candles.step != tapes[0].candles.step:
            raise TapeError(
                f"{tape.pair}: its candles take {tape.candles.step} s, those of {tapes[0].pair} "
                f"{tapes[0].candles.step} s; give pairs of one timeframe"
            )
        if len(tape.further) != len(tapes[0].further):
            raise TapeError(
                f"{tape.pair}: it has predictions for {len(tape.further)} further horizons, "
                f"{tapes[0].pair} for {len(tapes[0].further)}; give all pairs the same"
            )
    return tapes[0].candles.step


def split(tapes: Sequence[Tape], share: float, purge: int) -> tuple[list[Tape], list[Tape]]:
    """Divide tapes at one moment, the latest `share` of the time of all for the second part.

    Parameters
    ----------
    tapes : of one agent
    share : of the time from the first candle that any acts on to the last
    purge : candles before that moment that neither part acts on, so that no position reaches over

    Raises
    ------
    TapeError
        If a part would have nothing to act on.
    """
    step = common_step(tapes)
    acted_on = [tape.candles.date[tape.first :] for tape in tapes]
    begin = min((int(date[0]) for date in acted_on if len(date)), default=0)
    end = max((int(date[-1]) + step for date in acted_on if len(date)), default=0)
    boundary = begin + round((1 - share) * (end - begin) / step) * step
    early = [tape.between(begin, boundary - purge * step) for tape in tapes]
    late = [tape.between(boundary, end) for tape in tapes]
    found = [[tape for tape in part if len(tape) - tape.first >= 2] for part in (early, late)]
    if not all(found):
        raise TapeError(
            f"{(end - begin) / 86400:.1f} days are too few to learn from and validate on; give more"
        )
    return found[0], found[1]

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
    valid : (n,) where there is a prediction
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
            row = int(hole.argmax()) + 1
            raise TapeError(
                f"{self.pair}: candles are missing before "
                f"{self.candles.date[row].astype('datetime64[s]')}"
            )
        opens = self.candles.open
        if not (self.candles.priced & np.isfinite(opens) & (opens > 0)).all():
            raise TapeError(f"{self.pair}: a price is not a positive number")

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
    begin = min(int(tape.candles.date[tape.first]) for tape in tapes)
    end = max(int(tape.candles.date[-1]) + tape.candles.step for tape in tapes)
    step = tapes[0].candles.step
    boundary = begin + round((1 - share) * (end - begin) / step) * step
    early = [tape.between(begin, boundary - purge * step) for tape in tapes]
    late = [tape.between(boundary, end) for tape in tapes]
    found = [[tape for tape in part if len(tape) - tape.first >= 2] for part in (early, late)]
    if not all(found):
        raise TapeError(
            f"{(end - begin) / 86400:.1f} days are too few to learn from and validate on; give more"
        )
    return found[0], found[1]

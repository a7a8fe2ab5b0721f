"""A schedule of faults that one seed fixes.

It is made of storms with calm between them. A storm is one fault, or one with a fault of the
exchange that overlaps it; in the calm everything must come back, so it is longer than the grace.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np


class Kind(StrEnum):
    """What is done to a bot; the exchange's faults are those of the sandbox."""

    TOO_MANY_REQUESTS = "429"
    UNAVAILABLE = "503"
    SILENCE = "timeout"
    CUT = "disconnect"
    EMPTY = "empty"
    DUPLICATE = "duplicate"
    MISSING = "missing"
    CLOCK = "wrong clock"
    KILL = "kill -9"
    FULL_DISK = "full disk"
    RELOAD = "reload"
    ADDED = "pair added"
    REMOVED = "pair removed"


OF_EXCHANGE = (
    Kind.TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE,
    Kind.SILENCE,
    Kind.CUT,
    Kind.EMPTY,
    Kind.DUPLICATE,
    Kind.MISSING,
)
GRACE = 4  # candles after a storm until every pair must be predicted again
_CALM = GRACE + 3
_LONGEST = 4


@dataclass(frozen=True)
class Planned:
    """One fault.

    Parameters
    ----------
    kind : what happens
    pair : that is hit; None for all, or where it is not a matter of pairs
    start : candles from the first one of the run
    length : candles; of a kill, how long the bot is down
    amount : of a wrong clock, the seconds that it is ahead; of a kill, how many seconds after the
        close of a candle it comes
    """

    kind: Kind
    pair: str | None
    start: int
    length: int
    amount: float = 0.0

    @property
    def stop(self) -> int:
        """Candle at which it is over."""
        return self.start + self.length

    @property
    def is_harmless(self) -> bool:
        """Whether predictions go on; what a reload interrupts is a matter of the start."""
        return self.kind in (Kind.FULL_DISK, Kind.RELOAD)

    @property
    def concerned(self) -> str | None:
        """The only pair that need not be predicted; None if none need be.

        freqtrade waits for a pair that is refused or gets no answer, longer than a candle lasts.
        """
        waits = self.kind in (Kind.TOO_MANY_REQUESTS, Kind.SILENCE)
        return None if waits else self.pair


def schedule(seed: int, length: int, pairs: list[str], spare: str) -> tuple[Planned, ...]:
    """Draw what happens in a run, the same for the same arguments.

    Kinds are dealt from a shuffled pack, so none comes twice before all have come once.

    Parameters
    ----------
    seed : of the draw
    length : candles of the run; the last storm is over `GRACE` candles and some before its end
    pairs : that the bot begins with
    spare : pair that may be added

    Returns
    -------
    The faults in the order in which they start.
    """
    rng = np.random.default_rng(seed)
    pack = [list(Kind)[i] for i in rng.permutation(len(Kind))]
    found: list[Planned] = []
    start = 2
    for kind in pack:
        first = _one(rng, kind, start, pairs, spare)
        storm = [first]
        if kind is Kind.ADDED or rng.random() < 0.4:
            later = start + int(rng.integers(2))
            hit = [spare] if kind is Kind.ADDED else pairs
            storm.append(_one(rng, _other(rng, kind), later, hit, spare))
        over = max(fault.stop for fault in storm)
        if over + _CALM > length:
            break
        found += storm
        start = over + _CALM + int(rng.integers(3))
    return tuple(sorted(found, key=lambda fault: fault.start))


def _other(rng: np.random.Generator, kind: Kind) -> Kind:
    others = [other for other in OF_EXCHANGE if other is not kind]
    return others[rng.integers(len(others))]


def _one(rng: np.random.Generator, kind: Kind, start: int, pairs: list[str], spare: str) -> Planned:
    length = int(rng.integers(2 if kind is Kind.MISSING else 1, _LONGEST + 1))
    if kind is Kind.ADDED:
        length += 5  # until it has been trained
    elif kind is Kind.RELOAD:
        length = 1
    draw: dict[str, Any] = {"pair": None}
    if kind in OF_EXCHANGE and rng.random() < 0.5:
        draw["pair"] = pairs[rng.integers(len(pairs))]
    elif kind is Kind.ADDED:
        draw["pair"] = spare
    elif kind is Kind.REMOVED:
        draw["pair"] = pairs[rng.integers(len(pairs))]
    elif kind is Kind.CLOCK:
        draw["amount"] = float(rng.choice([-150, -75, -20, 20, 75, 150]))
    elif kind is Kind.KILL:
        draw["amount"] = round(float(rng.uniform(0, 2)), 2)
    return Planned(kind=kind, start=start, length=length, **draw)

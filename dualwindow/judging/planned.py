"""What a plan says: every number of it, typed, versioned and readable as JSON.

A table and a page are pure functions of it. What cannot be said is None. Moments are seconds since
1970 UTC; fractions are fractions, not per cent.
"""

from typing import Literal

from dualwindow.facts import Numbers
from dualwindow.settings import Pooling

Hint = Literal[
    "worth a training",
    "few moves",
    "fees",
    "nothing foreseen",
    "too few windows",
    "not asked",
]


class Row(Numbers):
    """What one combination of barriers and horizon makes of the candles.

    Parameters
    ----------
    long_take_profit, long_stop_loss, short_take_profit, short_stop_loss : fractions of the close
    horizon : candles
    is_configured : whether it is the one of the configuration
    candles, shares : with a known label, and which share of them is SHORT, HOLD, LONG
    break_even : hit rate that SHORT and LONG need after fees
    dearer : how much that is above the hit rate of a price that goes nowhere, the larger of the two
    candles_to_touch, hours_to_touch : mean, from the candle that is labelled to the take-profit, of
        the moves
    moves : SHORT and LONG moves that one training sees, of those that begin when the one before has
        ended; where pairs share it, of the pair that has most, because they move together
    skill, error : of three numbers, over the windows, and the standard error of that mean
    touch, direction : skill in the two questions, over all candles judged
    windows : of time that were judged
    hint : whether a training is worth trying, or what is against it
    """

    long_take_profit: float
    long_stop_loss: float
    short_take_profit: float
    short_stop_loss: float
    horizon: int
    is_configured: bool
    candles: int
    shares: dict[str, float | None]
    break_even: dict[str, float]
    dearer: float
    candles_to_touch: float | None
    hours_to_touch: float | None
    moves: dict[str, float]
    skill: float | None
    error: float | None
    touch: float | None
    direction: float | None
    windows: int
    hint: Hint

    @property
    def take_profits(self) -> tuple[float, float]:
        """Of LONG and of SHORT."""
        return self.long_take_profit, self.short_take_profit

    @property
    def stop_losses(self) -> tuple[float, float]:
        """Of LONG and of SHORT."""
        return self.long_stop_loss, self.short_stop_loss

    @property
    def is_lopsided(self) -> bool:
        """Tell whether LONG and SHORT have barriers of their own."""
        return any(len({*pair}) > 1 for pair in (self.take_profits, self.stop_losses))


class Absent(Numbers):
    """A pair without which some windows were judged.

    Parameters
    ----------
    pair, windows : which, and how many of them
    why : in words
    """

    pair: str
    windows: int
    why: str


class Takes(Numbers):
    """What one training of the configuration takes, and how that is known.

    Parameters
    ----------
    kind : of model
    windows, history : that are learnt from, and candles of each
    seconds, least_seconds, most_seconds : and between what they may lie
    memory : bytes, at most
    basis : in words, what the figures are scaled from
    """

    kind: str
    windows: int
    history: int
    seconds: float
    least_seconds: float
    most_seconds: float
    memory: float
    basis: str


class Plan(Numbers):
    """The whole plan.

    Parameters
    ----------
    made_at : when
    pairs, step, first, last : candles that were looked at; `step` in seconds, `last` exclusive
    rule, max_untraded : of the labels
    fees : of entry and exit together
    train_days, pooling : of a training, and whether it is one of a pair or of all
    window_days, windows : that three numbers predicted after each training, and how many of them
    rows : all pairs together, those worth a training first
    of_pairs : the same for each pair alone, in the same order; empty where there is one
    absent : pairs without which some of the windows were judged
    takes : None where it was not asked for
    notes : sentences for the reader
    """

    format: Literal[1] = 1
    made_at: float
    pairs: tuple[str, ...]
    step: int
    first: int
    last: int
    rule: str
    max_untraded: int
    fees: float
    train_days: float
    pooling: Pooling
    window_days: float
    windows: int
    rows: tuple[Row, ...]
    of_pairs: dict[str, tuple[Row, ...]]
    absent: tuple[Absent, ...]
    takes: Takes | None
    notes: tuple[str, ...]

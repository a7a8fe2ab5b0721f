"""Decide from class probabilities whether to go long, go short, or stay out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import HOLD, LONG, SHORT, Barriers
from dualwindow.settings import ConfidenceSettings, Fallback


class ConfidenceError(ValueError):
    """A threshold or margin that cannot be meant."""


class Rule(Protocol):
    """Says by how much each class passes."""

    def excess(self, probabilities: FloatArray) -> FloatArray:
        """Compute (n, 3) excesses of SHORT, HOLD, LONG; minus infinity where one fails."""

    @property
    def entered_from(self) -> dict[int, float]:
        """The probabilities of SHORT and of LONG from which on they pass."""


@dataclass(frozen=True)
class Thresholds:
    """A class passes where its probability reaches its threshold.

    Parameters
    ----------
    short, hold, long : in (0, 1]

    Raises
    ------
    ConfidenceError
        If a threshold lies outside.
    """

    short: float
    hold: float
    long: float

    def __post_init__(self) -> None:
        for name in ("short", "hold", "long"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ConfidenceError(
                    f"confidence: the {name} threshold must be above 0 and at most 1. "
                    f"Received: {value!r}"
                )

    def excess(self, probabilities: FloatArray) -> FloatArray:
        """Compute probability minus threshold, minus infinity where it is negative."""
        above = probabilities - np.array([self.short, self.hold, self.long])
        return np.where(above >= 0, above, -np.inf)

    @property
    def entered_from(self) -> dict[int, float]:
        """The thresholds."""
        return {SHORT: self.short, LONG: self.long}


@dataclass(frozen=True)
class ExpectedValue:
    """A direction passes where betting on it is worth more than a margin, after fees.

    ``value = p * take_profit - (1 - p) * stop_loss - fees``, as a fraction of the stake. It
    counts every trade that misses its take-profit as a full stop: of those that end with the
    horizon, most lose less, so the value is a lower bound.

    Parameters
    ----------
    barriers : fractions of the entry price
    fees : of entry and exit together, as a fraction of the stake
    margin : the least value to enter for

    Raises
    ------
    ConfidenceError
        If fees are negative or not finite, or not even a certain win is worth the margin.
    """

    barriers: Barriers
    fees: float
    margin: float

    def __post_init__(self) -> None:
        if not 0 <= self.fees < 1:
            raise ConfidenceError(
                f"confidence: fees must be at least 0 and below 1. Received: {self.fees!r}"
            )
        best = max(self.barriers.long_take_profit, self.barriers.short_take_profit) - self.fees
        if not self.barriers.has_take_profits:
            raise ConfidenceError(
                "confidence: mode 'expected_value' needs take-profits, which these labels have "
                "none of; decide by thresholds"
            )
        if not self.margin < best:
            raise ConfidenceError(
                f"confidence: no signal can be worth the margin {self.margin!r}: a certain win "
                f"brings {best:.4g} after fees of {self.fees:.4g}; lower the margin or raise the "
                "take-profit"
            )

    def excess(self, probabilities: FloatArray) -> FloatArray:
        """Compute value minus margin, minus infinity where it is not positive; HOLD never is."""
        b = self.barriers
        result = np.full(probabilities.shape, -np.inf)
        for code, take, stop in (
            (SHORT, b.short_take_profit, b.short_stop_loss),
            (LONG, b.long_take_profit, b.long_stop_loss),
        ):
            p = probabilities[:, code]
            over = p * take - (1 - p) * stop - self.fees - self.margin
            result[:, code] = np.where(over > 0, over, -np.inf)
        return result

    @property
    def entered_from(self) -> dict[int, float]:
        """The probabilities at which a bet is worth just the margin."""
        return break_even(self.barriers, self.fees + self.margin)


def break_even(barriers: Barriers, fees: float) -> dict[int, float]:
    """Compute the probabilities of SHORT and of LONG at which a bet on them is worth nothing.

    What this gives without fees is at the same time the most that a price without drift can have:
    the chance to touch the take-profit before the stop. A rule that enters from there on, or
    below, needs no knowledge to do so.

    Parameters
    ----------
    barriers : fractions of the entry price
    fees : of entry and exit together, as a fraction of the stake

    Returns
    -------
    NaN for a side without a take-profit: what a win brings is not known before.

    Examples
    --------
    >>> break_even(Barriers(0.5, 0.25, 0.25, 0.25), fees=0.125)
    {0: 0.75, 2: 0.5}
    """
    sides = {
        SHORT: (barriers.short_take_profit, barriers.short_stop_loss),
        LONG: (barriers.long_take_profit, barriers.long_stop_loss),
    }
    return {
        side: (stop + fees) / (take + stop) if math.isfinite(take) else math.nan
        for side, (take, stop) in sides.items()
    }


# Published for the scores of balanced trainings, where all classes are equally common.
MODES: Mapping[str, Thresholds] = {
    "conservative": Thresholds(0.70, 0.30, 0.70),
    "balanced": Thresholds(0.55, 0.45, 0.55),
    "aggressive": Thresholds(0.45, 0.40, 0.45),
}


def thresholds(confidence: ConfidenceSettings) -> Thresholds:
    """Read those of the mode; those of ``balanced`` where it has none and none is read."""
    if confidence.short is not None and confidence.long is not None:
        hold = MODES["balanced"].hold if confidence.hold is None else confidence.hold
        return Thresholds(confidence.short, hold, confidence.long)
    return MODES.get(confidence.mode, MODES["balanced"])


def rule_of(confidence: ConfidenceSettings, barriers: Barriers, fees: float) -> Rule:
    """Make the rule that is asked for.

    Parameters
    ----------
    confidence : mode, and thresholds or margin
    barriers : fractions of the entry price
    fees : of entry and exit together, as a fraction of the stake

    Raises
    ------
    ConfidenceError
        As `ExpectedValue` does.
    """
    if confidence.mode == "expected_value":
        return ExpectedValue(barriers, fees, confidence.margin)
    return thresholds(confidence)


def in_words(confidence: ConfidenceSettings) -> str:
    """Name a rule.

    Examples
    --------
    >>> in_words(ConfidenceSettings(margin=0.001))
    'worth more than 0.1 % of the stake after fees'
    >>> in_words(ConfidenceSettings(mode="balanced", fallback="argmax"))
    'SHORT from 0.55, LONG from 0.55, else the most probable class'
    """
    last = ", else the most probable class" if confidence.fallback == "argmax" else ""
    if confidence.mode == "expected_value":
        if confidence.margin == 0:
            return f"worth more than its fees{last}"
        return f"worth more than {100 * confidence.margin:g} % of the stake after fees{last}"
    least = thresholds(confidence)
    return f"SHORT from {least.short:g}, LONG from {least.long:g}{last}"


def decide(probabilities: FloatArray, rule: Rule, fallback: Fallback = "hold") -> IntArray:
    """Choose a class for every row.

    Where a direction passes, the one with the larger excess wins; equal excesses are HOLD. Where
    none passes, it is HOLD if HOLD passes. Where nothing passes at all, `fallback` decides.

    Parameters
    ----------
    probabilities : (n, 3) of SHORT, HOLD, LONG; rows with NaN become HOLD
    rule : thresholds or expected value
    fallback : ``hold``, or ``argmax`` for the most probable class

    Returns
    -------
    (n,) int8 of SHORT, HOLD, LONG

    Examples
    --------
    >>> p = np.array([[0.1, 0.3, 0.6], [0.4, 0.3, 0.3], [0.2, 0.6, 0.2]])
    >>> decide(p, Thresholds(short=0.5, hold=0.5, long=0.5))
    array([2, 1, 1], dtype=int8)
    >>> decide(p, Thresholds(short=0.5, hold=0.5, long=0.5), "argmax")
    array([2, 0, 1], dtype=int8)
    """
    excess = rule.excess(probabilities)
    chosen = _larger(excess[:, SHORT], excess[:, LONG])
    if fallback == "argmax":
        nothing = np.isneginf(excess).all(axis=1)
        chosen[nothing] = most_probable(probabilities[nothing])
    chosen[np.isnan(probabilities).any(axis=1)] = HOLD
    return chosen


def most_probable(probabilities: FloatArray) -> IntArray:
    """Choose the most probable class of (n, 3) rows; ties and rows with NaN are HOLD."""
    short, hold, long = probabilities.T
    chosen = _larger(short, long)
    chosen[~(np.maximum(short, long) > hold)] = HOLD
    return chosen


def _larger(short: FloatArray, long: FloatArray) -> IntArray:
    return HOLD + (long > short).astype(np.int8) - (short > long).astype(np.int8)

"""Judge every live prediction, whether a trade may be opened on it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dualwindow.arrays import FloatArray


class Trouble(StrEnum):
    """Why no trade may be opened."""

    STALE_CANDLES = "stale candles"
    STALE_INPUTS = "stale inputs"
    EXPIRED_MODEL = "expired model"
    SLOW_PREDICTION = "slow prediction"
    IDENTICAL_SCORES = "identical scores"
    NOT_A_NUMBER = "scores are no numbers"
    NO_WINDOW = "no whole window"
    DIVERGED = "training diverged"
    CONSTANT = "constant probabilities"
    FAILED = "analysis failed"
    UNFINISHED = "no finished analysis"


# Those that end with a finished analysis, not with a sound prediction on the way to it.
OF_ANALYSIS = (Trouble.FAILED, Trouble.UNFINISHED)
# Candles in a row without a prediction that are nothing special: an outlier, a missing minute.
_ORDINARY_GAP = 10


@dataclass(frozen=True)
class Limits:
    """What is still tolerated.

    Parameters
    ----------
    candle_age : seconds since the newest candle closed
    duration : seconds that one prediction may take
    identical : predictions in a row with the very same scores
    model_age : seconds since the training; infinite if models do not expire
    """

    candle_age: float
    duration: float
    identical: int
    model_age: float


@dataclass(frozen=True)
class Reading:
    """One live prediction of one pair.

    Parameters
    ----------
    now : seconds since 1970 UTC, when the prediction was there
    closed : when its candle closed
    trained : when the model was trained
    duration : seconds it took
    scores : (3,) plain softmax; None where nothing was predicted, because the window is not whole
        or the candle an outlier, which is no trouble at first but no prediction either
    is_asked : whether the model was asked; one that has expired is not
    late : inputs (other pairs, other timeframes) whose newest candle is missing, in words
    is_constant : whether the model gives all candles the same probabilities
    """

    now: float
    closed: float
    trained: float
    duration: float
    scores: FloatArray | None
    is_asked: bool = True
    late: str = ""
    is_constant: bool = False


class Guard:
    """Watches the predictions of one pair, and counts what is wrong with them."""

    def __init__(self, limits: Limits) -> None:
        self.counts = dict.fromkeys(Trouble, 0)
        self.present: dict[Trouble, str] = {}
        self.diverged: str | None = None  # why the last training was no good
        self._limits = limits
        self._last: FloatArray | None = None
        self._run = 1
        self._gap = 0

    def judge(
        self, reading: Reading, *, is_first_try: bool = True
    ) -> tuple[dict[Trouble, str], set[Trouble]]:
        """Find the troubles of a prediction; `present` holds them, with what was measured.

        Parameters
        ----------
        reading : of it
        is_first_try : whether its candle is a new one: freqtrade comes back every few seconds with
            one whose analysis has failed, which counts once

        Returns
        -------
        Those that the prediction before did not have, with what was measured, and those that
        are over: what is worth a line in the log.
        """
        if is_first_try and reading.is_asked:
            self._count_in_a_row(reading.scores)
        before, found = self.present, self._troubles(reading)
        kept = {t: before[t] for t in OF_ANALYSIS if t in before}
        self.present = found | kept
        for trouble in found:
            self.counts[trouble] += is_first_try or trouble not in before
        began = {t: text for t, text in found.items() if t not in before}
        return began, before.keys() - self.present.keys()

    @property
    def is_sound(self) -> bool:
        """Whether a trade may be opened on the prediction that was judged last."""
        return not self.present.keys() - set(OF_ANALYSIS)

    def notice(self, trouble: Trouble, text: str) -> bool:
        """Take up a trouble that shows without a prediction; tell whether it is a new one."""
        is_new = trouble not in self.present
        self.present = self.present | {trouble: text}
        self.counts[trouble] += is_new
        return is_new

    def notice_missing_candles(self, age: float, step: float) -> str | None:
        """Find out, without a prediction, that candles no longer come; count it once.

        Parameters
        ----------
        age : seconds since the newest candle closed
        step : seconds of a candle: until then, the next one is not even due

        Returns
        -------
        What was measured, if it is a trouble that was not present before.
        """
        if age <= self._limits.candle_age + step:
            return None
        text = f"none for {age:.0f} s, at most {self._limits.candle_age + step:.0f} s"
        return text if self.notice(Trouble.STALE_CANDLES, text) else None

    def settle(self, trouble: Trouble) -> set[Trouble]:
        """End a trouble; return it if it was present."""
        over = {trouble} & self.present.keys()
        self.present = {t: text for t, text in self.present.items() if t not in over}
        return over

    def _troubles(self, reading: Reading) -> dict[Trouble, str]:
        limits, age = self._limits, reading.now - reading.closed
        found = self._troubles_of_model(reading)
        if age > limits.candle_age:
            found[Trouble.STALE_CANDLES] = (
                f"the newest closed {age:.0f} s ago, at most {limits.candle_age:.0f} s"
            )
        if reading.late:
            found[Trouble.STALE_INPUTS] = reading.late
        if reading.duration > limits.duration:
            found[Trouble.SLOW_PREDICTION] = (
                f"it took {reading.duration:.1f} s, at most {limits.duration:.1f} s"
            )
        if reading.is_asked and self._gap > _ORDINARY_GAP:
            found[Trouble.NO_WINDOW] = "candles are missing, features unknown, or outliers"
        if reading.scores is not None and not np.isfinite(reading.scores).all():
            found[Trouble.NOT_A_NUMBER] = f"{reading.scores.tolist()}"
        elif reading.scores is not None and self._run > self._limits.identical:
            found[Trouble.IDENTICAL_SCORES] = f"{self._run} in a row"
        return found

    def _troubles_of_model(self, reading: Reading) -> dict[Trouble, str]:
        limit, found = self._limits.model_age, {}
        age = reading.now - reading.trained
        # Below 0 if the clock was ahead for one training.
        if np.isfinite(limit) and not 0 <= age <= limit:
            found[Trouble.EXPIRED_MODEL] = f"{age / 3600:.1f} h old, at most {limit / 3600:g} h"
        if self.diverged is not None:
            found[Trouble.DIVERGED] = self.diverged
        if reading.is_constant:
            found[Trouble.CONSTANT] = "the model tells no two candles apart"
        return found

    def _count_in_a_row(self, scores: FloatArray | None) -> None:
        self._gap = self._gap + 1 if scores is None else 0
        if scores is not None and np.isfinite(scores).all():
            same = self._last is not None and np.array_equal(scores, self._last)
            self._run = self._run + 1 if same else 1
            self._last = scores

"""Judge every live prediction, whether a trade may be opened on it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dualwindow.arrays import FloatArray


class Trouble(StrEnum):
    """Why no trade may be opened."""

    STALE_CANDLES = "stale candles"
    EXPIRED_MODEL = "expired model"
    SLOW_PREDICTION = "slow prediction"
    IDENTICAL_SCORES = "identical scores"
    NOT_A_NUMBER = "scores are no numbers"
    DIVERGED = "training diverged"
    CONSTANT = "constant probabilities"


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
        or the candle an outlier, which is no trouble but no prediction either
    is_constant : whether the model gives all candles the same probabilities
    """

    now: float
    closed: float
    trained: float
    duration: float
    scores: FloatArray | None
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

    def judge(self, reading: Reading) -> tuple[dict[Trouble, str], set[Trouble]]:
        """Find the troubles of a prediction; `present` holds them, with what was measured.

        Returns
        -------
        Those that the prediction before did not have, with what was measured, and those that
        are over: what is worth a line in the log.
        """
        before, self.present = self.present, self._troubles(reading)
        for trouble in self.present:
            self.counts[trouble] += 1
        began = {t: text for t, text in self.present.items() if t not in before}
        return began, before.keys() - self.present.keys()

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
        if age <= self._limits.candle_age + step or Trouble.STALE_CANDLES in self.present:
            return None
        text = f"none for {age:.0f} s, at most {self._limits.candle_age + step:.0f} s"
        self.present = self.present | {Trouble.STALE_CANDLES: text}
        self.counts[Trouble.STALE_CANDLES] += 1
        return text

    def _troubles(self, reading: Reading) -> dict[Trouble, str]:
        limits, found = self._limits, {}
        age, model_age = reading.now - reading.closed, reading.now - reading.trained
        if age > limits.candle_age:
            found[Trouble.STALE_CANDLES] = (
                f"the newest closed {age:.0f} s ago, at most {limits.candle_age:.0f} s"
            )
        if model_age > limits.model_age:
            found[Trouble.EXPIRED_MODEL] = (
                f"{model_age / 3600:.1f} h old, at most {limits.model_age / 3600:g} h"
            )
        if reading.duration > limits.duration:
            found[Trouble.SLOW_PREDICTION] = (
                f"it took {reading.duration:.1f} s, at most {limits.duration:.1f} s"
            )
        if self.diverged is not None:
            found[Trouble.DIVERGED] = self.diverged
        if reading.is_constant:
            found[Trouble.CONSTANT] = "the model tells no two candles apart"
        if reading.scores is not None:
            found |= self._trouble_of_scores(reading.scores)
        return found

    def _trouble_of_scores(self, scores: FloatArray) -> dict[Trouble, str]:
        if not np.isfinite(scores).all():
            return {Trouble.NOT_A_NUMBER: f"{scores.tolist()}"}
        same = self._last is not None and np.array_equal(scores, self._last)
        self._run = self._run + 1 if same else 1
        self._last = scores
        if self._run > self._limits.identical:
            return {Trouble.IDENTICAL_SCORES: f"{self._run} in a row"}
        return {}

"""Work out whether retraining keeps up with the number of pairs."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

logger = logging.getLogger(__name__)

_REMEMBERED = 100  # trainings from which a median is taken


class Pace:
    """How long one round of trainings over all pairs takes, against how often it is due.

    Pairs are trained one after the other, so models get as old as a round takes.

    Parameters
    ----------
    retrain_hours : after which a model is due; 0 if it is due at once
    expiration_hours : after which it is not used any more; 0 if never
    is_shared : whether one training is for all pairs
    """

    def __init__(
        self, retrain_hours: float, expiration_hours: float, *, is_shared: bool = False
    ) -> None:
        self._is_shared = is_shared
        self.retrain_seconds = 3600 * retrain_hours
        self._expiration_seconds = 3600 * expiration_hours
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self._n_pairs = 0
        self._falls_behind = ""

    @classmethod
    def of(cls, freqai: Mapping[str, Any]) -> "Pace":
        """Read the hours in freqtrade's block `freqai`."""
        return cls(
            freqai.get("live_retrain_hours", 0),
            freqai.get("expiration_hours", 0),
            is_shared=freqai.get("dual_window", {}).get("pooling") == "whitelist",
        )

    def take(self, seconds: Iterable[float], n_pairs: int) -> None:
        """Take what trainings have lasted, and say it if that changes whether they keep up.

        Parameters
        ----------
        seconds : of trainings just made, or at the start, of those that made the saved models
        n_pairs : in the whitelist
        """
        self._seconds.extend(seconds)
        self._n_pairs = n_pairs
        before, self._falls_behind = self._falls_behind, self._trouble()
        if self._falls_behind and not before:
            logger.warning(
                "Retraining falls behind: %s. Raise it, take fewer pairs, or a faster preset "
                "(a larger stride, fewer epochs, shorter train_period_days)",
                self._falls_behind,
            )
        elif before and not self._falls_behind:
            logger.info("Retraining keeps up again")

    def facts(self) -> dict[str, Any]:
        """Tell what the status file holds of it."""
        return {
            "seconds_per_training": round(median(self._seconds), 1) if self._seconds else None,
            "pairs": self._n_pairs,
            "falls_behind": self._falls_behind,
        }

    def _trouble(self) -> str:
        if not self._seconds:
            return ""
        one = median(self._seconds)
        needed = one if self._is_shared else one * self._n_pairs
        # A model's age counts from the beginning of its training.
        oldest = max(self.retrain_seconds, needed) + one
        short = []
        if 0 < self.retrain_seconds < needed:
            short.append(f"live_retrain_hours is {self.retrain_seconds / 3600:g}")
        if 0 < self._expiration_seconds < oldest:
            short.append(
                f"expiration_hours is {self._expiration_seconds / 3600:g} (models get "
                f"{oldest / 3600:.2g} hours old)"
            )
        if not short:
            return ""
        trainings = (
            f"a training of all {self._n_pairs} pairs takes"
            if self._is_shared
            else f"{self._n_pairs} pairs of {one:.0f} s each take"
        )
        return f"{trainings} {needed / 3600:.2g} hours, freqai.{' and '.join(short)}"

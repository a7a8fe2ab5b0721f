"""Time and judge the live predictions of every pair, and keep what is in doubt from being used."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.arrays import FloatArray
from dualwindow.learning.artifact import Prediction
from dualwindow_freqtrade.configuration import GuardSettings
from dualwindow_freqtrade.freqai_names import TRAINED_AT
from dualwindow_freqtrade.live_guards import Limits, Reading
from dualwindow_freqtrade.live_status import Status


def limits_of(config: Mapping[str, Any], guards: GuardSettings) -> Limits:
    """Read the limits in freqtrade's configuration and the settings of the guards."""
    candle = timeframe_to_seconds(config["timeframe"])
    hours = config["freqai"].get("expiration_hours", 0)
    return Limits(
        candle_age=guards.max_candle_age * candle,
        duration=guards.max_prediction_share * candle,
        identical=guards.max_identical,
        model_age=3600.0 * hours if hours > 0 else np.inf,
    )


@dataclass
class _Round:
    """One candle of one pair, since FreqAI was asked for it."""

    began: float
    is_judged: bool = False


class LiveWatch:
    """Follows each pair from the moment that its candle is there until it is predicted.

    Parameters
    ----------
    status : judges and counts
    drawer : FreqAI's
    step : seconds of a candle
    """

    def __init__(self, status: Status, drawer: FreqaiDataDrawer, step: int) -> None:
        self._status, self._drawer, self._step = status, drawer, step
        self._rounds: dict[str, _Round] = {}

    def begin(self, pair: str) -> None:
        """Start the clock of a pair's newest candle."""
        self._rounds[pair] = _Round(time.monotonic())

    def guarded(
        self, prediction: Prediction, opened: float, dk: FreqaiDataKitchen, *, is_constant: bool
    ) -> Prediction:
        """Judge the newest row; if it is in trouble, it is no prediction any more.

        Parameters
        ----------
        prediction : of a live run
        opened : when the newest candle opened, seconds since 1970 UTC
        dk : of the pair
        is_constant : whether its model gives all candles the same probabilities; they are shown
            nevertheless, with `do_predict` 0 as in a backtest
        """
        if dk.pair not in self._drawer.model_return_values:
            return prediction  # FreqAI shows the first one of a process to nobody
        seen = prediction.valid[-1] or prediction.failed[-1]
        scores = prediction.scores[-1] if seen else None
        sound = self._judge(opened, scores, dk, is_constant=is_constant)
        return prediction if sound or is_constant else prediction.without_newest()

    def end(self, opened: float, dk: FreqaiDataKitchen) -> None:
        """Write down how the round went; a model that is too old to be asked is a trouble."""
        has_model = TRAINED_AT in dk.data["extra_returns_per_train"]
        is_judged = self._rounds[dk.pair].is_judged
        if has_model and not is_judged and dk.check_if_model_expired(_trained_at(dk)):
            self._judge(opened, None, dk)
        self._status.show_model(dk.pair, _trained_at(dk) if has_model else None)
        self._status.write()

    def notice_missing_candles(self, now: float, pairs: Iterable[str]) -> None:
        """Notice pairs whose candles no longer come, at `now` (seconds since 1970 UTC)."""
        self._status.notice_missing_candles(now, self._step, pairs)

    def _judge(
        self,
        opened: float,
        scores: FloatArray | None,
        dk: FreqaiDataKitchen,
        *,
        is_constant: bool = False,
    ) -> bool:
        current = self._rounds[dk.pair]
        current.is_judged = True
        reading = Reading(
            now=time.time(),
            closed=opened + self._step,
            trained=_trained_at(dk),
            duration=time.monotonic() - current.began,
            scores=scores,
            is_constant=is_constant,
        )
        return self._status.predicted(dk.pair, reading)


def _trained_at(dk: FreqaiDataKitchen) -> int:
    return int(dk.data["extra_returns_per_train"][TRAINED_AT])

"""Time and judge the live predictions of every pair, and keep what is in doubt from being used."""

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from freqtrade.exchange import timeframe_to_seconds
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.arrays import FloatArray
from dualwindow.learning.artifact import Prediction
from dualwindow.outside import elapsed, epoch_seconds
from dualwindow_freqtrade.freqai.configuration import GuardSettings
from dualwindow_freqtrade.freqai.names import TRAINED_AT
from dualwindow_freqtrade.live.candles import LateInputs
from dualwindow_freqtrade.live.guards import Limits, Reading
from dualwindow_freqtrade.live.status import Status


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


_GONE = 3600.0  # seconds without an analysis, after which a pair may leave memory


@dataclass
class _Round:
    """One candle of one pair, since FreqAI was asked for it."""

    began: float
    is_judged: bool = False
    is_sound: bool = True
    is_predicted: bool = False


class LiveWatch:
    """Follows each pair from the moment that its candle is there until it is predicted.

    Parameters
    ----------
    status : judges and counts
    late_inputs : finds inputs of a pair that have not come
    step : seconds of a candle
    """

    def __init__(self, status: Status, late_inputs: LateInputs, step: int) -> None:
        self._status, self._late_inputs, self._step = status, late_inputs, step
        self._rounds: dict[str, _Round] = {}

    @contextmanager
    def watching(self, pair: str) -> Iterator[None]:
        """Watch over the analysis of a pair's newest candle; what it raises is a trouble."""
        self._rounds[pair] = _Round(elapsed())
        try:
            yield
        except Exception as error:
            self._status.fail(pair, error)
            raise

    def start_clock(self, pair: str) -> None:
        """Time the prediction from here: what came before is done once in a process."""
        self._rounds[pair] = _Round(elapsed())

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
        seen = prediction.valid[-1] or prediction.failed[-1]
        scores = prediction.scores[-1] if seen else None
        sound = self._judge(opened, scores, dk, is_constant=is_constant)
        self._round(dk.pair).is_predicted = bool(sound and prediction.valid[-1])
        return prediction if sound or is_constant else prediction.without_newest()

    def finish(self, opened: float, dk: FreqaiDataKitchen) -> bool:
        """Write down how the round went, now that FreqAI has stored what came of it.

        A model that is too old to be asked is a trouble.

        Returns
        -------
        Whether the newest row may be traded on. FreqAI keeps what it has stored of a candle that
        it has seen before, whatever is in doubt now.
        """
        current = self._round(dk.pair)
        has_model = TRAINED_AT in dk.data["extra_returns_per_train"]
        if has_model and not current.is_judged and dk.check_if_model_expired(_trained_at(dk)):
            self._judge(opened, None, dk, is_asked=False)
        trained = _trained_at(dk) if has_model else None
        self._status.finish(dk.pair, trained, predicted=current.is_predicted if has_model else None)
        self._status.flush()
        return current.is_sound

    def _round(self, pair: str) -> _Round:
        return self._rounds.setdefault(pair, _Round(elapsed()))

    def notice_silence(self, now: float, analysed: Mapping[str, float]) -> None:
        """Notice pairs whose candles no longer come, or that are not analysed.

        Parameters
        ----------
        now : seconds since 1970 UTC
        analysed : when the last analysis of each pair of the whitelist was finished
        """
        self._status.notice_silence(now, self._step, analysed)

    def take_gone(self, whitelist: Container[str]) -> list[str]:
        """Name each pair once that is not asked for, and was not analysed for an hour.

        A pair that has left the whitelist is analysed as long as it has an open trade.
        """
        gone = [
            pair
            for pair, last in self._rounds.items()
            if pair not in whitelist and elapsed() - last.began > _GONE
        ]
        for pair in gone:
            del self._rounds[pair]
        return gone

    def _judge(
        self,
        opened: float,
        scores: FloatArray | None,
        dk: FreqaiDataKitchen,
        *,
        is_constant: bool = False,
        is_asked: bool = True,
    ) -> bool:
        current, closed = self._round(dk.pair), opened + self._step
        reading = Reading(
            now=epoch_seconds(),
            closed=closed,
            trained=_trained_at(dk),
            duration=elapsed() - current.began,
            scores=scores,
            late=self._late_inputs.of(dk.pair, closed),
            is_constant=is_constant,
            is_asked=is_asked,
        )
        current.is_judged = True
        current.is_sound = self._status.judge(dk.pair, reading)
        return current.is_sound


def _trained_at(dk: FreqaiDataKitchen) -> int:
    return int(dk.data["extra_returns_per_train"][TRAINED_AT])

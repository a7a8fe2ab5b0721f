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
from dualwindow_freqtrade.freqai.names import DO_PREDICT, TRAINED_AT
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


# Without an analysis for an hour, and for three candles, a pair may leave memory.
_GONE_SECONDS, _GONE_CANDLES = 3600, 3


@dataclass
class _Round:
    """One candle of one pair, since FreqAI was asked for it."""

    began: float
    is_judged: bool = False
    is_sound: bool = True


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
        # As it is shown: of a candle that was predicted before, what is stored is given again.
        shown = bool(dk.return_dataframe[DO_PREDICT].iloc[-1] == 1) and current.is_sound
        self._status.finish(dk.pair, trained, predicted=shown if has_model else None)
        self._status.flush()
        return current.is_sound

    def is_sound(self, pair: str) -> bool:
        """Tell whether nothing speaks against a trade on the pair's newest candle so far."""
        return self._round(pair).is_sound

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

    def gone(self, whitelist: Container[str]) -> list[str]:
        """Name the pairs that are not asked for, and were not analysed for an hour.

        A pair that has left the whitelist is analysed as long as it has an open trade.
        """
        latest = elapsed() - max(_GONE_SECONDS, _GONE_CANDLES * self._step)
        rounds = self._rounds.items()
        return [pair for pair, last in rounds if pair not in whitelist and last.began < latest]

    def forget(self, pair: str) -> None:
        """Forget a pair until it is analysed again."""
        self._rounds.pop(pair, None)
        self._status.forget(pair)

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

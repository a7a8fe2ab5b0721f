"""Keep the ages, times and counts of a live bot in a small JSON file that others can read."""

import json
import logging
import math
import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from dualwindow.market.files import write_aside
from dualwindow.outside import elapsed, epoch_seconds
from dualwindow_freqtrade.live.guards import OF_ANALYSIS, Guard, Limits, Reading, Trouble
from dualwindow_freqtrade.live.pace import Pace

logger = logging.getLogger(__name__)

STATUS_FILE = "dualwindow_status.json"
_REMEMBERED = 1000  # durations from which a median is taken
_SECONDS_PER_PAIR = 0.01  # between two writings of the file
_UNFINISHED = 3  # candles without a finished analysis that a start or an outage may take
# Between two looks, after which the bot was stopped and goes on. A loop may take minutes while an
# exchange does not answer, and that is when silence must be seen.
_STOPPED_SECONDS, _STOPPED_CANDLES = 1800, 10


@dataclass
class _Pair:
    """What has happened to one pair since the bot started."""

    guard: Guard
    since: float | None  # when it was first asked for; None while it is not
    trained: float | None = None
    judged: float | None = None  # when the candle closed that was judged last
    closed: float | None = None  # the last of them whose analysis came to its end
    predictions: int = 0
    no_predictions: int = 0
    trainings: int = 0
    failed_trainings: int = 0
    left_out: str = ""  # why its model was not learnt from it
    failed_analyses: int = 0
    last_error: str | None = None
    more: dict[str, Any] = field(default_factory=dict)  # of what acts on the predictions
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def facts(self, retrain_seconds: float) -> dict[str, Any]:
        due = None if self.trained is None else self.trained + retrain_seconds
        return {
            "model_trained": _date(self.trained),
            "model_due": _date(due),
            "last_candle_closed": _date(self.closed),
            "predictions": self.predictions,
            "candles_without_prediction": self.no_predictions,
            "seconds_per_prediction": _summary(self.durations),
            "seconds_after_candle": _summary(self.delays),
            "trainings": self.trainings,
            "failed_trainings": self.failed_trainings,
            "left_out": self.left_out,
            "failed_analyses": self.failed_analyses,
            "last_error": self.last_error,
            "keeps_out": dict(self.guard.present),
            "counts": dict(self.guard.counts),
            **self.more,
        }

    def notice_silence(self, now: float, step: float, finished: float) -> dict[Trouble, str]:
        """Find out whether anything comes of this pair; return what was not known before."""
        since, guard = self.since or now, self.guard
        # What an analysis raises says nothing about candles.
        if self.judged is not None and Trouble.FAILED not in guard.present:
            text = guard.notice_missing_candles(now - max(self.judged, since), step)
            if text is not None:
                return {Trouble.STALE_CANDLES: text}
        silent = now - max(finished, since)
        if silent <= _UNFINISHED * step or Trouble.STALE_CANDLES in guard.present:
            return {}
        text = f"none for {silent:.0f} s, at most {_UNFINISHED * step:.0f} s"
        return {Trouble.UNFINISHED: text} if guard.notice(Trouble.UNFINISHED, text) else {}


class Status:
    """Collects from the thread that predicts and the one that trains.

    Parameters
    ----------
    folder : of one FreqAI identifier, in which the file lies
    limits : of the guards
    pace : whether retraining keeps up
    """

    def __init__(self, folder: Path, limits: Limits, pace: Pace) -> None:
        self._path = folder / STATUS_FILE
        self._limits, self._pace = limits, pace
        self._started = epoch_seconds()
        self._stopped: float | None = None
        self._pairs: dict[str, _Pair] = {}
        self._told: dict[str, str] = {}  # of each pair, as it stands in the file
        self._lock = threading.Lock()
        self._writable = True
        self._written = -math.inf
        self._looked = -math.inf  # when silence was looked for last

    def judge(self, pair: str, reading: Reading) -> bool:
        """Judge one prediction; tell whether a trade may be opened on it.

        A trouble is logged when it begins and when it is over.
        """
        with self._lock:
            state = self._changed(pair)
            is_first_try = state.judged != reading.closed
            state.trained, state.judged = reading.trained, reading.closed
            if is_first_try:
                state.durations.append(reading.duration)
                state.delays.append(reading.now - reading.closed)
            began, ended = state.guard.judge(reading, is_first_try=is_first_try)
            sound = state.guard.is_sound
        _log(pair, began, ended)
        return sound

    def finish(self, pair: str, trained: float | None, *, predicted: bool | None) -> None:
        """Count a candle whose analysis has come to its end; freqtrade may come back with it.

        Parameters
        ----------
        pair : whose candle
        trained : when its model was trained, seconds since 1970 UTC; None without a model
        predicted : whether there is a prediction to trade on; None if none was asked for
        """
        with self._lock:
            state = self._changed(pair)
            state.trained = state.trained if trained is None else trained
            if predicted is not None and state.closed != state.judged:
                state.closed = state.judged
                state.predictions += predicted
                state.no_predictions += not predicted
            ended = state.guard.settle(Trouble.FAILED)
        _log(pair, {}, ended)

    def fail(self, pair: str, error: BaseException) -> None:
        """Count an analysis that raised, and remember what; it is a trouble until one does not."""
        text = f"{type(error).__name__}: {error}"
        with self._lock:
            state = self._changed(pair)
            state.failed_analyses += 1
            began = state.guard.notice(Trouble.FAILED, text) or text != state.last_error
            state.last_error = text
        if began:
            _log(pair, {Trouble.FAILED: text}, ())
        self.write()

    def trained(self, pair: str, when: float, left_out: str = "") -> None:
        """Count a training that has ended well, unless it says why this pair was left out."""
        with self._lock:
            state = self._changed(pair)
            state.trained, state.left_out = when, left_out
            state.trainings += not left_out
            state.guard.diverged = None

    def tell(self, pair: str, **facts: Any) -> None:
        """Show further facts of a pair in the file, in place of those of the same names."""
        with self._lock:
            self._changed(pair).more |= facts

    def training_failed(self, pair: str, diverged: str | None = None) -> None:
        """Count a training that has failed; one that diverged is a trouble until the next."""
        with self._lock:
            state = self._changed(pair)
            state.failed_trainings += 1
            state.guard.diverged = diverged or state.guard.diverged

    def notice_silence(self, now: float, step: float, analysed: Mapping[str, float]) -> None:
        """Find pairs whose candles no longer come, or whose analysis does not come to an end.

        Parameters
        ----------
        now : seconds since 1970 UTC
        step : seconds of a candle
        analysed : when the last analysis of each pair that is asked for was finished; before 1971
            if none was. Of other pairs nothing is expected
        """
        began: dict[str, dict[Trouble, str]] = {}
        ended: dict[str, set[Trouble]] = {}
        with self._lock:
            if now - self._looked > max(_STOPPED_SECONDS, _STOPPED_CANDLES * step):
                self._leave(list(self._pairs))
            self._leave(self._pairs.keys() - analysed.keys())
            self._looked = now
            for pair, finished in analysed.items():
                state = self._pairs.get(pair) or self._changed(pair)
                if state.since is None:
                    state.since = now
                before = dict(state.guard.present)
                began[pair] = state.notice_silence(now, step, finished)
                if finished > state.since and now - finished <= _UNFINISHED * step:
                    ended[pair] = state.guard.settle(Trouble.UNFINISHED)
                if state.guard.present != before:
                    self._changed(pair)
        for pair in analysed:
            _log(pair, began[pair], ended.get(pair, ()))
        self.flush()

    def _leave(self, pairs: Iterable[str]) -> None:
        """Expect nothing of these pairs until they are asked for again."""
        for pair in pairs:
            state = self._pairs[pair]
            if state.since is not None:
                state.since = None
                state.guard.present = {}
                self._changed(pair)

    def forget(self, pair: str) -> None:
        """Leave a pair out, which has left the bot's memory, until it is analysed again."""
        with self._lock:
            self._pairs.pop(pair, None)
            self._told.pop(pair, None)

    def stop(self) -> None:
        """Show that the bot has ended, and was not killed."""
        self._stopped = epoch_seconds()
        self.write()

    def flush(self) -> None:
        """Write the file if something has changed, but not too often.

        With a hundred pairs it would be written a hundred times a candle.
        """
        due = self._written + _SECONDS_PER_PAIR * len(self._pairs)
        if len(self._told) < len(self._pairs) and elapsed() >= due:
            self.write()

    def write(self) -> None:
        """Write the file; a disk that is full is logged once and keeps nobody from trading."""
        with self._lock:
            self._written = elapsed()
            for pair, state in self._pairs.items():
                if pair not in self._told:
                    facts = state.facts(self._pace.retrain_seconds)
                    self._told[pair] = f"  {json.dumps(pair)}: {json.dumps(facts)}"
            head = {
                "started": _date(self._started),
                "updated": _date(epoch_seconds()),
                "stopped": _date(self._stopped),
                "retraining": self._pace.facts(),
            }
            # A line for each pair, kept until it changes: medians take time.
            lines = [f" {json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
            pairs = ",\n".join(self._told[pair] for pair in self._pairs)
            text = "{\n" + ",\n".join([*lines, f' "pairs": {{\n{pairs}\n }}']) + "\n}\n"
            try:
                write_aside(self._path, text.encode(), durable=False)
                self._writable = True
            except OSError as error:
                if self._writable:
                    logger.warning("%s could not be written: %s", self._path, error)
                self._writable = False

    def _changed(self, pair: str) -> _Pair:
        """Give the state of a pair, which is about to change."""
        self._told.pop(pair, None)
        if pair not in self._pairs:
            self._pairs[pair] = _Pair(Guard(self._limits), None)
        return self._pairs[pair]


def _log(pair: str, began: Mapping[Trouble, str], ended: Iterable[Trouble]) -> None:
    for trouble, text in began.items():
        cost = "no signals" if trouble in OF_ANALYSIS else "no new trades"
        logger.warning("%s: %s (%s); %s until it is over", pair, trouble, text, cost)
    for trouble in ended:
        logger.info("%s: %s no more", pair, trouble)


def _date(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _summary(values: Iterable[float]) -> dict[str, float] | None:
    recent = list(values)
    if not recent:
        return None
    numbers = {"last": recent[-1], "median": median(recent), "max": max(recent)}
    return {name: round(value, 4) for name, value in numbers.items()}

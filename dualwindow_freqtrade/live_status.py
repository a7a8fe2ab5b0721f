"""Keep the ages, times and counts of a live bot in a small JSON file that others can read."""

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Group
from rich.table import Table

from dualwindow.market.files import write_aside
from dualwindow_freqtrade.live_guards import Guard, Limits, Reading, Trouble

logger = logging.getLogger(__name__)

STATUS_FILE = "dualwindow_status.json"
_REMEMBERED = 1000  # durations from which a median is taken


@dataclass
class _Pair:
    """What has happened to one pair since the bot started."""

    guard: Guard
    trained: float | None = None
    closed: float | None = None
    predictions: int = 0
    no_predictions: int = 0
    trainings: int = 0
    failed_trainings: int = 0
    durations: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    delays: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))

    def facts(self) -> dict[str, Any]:
        return {
            "model_trained": _date(self.trained),
            "last_candle_closed": _date(self.closed),
            "predictions": self.predictions,
            "candles_without_prediction": self.no_predictions,
            "seconds_per_prediction": _summary(self.durations),
            "seconds_after_candle": _summary(self.delays),
            "trainings": self.trainings,
            "failed_trainings": self.failed_trainings,
            "keeps_out": dict(self.guard.present),
            "counts": dict(self.guard.counts),
        }


class Status:
    """Collects from the thread that predicts and the one that trains.

    Parameters
    ----------
    folder : of one FreqAI identifier, in which the file lies
    limits : of the guards
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._path = folder / STATUS_FILE
        self._limits = limits
        self._started = time.time()
        self._stopped: float | None = None
        self._pairs: dict[str, _Pair] = {}
        self._lock = threading.Lock()
        self._writable = True

    def predicted(self, pair: str, reading: Reading) -> bool:
        """Count and judge one prediction; tell whether a trade may be opened on it.

        A trouble is logged when it begins and when it is over.
        """
        with self._lock:
            state = self._pair(pair)
            state.trained, state.closed = reading.trained, reading.closed
            state.durations.append(reading.duration)
            state.delays.append(reading.now - reading.closed)
            began, ended = state.guard.judge(reading)
            sound = not state.guard.present
            made = sound and reading.scores is not None
            state.predictions += made
            state.no_predictions += not made
        for trouble, text in began.items():
            logger.warning("%s: %s (%s); no new trades until it is over", pair, trouble, text)
        for trouble in ended:
            logger.info("%s: %s no more", pair, trouble)
        return sound

    def trained(self, pair: str, when: float) -> None:
        """Count a training that has ended well."""
        with self._lock:
            state = self._pair(pair)
            state.trained = when
            state.trainings += 1
            state.guard.diverged = None

    def failed(self, pair: str, diverged: str | None = None) -> None:
        """Count a training that has failed; one that diverged is a trouble until the next."""
        with self._lock:
            state = self._pair(pair)
            state.failed_trainings += 1
            state.guard.diverged = diverged or state.guard.diverged

    def show_model(self, pair: str, trained: float | None) -> None:
        """Show the pair, also before its first prediction, and its model if it has one."""
        with self._lock:
            state = self._pair(pair)
            state.trained = state.trained if trained is None else trained

    def notice_missing_candles(self, now: float, step: float, pairs: Iterable[str]) -> None:
        """Find pairs whose candles no longer come.

        Parameters
        ----------
        now : seconds since 1970 UTC
        step : seconds of a candle
        pairs : those that are asked for; of others no candles are expected
        """
        with self._lock:
            began = {
                pair: self._pairs[pair].guard.notice_missing_candles(now - closed, step)
                for pair in pairs
                if pair in self._pairs and (closed := self._pairs[pair].closed) is not None
            }
        for pair, text in began.items():
            if text is not None:
                logger.warning(
                    "%s: %s (%s); no new trades until it is over", pair, Trouble.STALE_CANDLES, text
                )
        if any(began.values()):
            self.write()

    def stopped(self) -> None:
        """Show that the bot has ended, and was not killed."""
        self._stopped = time.time()
        self.write()

    def write(self) -> None:
        """Write the file; a disk that is full is logged once and keeps nobody from trading."""
        with self._lock:
            facts = {
                "started": _date(self._started),
                "updated": _date(time.time()),
                "stopped": _date(self._stopped),
                "pairs": {pair: state.facts() for pair, state in self._pairs.items()},
            }
            try:
                write_aside(self._path, json.dumps(facts, indent=1).encode(), durable=False)
                self._writable = True
            except OSError as error:
                if self._writable:
                    logger.warning("%s could not be written: %s", self._path, error)
                self._writable = False

    def _pair(self, pair: str) -> _Pair:
        if pair not in self._pairs:
            self._pairs[pair] = _Pair(Guard(self._limits))
        return self._pairs[pair]


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


def status_table(identifier: str, facts: Mapping[str, Any], now: float) -> Group:
    """Show the content of a status file as it stands at `now` (seconds since 1970 UTC)."""
    last = "stopped" if facts.get("stopped") else "written"
    table = Table(title=f"{identifier}, {last} {_age(facts['updated'], now)} ago")
    for column in ("pair", "model", "candle", "predicted", "s (max)", "trained"):
        table.add_column(column, no_wrap=column == "pair")
    for pair, state in facts["pairs"].items():
        times = state["seconds_per_prediction"]
        missed = state["candles_without_prediction"]
        table.add_row(
            pair,
            _age(state["model_trained"], now),
            _age(state["last_candle_closed"], now),
            str(state["predictions"]) + (f" ({missed} not)" if missed else ""),
            f"{times['median']:.2f} ({times['max']:.2f})" if times else "",
            f"{state['trainings']}"
            + (f", {state['failed_trainings']} failed" if state["failed_trainings"] else ""),
        )
    troubles = [
        f"{pair}: {text}" for pair, state in facts["pairs"].items() for text in _troubles(state)
    ]
    return Group(table, *(troubles or ["no troubles"]))


def seconds_silent(bots: Iterable[Mapping[str, Any]], now: float) -> float:
    """Say how long ago the newest candle closed that was looked at with a model.

    The file's own age would not tell: trainings write it too, while nothing is predicted any more.
    Infinite where there was none yet.
    """
    states = [state for facts in bots for state in facts["pairs"].values()]
    dates = [state["last_candle_closed"] for state in states if state["last_candle_closed"]]
    closed = [datetime.fromisoformat(date).timestamp() for date in dates]
    return now - max(closed, default=float("-inf"))


def _troubles(state: Mapping[str, Any]) -> list[str]:
    present = [f"{trouble} ({text})" for trouble, text in state["keeps_out"].items()]
    return present + [f"{n} x {trouble} so far" for trouble, n in state["counts"].items() if n]


def _age(date: str | None, now: float) -> str:
    if date is None:
        return "none yet"
    seconds = now - datetime.fromisoformat(date).timestamp()
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

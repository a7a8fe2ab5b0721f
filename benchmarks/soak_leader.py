"""Lead a bot from candle to candle through a schedule of faults."""

import contextlib
import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.soak_bot import Clock, SoakBot
from benchmarks.soak_schedule import GRACE, OF_EXCHANGE, Kind, Planned
from dualwindow_freqtrade.live.status import STATUS_FILE
from dualwindow_sandbox.fault_request import request_fault
from dualwindow_sandbox.faults import PATH
from harness.bots import Place

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
CANDLE = 60
_AFTER_CLOSE = 1.2  # seconds; freqtrade asks for a candle one second after its close
_PATIENCE = 4  # real seconds for a candle that a fault may well keep from coming
_START = 240  # real seconds


@dataclass(frozen=True)
class Snapshot:
    """How things stand when the bot has done its work of a candle, or should have.

    Parameters
    ----------
    candle : its close, seconds since 1970 UTC
    is_settled : whether it has
    lines : of the witness until now
    status : what the bot says of itself; None where it could not be written
    memory : MiB
    """

    candle: int
    is_settled: bool
    lines: int
    status: dict[str, Any] | None
    memory: float


@dataclass
class Left:
    """What a run has left.

    Parameters
    ----------
    first : close of the first candle of the run, seconds since 1970 UTC
    length : candles
    plan : what was to happen
    place : the bot's folder
    doubtful : spans of candles, counted from the first and half open, in which a pair, or with None
        any, need not be predicted: faults and starts, and the grace after them
    injected : how many faults of each kind have come about
    ends : of the bot by itself, while nothing was wrong
    errors : of the bot's clock: lines of the witness from which on it is how many seconds ahead
    """

    first: int
    length: int
    plan: tuple[Planned, ...]
    place: Place
    witness: list[dict[str, Any]] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    doubtful: list[tuple[int, int, str | None]] = field(default_factory=list)
    injected: Counter[str] = field(default_factory=Counter)
    ends: list[str] = field(default_factory=list)
    errors: list[tuple[int, float]] = field(default_factory=list)
    log: str = ""

    def is_doubtful(self, candle: int, pair: str | None = None) -> bool:
        """Tell whether a candle, counted from the first, need not be predicted."""
        return any(
            begin <= candle < end and whose in (None, pair) for begin, end, whose in self.doubtful
        )


class Leader:
    """Leads the bot from candle to candle.

    Parameters
    ----------
    bot, clock, address : the bot, its and the exchange's clock, where the exchange listens
    place : the bot's folder
    """

    def __init__(self, place: Place, bot: SoakBot, clock: Clock, address: str) -> None:
        self._place, self._bot, self._clock, self._address = place, bot, clock, address
        self._pairs = list(PAIRS)
        self._candle = 0
        self._started_at = 0  # candle
        self._offset = 0  # of the witness's lines: where those of the last start begin

    # -- waiting

    def witness(self) -> list[dict[str, Any]]:
        """Return what the bot's strategy has written until now."""
        if not self._bot.witness.is_file():
            return []
        lines = self._bot.witness.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _lines(self) -> list[dict[str, Any]]:
        """Return what the bot that runs now has written; a start that was asked for begins anew."""
        lines = self.witness()[self._offset :]
        starts = [i for i, line in enumerate(lines) if line["what"] == "start"]
        return lines[starts[-1] :] if starts else []

    def _has_looped(self) -> bool:
        return any(line["what"] == "loop" for line in self._lines())

    def _is_settled(self, close: int, pairs: Collection[str]) -> bool:
        """Tell whether these pairs have been looked at and the round is over."""
        lines = self._lines()
        rows = [i for i, line in enumerate(lines) if line["what"] == "row"]
        seen = {lines[i]["pair"] for i in rows if lines[i]["candle"] >= close - CANDLE}
        if not rows or not seen >= set(pairs):
            return False
        return any(line["what"] == "loop" for line in lines[rows[-1] :])

    @staticmethod
    def _wait(is_over: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if is_over():
                return True
            time.sleep(0.1)
        return is_over()

    # -- the run

    def warm_up(self) -> int:
        """Start the bot and wait until it predicts; return the close of the next candle."""
        self._bot.start()
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            assert self._bot.is_up, "the bot ended at its first start"
            rows = [line for line in self.witness() if line["what"] == "row"]
            if {row["pair"] for row in rows if row["do_predict"] == 1} >= set(self._pairs):
                assert abs(rows[-1]["at"] - self._clock.now()) < CANDLE, "it has another clock"
                return self._next_close()
            if self._has_models():
                self._clock.jump_to(self._next_close() + _AFTER_CLOSE)
            close = self._next_close() - CANDLE
            self._wait(lambda close=close: self._has_models() and self._is_settled(close, PAIRS), 5)
        raise AssertionError(f"no predictions within {_START} s of the first start")

    def _has_models(self) -> bool:
        told = (self._status() or {"pairs": {}})["pairs"]
        return all(told.get(pair, {}).get("model_trained") for pair in self._pairs)

    def _next_close(self) -> int:
        return int(self._clock.now() // CANDLE + 1) * CANDLE

    def lead(self, left: Left) -> None:
        """Go through all candles."""
        waiting = list(left.plan)
        lasting: list[Planned] = []
        while self._candle < left.length:
            for fault in [f for f in lasting if f.stop <= self._candle]:
                lasting.remove(fault)
                self._end(fault, left)
            for fault in [f for f in waiting if f.start <= self._candle]:
                waiting.remove(fault)
                if self._begin(fault, left):
                    lasting.append(fault)
                    left.injected[fault.kind] += fault.kind not in OF_EXCHANGE
                    if not fault.is_harmless:
                        left.doubtful.append((fault.start, fault.stop + GRACE, fault.concerned))
            self._one_candle(left, lasting)
            now = int((self._clock.now() - left.first) // CANDLE)
            self._candle = max(self._candle + 1, now)
        left.injected += self._faults_that_hit()

    def _one_candle(self, left: Left, lasting: list[Planned]) -> None:
        close = left.first + self._candle * CANDLE
        self._clock.jump_to(close + _AFTER_CLOSE)
        for fault in lasting:
            if fault.kind is Kind.KILL and fault.start == self._candle:
                time.sleep(fault.amount)
                self._bot.kill()
        if any(fault.kind is Kind.KILL for fault in lasting):
            return
        self._keep_up(left, lasting)
        harm = [fault for fault in lasting if not fault.is_harmless]
        spared = set(self._pairs) - {fault.concerned for fault in harm}
        is_hopeless = any(fault.concerned is None for fault in harm)
        seconds = _PATIENCE if is_hopeless and self._has_looped() else CANDLE
        settled = self._wait(
            lambda: self._is_settled(close, spared) or not self._bot.is_up,
            min(seconds, close + CANDLE - self._clock.now()),
        )
        if not self._has_looped():  # a start takes as long as it takes
            left.doubtful.append((self._started_at, self._candle + 1 + GRACE, None))
        elif self._bot.is_up:
            left.snapshots.append(self._snapshot(close, is_settled=settled))

    def _keep_up(self, left: Left, lasting: list[Planned]) -> None:
        """Be the service manager: what has ended is started again."""
        if self._bot.is_up:
            return
        if not left.is_doubtful(self._candle) and not lasting:
            left.ends.append(f"candle {self._candle}: the bot had ended by itself")
        self._expect_start(left)
        self._bot.start()

    def _expect_start(self, left: Left) -> None:
        self._offset, self._started_at = len(self.witness()), self._candle
        left.doubtful.append((self._candle, self._candle + 1 + GRACE, None))

    def _snapshot(self, close: int, *, is_settled: bool) -> Snapshot:
        lines = len(self.witness())
        return Snapshot(close, is_settled, lines, self._status(), self._bot.memory())

    def _status(self) -> dict[str, Any] | None:
        path = self._place.models / STATUS_FILE
        can_be_written = path.is_file() and not self._ballast.is_file()
        return json.loads(path.read_text()) if can_be_written else None

    # -- faults

    def _begin(self, fault: Planned, left: Left) -> bool:
        if fault.kind in OF_EXCHANGE:
            symbol = "" if fault.pair is None else fault.pair.partition(":")[0].replace("/", "")
            wanted = {"kind": fault.kind.value, "seconds": CANDLE * fault.length, "path": symbol}
            request_fault(self._address, wanted)
        elif fault.kind is Kind.CLOCK:
            self._set_clock(fault.amount, left)
        elif fault.kind is Kind.FULL_DISK:
            return self._fill()
        elif fault.kind is Kind.ADDED:
            return self._reload([*self._pairs, str(fault.pair)], left)
        elif fault.kind is Kind.REMOVED:
            return self._reload([pair for pair in self._pairs if pair != fault.pair], left)
        elif fault.kind is Kind.RELOAD:
            return self._reload(self._pairs, left)
        return True

    def _end(self, fault: Planned, left: Left) -> None:
        if fault.kind is Kind.CLOCK:
            self._set_clock(0, left)
        elif fault.kind is Kind.FULL_DISK:
            self._ballast.unlink(missing_ok=True)
        elif fault.kind in (Kind.ADDED, Kind.REMOVED):
            self._reload(PAIRS, left)

    def _set_clock(self, error: float, left: Left) -> None:
        left.errors.append((len(self.witness()), error))
        self._clock.set_error(error)

    def _reload(self, pairs: Sequence[str], left: Left) -> bool:
        lines = len(self.witness())
        heard = self._bot.is_up and self._bot.reload(list(pairs))
        if heard:
            self._pairs = list(pairs)
            self._expect_start(left)
            self._offset = lines
        return heard

    def _faults_that_hit(self) -> Counter[str]:
        """Count the exchange's faults that have hit a request."""
        with urllib.request.urlopen(f"{self._address}{PATH}", timeout=10) as answer:
            listed = json.load(answer)
        faults = listed["active"] + listed["ended"]
        return Counter(fault["kind"] for fault in faults if fault["hits"])

    @property
    def _ballast(self) -> Path:
        return self._place.models / "ballast"

    def _fill(self) -> bool:
        if not self._place.models.is_mount():
            return False
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        return True

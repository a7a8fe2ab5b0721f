"""A bot and an exchange on a clock that leaves out idle waiting."""

import asyncio
import contextlib
import json
import mmap
import os
import queue
import signal
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.exchange import running
from dualwindow_sandbox.market import SyntheticMarket
from dualwindow_sandbox.pointing import environment
from dualwindow_sandbox.venues import Venues
from harness.bots import Place
from harness.places import PROGRAMS, ROOT

SOAKING = Path(__file__).parent / "soaking"


class Clock:
    """The exchange's clock and the bot's: the machine's, moved ahead where nobody has work.

    Only the bot's wall clock is moved, through `path`; what it waits for stays real.
    """

    def __init__(self, path: Path, start: float) -> None:
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 8)
        self.path = path
        self._ahead, self._error = start - time.time(), 0.0
        self._publish()

    def now(self) -> float:
        """Return the exchange's time, seconds since 1970 UTC."""
        return time.time() + self._ahead

    def milliseconds(self) -> int:
        """Return it as the exchange wants it."""
        return int(1000 * self.now())

    def jump_to(self, moment: float) -> None:
        """Go on at a moment, unless it has passed."""
        self._ahead += max(moment - self.now(), 0)
        self._publish()

    def set_error(self, seconds: float) -> None:
        """Put the bot's clock ahead of the exchange's."""
        self._error = seconds
        self._publish()

    def _publish(self) -> None:
        self._shared[:] = struct.pack("<q", round(1e9 * (self._ahead + self._error)))


@contextlib.contextmanager
def exchange(clock: Clock) -> Iterator[str]:
    """Run a sandbox exchange on `clock` in a thread, and give its address."""
    market = SyntheticMarket(MarketKind.PLANTED, seed=1)
    addresses: queue.Queue[str] = queue.Queue()
    over = threading.Event()

    async def serve() -> None:
        async with running(Venues(market, market, market), clock=clock.milliseconds) as address:
            addresses.put(address)
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield addresses.get(timeout=60)
    finally:
        over.set()
        thread.join()


class SoakBot:
    """A dry run that is started, killed and started again, on a soak's clock.

    Parameters
    ----------
    place : its folder
    address : of the exchange
    clock : of the soak
    """

    def __init__(self, place: Place, address: str, clock: Clock) -> None:
        self.log, self.witness = place.user_data / "bot.log", place.user_data / "witness.jsonl"
        self._place = place
        self._variables = environment(address) | {
            "DUALWINDOW_SOAK_CLOCK": str(clock.path),
            "DUALWINDOW_SOAK_WITNESS": str(self.witness),
            "PYTHONPATH": os.pathsep.join(
                [*map(str, (SOAKING, ROOT / "strategies", ROOT)), os.environ.get("PYTHONPATH", "")]
            ),
            "FREQTRADE__DB_URL": f"sqlite:///{place.user_data / 'trades.sqlite'}",
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "300",
            "OMP_NUM_THREADS": "1",
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start a process."""
        words = ["trade", "--freqaimodel", "DualWindowLSTM", "--strategy", "SoakStrategy"]
        words += ["--strategy-path", str(SOAKING), "--no-color", *self._place.options]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                [PROGRAMS / "freqtrade", *words],
                cwd=ROOT,
                env=os.environ | self._variables,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    @property
    def is_up(self) -> bool:
        """Tell whether there is a process."""
        return self._process is not None and self._process.poll() is None

    def memory(self) -> float:
        """Return the resident MiB."""
        assert self._process is not None
        return psutil.Process(self._process.pid).memory_info().rss / 2**20

    def kill(self) -> None:
        """End it as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a service manager does."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)
        try:
            self._process.wait(60)
        finally:
            self._process.kill()

    def reload(self, pairs: list[str]) -> bool:
        """Let it read its configuration again, with these pairs; tell whether it was heard."""
        overlay: dict[str, Any] = json.loads((self._place.user_data / "over.json").read_text())
        overlay["exchange"]["pair_whitelist"] = pairs
        (self._place.user_data / "over.json").write_text(json.dumps(overlay))
        for _ in range(20):
            with contextlib.suppress(OSError):
                self._place.ask("reload_config", "POST")
                return True
            time.sleep(0.5)
        return False

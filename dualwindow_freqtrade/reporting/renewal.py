"""Renew the page of a bot now and then, in a process that may neither delay nor stop it."""

import logging
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from freqtrade.strategy import IStrategy

from dualwindow.outside import elapsed, epoch_seconds
from dualwindow_freqtrade.reporting.deals import database_of
from dualwindow_freqtrade.reporting.judging import judging_of
from dualwindow_freqtrade.reporting.renew import LONGEST, NOTHING_YET
from dualwindow_freqtrade.reporting.run_file import (
    LIVE_FILE,
    Run,
    command_of,
    market_of,
    write_run,
)

logger = logging.getLogger(__name__)

_FIRST = 5  # minutes, or fewer, until the first page
_PROGRAM = "dualwindow_freqtrade.reporting.renew"


class Renewal:
    """Starts one process at a time that writes the page, and warns once if that fails.

    Parameters
    ----------
    folder : of the identifier
    config : freqtrade's
    step : seconds of a candle
    minutes : between two pages; None without pages
    save : stores what was predicted since the last training
    program : words of the process
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        step: int,
        minutes: float | None,
        save: Callable[[], None],
        program: Sequence[str] | None = None,
    ) -> None:
        self._folder, self._config, self._step = folder, config, step
        self._minutes, self._save = minutes, save
        words = [sys.executable, "-m", _PROGRAM, str(folder.absolute()), "live"]
        self._program = list(program or words)
        self._child: subprocess.Popen[bytes] | None = None
        self._said: IO[bytes] | None = None
        self._began = 0.0
        self._due = elapsed() + 60 * min(minutes or 0, _FIRST)
        self._has_warned = False

    def begin(self, strategy: IStrategy) -> None:
        """Note what the bot is, for every report on it; a full disk keeps nobody from trading."""
        try:
            run = Run(
                made_at=epoch_seconds(),
                judging=judging_of(strategy, self._config),
                market=market_of(self._config, self._step),
                command=command_of(self._config, strategy.get_strategy_name()),
                trades=database_of(self._config),
            )
            write_run(self._folder / LIVE_FILE, run)
        except Exception as error:
            self._warn(f"what it is reported by could not be noted: {error}")

    def look(self) -> None:
        """Start a process if a page is due, and see after the one that runs; never waits."""
        if self._minutes is None:
            return
        try:
            if self._child is not None:
                self._see_after(self._child)
            elif elapsed() >= self._due:
                self._start(self._minutes)
        except Exception as error:
            self._warn(str(error))

    def stop(self) -> None:
        """End the process with the bot."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._last_words()
            self._child = None

    def _start(self, minutes: float) -> None:
        self._due = elapsed() + 60 * minutes
        self._save()
        self._began = elapsed()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the process has ended
        try:
            self._child = subprocess.Popen(
                self._program,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                # Ctrl-C is for the bot, which then ends it. No session of its own: each may have
                # an equal share of a busy core from Linux, whatever the priorities in it.
                process_group=0,
            )
        except OSError:
            self._last_words()
            raise

    def _see_after(self, child: subprocess.Popen[bytes]) -> None:
        status = child.poll()
        if status is None and elapsed() - self._began > LONGEST:
            child.kill()  # on a busy core it takes its time to end, which a later look sees
            self._warn(f"it was not done after {LONGEST} s")
        elif status is not None:
            self._child = None
            last = self._last_words()
            if status not in (0, NOTHING_YET):
                self._warn(f"status {status}; {last}")

    def _last_words(self) -> str:
        """Read the last line that the process has written."""
        if self._said is None:
            return ""
        with self._said as file:
            file.seek(0)
            lines = file.read().decode(errors="replace").strip().splitlines()
        self._said = None
        return lines[-1] if lines else "it said nothing"

    def _warn(self, why: str) -> None:
        if not self._has_warned:
            logger.warning("The report of this bot cannot be renewed (told once): %s", why)
        self._has_warned = True

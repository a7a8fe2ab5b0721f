"""Let a backtest say what it found, in words, as soon as its last pair is predicted."""

import atexit
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from freqtrade.enums import RunMode
from freqtrade.strategy import IStrategy
from pandas import DataFrame
from rich.console import Console

from dualwindow.judging.evidence import Evidence
from dualwindow.outside import epoch_seconds
from dualwindow_freqtrade.backtest.cache import CachedWindow
from dualwindow_freqtrade.reporting.collected import Collected
from dualwindow_freqtrade.reporting.places import command_for
from dualwindow_freqtrade.reporting.run_file import RunError

logger = logging.getLogger(__name__)


class Telling:
    """Follows a backtest pair by pair, and at last tells what its predictions were worth.

    Parameters
    ----------
    folder : of the identifier
    config : freqtrade's
    step : seconds of a candle
    writes : whether the report is written, too, once freqtrade has stored the trades
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], step: int, *, writes: bool) -> None:
        self._folder, self._config, self._writes = folder, config, writes
        self._collected = Collected(folder, config, step)
        self._has_failed = False

    def follow(
        self,
        pair: str,
        strategy: IStrategy,
        predict: Callable[[], DataFrame],
        windows: Callable[[], Sequence[CachedWindow]],
    ) -> DataFrame:
        """Predict a pair; if it was the last one of a backtest, say what was found.

        What a live bot has stored is not judged here, and hyperopt predicts only to search.

        Parameters
        ----------
        pair, strategy : that is asked for, and that asks
        predict : gives all candles of the pair, with their predictions
        windows : of the backtest, once it is predicted
        """
        is_backtest = strategy.dp.runmode == RunMode.BACKTEST
        if not is_backtest or self._config.get("freqai_backtest_live_models", False):
            return predict()
        if not self._tries(lambda: self._collected.begin(strategy)):
            return predict()
        try:
            predicted = predict()
        except BaseException:
            self._collected.stop()
            raise
        self._tries(lambda: self._finish(pair, strategy, predicted, windows()))
        return predicted

    def _tries(self, step: Callable[[], None]) -> bool:
        """Do a step, of which none may cost anybody a backtest; after a failure there is no other.

        Strategies may say by which rule they decide, and that is anybody's code.
        """
        if self._has_failed:
            return False
        try:
            step()
        except Exception as error:
            self._has_failed = True
            self._collected.stop()
            trace = None if isinstance(error, RunError) else error
            logger.warning(
                "What this backtest found cannot be said: %s; it goes on, and its predictions are "
                "kept; run it again once that is mended, for a report",
                str(error) or type(error).__name__,
                exc_info=trace,
            )
        return not self._has_failed

    def _finish(
        self,
        pair: str,
        strategy: IStrategy,
        predicted: DataFrame,
        windows: Sequence[CachedWindow],
    ) -> None:
        self._collected.add(pair, predicted, windows)
        if self._collected.is_last(pair, strategy):
            self._say(strategy)

    def _say(self, strategy: IStrategy) -> None:
        tell(self._collected.end(strategy))
        if self._writes:
            write_at_the_end(self._folder)
        command = command_for(self._folder, Path(self._config["user_data_dir"]))
        Console().print(f"Look at it: {command}\n", highlight=False, markup=False, soft_wrap=True)


def write_at_the_end(folder: Path) -> None:
    """Write the report of a backtest when this process ends: its trades are stored by then.

    In a process of its own, because one that ends can no longer start threads. freqtrade's web
    server runs backtests in another thread and goes on: there the report is written at once,
    without trades.
    """
    program = [sys.executable, "-m", "dualwindow_freqtrade.reporting.renew"]
    words = [*program, str(folder.absolute()), "backtest"]
    write = partial(subprocess.run, words, stdin=subprocess.DEVNULL, check=False)
    if threading.current_thread() is threading.main_thread():
        atexit.register(write)
    else:
        write()


def tell(evidence: Evidence) -> None:
    """Print what was found."""
    from dualwindow.judging.finding import find
    from dualwindow.reports.words import spoken

    console = Console()
    for line in spoken(find(evidence, epoch_seconds())):
        console.print(line, highlight=False, markup=False, soft_wrap=True)

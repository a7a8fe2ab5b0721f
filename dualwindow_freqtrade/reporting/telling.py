"""Let a backtest say what it found, in words, as soon as its last pair is predicted."""

import logging
from collections.abc import Callable, Mapping, Sequence
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
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], step: int) -> None:
        self._folder, self._config = folder, config
        self._collected = Collected(folder, config, step)

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
        self._collected.begin(strategy)
        try:
            predicted = predict()
        except BaseException:
            self._collected.stop()
            raise
        self._collected.add(pair, predicted, windows())
        if self._collected.is_last(pair, strategy):
            self._say(strategy)
        return predicted

    def _say(self, strategy: IStrategy) -> None:
        """Say it; whatever goes wrong here must not cost anybody a backtest."""
        try:
            tell(self._collected.end(strategy))
        except Exception as error:
            trace = None if isinstance(error, RunError) else error
            logger.warning("What this backtest found cannot be said: %s", error, exc_info=trace)
            return
        command = command_for(self._folder, Path(self._config["user_data_dir"]))
        Console().print(f"See it: {command}\n", highlight=False, markup=False, soft_wrap=True)


def tell(evidence: Evidence) -> None:
    """Print what was found."""
    from dualwindow.judging.finding import find
    from dualwindow.reports.words import spoken

    console = Console()
    for line in spoken(find(evidence, epoch_seconds())):
        console.print(line, highlight=False, markup=False)

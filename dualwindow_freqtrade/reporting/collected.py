"""Gather what a backtest predicts while it runs, pair after pair, until the last one is there."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.judging.evidence import Evidence
from dualwindow.market.candles import Candles
from dualwindow.outside import epoch_seconds
from dualwindow_freqtrade.backtest.cache import CachedWindow
from dualwindow_freqtrade.freqai.names import ACTION, BACKTEST_PREDICTION, COLUMNS, DO_PREDICT
from dualwindow_freqtrade.reporting.backtest import (
    between,
    evidence_of,
    read_record,
    record_path,
)
from dualwindow_freqtrade.reporting.judging import judging_of
from dualwindow_freqtrade.reporting.run_file import (
    BACKTEST_FILE,
    BEGUN_FILE,
    Run,
    Seen,
    Window,
    command_of,
    market_of,
    write_run,
)
from dualwindow_freqtrade.reporting.table import Predicted, table_of

logger = logging.getLogger(__name__)


class Collected:
    """The predictions of a running backtest.

    It holds prices and predictions of each pair until the last one, a fraction of what freqtrade
    itself holds of them.

    Parameters
    ----------
    folder : of the identifier
    config : freqtrade's
    step : seconds of a candle
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], step: int) -> None:
        self._folder, self._config, self._step = folder, dict(config), step
        self._pairs: dict[str, Seen] = {}
        self._candles: dict[str, Candles] = {}
        self._rows: dict[str, DataFrame] = {}

    def begin(self, strategy: IStrategy) -> None:
        """Note that a backtest is going on, until `end`."""
        if not self._pairs:
            write_run(self._folder / BEGUN_FILE, self._run(strategy))

    def add(self, pair: str, predicted: DataFrame, windows: Sequence[CachedWindow]) -> None:
        """Keep what was predicted of a pair.

        Parameters
        ----------
        pair : name
        predicted : all its candles as FreqAI gives them back
        windows : of the backtest
        """
        columns = [name for name in (*COLUMNS, DO_PREDICT, ACTION) if name in predicted]
        self._rows[pair] = predicted[["date", *columns]]
        self._candles[pair] = candles = Candles.from_frame(predicted, self._step)
        told = tuple(_window(window) for window in windows if window.n_tested)
        self._pairs[pair] = Seen(
            first=int(candles.date[0]), last=int(candles.date[-1]), windows=told
        )

    def is_last(self, pair: str, strategy: IStrategy) -> bool:
        """Tell whether no other pair will come: those without candles never do."""
        pairs = reversed(strategy.dp.current_whitelist())
        timeframe = self._config["timeframe"]
        return pair == next(
            p for p in pairs if p == pair or len(strategy.dp.get_pair_dataframe(p, timeframe))
        )

    def end(self, strategy: IStrategy) -> Evidence:
        """Put everything together, note what the backtest was, and forget it.

        Raises
        ------
        RunError
            If the record of a training is gone.
        """
        windows = [
            Predicted(
                pair,
                window.start,
                window.stop,
                read_record(record_path(self._folder, window)),
                between(self._rows[pair], window),
            )
            for pair, seen in self._pairs.items()
            for window in seen.windows
        ]
        run, candles = self._run(strategy), dict(self._candles)
        write_run(self._folder / BACKTEST_FILE, run)
        self.stop()
        return evidence_of(self._folder.name, table_of(windows, candles), candles, run.judging)

    def stop(self) -> None:
        """Forget what was gathered, and that a backtest was going on."""
        self._pairs, self._candles, self._rows = {}, {}, {}
        (self._folder / BEGUN_FILE).unlink(missing_ok=True)

    def _run(self, strategy: IStrategy) -> Run:
        return Run(
            made_at=epoch_seconds(),
            judging=judging_of(strategy, self._config),
            market=market_of(self._config, self._step),
            command=command_of(self._config, strategy.get_strategy_name()),
            pairs=self._pairs,
        )


def _window(window: CachedWindow) -> Window:
    return Window(
        name=window.prediction.name.removesuffix(BACKTEST_PREDICTION),
        start=int(window.start.timestamp()),
        stop=int(window.stop.timestamp()),
    )

"""Train and predict the windows of a FreqAI backtest on all cores, before freqtrade trades them.

FreqAI trains one window after the other in one process. Here every window that is not cached yet
runs through FreqAI's own loop and our own model in a worker, whose loop sees this window alone; the
backtest after it finds all of them cached and checks them as it always does.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from freqtrade.configuration import TimeRange
from freqtrade.data.history import load_data
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from pandas import DataFrame

from dualwindow.learning.parallel import Workers, run_tasks
from dualwindow.learning.record import TrainingRecord
from dualwindow_freqtrade.backtest.cache import BacktestCache
from dualwindow_freqtrade.backtest.windows import cached_windows
from dualwindow_freqtrade.freqai.names import REPORT_FILE
from dualwindow_freqtrade.freqai.workbench import Workbench, read_words

Report = Callable[[int, TrainingRecord, int], None]


class Window(NamedTuple):
    """One window of a backtest: the options of the command, its pairs, and which of their windows.

    There is one pair, or all whose training is shared. The backtest will look for the predictions
    in `folder`.
    """

    words: tuple[str, ...]
    pairs: tuple[str, ...]
    number: int
    folder: Path


class _Backtest(NamedTuple):
    """What a backtest of some options works with, before it begins."""

    bench: Workbench
    candles: dict[str, DataFrame]


@contextmanager
def _without_info() -> Iterator[None]:
    """Silence what freqtrade tells of its whole start."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.INFO))
    try:
        yield
    finally:
        logging.disable(before)


@_without_info()
def train_backtest(words: Sequence[str], workers: Workers, report: Report) -> tuple[int, Path]:
    """Train and predict all windows that ``freqtrade backtesting`` with these options would.

    Parameters
    ----------
    words : options as for ``freqtrade backtesting``
    workers : how many at a time, and where; they share the file system with this process
    report : called for every window with the second it begins at, its record and how many are left

    Returns
    -------
    How many windows the backtest has, and the folder they are in.

    Raises
    ------
    OperationalException
        If what is cached was made from something else, or windows depend on each other.
    """
    bench, candles = _backtest(tuple(words))
    if bench.model.continual_learning:
        raise OperationalException(
            "freqai.continual_learning: each training goes on from the one before, so the windows "
            "cannot be trained side by side; switch it off, or let freqtrade backtesting train"
        )
    if bench.model.columns_beside:
        raise OperationalException(
            f"{type(bench.model).__name__}: what it holds goes on from one window to the next, so "
            "the windows cannot be predicted side by side; let freqtrade backtesting train"
        )
    cache_of_model = BacktestCache(bench.folder, bench.model.fingerprint)
    n_windows, missing = 0, []
    shared = bench.model.share_trainings(bench.strategy)
    for pair, frame in candles.items():
        kitchen = _kitchen(bench, pair)
        windows = cached_windows(frame, kitchen, bench.strategy, bench.corr_pairs, shared)
        reused = cache_of_model.check(pair, windows, is_continual=False)
        cache_of_model.remember_all(pair)
        n_windows += len(reused)
        missing += [(number, pair) for number, is_there in enumerate(reused) if not is_there]
    groups = [[each] for each in missing]
    if shared is not None:
        groups = [list(group) for _, group in groupby(sorted(missing), key=itemgetter(0))]
    wanted = [
        Window(tuple(words), tuple(pair for _, pair in group), group[0][0], bench.folder)
        for group in groups
    ]
    n_left = len(missing)
    for _, done in run_tasks(train_window, wanted, workers):
        for start, record in done:
            n_left -= 1
            report(start, record, n_left)
    return n_windows, bench.folder


@_without_info()
def train_window(window: Window) -> list[tuple[int, TrainingRecord]]:
    """Let FreqAI train and predict one window, and write its files.

    Returns
    -------
    For each pair, the second at which the predictions begin, and the record of the training.
    """
    bench, candles = _backtest(window.words)
    if bench.folder.resolve() != window.folder.resolve():
        raise OperationalException(
            f"this worker would write to {bench.folder}, the backtest reads {window.folder}; "
            "start workers in the backtest's folder, and with its FREQTRADE__ variables"
        )
    done = [_train_pair(pair, window, bench, candles[pair]) for pair in window.pairs]
    if shared := bench.model.share_trainings(bench.strategy):
        shared.forget()  # of pairs whose predictions are there already
    return done


def _train_pair(
    pair: str, window: Window, bench: Workbench, candles: DataFrame
) -> tuple[int, TrainingRecord]:
    dk = _kitchen(bench, pair)
    only = slice(window.number, window.number + 1)
    dk.training_timeranges = dk.training_timeranges[only]
    dk.backtesting_timeranges = dk.backtesting_timeranges[only]
    model, metadata = bench.model, {"pair": pair}
    # What IFreqaiModel.start does before it comes to the windows.
    model.live, model.dk, model.data_provider = False, dk, bench.market
    model.can_short = bench.strategy.can_short
    model.dd.set_pair_dict_info(metadata)
    model.start_backtesting(candles.copy(), metadata, dk, bench.strategy)
    model.clean_up()
    path = dk.data_path / f"{dk.model_filename}{REPORT_FILE}"
    start = int(dk.backtesting_timeranges[0].startts)
    return start, TrainingRecord.from_json(path.read_text())


@cache
def _backtest(words: tuple[str, ...]) -> _Backtest:
    """Load strategy, model and candles as a backtest does, once per process."""
    config = read_words(words)
    if not config.get("freqai", {}).get("enabled"):
        raise OperationalException("freqai.enabled must be true in the configuration; -c names it")
    if not config.get("timerange"):
        raise OperationalException("--timerange YYYYMMDD-YYYYMMDD is missing: what to predict")
    # A training per core is faster than a core per training; predictions are the same bits.
    freqai = config["freqai"]
    own = {"threads": 1, **freqai.get("dual_window", {})}
    bench = Workbench({**config, "freqai": {**freqai, "dual_window": own}})
    return _Backtest(bench, _load_candles(bench.config, bench))


def _load_candles(config: dict[str, Any], bench: Workbench) -> dict[str, DataFrame]:
    """Load what a backtest loads: the timerange, and the training and the averages before it."""
    loaded: dict[str, DataFrame] = load_data(
        datadir=config["datadir"],
        pairs=bench.pairs,
        timeframe=config["timeframe"],
        timerange=TimeRange.parse_timerange(config["timerange"]),
        startup_candles=bench.market.get_required_startup(config["timeframe"]),
        data_format=config["dataformat_ohlcv"],
        candle_type=config["candle_type_def"],
    )
    found = {pair: frame for pair, frame in loaded.items() if not frame.empty}
    if not found:
        raise OperationalException(
            f"there are no {config['timeframe']} candles of {', '.join(bench.pairs)} in "
            f"{config['datadir']} for {config['timerange']}; freqtrade download-data fetches them"
        )
    return found


def _kitchen(bench: Workbench, pair: str) -> FreqaiDataKitchen:
    return FreqaiDataKitchen(bench.config, live=False, pair=pair)

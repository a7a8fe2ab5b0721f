"""Gather what a backtest has left on disk: predictions, records of trainings, and candles."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pandas import DataFrame

from dualwindow.judging.decisions import rule_of
from dualwindow.judging.evidence import Evidence
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.candle_files import CandleFileError, read_candles
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    BACKTEST_FOLDER,
    BACKTEST_PREDICTION,
    REPORT_FILE,
)
from dualwindow_freqtrade.reporting.deals import deals_of_backtest
from dualwindow_freqtrade.reporting.run_file import (
    BACKTEST_FILE,
    BEGUN_FILE,
    Judging,
    Market,
    Run,
    RunError,
    Seen,
    Window,
    read_run,
)
from dualwindow_freqtrade.reporting.table import Predicted, Table, table_of

_READ_HERE = ("feather", "parquet")
_BEGUN = "another backtest of this identifier has begun since, and has not ended"


def run_of_backtest(folder: Path) -> Run:
    """Read what the newest backtest of an identifier was.

    Raises
    ------
    RunError
        If there was none, if it has not ended, or if it was one of a version that kept no notes.
    """
    path, begun = folder / BACKTEST_FILE, folder / BEGUN_FILE
    if path.is_file():
        return read_run(path)
    n_windows = len(list((folder / BACKTEST_FOLDER).glob(f"*{BACKTEST_PREDICTION}")))
    if begun.is_file():
        raise RunError(
            f"the backtest in {folder} has not ended ({n_windows} windows are predicted); wait for "
            "it, or run it again, which goes on with these windows"
        )
    if n_windows:
        raise RunError(
            f"{folder} has {n_windows} predicted windows, but no backtest of this version has gone "
            "over them; run freqtrade backtesting once more with the same options, which reuses "
            "them"
        )
    raise RunError(f"{folder} has no predictions of a backtest; run freqtrade backtesting first")


def predicted_on_disk(folder: Path, run: Run) -> Iterator[Predicted]:
    """Read the windows of a backtest.

    Raises
    ------
    RunError
        If a file is gone or damaged.
    """
    for pair, seen in run.pairs.items():
        for window in seen.windows:
            yield Predicted(
                pair,
                window.start,
                window.stop,
                read_record(record_path(folder, window)),
                _read_predictions(
                    folder / BACKTEST_FOLDER / f"{window.name}{BACKTEST_PREDICTION}", window
                ),
            )


def record_path(folder: Path, window: Window) -> Path:
    """Name the file of the record of the training before a window."""
    found = sorted(folder.glob(f"{ALL_TRAININGS}/{window.name}{REPORT_FILE}"))
    return found[0] if found else folder / f"{window.name}{REPORT_FILE}"


def read_record(path: Path) -> TrainingRecord:
    """Read the record of a training.

    Raises
    ------
    RunError
        If it is gone, damaged, or of another version.
    """
    try:
        return TrainingRecord.from_json(path.read_text())
    except FileNotFoundError as error:
        raise RunError(
            f"{path.name}, the record of a training, is gone; run the backtest again under another "
            "freqai.identifier"
        ) from error
    except (OSError, ValueError) as error:
        first = str(error).splitlines()[0]
        raise RunError(
            f"{path} is damaged, or of another version ({first}); run the backtest again under "
            "another freqai.identifier"
        ) from error


def _read_predictions(path: Path, window: Window) -> DataFrame:
    try:
        rows = pd.read_feather(path)
    except FileNotFoundError as error:
        raise RunError(
            f"{path} is gone, which the newest backtest has read; run the backtest again"
        ) from error
    except (OSError, ValueError) as error:
        raise RunError(
            f"{path} is damaged ({str(error).splitlines()[0]}); delete it and run the backtest "
            "again"
        ) from error
    return between(rows, window)


def between(rows: DataFrame, window: Window) -> DataFrame:
    """Cut the candles of a window out."""
    first, stop = (pd.Timestamp(s, unit="s", tz="UTC") for s in (window.start, window.stop))
    inside = (rows["date"] >= first) & (rows["date"] < stop)
    return rows[inside].reset_index(drop=True)


def candles_on_disk(market: Market, pair: str, seen: Seen) -> Candles:
    """Read the candles that a backtest had.

    Raises
    ------
    RunError
        If there are none, they are damaged, or they end before the predictions.
    """
    try:
        frame = frame_on_disk(market, pair)
        candles = Candles.from_frame(frame, market.step)
    except (CandleFileError, ValueError) as error:
        raise RunError(f"the candles of the predictions cannot be read: {error}") from error
    first, last = np.searchsorted(candles.date, [seen.first, seen.last + 1])
    if last == first or candles.date[last - 1] != seen.last:
        raise RunError(
            f"{pair}: {market.candles} has no longer the candles that the backtest had; download "
            "them again, and run the backtest once more"
        )
    return candles[slice(int(first), int(last))]


def frame_on_disk(market: Market, pair: str) -> DataFrame:
    """Read all candles of a pair.

    Raises
    ------
    CandleFileError
        If there are none, or they are damaged.
    """
    if market.form in _READ_HERE:
        return read_candles(market.candles, pair, market.timeframe)
    from freqtrade.data.history import load_pair_history  # others are freqtrade's alone

    frame: DataFrame = load_pair_history(
        pair, market.timeframe, market.candles, data_format=market.form, candle_type=market.kind
    )
    if frame.empty:
        raise CandleFileError(f"{pair}: no {market.timeframe} candles in {market.candles}")
    return frame


def backtest_evidence(folder: Path) -> Evidence:
    """Gather the newest backtest of an identifier from disk.

    Raises
    ------
    RunError
        If anything is gone, damaged or not finished; it says what, and what to do.
    """
    run = run_of_backtest(folder)
    candles = {p: candles_on_disk(run.market, p, seen) for p, seen in run.pairs.items()}
    table = table_of(list(predicted_on_disk(folder, run)), candles)
    traded = deals_of_backtest(run, folder.name)
    begun = (_BEGUN,) if (folder / BEGUN_FILE).is_file() else ()
    told = (*begun, *traded.warnings)
    evidence = evidence_of(folder.name, table, candles, run.judging, told)
    return replace(evidence, deals=traded.deals, deals_lost=traded.lost)


def evidence_of(
    name: str,
    table: Table,
    candles: Mapping[str, Candles],
    judging: Judging,
    warnings: tuple[str, ...] = (),
) -> Evidence:
    """Lay out what was predicted for whoever judges it.

    Parameters
    ----------
    name : the identifier
    table, candles, judging : see there
    warnings : beside those of `judging`
    """
    settings = table.walk.records[-1].settings
    rule = None
    if judging.confidence is not None:
        rule = rule_of(judging.confidence, Labelling.of(settings).barriers, judging.fees)
    return Evidence(
        source="backtest",
        name=name,
        walks={"model": table.walk},
        candles=candles,
        rule=rule,
        fallback="hold" if judging.confidence is None else judging.confidence.fallback,
        confidence=judging.words,
        fees=judging.fees,
        can_short=judging.can_short,
        vetoed=table.vetoed,
        actions=table.actions,
        warnings=(*judging.warnings, *warnings),
    )

"""Gather what a bot has predicted: its stored predictions, records, candles, trades and status."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from freqtrade.exceptions import OperationalException
from pandas import DataFrame

from dualwindow.judging.evidence import Evidence
from dualwindow.judging.findings import Live, Parity
from dualwindow.market.candle_files import CandleFileError
from dualwindow.market.candles import Candles
from dualwindow_freqtrade.freqai.names import COLUMNS, DATE_OF_PREDICTION, PRICES, TRAINED_AT
from dualwindow_freqtrade.live.stored_predictions import stored_predictions
from dualwindow_freqtrade.reporting.backtest import evidence_of, frame_on_disk
from dualwindow_freqtrade.reporting.deals import deals_of_bot
from dualwindow_freqtrade.reporting.records import record_of_training
from dualwindow_freqtrade.reporting.run_file import LIVE_FILE, Market, Run, RunError, read_run
from dualwindow_freqtrade.reporting.status import status_of
from dualwindow_freqtrade.reporting.table import Predicted, table_of

NOT_LOOKED = Parity(checked=0, problems=(), notes=("nobody has looked",))


class NothingYetError(RunError):
    """A bot has not predicted anything that can be judged; it may later."""


class _Stored(NamedTuple):
    """What a bot has stored of one pair: a row for each candle that it was asked for."""

    pair: str
    rows: DataFrame


def live_evidence(
    folder: Path, parity: Parity = NOT_LOOKED, *, days: int | None = None
) -> Evidence:
    """Gather what a bot has predicted under an identifier, as far as it is stored.

    Parameters
    ----------
    folder : of the identifier
    parity : what a comparison with a backtest has found
    days : before its newest prediction, how far back; None is everything

    Raises
    ------
    RunError
        If there is nothing, or something is damaged; it says what, and what to do.
    """
    run, warnings = _run_of_bot(folder), list[str]()
    stored = list(_stored_of(folder, days, warnings))
    if not stored:
        raise NothingYetError(
            f"{folder} has no predictions of a bot yet; they are stored after each training, and "
            "when the bot ends"
        )
    windows = [w for each in stored for w in _windows(folder, each, run.market.step, warnings)]
    if not windows:
        raise RunError(f"{folder}: no prediction of the bot can be judged: {'; '.join(warnings)}")
    pairs = {window.pair for window in windows}
    candles = {
        each.pair: candles_of_bot(run.market, each.pair, each.rows)
        for each in stored
        if each.pair in pairs
    }
    traded = deals_of_bot(run.trades, run.command.strategy, _spans(windows, run.market.step))
    status = status_of(folder, warnings)
    told = (*warnings, *traded.warnings)
    evidence = evidence_of(folder.name, table_of(windows, candles), candles, run.judging, told)
    live = Live(parity=parity, pairs=status)
    return replace(evidence, source="live", live=live, deals=traded.deals)


def _spans(windows: Sequence[Predicted], step: int) -> dict[str, tuple[float, float]]:
    """Say when each pair can have been traded: a signal is acted on while its next candle opens."""
    spans: dict[str, tuple[float, float]] = {}
    for each in windows:
        first, stop = spans.get(each.pair, (each.start, each.stop))
        spans[each.pair] = min(first, each.start), max(stop, each.stop)
    return {pair: (first, stop + step) for pair, (first, stop) in spans.items()}


def _run_of_bot(folder: Path) -> Run:
    path = folder / LIVE_FILE
    if not path.is_file():
        raise RunError(
            f"{folder} has no {LIVE_FILE}, which a bot of this version writes when it starts; let "
            "it run first"
        )
    return read_run(path)


def _stored_of(folder: Path, days: int | None, warnings: list[str]) -> Iterator[_Stored]:
    """Read what the bot was asked for, from the first prediction of each pair on."""
    try:
        everything = stored_predictions(folder, days=days)
    except OperationalException as error:
        raise RunError(str(error)) from error
    ours = {pair: rows for pair, rows in everything.items() if TRAINED_AT in rows}
    for pair, rows in _whole(ours, warnings) if days is None else _latest(ours, days, warnings):
        # FreqAI stores a pair's whole first frame, of which nothing was predicted.
        told = (rows[list(COLUMNS)] != 0).any(axis=1).to_numpy()
        if not told.any():
            continue
        begun = rows.iloc[int(told.argmax()) :].rename(columns={DATE_OF_PREDICTION: "date"})
        asked = begun[TRAINED_AT] != 0
        if n_skipped := int((~asked).sum()):
            warnings.append(
                f"{pair}: candles that the bot was not there for, or too busy: {n_skipped}; they "
                "count nowhere"
            )
        yield _Stored(pair, begun[asked].reset_index(drop=True))


def _whole(stored: Mapping[str, DataFrame], warnings: list[str]) -> Iterator[tuple[str, DataFrame]]:
    """Leave out pairs whose stored rows are odd."""
    for pair, rows in stored.items():
        missing = [name for name in (DATE_OF_PREDICTION, *COLUMNS, *PRICES) if name not in rows]
        if missing:
            told = f"its stored predictions lack {', '.join(missing)}; it is left out"
            warnings.append(f"{pair}: {told}")
        else:
            yield pair, rows


def _latest(
    stored: Mapping[str, DataFrame], days: int, warnings: list[str]
) -> Iterator[tuple[str, DataFrame]]:
    """Cut off what is older than some days before the newest row of all pairs."""
    whole = dict(_whole(stored, warnings))
    dates = [rows[DATE_OF_PREDICTION] for rows in whole.values() if len(rows)]
    if not dates:
        return
    first = max(date.max() for date in dates) - pd.Timedelta(days=days)
    if min(date.min() for date in dates) < first:
        warnings.append(
            f"this page is of the last {days} days alone; of all that is stored: dualwindow report "
            "--live"
        )
    for pair, rows in whole.items():
        yield pair, rows[rows[DATE_OF_PREDICTION] >= first]


def _windows(folder: Path, stored: _Stored, step: int, warnings: list[str]) -> Iterator[Predicted]:
    """Divide what is stored of a pair by models; those without a record cannot be judged."""
    rows = stored.rows.sort_values("date", ignore_index=True)
    seconds = rows["date"].to_numpy("datetime64[s]").astype(np.int64)
    trained = rows[TRAINED_AT].to_numpy(np.int64)
    begins = np.flatnonzero(np.diff(trained, prepend=-1))
    ends = [*begins[1:], len(rows)]
    lost = 0
    for begin, end in zip(begins.tolist(), ends, strict=True):
        record = record_of_training(folder, stored.pair, int(trained[begin]))
        if record is None:
            lost += end - begin
            continue
        stop = int(seconds[end]) if end < len(rows) else int(seconds[-1]) + step
        part = rows.iloc[begin:end].reset_index(drop=True)
        yield Predicted(stored.pair, int(seconds[begin]), stop, record, part)
    if lost:
        warnings.append(
            f"{stored.pair}: {lost} candles were predicted by models whose records are gone; they "
            "are left out"
        )


def candles_of_bot(market: Market, pair: str, stored: DataFrame) -> Candles:
    """Put candles on disk together with those that only the stored predictions know.

    A bot keeps newer ones in memory. Stored are high, low and close; one that is flat at the close
    before is taken for one without trades, which is how freqtrade fills what an exchange has not
    sent.
    """
    high, low, close = (stored[name].to_numpy(np.float64) for name in PRICES)
    before = np.concatenate([[np.nan], close[:-1]])
    flat = (high == low) & (close == high) & (close == before)
    known = DataFrame(
        {
            "date": stored["date"].dt.as_unit("ms"),
            "open": np.nan,
            "high": high,
            "low": low,
            "close": close,
            "volume": np.where(flat, 0.0, 1.0),
        }
    )
    try:
        disk = frame_on_disk(market, pair)
    except CandleFileError:
        return Candles.from_frame(known, market.step)
    disk = disk.assign(date=disk["date"].dt.as_unit("ms"))
    later = known[~known["date"].isin(disk["date"])]
    both = pd.concat([disk[list(known)], later], ignore_index=True)
    return Candles.from_frame(both.sort_values("date", ignore_index=True), market.step)

"""Gather what a bot has predicted: its stored predictions, records, candles, trades and status."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas import DataFrame

from dualwindow.judging.evidence import Evidence
from dualwindow.judging.findings import Live, LivePair, Parity
from dualwindow.market.candle_files import CandleFileError
from dualwindow.market.candles import Candles
from dualwindow_freqtrade.freqai.names import COLUMNS, DATE_OF_PREDICTION, PRICES, TRAINED_AT
from dualwindow_freqtrade.live.status import STATUS_FILE
from dualwindow_freqtrade.live.stored_predictions import stored_predictions
from dualwindow_freqtrade.reporting.backtest import evidence_of, frame_on_disk
from dualwindow_freqtrade.reporting.deals import deals_of_bot
from dualwindow_freqtrade.reporting.records import record_of_training
from dualwindow_freqtrade.reporting.run_file import LIVE_FILE, Market, Run, RunError, read_run
from dualwindow_freqtrade.reporting.table import Predicted, table_of

NOT_LOOKED = Parity(checked=0, problems=(), notes=("nobody has looked",))


class NothingYetError(RunError):
    """A bot has not predicted anything that can be judged; it may later."""


class _Stored(NamedTuple):
    """What a bot has stored of one pair: a row for each candle that it was asked for."""

    pair: str
    rows: DataFrame


def live_evidence(folder: Path, parity: Parity = NOT_LOOKED) -> Evidence:
    """Gather everything that a bot has predicted under an identifier, as far as it is stored.

    Raises
    ------
    RunError
        If there is nothing, or something is damaged; it says what, and what to do.
    """
    run, warnings = _run_of_bot(folder), list[str]()
    stored = list(_stored_of(folder, warnings))
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
    first = min(window.start for window in windows)
    traded = deals_of_bot(run.trades, pairs, first)
    told = (*warnings, *traded.warnings)
    evidence = evidence_of(folder.name, table_of(windows, candles), candles, run.judging, told)
    live = Live(parity=parity, pairs=status_of(folder))
    return replace(evidence, source="live", live=live, deals=traded.deals)


def _run_of_bot(folder: Path) -> Run:
    path = folder / LIVE_FILE
    if not path.is_file():
        raise RunError(
            f"{folder} has no {LIVE_FILE}, which a bot of this version writes when it starts; let "
            "it run first"
        )
    return read_run(path)


def _stored_of(folder: Path, warnings: list[str]) -> Iterator[_Stored]:
    """Read what the bot was asked for, from the first prediction of each pair on."""
    try:
        everything = stored_predictions(folder)
    except Exception as error:  # damaged pickles raise whatever they like
        raise RunError(
            f"the stored predictions in {folder} are damaged ({error}); a bot that starts sets "
            "them aside, and goes on with its backup"
        ) from error
    for pair, rows in everything.items():
        if TRAINED_AT not in rows:
            continue  # of another model
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


def status_of(folder: Path) -> tuple[LivePair, ...]:
    """Read how the bot is doing; nothing where it has not said so."""
    try:
        pairs: Mapping[str, Any] = json.loads((folder / STATUS_FILE).read_text())["pairs"]
    except (OSError, ValueError, KeyError):
        return ()
    return tuple(
        LivePair(
            pair=pair,
            predictions=facts["predictions"],
            without=facts["candles_without_prediction"],
            trainings=facts["trainings"],
            failed_trainings=facts["failed_trainings"],
            seconds_after_candle=(facts["seconds_after_candle"] or {}).get("median"),
            kept_out={why: n for why, n in facts["counts"].items() if n},
            last_error=facts["last_error"],
        )
        for pair, facts in pairs.items()
    )

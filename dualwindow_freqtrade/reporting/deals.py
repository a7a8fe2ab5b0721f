"""Find the trades that were made on predictions: in a backtest's result, in a bot's database."""

import json
import sqlite3
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import pandas as pd

from dualwindow.judging.findings import Deal
from dualwindow_freqtrade.reporting.run_file import Run

RESULTS = "backtest_results"
_SQLITE = "sqlite:///"
# freqtrade's counts of what became of a signal that was no trade.
_LOST = {
    "rejected_signals": "no free slot, or not enough money",
    "timedout_entry_orders": "the order was not filled in time",
}
_ASKED = (
    "select pair, is_short, open_date, close_date, open_rate, close_rate, close_profit, enter_tag, "
    "exit_reason from trades where rowid between ? and ? and strategy = ? and open_date >= ?"
)
_AT_ONCE = 100  # trades that are read under one lock


class Traded(NamedTuple):
    """Trades that were made; None where nobody traded.

    Parameters
    ----------
    deals : in the order of time
    lost : reason to number of signals that became no trade
    warnings : sentences for the reader
    """

    deals: tuple[Deal, ...] | None
    lost: dict[str, int]
    warnings: tuple[str, ...]


def deals_of_backtest(run: Run, identifier: str) -> Traded:
    """Read the newest result that freqtrade has stored of the backtest, if there is one."""
    folder = run.command.user_data / RESULTS
    found = sorted(folder.glob("*.zip"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found:
        if path.stat().st_mtime < run.made_at:
            break  # of a backtest before
        result = _result(path, run.command.strategy)
        if result is not None and _belongs(result, run, identifier):
            lost = {why: int(result.get(key) or 0) for key, why in _LOST.items()}
            deals = tuple(_of_result(trade) for trade in result["trades"])
            told = {why: n for why, n in lost.items() if n}
            return Traded(_between(deals, run), told, ())
    why = f"{folder} has no result of this backtest (--export none writes none): no trades are told"
    return Traded(None, {}, (why,))


def _result(path: Path, strategy: str) -> dict[str, Any] | None:
    try:
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(f"{path.stem}.json"))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    found: dict[str, Any] | None = content.get("strategy", {}).get(strategy)
    return found


def _belongs(result: Mapping[str, Any], run: Run, identifier: str) -> bool:
    return (
        result.get("freqai_identifier") == identifier
        and (result.get("timerange") or None) == (run.command.timerange or None)
        and result.get("backtest_run_end_ts", 0) >= int(run.made_at)
    )


def _between(deals: Collection[Deal], run: Run) -> tuple[Deal, ...]:
    """Leave trades out of pairs and times that were not predicted."""
    spans = {
        pair: (seen.windows[0].start, seen.windows[-1].stop)
        for pair, seen in run.pairs.items()
        if seen.windows
    }
    return tuple(sorted(_within(deals, spans), key=lambda deal: deal.opened))


def _within(deals: Collection[Deal], spans: Mapping[str, tuple[float, float]]) -> Iterator[Deal]:
    for deal in deals:
        first, stop = spans.get(deal.pair, (0.0, 0.0))
        if first <= deal.opened < stop:
            yield deal


def _of_result(trade: Mapping[str, Any]) -> Deal:
    return Deal(
        pair=trade["pair"],
        side=_side(is_short=trade["is_short"]),
        opened=trade["open_timestamp"] / 1000,
        closed=trade["close_timestamp"] / 1000,
        open_rate=trade["open_rate"],
        close_rate=trade["close_rate"],
        profit=trade["profit_ratio"],
        tag=trade.get("enter_tag") or "",
        reason=trade["exit_reason"],
    )


def _side(*, is_short: bool) -> Literal["SHORT", "LONG"]:
    return "SHORT" if is_short else "LONG"


def database_of(config: Mapping[str, Any]) -> Path | None:
    """Name the file of a bot's database; None if it is on a server or in memory.

    The address of a server has a password in it, which belongs into no file of ours.
    """
    url = str(config.get("db_url") or "")
    name = url.removeprefix(_SQLITE)
    return Path(name).absolute() if name and url.startswith(_SQLITE) else None


def deals_of_bot(
    path: Path | None, strategy: str, spans: Mapping[str, tuple[float, float]]
) -> Traded:
    """Read a bot's trades, without ever writing to its database or keeping the bot from it.

    Parameters
    ----------
    path : of the database, which bots before may have written to, too
    strategy : name of the one whose trades are meant
    spans : by pair, from when to before when it was predicted, seconds since 1970 UTC
    """
    if path is None:
        return Traded(None, {}, ("the bot's trades are in no file here: none are told",))
    try:
        uri = f"file:{quote(str(path))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=5)) as database:
            first = min((begin for begin, _ in spans.values()), default=0.0)
            rows = list(_rows_of(database, strategy, first))
    except sqlite3.Error as error:
        return Traded(None, {}, (f"{path}: the bot's trades cannot be read: {error}",))
    deals = _within([_of_row(row) for row in rows], spans)
    return Traded(tuple(sorted(deals, key=lambda deal: deal.opened)), {}, ())


def _rows_of(
    database: sqlite3.Connection, strategy: str, first: float
) -> Iterator[tuple[Any, ...]]:
    """Read few trades at a time, so that SQLite's lock is held for a millisecond of work at most.

    Until it is released nothing can be written. A bot that waits for it gives up after five
    seconds, which a process of the lowest priority may need for all trades on a busy core.
    """
    moment = f"{pd.Timestamp(first, unit='s'):%Y-%m-%d %H:%M:%S}"  # as freqtrade's begin
    (last,) = database.execute("select max(rowid) from trades").fetchone()
    for begin in range(0, (last or 0) + 1, _AT_ONCE):
        asked = (begin, begin + _AT_ONCE - 1, strategy, moment)
        yield from database.execute(_ASKED, asked).fetchall()


def _of_row(row: tuple[Any, ...]) -> Deal:
    pair, is_short, opened, closed, open_rate, close_rate, profit, tag, reason = row
    return Deal(
        pair=pair,
        side=_side(is_short=bool(is_short)),
        opened=pd.Timestamp(opened, tz="UTC").timestamp(),
        closed=None if closed is None else pd.Timestamp(closed, tz="UTC").timestamp(),
        open_rate=open_rate,
        close_rate=None if closed is None else close_rate,
        profit=None if closed is None else profit,
        tag=tag or "",
        reason=reason or "",
    )

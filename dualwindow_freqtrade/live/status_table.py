"""Show the status file of a live bot on a terminal."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Table


def status_table(identifier: str, facts: Mapping[str, Any], now: float) -> Group:
    """Show the content of a status file as it stands at `now` (seconds since 1970 UTC)."""
    last = "stopped" if facts.get("stopped") else "written"
    table = Table(title=f"{identifier}, {last} {_age(facts['updated'], now)} ago")
    columns = ("pair", "model", "due in", "candle", "predicted", "s (max)", "trained")
    for column in columns:
        table.add_column(column, no_wrap=column == "pair")
    for pair, state in facts["pairs"].items():
        table.add_row(pair, *_row(state, now))
    troubles = [*_of_retraining(facts.get("retraining")), *_of_pairs(facts["pairs"])]
    return Group(table, *(troubles or ["no troubles"]))


def seconds_silent(facts: Mapping[str, Any], now: float) -> float:
    """Say how long ago the newest candle closed that was looked at with a model.

    The file's own age would not tell: trainings write it too, while nothing is predicted any more.
    Infinite where there was none yet.
    """
    dates = [state["last_candle_closed"] for state in facts["pairs"].values()]
    closed = [datetime.fromisoformat(date).timestamp() for date in dates if date]
    return now - max(closed, default=float("-inf"))


def _row(state: Mapping[str, Any], now: float) -> Iterator[str]:
    times, missed = state["seconds_per_prediction"], state["candles_without_prediction"]
    failed = state["failed_trainings"]
    yield _age(state["model_trained"], now)
    yield _left(state.get("model_due"), now)
    yield _age(state["last_candle_closed"], now)
    yield str(state["predictions"]) + (f" ({missed} not)" if missed else "")
    yield f"{times['median']:.2f} ({times['max']:.2f})" if times else ""
    yield f"{state['trainings']}" + (f", {failed} failed" if failed else "")


def _of_retraining(pace: Mapping[str, Any] | None) -> Iterator[str]:
    if pace and pace["falls_behind"]:
        yield f"retraining falls behind: {pace['falls_behind']}"


def _of_pairs(pairs: Mapping[str, Any]) -> Iterator[str]:
    for pair, state in pairs.items():
        for trouble, text in state["keeps_out"].items():
            yield f"{pair}: {trouble} ({text})"
        if why := state.get("left_out"):
            yield f"{pair} has the model of other pairs: {why}"
        if n := state.get("position_differences"):
            yield f"{pair}: {n} x another position than by its actions so far"
        for trouble, n in state["counts"].items():
            if n:
                yield f"{pair}: {n} x {trouble} so far"
        if (n := state.get("failed_analyses", 0)) and state["last_error"]:
            yield f"{pair}: {n} analyses raised, at last {state['last_error']}"


def _left(date: str | None, now: float) -> str:
    if date is None:
        return ""
    seconds = datetime.fromisoformat(date).timestamp() - now
    return _length(seconds) if seconds > 0 else f"{_length(-seconds)} ago"


def _age(date: str | None, now: float) -> str:
    if date is None:
        return "none yet"
    seconds = now - datetime.fromisoformat(date).timestamp()
    return _length(seconds) if seconds >= 0 else f"{_length(-seconds)} ahead"  # of the clock


def _length(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""Read candles from the files that freqtrade keeps them in."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

_FUTURES = "BTC/USDT:USDT"
_MERGED = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "max"}
_UNITS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}
_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".feather": pd.read_feather,
    ".parquet": pd.read_parquet,
}


class CandleFileError(Exception):
    """Candles are not there, or cannot be read."""


def seconds(timeframe: str) -> int:
    """Tell how long a candle is.

    Raises
    ------
    ValueError
        If it is not a number of minutes, hours, days or weeks.

    Examples
    --------
    >>> seconds("5m"), seconds("1h")
    (300, 3600)
    """
    match = re.fullmatch(r"([1-9]\d*)([mhdw])", timeframe)
    if match is None:
        raise ValueError(f"timeframe: must be like 1m, 5m or 1h. Received: {timeframe!r}")
    return int(match[1]) * _UNITS[match[2]]


def candle_path(folder: Path, pair: str, timeframe: str) -> Path:
    """Name the file of a pair without its ending, as freqtrade does.

    Parameters
    ----------
    folder : of one exchange; those of futures lie in its folder ``futures``
    pair : ``BTC/USDT``, or ``BTC/USDT:USDT`` for futures

    Examples
    --------
    >>> str(candle_path(Path("data"), "BTC/USDT", "1m"))
    'data/BTC_USDT-1m'
    >>> str(candle_path(Path("data"), "BTC/USDT:USDT", "1h"))
    'data/futures/BTC_USDT_USDT-1h-futures'
    """
    name = re.sub(r"[/ .@$+:]", "_", pair)
    if ":" in pair:
        return folder / "futures" / f"{name}-{timeframe}-futures"
    return folder / f"{name}-{timeframe}"


def read_candles(folder: Path, pair: str, timeframe: str) -> pd.DataFrame:
    """Read all candles of a pair, oldest first, with freqtrade's columns and as it completes them.

    Raises
    ------
    CandleFileError
        If there is no feather or Parquet file of them, if it is damaged or empty.
    """
    path = candle_file(folder, pair, timeframe)
    try:
        frame = _READERS[path.suffix](path)
    except (OSError, ValueError) as error:
        raise CandleFileError(
            f"{pair}: {path} is damaged ({error}); download these candles again"
        ) from error
    if frame.empty:
        raise CandleFileError(f"{pair}: {path} holds no candles; download them again")
    if not {"date", *_MERGED} <= set(frame) or frame["date"].isna().any():
        return frame  # `Candles.from_frame` says what is wrong with it
    return completed(frame, seconds(timeframe))


def candle_file(folder: Path, pair: str, timeframe: str) -> Path:
    """Find the file of a pair.

    Raises
    ------
    CandleFileError
        If there is none; it says which there are.
    """
    stem = candle_path(folder, pair, timeframe)
    for ending in _READERS:
        path = stem.with_name(stem.name + ending)
        if path.is_file():
            return path
    raise CandleFileError(_what_is_missing(stem, folder, pair, timeframe))


def read_candle_file(path: Path) -> pd.DataFrame:
    """Read one file of candles as it is: feather, Parquet or CSV, of any name.

    A CSV has the columns ``date`` or ``timestamp``, ``open high low close volume``; times are
    seconds or milliseconds since 1970, or dates as ISO 8601 writes them, in UTC unless they say
    otherwise.

    Returns
    -------
    freqtrade's columns, in the order of the file; dates in UTC

    Raises
    ------
    CandleFileError
        If it is not there, damaged or empty, lacks a column, or holds text where numbers belong.
    """
    readers: dict[str, Callable[[Path], pd.DataFrame]] = {**_READERS, ".csv": pd.read_csv}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        known = "is not there" if reader else "must be a .feather, .parquet or .csv file"
        raise CandleFileError(f"{path} {known}")
    try:
        frame = reader(path)
    except (OSError, ValueError) as error:
        raise CandleFileError(f"{path} is damaged ({_first_line(error)})") from error
    if "timestamp" in frame:
        frame = frame.drop(columns="date", errors="ignore").rename(columns={"timestamp": "date"})
    if missing := [c for c in ("date", *_MERGED) if c not in frame]:
        raise CandleFileError(f"{path}: columns {missing} are missing. Received: {list(frame)}")
    if frame.empty:
        raise CandleFileError(f"{path} holds no candles")
    if (unknown := frame["date"].isna()).any():
        raise CandleFileError(f"{path}: row {int(unknown.to_numpy().argmax())} has no date")
    numbers = {name: _numbers(frame[name], path) for name in _MERGED}
    try:
        return pd.DataFrame({"date": in_utc(frame["date"]), **numbers})
    except (ValueError, TypeError, OverflowError) as error:
        raise CandleFileError(
            f"{path}: dates must be seconds or milliseconds since 1970, or like 2024-01-31 12:00 "
            f"({_first_line(error)})"
        ) from error


def _numbers(column: "pd.Series[Any]", path: Path) -> "pd.Series[Any]":
    """Read a column as numbers; NaN where it is empty."""
    found = pd.to_numeric(column, errors="coerce").astype("float64")
    if (text := found.isna() & column.notna()).any():
        row = int(text.to_numpy().argmax())
        raise CandleFileError(
            f"{path}: row {row}: {column.name} must be a number. Received: {column.iloc[row]!r}; "
            "mend it, or drop the row, and it is a gap"
        )
    return found


def in_utc(times: "pd.Series[Any]") -> "pd.Series[Any]":
    """Read seconds or milliseconds since 1970, or dates, as UTC to the millisecond.

    Raises
    ------
    ValueError
        If they are something else.
    """
    if not pd.api.types.is_numeric_dtype(times):
        form = None if pd.api.types.is_datetime64_any_dtype(times) else "ISO8601"
        return pd.to_datetime(times, utc=True, format=form).dt.as_unit("ms")
    latest = float(times.max())
    if 1e8 < latest < 1e11:
        return pd.to_datetime(1000 * times, unit="ms", utc=True).dt.as_unit("ms")
    if 1e11 <= latest < 1e14:
        return pd.to_datetime(times, unit="ms", utc=True).dt.as_unit("ms")
    raise ValueError(
        f"times must be seconds or milliseconds since 1970. Received: {latest:g} as the last one"
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def in_hours(frame: pd.DataFrame) -> pd.DataFrame:
    """Make hourly candles of shorter ones, as an exchange does.

    An hour of which the beginning is not there, or the end, is none.

    Parameters
    ----------
    frame : freqtrade's columns of candles of at most an hour, as `completed` gives them
    """
    step = frame["date"].diff().min()
    merged = frame.groupby(frame["date"].dt.floor("h")).agg({**_MERGED, "volume": "sum"})
    end = frame["date"].iloc[-1] + step
    is_whole = (merged.index <= end - pd.Timedelta("1h")) & (merged.index >= frame["date"].iloc[0])
    return merged[is_whole].rename_axis("date").reset_index()


def completed(frame: pd.DataFrame, step: int) -> pd.DataFrame:
    """Fill in the candles that are not there, as freqtrade does before a strategy sees any.

    A missing candle is flat at the close before it, without volume, and so is a price that is not
    known; rows of the same date become one candle. How many such candles in a row are a gap is for
    the windows and the labels to say.

    Parameters
    ----------
    frame : freqtrade's columns, none without a date
    step : seconds from one candle to the next
    """
    merged = frame.groupby("date").agg(_MERGED)
    dates = pd.date_range(merged.index[0], merged.index[-1], freq=f"{step}s", name="date")
    whole = merged.reindex(dates.astype(merged.index.dtype))
    close = whole["close"].ffill()
    prices = {name: whole[name].fillna(close) for name in ("open", "high", "low")}
    return whole.assign(**prices, close=close, volume=whole["volume"].fillna(0)).reset_index()


def _what_is_missing(stem: Path, folder: Path, pair: str, timeframe: str) -> str:
    others = sorted(p.stem for p in stem.parent.glob(f"*-{timeframe}*") if p.suffix in _READERS)
    there = f"there are: {', '.join(others)}" if others else f"it holds no {timeframe} candles"
    timeframes = " ".join(dict.fromkeys((timeframe, "1h")))
    if not folder.is_dir():
        there = f"{folder} does not exist"
    return (
        f"{pair}: no {stem.name}.feather or .parquet in {stem.parent} ({there}); freqtrade "
        f"download-data -p {pair} -t {timeframes} --timerange YYYYMMDD- fetches it, with the "
        f"configuration of the market (pairs of futures are written {_FUTURES})"
    )

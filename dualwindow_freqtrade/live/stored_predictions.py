"""Keep what was predicted live: the newest rows in FreqAI's pickle, older ones in files by pair."""

import contextlib
import ctypes
from collections.abc import Mapping
from pathlib import Path

import cloudpickle
import pandas as pd
import pyarrow
from freqtrade.exceptions import OperationalException
from freqtrade.misc import pair_to_filename
from pandas import DataFrame
from pandas.api.types import is_string_dtype

from dualwindow.market.files import set_aside, write_aside
from dualwindow_freqtrade.freqai.names import (
    COLUMNS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    OLDER_PREDICTIONS,
    PRICES,
    STORED_PREDICTIONS,
    STORED_PREDICTIONS_BACKUP,
    TARGET,
)

# Candles that a file of older predictions holds at least. More is fewer files, and more rows that
# are written with all others after every training.
LEAST_OLDER = 240

_MOMENT = "%Y%m%dT%H%M%S"  # in the names of files, where earlier is less
_STATISTICS = tuple(f"{name}_{statistic}" for name in COLUMNS for statistic in ("mean", "std"))
# What FreqAI writes into the row of every candle, and finds by name.
_WRITTEN = (TARGET, *COLUMNS, *_STATISTICS, DO_PREDICT, *PRICES, DATE_OF_PREDICTION)


def missing_columns(rows: DataFrame) -> list[str]:
    """Name the columns without which FreqAI can add no prediction of ours to stored ones."""
    return [name for name in _WRITTEN if name not in rows]


def store_older(folder: Path, pair: str, rows: DataFrame) -> None:
    """Write predictions that are to leave memory; when this returns, the disk has them.

    Parameters
    ----------
    folder : of the identifier
    pair : whose predictions
    rows : in the order of candles

    Raises
    ------
    OSError
        If they cannot be written.
    """
    first, last = (f"{date:{_MOMENT}}" for date in rows[DATE_OF_PREDICTION].iloc[[0, -1]])
    path = _folder_of(folder, pair) / f"{first}-{last}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    # Candles that were skipped are 0 throughout, also among texts, which Parquet refuses.
    objects = {str(n): c.infer_objects() for n, c in rows.items() if c.dtype == object}
    texts = {
        n: c.where(c.map(_is_text)) if c.map(_is_text).any() else pd.to_numeric(c)
        for n, c in objects.items()
    }
    write_aside(path, rows.assign(**texts, pair=pair).to_parquet(index=False))


def stored_predictions(folder: Path, *, days: int | None = None) -> dict[str, DataFrame]:
    """Read what a live run has stored, whether it has left its memory or not.

    Parameters
    ----------
    folder : of the identifier
    days : how far back from the newest prediction, at least; None is everything. Files that are
        wholly older are not read, but for the newest of them: it tells that there are some

    Returns
    -------
    By pair, in the order of candles, each candle once; nothing if there is nothing.

    Raises
    ------
    OperationalException
        If something of it is damaged.
    """
    try:
        return _read(folder, days)
    except Exception as error:  # damaged pickles raise whatever they like
        raise OperationalException(
            f"the stored predictions in {folder} are damaged ({type(error).__name__}: {error}); a "
            "bot that starts sets them aside, and goes on with its backup"
        ) from error


def _read(folder: Path, days: int | None) -> dict[str, DataFrame]:
    # The pickle first: what is not in it any more is in the files by then.
    newest = {pair: rows for pair, rows in _newest(folder).items() if DATE_OF_PREDICTION in rows}
    parts = {pair: [rows] for pair, rows in newest.items()}
    for path in _older(folder, "" if days is None else _days_before(newest, days)):
        rows = pd.read_parquet(path)
        pair = rows.pop("pair").iloc[0]
        parts.setdefault(pair, []).append(rows)
    return {pair: _joined(rows) for pair, rows in parts.items()}


def set_predictions_aside(folder: Path, pair: str, rows: DataFrame) -> Path:
    """Move the predictions of a pair out of the way, with the older ones; nothing is deleted."""
    place = _folder_of(folder, pair)
    place.mkdir(parents=True, exist_ok=True)
    write_aside(place / STORED_PREDICTIONS, cloudpickle.dumps({pair: rows}))
    return set_aside(place)


def give_memory_back() -> None:
    """Give the system what a lot of predictions, moved to files, has left free.

    Arrow keeps it for later, and glibc where it lies between things that are still in use.
    """
    pyarrow.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _folder_of(folder: Path, pair: str) -> Path:
    return folder / OLDER_PREDICTIONS / pair_to_filename(pair)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _newest(folder: Path) -> dict[str, DataFrame]:
    for name in (STORED_PREDICTIONS, STORED_PREDICTIONS_BACKUP):
        try:
            return dict(cloudpickle.loads((folder / name).read_bytes()))
        except FileNotFoundError:  # never stored, or a bot is about to rename them
            continue
    return {}


def _days_before(newest: Mapping[str, DataFrame], days: int) -> str:
    """Name a moment as files are; before all of them if nothing tells which is the newest row."""
    dates = [rows[DATE_OF_PREDICTION].max() for rows in newest.values() if len(rows)]
    return f"{max(dates) - pd.Timedelta(days=days):{_MOMENT}}" if dates else ""


def _older(folder: Path, since: str) -> list[Path]:
    """List the files of older predictions that end at a moment or later, and the last before."""
    found = (folder / OLDER_PREDICTIONS).glob("*/*.parquet")
    paths = sorted(path for path in found if not path.parent.suffix)  # those not set aside
    before = sorted((path for path in paths if _end_of(path) < since), key=_end_of)
    return [*before[-1:], *(path for path in paths if _end_of(path) >= since)]


def _end_of(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _joined(parts: list[DataFrame]) -> DataFrame:
    """Join predictions of one pair; of two of one candle, the one that is a prediction stays.

    After a kill, rows can be in two places; what was lost by it comes back as a skipped candle.
    """
    if len(parts) == 1:
        return parts[0]
    joined = pd.concat(parts, ignore_index=True)
    for name in joined:
        if is_string_dtype(joined[name].dtype):
            joined[name] = joined[name].astype(object).fillna(0)
    predicted_first = (joined[DO_PREDICT] == 0).argsort(kind="stable")
    once = joined.iloc[predicted_first].drop_duplicates(DATE_OF_PREDICTION)
    return once.sort_values(DATE_OF_PREDICTION, ignore_index=True)

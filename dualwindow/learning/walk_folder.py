"""Read the folder of a walk-forward back, as a reader who did not make it."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualwindow.learning.fold_store import PLAN, TABLE, WalkForwardError, read_table
from dualwindow.learning.folds import Fold
from dualwindow.learning.record import TrainingRecord
from dualwindow.learning.walk_forward import RAW, WalkForward
from dualwindow.market.files import write_aside
from dualwindow.market.labels import CLASSES

_DAY = 86400
_COLUMNS = ("date", "pair", "fold", *CLASSES, *RAW, "label", "valid", "made_by")
_FORMAT = TrainingRecord.model_fields["format"].default


_CANDLES = "candles.json"  # beside the plan, which it is no part of: the same candles may move


def remember_candles(folder: Path, datadir: Path | None) -> None:
    """Write down where the candles of a walk-forward lie; None forgets what an earlier run wrote.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    if datadir is None:
        (folder / _CANDLES).unlink(missing_ok=True)
        return
    text = json.dumps({"datadir": str(datadir.resolve())}, indent=1)
    write_aside(folder / _CANDLES, text.encode())


def remembered_candles(folder: Path) -> Path | None:
    """Read what `remember_candles` wrote; None where there is nothing, or nothing to be read."""
    try:
        return Path(json.loads((folder / _CANDLES).read_text())["datadir"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_walk(folder: Path) -> bool:
    """Tell whether a folder is that of one walk-forward."""
    return (folder / PLAN).is_file() or (folder / TABLE).is_file()


def read_walk(folder: Path) -> WalkForward:
    """Read all predictions, and the record of each fold.

    Raises
    ------
    WalkForwardError
        If there are none, it is not finished, a file is damaged or one is of another format.
    """
    records = _records(folder)
    table = _table(folder, len(records))
    lengths = _lengths(folder)
    starts = {digest: (record, start) for digest, record, start in records}
    groups = table.groupby(["pair", "fold"], observed=True, sort=False)
    found: list[tuple[Fold, TrainingRecord]] = []
    for key, rows in groups:
        pair, number = str(key[0]), int(rows["fold"].iloc[0])
        digests = set(rows["made_by"])
        known = starts.get(next(iter(digests))) if len(digests) == 1 else None
        if known is None:
            raise WalkForwardError(
                f"{folder}: no record in folds/ fits the predictions of {pair}, window {number}: "
                "predictions and records are of different runs; run the walk-forward again"
            )
        record, start = known
        found.append((_fold(pair, number, start, rows["date"], lengths), record))
    found.sort(key=lambda each: (each[0].start, each[0].pair))
    return WalkForward(table, [record for _, record in found], [fold for fold, _ in found])


def _fold(
    pair: str, number: int, start: int, date: "pd.Series[Any]", lengths: tuple[float, float]
) -> Fold:
    train, window = (round(days * _DAY) for days in lengths)
    seconds = date.to_numpy("datetime64[s]").astype(np.int64)
    # The last one may be shorter, and the folder does not say by how much.
    step = int(np.diff(seconds).min()) if len(seconds) > 1 else window
    stop = min(start + window, int(seconds[-1]) + step)
    return Fold(pair, number, start - train, start, stop)


def _table(folder: Path, n_done: int) -> pd.DataFrame:
    path = folder / TABLE
    if not path.is_file():
        if not (folder / PLAN).is_file():
            raise WalkForwardError(
                f"{folder} holds no walk-forward: there is neither {TABLE} nor {PLAN}"
            )
        raise WalkForwardError(
            f"{folder}: the walk-forward is not finished, {n_done} of its windows are; run the "
            "same command again, it goes on from there"
        )
    try:
        table = read_table(path.read_bytes())
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WalkForwardError(
            f"{path} is damaged ({reason}); run the walk-forward again, its windows are kept"
        ) from error
    if missing := [name for name in _COLUMNS if name not in table]:
        raise WalkForwardError(f"{path}: columns {missing} are missing; it is no table of ours")
    if table.empty:
        raise WalkForwardError(f"{path} holds no predictions")
    return table


def _lengths(folder: Path) -> tuple[float, float]:
    path = folder / PLAN
    try:
        plan = json.loads(path.read_text())
        return float(plan["train_days"]), float(plan["window_days"])
    except FileNotFoundError as error:
        raise WalkForwardError(f"{path} is missing: how long trainings were is in it") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WalkForwardError(
            f"{path} is damaged ({error}); run the walk-forward again"
        ) from error


def _records(folder: Path) -> list[tuple[Any, TrainingRecord, int]]:
    """Read the digest, the record and the start of every finished fold."""
    found = []
    for path in sorted((folder / "folds").glob("*.json")):
        try:
            content = json.loads(path.read_text())
            _refuse_other_format(path, content)
            record = TrainingRecord.model_validate(content)
            moment = datetime.strptime(path.stem.rpartition("-")[2], "%Y%m%dT%H%M")
        except (OSError, ValueError) as error:
            lines = str(error).splitlines()
            raise WalkForwardError(
                f"{path} is damaged ({lines[0]}); delete it and run the walk-forward again, which "
                "makes this window anew"
            ) from error
        start = int(moment.replace(tzinfo=UTC).timestamp())
        found.append((record.made_from.get("fold"), record, start))
    return found


def _refuse_other_format(path: Path, content: Any) -> None:
    found = content.get("format") if isinstance(content, Mapping) else None
    if found is not None and found != _FORMAT:
        raise WalkForwardError(
            f"{path} was written by another version of DualWindowLSTM (format {found}, this one "
            f"reads {_FORMAT}); run the walk-forward again into another folder"
        )

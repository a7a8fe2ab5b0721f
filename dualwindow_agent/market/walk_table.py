"""The out-of-sample table of one walk-forward, believed only where its records bear it out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.learning.fold_store import TABLE
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.labels import CLASSES, Barriers, Labelling
from dualwindow.settings import Settings

_COLUMNS = ("date", "pair", "fold", *CLASSES, "label", "valid", "made_by")
_MAKE_ONE = "'dualwindow train --walk-forward' and 'dualwindow walk-forward' make one"


class TableError(ValueError):
    """Predictions that an agent must not, or cannot, be shown."""


@dataclass(frozen=True)
class Predictions:
    """Those of one pair, oldest first, without holes.

    Parameters
    ----------
    date : (n,) seconds since 1970 UTC
    probabilities : (n, 3) of SHORT, HOLD, LONG; NaN where not `valid`
    labels : (n,) what became of the candles
    valid : (n,) where there is a prediction
    """

    date: IntArray
    probabilities: FloatArray
    labels: IntArray
    valid: BoolArray


@dataclass(frozen=True)
class WalkTable:
    """Predictions of several pairs, by models that had seen none of the candles.

    Parameters
    ----------
    folder : where it was found
    frame : the rows, as `WalkForward` has them
    settings : of its trainings, whose labels all have the same barriers and horizon
    """

    folder: Path
    frame: pd.DataFrame
    settings: Settings

    @property
    def labelling(self) -> Labelling:
        """What its labels are made by."""
        return Labelling.of(self.settings)

    @property
    def barriers(self) -> Barriers:
        """Of its labels."""
        return self.labelling.barriers

    @property
    def horizon(self) -> int:
        """Of its labels, candles."""
        return self.settings.horizon

    @property
    def pairs(self) -> list[str]:
        """All that it tells of."""
        return sorted(map(str, self.frame["pair"].unique()))

    @classmethod
    def read(cls, folder: Path) -> "WalkTable":
        """Read the folder of ``--out``, and hold every row against the record of its model.

        Raises
        ------
        TableError
            If there is no table, if it is damaged, if a model is unknown or had seen what it
            predicts, or if models were taught by other barriers or another horizon.
        """
        path = _path_of(folder)
        frame = _frame_of(path)
        records = list(_records_of(path.parent / "folds"))
        kept = _those_of(frame, records, path)
        _refuse_seen(frame, kept, path)
        return cls(folder, frame, _settings_of(kept, path))

    def of_pair(self, pair: str, step: int) -> Predictions:
        """Take those of one pair.

        Parameters
        ----------
        step : seconds from one candle to the next

        Raises
        ------
        TableError
            If there are none, or one is missing between the first and the last.
        """
        rows = self.frame[self.frame["pair"] == pair].sort_values("date", kind="stable")
        if rows.empty:
            raise TableError(
                f"{self.folder}: the table tells nothing of {pair}, only of {', '.join(self.pairs)}"
            )
        date = _seconds_of(rows["date"])
        odd = np.flatnonzero(np.diff(date) != step)
        if len(odd):
            before, after = (_told(int(date[odd[0] + i])) for i in (0, 1))
            what = "is no whole table" if date[odd[0] + 1] > date[odd[0]] else "tells twice"
            raise TableError(
                f"{self.folder}: {pair}: {before} is followed by {after}: the table has a hole or "
                f"{what} of candles of {step} s; make the walk-forward again"
            )
        valid = rows["valid"].to_numpy(bool)
        probabilities = rows[list(CLASSES)].to_numpy(np.float64)
        whole = np.isfinite(probabilities).all(axis=1)
        if (valid & ~(whole & (np.abs(probabilities.sum(axis=1) - 1) < 1e-6))).any():
            raise TableError(
                f"{self.folder}: {pair}: a row counts as valid, and its probabilities do not add "
                "up to 1; make the walk-forward again"
            )
        probabilities = np.where(valid[:, None], probabilities, np.nan)
        return Predictions(date, probabilities, rows["label"].to_numpy(np.int64), valid)


def _path_of(folder: Path) -> Path:
    """Find the table: `train --walk-forward` puts it one folder deeper than `walk-forward`."""
    for path in (folder / TABLE, folder / "walk_forward" / TABLE):
        if path.is_file():
            return path
    begun = any((part / "folds").is_dir() for part in (folder, folder / "walk_forward"))
    why = (
        "its walk-forward has not come to its end; run it again, it goes on" if begun else _MAKE_ONE
    )
    raise TableError(f"{folder}: there is no out-of-sample table ({TABLE}); {why}")


def _frame_of(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TableError(f"{path} is damaged ({reason}); run the walk-forward again") from error
    if missing := [name for name in _COLUMNS if name not in frame]:
        raise TableError(f"{path}: columns {missing} are missing; {_MAKE_ONE}")
    if frame.empty:
        raise TableError(f"{path}: the table is empty; {_MAKE_ONE}")
    return frame


def _records_of(folder: Path) -> Iterator[TrainingRecord]:
    for path in sorted(folder.glob("*.json")):
        try:
            yield TrainingRecord.from_json(path.read_text())
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise TableError(f"{path} is damaged ({reason}); run the walk-forward again") from error


def _those_of(
    frame: pd.DataFrame, records: list[TrainingRecord], path: Path
) -> dict[tuple[str, str], TrainingRecord]:
    """Find the record of every model in the table; a folder may hold folds of other timeranges."""
    known = {(r.pair, str(r.made_from.get("fold"))): r for r in records}
    named = frame[["pair", "made_by"]].drop_duplicates().astype(str)
    wanted = list(named.itertuples(index=False, name=None))
    if lost := sorted(pair for pair, made_by in wanted if (pair, made_by) not in known):
        raise TableError(
            f"{path}: {lost[0]}: no record in folds/ tells which model made {len(lost)} of its "
            "parts, and what it had seen; run the walk-forward again"
        )
    return {key: known[key] for key in wanted}


def _refuse_seen(
    frame: pd.DataFrame, records: dict[tuple[str, str], TrainingRecord], path: Path
) -> None:
    """Refuse a model that learnt from a candle that it predicts, or from a later one.

    Pairs that learn together share a model: what it has seen is what it has seen of any of them.
    """
    # A number for each model: rows are many, models few.
    which = frame.groupby(["pair", "made_by"], observed=True, sort=False).ngroup().to_numpy()
    firsts = np.unique(which, return_index=True)[1]
    named = frame.iloc[firsts][["pair", "made_by"]].astype(str)
    models = [records[key] for key in named.itertuples(index=False, name=None)]
    seen = np.array([_epoch(model.last_candle) for model in models])
    fold, date = frame["fold"].to_numpy(), _seconds_of(frame["date"])
    of_fold = fold[firsts]
    together = np.array([len(model.learnt_from) > 1 for model in models])
    latest = {number: seen[of_fold == number].max() for number in set(of_fold.tolist())}
    shared = np.array([latest[number] for number in of_fold.tolist()])
    last = np.where(together, shared, seen)[which]
    leaks = date <= last
    if leaks.any():
        row = int(leaks.argmax())
        raise TableError(
            f"{path}: the model that predicts {frame['pair'].iloc[row]} at {_told(int(date[row]))} "
            f"was fitted on candles up to {_told(int(last[row]))}: it had seen what it predicts "
            f"({int(leaks.sum()):,} such rows); an agent learns nothing true from it, make the "
            "walk-forward again"
        )


def _settings_of(records: dict[tuple[str, str], TrainingRecord], path: Path) -> Settings:
    found = list(records.values())
    first = found[0].settings
    for record in found:
        own = record.settings
        mine, theirs = (Labelling.of(each) for each in (first, own))
        if (mine.barriers, mine.horizon) != (theirs.barriers, theirs.horizon):
            raise TableError(
                f"{path}: its models were taught by other labels: {found[0].pair} up to "
                f"{found[0].last_candle} by {told_labels(mine.barriers, mine.horizon)}, "
                f"{record.pair} up to {record.last_candle} by "
                f"{told_labels(theirs.barriers, theirs.horizon)}; make the walk-forward again"
            )
    return first


def told_labels(barriers: Barriers, horizon: int) -> str:
    """Put the barriers and the horizon of labels into words.

    Examples
    --------
    >>> told_labels(Barriers(0.01, 0.005, 0.02, 0.01), 120)
    'barriers 0.01 / 0.005 (long) and 0.02 / 0.01 (short), horizon 120'
    """
    b = barriers
    long = f"{b.long_take_profit:g} / {b.long_stop_loss:g}"
    short = f"{b.short_take_profit:g} / {b.short_stop_loss:g}"
    return f"barriers {long} (long) and {short} (short), horizon {horizon}"


def _seconds_of(dates: pd.Series) -> IntArray:
    return dates.to_numpy("datetime64[s]").astype(np.int64)


def _epoch(text: str) -> int:
    return int(pd.Timestamp(text).timestamp())


def _told(second: int) -> str:
    return f"{np.datetime64(second, 's')} UTC"

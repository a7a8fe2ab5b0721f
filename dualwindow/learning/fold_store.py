"""Keep the folds of a walk-forward in a folder, from which a run that was killed goes on."""

import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from dualwindow.learning.fingerprint import all_differences, digest_code, flatten
from dualwindow.learning.folds import Fold, Schedule
from dualwindow.learning.record import TrainingRecord, versions
from dualwindow.market.files import set_aside, write_aside
from dualwindow.settings import Settings

logger = logging.getLogger(__name__)

TABLE = "predictions.parquet"
PLAN = "walk_forward.json"
_FORMAT = 1


class WalkForwardError(Exception):
    """A walk-forward cannot be done as asked."""


class Done(NamedTuple):
    """What a fold has brought: its rows of the table as Parquet, and the facts of its training."""

    table: bytes
    record: TrainingRecord


def plan_of(settings: Settings) -> dict[str, Any]:
    """Everything but candles that shapes the predictions of any fold."""
    return {
        "settings": settings.model_dump(mode="json"),
        "code": digest_code(*settings.model.kinds),
        "versions": versions(),
    }


def write_table(table: pd.DataFrame) -> bytes:
    """Lay rows of the table out as Parquet."""
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


def read_table(content: bytes) -> pd.DataFrame:
    """Read what `write_table` has written."""
    return pd.read_parquet(io.BytesIO(content))


class Store:
    """The folder of one walk-forward: every finished fold, and at last the whole table.

    All files are written aside and renamed; a fold is finished once its record is there.

    Parameters
    ----------
    folder : made if it is not there
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, settings: Settings, schedule: Schedule) -> None:
        """Write down what this walk-forward is made with.

        Raises
        ------
        WalkForwardError
            If the folder holds folds that were made with something else, or other files, or if it
            cannot be written to. It names settings in backticks, as a `TrainingError` does.
        """
        path = self._folder / PLAN
        lengths = {"train_days": schedule.train_days, "window_days": schedule.window_days}
        plan = {"format": _FORMAT, **lengths, **plan_of(settings)}
        folder = self._folder / "folds"
        if path.is_file():
            if any(folder.glob("*")):  # a plan without folds binds nobody
                self._compare(path, plan)
        elif self._folder.is_dir() and any(self._folder.iterdir()):
            raise WalkForwardError(
                f"{self._folder} is not empty and holds no {PLAN}; choose another folder"
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(folder, error) from error
        _write(path, json.dumps(plan, indent=1).encode())

    def _compare(self, path: Path, plan: Mapping[str, Any]) -> None:
        try:
            recorded = _in_backticks(dict(json.loads(path.read_text())))
        except (AttributeError, TypeError, ValueError) as error:
            raise WalkForwardError(
                f"{path} is damaged ({error}); choose another folder, or delete this one"
            ) from error
        if changed := all_differences(recorded, _in_backticks(plan)):
            raise WalkForwardError(
                f"{self._folder} holds folds that were made with something else "
                f"({'; '.join(changed)}); choose another folder, or delete this one"
            )

    def save(self, fold: Fold, done: Done) -> None:
        """Keep a finished fold.

        Raises
        ------
        WalkForwardError
            If it cannot be written, for example because the disk is full.
        """
        table, record = self._paths(fold)
        _write(table, done.table)
        _write(record, done.record.to_json().encode())

    def load(self, fold: Fold, made_by: str) -> Done | None:
        """Find a fold that has been finished from the very same candles, settings and code.

        A file that cannot be read is set aside, and its fold counts as not finished.
        """
        table, record = self._paths(fold)
        if not (table.is_file() and record.is_file()):
            return None
        try:
            done = Done(table.read_bytes(), TrainingRecord.from_json(record.read_text()))
            found = set(read_table(done.table)["made_by"])
        except (OSError, ValueError, KeyError) as error:
            kept = [set_aside(path).name for path in (table, record)]
            reason = str(error).splitlines()[0]
            logger.warning("%s is damaged (%s); now %s, it is made again", table, reason, kept[0])
            return None
        # A kill between the two files leaves a new table beside an old record.
        found.add(done.record.made_from.get("fold"))
        return done if found == {made_by} else None

    def finish(self, table: pd.DataFrame) -> Path:
        """Write the whole table."""
        path = self._folder / TABLE
        _write(path, write_table(table))
        return path

    def _paths(self, fold: Fold) -> tuple[Path, Path]:
        start = pd.Timestamp(fold.start, unit="s").strftime("%Y%m%dT%H%M")
        name = f"{fold.pair.replace('/', '_').replace(':', '_')}-{start}"
        folder = self._folder / "folds"
        return folder / f"{name}.parquet", folder / f"{name}.json"


def in_backticks(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten what `plan_of` has named, and name the user's settings as a `TrainingError` does.

    Examples
    --------
    >>> in_backticks({"settings": {"model": {"seed": 1}}, "code": "ab", "versions": {"numpy": "2"}})
    {'`model.seed`': 1, 'code': 'ab', 'versions.numpy': '2'}
    """
    own = {f"`{name}`": value for name, value in flatten(plan.get("settings", {})).items()}
    versions_of = flatten({"versions": plan.get("versions", {})})
    return {**own, "code": plan.get("code"), **versions_of}


def _in_backticks(plan: Mapping[str, Any]) -> dict[str, Any]:
    lengths = {f"`{name}`": plan.get(name) for name in ("train_days", "window_days")}
    return {**in_backticks(plan), **lengths, "format": plan.get("format")}


def _write(path: Path, content: bytes) -> None:
    try:
        write_aside(path, content)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> WalkForwardError:
    return WalkForwardError(
        f"{path} cannot be written ({error.strerror}); all folds finished before are kept, run "
        "again once it can"
    )

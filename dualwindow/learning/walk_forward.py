"""Walk forward: train before each window, predict it, and keep all predictions in one table.

What stands in the table was predicted by a model that had seen nothing later than the fold's
start, so it is the currency between learning, judging and reports.
"""

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from dualwindow.arrays import IntArray
from dualwindow.learning.fingerprint import (
    all_differences,
    digest_arrays,
    digest_code,
    flatten,
)
from dualwindow.learning.folds import Fold, Schedule, folds
from dualwindow.learning.parallel import TaskError, Workers, run_tasks
from dualwindow.learning.record import TrainingRecord
from dualwindow.learning.training import train
from dualwindow.market.candles import Candles
from dualwindow.market.files import set_aside, write_aside
from dualwindow.market.labels import CLASSES, Labelling
from dualwindow.models.classifier import use_threads
from dualwindow.samples.data import PairData, TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings

logger = logging.getLogger(__name__)

TABLE = "predictions.parquet"
PLAN = "walk_forward.json"
RAW = tuple(f"{name}_raw" for name in CLASSES)
_FORMAT = 1


class WalkForwardError(Exception):
    """A walk-forward cannot be done as asked."""


@dataclass(frozen=True)
class Task:
    """All that one fold needs, wherever it is computed.

    Parameters
    ----------
    fold : which one
    data : to train on; nothing in it is later than the fold's start
    candles, features : to predict, with the unscaled features of each
    labels : (n,) what became of these; for the table, the model never sees them
    settings : of the training
    made_by : digest of all of the above and of the code
    threads : that the training may use
    """

    fold: Fold
    data: TrainingData
    candles: Candles
    features: np.ndarray
    labels: IntArray
    settings: Settings
    made_by: str
    threads: int


class Done(NamedTuple):
    """What a fold has brought: its rows of the table as Parquet, and the facts of its training."""

    table: bytes
    record: TrainingRecord


def tasks(
    pairs: Sequence[PairData], schedule: Schedule, settings: Settings, threads: int = 1
) -> tuple[list[Task], list[str]]:
    """Cut every fold's candles out, and label them.

    Labels to train on are made of the training candles alone, so the future of the last ones is
    unknown; labels for the table look at the candles after the window, too.

    Returns
    -------
    The tasks in the order of time, and remarks on folds that were left out.
    """
    chosen, remarks = folds(pairs, schedule)
    by_name = {pair.pair: pair for pair in pairs}
    return [_task(by_name[fold.pair], fold, settings, threads) for fold in chosen], remarks


def _task(pair: PairData, fold: Fold, settings: Settings, threads: int) -> Task:
    labelling = Labelling.of(settings)
    edges = [fold.train_from, fold.start, fold.stop]
    a, b, c = np.searchsorted(pair.candles.date, edges).tolist()
    before, after = pair.candles[a:b], pair.candles[b:c]
    data = TrainingData(
        pair.pair, before, pair.features[a:b], pair.feature_names, labelling.label(before)
    )
    labels = labelling.label(pair.candles[b : c + settings.horizon])[: c - b]
    arrays = [*_arrays(before), *_arrays(after), pair.features[a:c], data.labels, labels]
    made_from = flatten({**_plan(settings), "fold": list(fold), "features": pair.feature_names})
    text = json.dumps(made_from, sort_keys=True)
    made_by = digest_arrays([np.frombuffer(text.encode(), dtype=np.uint8), *arrays])
    return Task(fold, data, after, pair.features[b:c], labels, settings, made_by, threads)


def _arrays(candles: Candles) -> tuple[np.ndarray, ...]:
    return candles.date, candles.high, candles.low, candles.close, candles.volume


def _plan(settings: Settings) -> dict[str, Any]:
    """Everything that shapes the predictions of any fold."""
    return {"settings": settings.model_dump(mode="json"), "code": digest_code(settings.model.kind)}


def run_fold(task: Task) -> Done:
    """Train and predict one fold; the same task gives the same table in any process."""
    use_threads(task.settings.model, task.threads)
    with threadpool_limits(task.threads):
        artifact = train(task.data, task.settings, FeatureScaler(task.settings.scaler))
        prediction = artifact.predict(task.candles, task.features)
    n = len(task.candles)
    table = pd.DataFrame(
        {
            "date": pd.to_datetime(task.candles.date, unit="s", utc=True).as_unit("ms"),
            "pair": pd.Categorical([task.fold.pair] * n),
            "fold": np.full(n, task.fold.number, dtype=np.int32),
            **dict(zip(CLASSES, prediction.probabilities.T, strict=True)),
            **dict(zip(RAW, prediction.scores.T, strict=True)),
            "label": task.labels,
            "valid": prediction.valid,
            "made_by": pd.Categorical([task.made_by] * n),
        }
    )
    record = artifact.record.model_copy(update={"made_from": {"fold": task.made_by}})
    return Done(_parquet(table), record)


def _parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer, index=False)
    return buffer.getvalue()


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
        plan = {"format": _FORMAT, **lengths, **_plan(settings)}
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

    def save(self, task: Task, done: Done) -> None:
        """Keep a finished fold.

        Raises
        ------
        WalkForwardError
            If it cannot be written, for example because the disk is full.
        """
        table, record = self._paths(task.fold)
        _write(table, done.table)
        _write(record, done.record.to_json().encode())

    def load(self, task: Task) -> Done | None:
        """Find a fold that has been finished from the very same candles, settings and code.

        A file that cannot be read is set aside, and its fold counts as not finished.
        """
        table, record = self._paths(task.fold)
        if not (table.is_file() and record.is_file()):
            return None
        try:
            done = Done(table.read_bytes(), TrainingRecord.from_json(record.read_text()))
            made_by = set(pd.read_parquet(io.BytesIO(done.table))["made_by"])
        except (OSError, ValueError, KeyError) as error:
            kept = [set_aside(path).name for path in (table, record)]
            reason = str(error).splitlines()[0]
            logger.warning("%s is damaged (%s); now %s, it is made again", table, reason, kept[0])
            return None
        # A kill between the two files leaves a new table beside an old record.
        made_by.add(done.record.made_from.get("fold"))
        return done if made_by == {task.made_by} else None

    def finish(self, table: pd.DataFrame) -> Path:
        """Write the whole table."""
        path = self._folder / TABLE
        _write(path, _parquet(table))
        return path

    def _paths(self, fold: Fold) -> tuple[Path, Path]:
        start = pd.Timestamp(fold.start, unit="s").strftime("%Y%m%dT%H%M")
        name = f"{fold.pair.replace('/', '_').replace(':', '_')}-{start}"
        folder = self._folder / "folds"
        return folder / f"{name}.parquet", folder / f"{name}.json"


def _in_backticks(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Name what the user can change as a `TrainingError` does."""
    own = {f"`{name}`": value for name, value in flatten(plan.get("settings", {})).items()}
    lengths = {f"`{name}`": plan.get(name) for name in ("train_days", "window_days")}
    return {**own, **lengths, "format": plan.get("format"), "code": plan.get("code")}


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


class Step(NamedTuple):
    """A fold that is there: how many are not yet, and whether it was made in this run."""

    fold: Fold
    record: TrainingRecord
    n_left: int
    is_new: bool


class WalkForward(NamedTuple):
    """All out-of-sample predictions, and the facts of each training.

    Parameters
    ----------
    table : a row per predicted candle, by fold and pair. ``date`` (UTC), ``pair``, ``fold``,
        ``SHORT HOLD LONG`` calibrated probabilities and ``*_raw`` scores (NaN where not
        ``valid``), ``label`` (UNKNOWN where the future is), ``valid``, and ``made_by``, the digest
        of what made them
    records : of the folds, in the order of `folds`
    folds : in the order of time
    """

    table: pd.DataFrame
    records: list[TrainingRecord]
    folds: list[Fold]


def run(
    wanted: Sequence[Task],
    store: Store,
    workers: Workers,
    report: Callable[[Step], None] = lambda step: None,
) -> WalkForward:
    """Compute all folds that are not finished yet, and put the table together.

    Every fold is kept as soon as it is there: a run that was killed goes on where it was. The
    table does not depend on the workers.

    Parameters
    ----------
    wanted : of `tasks`
    store : after `Store.begin`
    workers : how many, and where
    report : called for every fold as soon as it is there

    Raises
    ------
    WalkForwardError
        If a training fails, which is its cause, or a fold cannot be written. It names settings in
        backticks, as a `TrainingError` does.
    """
    finished: dict[int, Done] = {}
    for i, done, is_new in _all(wanted, store, workers):
        finished[i] = done
        report(Step(wanted[i].fold, done.record, len(wanted) - len(finished), is_new))
    in_order = [finished[i] for i in range(len(wanted))]
    parts = [pd.read_parquet(io.BytesIO(done.table)) for done in in_order]
    table = pd.concat([p.astype({"pair": str, "made_by": str}) for p in parts], ignore_index=True)
    table = table.astype({"pair": "category", "made_by": "category"})
    store.finish(table)
    return WalkForward(table, [d.record for d in in_order], [task.fold for task in wanted])


def _all(
    wanted: Sequence[Task], store: Store, workers: Workers
) -> Iterator[tuple[int, Done, bool]]:
    loaded = [store.load(task) for task in wanted]
    yield from ((i, done, False) for i, done in enumerate(loaded) if done is not None)
    left = [i for i, done in enumerate(loaded) if done is None]
    try:
        for place, done in run_tasks(run_fold, [wanted[i] for i in left], workers):
            store.save(wanted[left[place]], done)
            yield left[place], done, True
    except TaskError as error:
        fold, cause = wanted[left[error.index]].fold, error.__cause__
        words = str(cause).removeprefix(f"{fold.pair}: ") or type(cause).__name__
        day = pd.Timestamp(fold.start, unit="s").strftime("%Y-%m-%d")
        raise WalkForwardError(f"{fold.pair}, fold from {day}: {words}") from cause

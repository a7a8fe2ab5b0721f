"""Walk forward: train before each window, predict it, and keep all predictions in one table.

What stands in the table was predicted by a model that had seen nothing later than the fold's
start, so it is the currency between learning, judging and reports.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.fingerprint import digest_arrays, flatten
from dualwindow.learning.fold_store import (
    Done,
    Store,
    WalkForwardError,
    plan_of,
    read_table,
    write_table,
)
from dualwindow.learning.folds import Fold, Schedule, folds
from dualwindow.learning.group import refuse_unusable
from dualwindow.learning.parallel import TaskError, Workers, run_tasks
from dualwindow.learning.record import TrainingRecord
from dualwindow.learning.training import train_together
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, Labelling, Smoothed
from dualwindow.models.classifier import use_threads
from dualwindow.outside import watched_memory
from dualwindow.samples.data import TrainingData, TrainingError
from dualwindow.samples.pair_data import PairData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings

RAW = tuple(f"{name}_raw" for name in CLASSES)


@dataclass(frozen=True)
class Member:
    """One pair of a fold: what of it is learnt from, and what is predicted.

    Parameters
    ----------
    fold : which one
    data : to train on; nothing in it is later than the fold's start
    candles, features : to predict, with the unscaled features of each
    labels : (n,) what became of these; for the table, the model never sees them
    moves : (n,) what labels are made of, where the training is to find which of them count
    """

    fold: Fold
    data: TrainingData
    candles: Candles
    features: np.ndarray
    labels: IntArray
    moves: FloatArray | None = None

    def labels_by(self, settings: Settings) -> IntArray:
        """Label the candles by the settings that a training had in effect."""
        rule = Labelling.of(settings).rule
        if self.moves is None or not isinstance(rule, Smoothed):
            return self.labels
        return rule.label(self.moves)


@dataclass(frozen=True)
class Task:
    """All that one training needs, wherever it is computed.

    Parameters
    ----------
    members : of the same time; one, or all pairs of a training that is shared
    settings : of the training
    made_by : for each member, a digest of all that its predictions are made from
    threads : that the training may use
    """

    members: tuple[Member, ...]
    settings: Settings
    made_by: tuple[str, ...]
    threads: int


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
    groups = [[fold] for fold in chosen]
    if settings.pooling == "whitelist":
        groups = [list(group) for _, group in groupby(chosen, key=lambda fold: fold.start)]
    return [_task(by_name, group, settings, threads) for group in groups], remarks


def _task(
    pairs: Mapping[str, PairData], group: Sequence[Fold], settings: Settings, threads: int
) -> Task:
    members = tuple(_member(pairs[fold.pair], fold, settings) for fold in group)
    plan = {**plan_of(settings), "features": [member.data.feature_names for member in members]}
    learnt_from = [array for member in members for array in _taught(member.data)]
    made_by = []
    for member in members:
        # Not the number of the fold, which counts from the beginning of the timerange.
        fold = member.fold
        plan["fold"] = [fold.pair, fold.train_from, fold.start, fold.stop]
        text: np.ndarray = np.frombuffer(_bytes_of(plan), dtype=np.uint8)
        truth: np.ndarray = member.labels if member.moves is None else member.moves
        predicted = [*_arrays(member.candles), member.features, truth]
        made_by.append(digest_arrays([text, *learnt_from, *predicted]))
    return Task(members, settings, tuple(made_by), threads)


def _bytes_of(plan: Mapping[str, Any]) -> bytes:
    return json.dumps(flatten(plan), sort_keys=True).encode()


def _member(pair: PairData, fold: Fold, settings: Settings) -> Member:
    labelling = Labelling.of(settings)
    data = pair.between(fold.train_from, fold.start, labelling)
    b, c = np.searchsorted(pair.candles.date, [fold.start, fold.stop]).tolist()
    # An outage that is looked back on may have begun before.
    first = max(b - labelling.lookback - settings.max_untraded - 1, 0)
    around, asked = pair.candles[first : c + settings.horizon], slice(b - first, c - first)
    labels = labelling.label(around)[asked]
    moves = labelling.moves(around)[asked] if settings.has_open_delta else None
    return Member(fold, data, pair.candles[b:c], pair.features[b:c], labels, moves)


def _taught(data: TrainingData) -> tuple[np.ndarray, ...]:
    return (*_arrays(data.candles), data.features, data.labels)


def _arrays(candles: Candles) -> tuple[np.ndarray, ...]:
    return candles.date, candles.high, candles.low, candles.close, candles.volume


def run_fold(task: Task) -> list[Done]:
    """Train, and predict all members; the same task gives the same tables in any process."""
    use_threads(task.settings.model, task.threads)
    with threadpool_limits(task.threads), watched_memory() as peak:
        scaler = FeatureScaler(task.settings.scaler)
        group = [member.data for member in task.members]
        artifacts = train_together(group, task.settings, scaler)
        _refuse_left_out(artifacts)
        done = [
            _predicted(member, artifact, made_by)
            for member, artifact, made_by in zip(task.members, artifacts, task.made_by, strict=True)
        ]
        memory = {"memory": peak()}
    return [each._replace(record=each.record.model_copy(update=memory)) for each in done]


def _refuse_left_out(artifacts: Sequence[Artifact]) -> None:
    """Refuse to judge a model by a pair that it should have learnt from."""
    for artifact in artifacts:
        if artifact.record.left_out:
            raise TrainingError(f"{artifact.record.pair}: {artifact.record.left_out}")


def _predicted(member: Member, artifact: Artifact, made_by: str) -> Done:
    prediction = artifact.predict(member.candles, member.features)
    n = len(member.candles)
    table = pd.DataFrame(
        {
            "date": pd.to_datetime(member.candles.date, unit="s", utc=True).as_unit("ms"),
            "pair": pd.Categorical([member.fold.pair] * n),
            **dict(zip(CLASSES, prediction.probabilities.T, strict=True)),
            **dict(zip(RAW, prediction.scores.T, strict=True)),
            "label": member.labels_by(artifact.record.settings),
            "valid": prediction.valid,
            "made_by": pd.Categorical([made_by] * n),
        }
    )
    record = artifact.record.model_copy(update={"made_from": {"fold": made_by}})
    return Done(write_table(table), record)


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
    wanted_folds = [member.fold for task in wanted for member in task.members]
    finished: dict[Fold, Done] = {}
    for fold, done, is_new in _all(wanted, store, workers):
        finished[fold] = done
        report(Step(fold, done.record, len(wanted_folds) - len(finished), is_new))
    in_order = [finished[fold] for fold in wanted_folds]
    table = _whole_table(wanted_folds, in_order)
    store.finish(table)
    return WalkForward(table, [done.record for done in in_order], wanted_folds)


def _whole_table(wanted: Sequence[Fold], in_order: Sequence[Done]) -> pd.DataFrame:
    parts = []
    for fold, done in zip(wanted, in_order, strict=True):
        part = read_table(done.table).astype({"pair": str, "made_by": str})
        part.insert(2, "fold", np.int32(fold.number))
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"pair": "category", "made_by": "category"})


def _all(
    wanted: Sequence[Task], store: Store, workers: Workers
) -> Iterator[tuple[Fold, Done, bool]]:
    pending = []
    for task in wanted:
        found = _load(task, store)
        if found is None:
            pending.append(task)
        else:
            yield from ((m.fold, done, False) for m, done in zip(task.members, found, strict=True))
    refuse_unusable_tasks(pending)
    threads = max((task.threads for task in pending), default=1)
    try:
        for place, done in run_tasks(run_fold, pending, workers, threads=threads):
            for member, each in zip(pending[place].members, done, strict=True):
                store.save(member.fold, each)
                yield member.fold, each, True
    except TaskError as error:
        cause = error.__cause__ or error
        folds_of_task = [member.fold for member in pending[error.index].members]
        raise _failed(folds_of_task, cause) from cause


def refuse_unusable_tasks(pending: Sequence[Task]) -> None:
    """Tell before any work is done what a fold lacks; the earliest lacks the most.

    Raises
    ------
    WalkForwardError
        If no training can begin with what a fold has.
    """
    for task in pending:
        for member in task.members:
            try:
                refuse_unusable(member.data, task.settings)
            except TrainingError as error:
                raise _failed([member.fold], error) from error


def _load(task: Task, store: Store) -> list[Done] | None:
    """Find a task's folds if all are finished: a training that is shared is done as a whole."""
    found = []
    for member, made_by in zip(task.members, task.made_by, strict=True):
        done = store.load(member.fold, made_by)
        if done is None:
            return None
        found.append(done)
    return found


def _failed(folds_of_task: Sequence[Fold], cause: BaseException) -> WalkForwardError:
    """Name the pair, unless there are several: then the cause does, where it is of one."""
    fold, words = folds_of_task[0], str(cause) or type(cause).__name__
    day = pd.Timestamp(fold.start, unit="s").strftime("%Y-%m-%d")
    if len(folds_of_task) > 1:
        return WalkForwardError(f"fold from {day}: {words}")
    return WalkForwardError(f"{fold.pair}, fold from {day}: {words.removeprefix(f'{fold.pair}: ')}")

"""Walk forward: train before each window, predict it, and keep all predictions in one table.

What stands in the table was predicted by a model that had seen nothing later than the fold's
start, so it is the currency between learning, judging and reports.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from dualwindow.arrays import IntArray
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
from dualwindow.learning.parallel import TaskError, Workers, run_tasks
from dualwindow.learning.record import TrainingRecord
from dualwindow.learning.training import refuse_unusable, train
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, Labelling
from dualwindow.models.classifier import use_threads
from dualwindow.samples.data import TrainingData, TrainingError
from dualwindow.samples.pair_data import PairData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings

RAW = tuple(f"{name}_raw" for name in CLASSES)


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
    # Not the number of the fold, which counts from the beginning of the timerange.
    where = [fold.pair, fold.train_from, fold.start, fold.stop]
    made_from = flatten({**plan_of(settings), "fold": where, "features": pair.feature_names})
    text = json.dumps(made_from, sort_keys=True)
    made_by = digest_arrays([np.frombuffer(text.encode(), dtype=np.uint8), *arrays])
    return Task(fold, data, after, pair.features[b:c], labels, settings, made_by, threads)


def _arrays(candles: Candles) -> tuple[np.ndarray, ...]:
    return candles.date, candles.high, candles.low, candles.close, candles.volume


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
            **dict(zip(CLASSES, prediction.probabilities.T, strict=True)),
            **dict(zip(RAW, prediction.scores.T, strict=True)),
            "label": task.labels,
            "valid": prediction.valid,
            "made_by": pd.Categorical([task.made_by] * n),
        }
    )
    record = artifact.record.model_copy(update={"made_from": {"fold": task.made_by}})
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
    finished: dict[int, Done] = {}
    for i, done, is_new in _all(wanted, store, workers):
        finished[i] = done
        report(Step(wanted[i].fold, done.record, len(wanted) - len(finished), is_new))
    in_order = [finished[i] for i in range(len(wanted))]
    table = _whole_table(wanted, in_order)
    store.finish(table)
    return WalkForward(table, [d.record for d in in_order], [task.fold for task in wanted])


def _whole_table(wanted: Sequence[Task], in_order: Sequence[Done]) -> pd.DataFrame:
    parts = []
    for task, done in zip(wanted, in_order, strict=True):
        part = read_table(done.table).astype({"pair": str, "made_by": str})
        part.insert(2, "fold", np.int32(task.fold.number))
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return table.astype({"pair": "category", "made_by": "category"})


def _all(
    wanted: Sequence[Task], store: Store, workers: Workers
) -> Iterator[tuple[int, Done, bool]]:
    loaded = [store.load(task.fold, task.made_by) for task in wanted]
    yield from ((i, done, False) for i, done in enumerate(loaded) if done is not None)
    left = [i for i, done in enumerate(loaded) if done is None]
    pending = [wanted[i] for i in left]
    for task in pending:  # the earliest fold lacks the most, and is told before any work is done
        try:
            refuse_unusable(task.data, task.settings)
        except TrainingError as error:
            raise _failed(task.fold, error) from error
    threads = max((task.threads for task in pending), default=1)
    try:
        for place, done in run_tasks(run_fold, pending, workers, threads=threads):
            store.save(wanted[left[place]].fold, done)
            yield left[place], done, True
    except TaskError as error:
        cause = error.__cause__ or error
        raise _failed(wanted[left[error.index]].fold, cause) from cause


def _failed(fold: Fold, cause: BaseException) -> WalkForwardError:
    words = str(cause).removeprefix(f"{fold.pair}: ") or type(cause).__name__
    day = pd.Timestamp(fold.start, unit="s").strftime("%Y-%m-%d")
    return WalkForwardError(f"{fold.pair}, fold from {day}: {words}")

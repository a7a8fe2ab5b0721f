"""Walk forward: train before each window and predict it, into a folder from which it goes on."""

import argparse
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from dualwindow.cli import CommandError
from dualwindow.judging.out_of_sample import facts, fold_scores, overall_scores
from dualwindow.judging.three_numbers import baseline_settings
from dualwindow.learning.fold_store import TABLE, Store
from dualwindow.learning.folds import Fold, Schedule
from dualwindow.learning.parallel import Workers
from dualwindow.learning.walk_folder import remember_candles
from dualwindow.learning.walk_forward import (
    Step,
    Task,
    WalkForward,
    refuse_unusable_tasks,
    run,
    tasks,
)
from dualwindow.market.files import write_aside
from dualwindow.market.labels import Labelling
from dualwindow.market.moves import typical_move
from dualwindow.reports.progress import steps
from dualwindow.reports.terminal import walk_forward_table
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_freqtrade.freqai.configuration import Configuration
from dualwindow_trainer.request import configuration_of

BASELINE = "ranges"  # three numbers, which every network has to be better than
_SUMMARY = "summary.json"
TRAIN_DAYS = "train_period_days"  # FreqAI's key for the length of a training
_DAYS = 30.0


def baseline_of(settings: Settings) -> dict[str, Any]:
    """Choose what all others are held against, as a report does, see `baseline_settings`.

    Returns
    -------
    Keys of the block ``freqai`` that make it, whatever is configured for all.
    """
    its = baseline_settings(settings)
    return {
        "model_training_parameters.kind": its.model.kind,
        "feature_parameters.weight_factor": its.weight_factor,
        "dual_window.pooling": its.pooling,
        "dual_window.balancing.method": its.balancing.method,
        "dual_window.calibration": its.calibration,
    }


def days_of(block: Mapping[str, Any]) -> float:
    """Read how many days are trained on from the block ``freqai``; 30 where it does not say.

    Raises
    ------
    CommandError
        If it is no number above 0.
    """
    days = block.get(TRAIN_DAYS, _DAYS)
    if type(days) not in (int, float) or not 0 < days < float("inf"):
        raise CommandError(f"freqai.{TRAIN_DAYS} must be a number above 0. Received: {days!r}")
    return float(days)


def settle_delta(arguments: argparse.Namespace, pairs: Sequence[PairData], start: float) -> None:
    """Judge all by the same labels, where each training would find a delta of its own.

    Its number becomes a setting like the others: the median move of all candles before `start`
    (seconds since 1970 UTC), the first that is predicted.

    Raises
    ------
    CommandError
        If there are none.
    """
    settings = configuration_of(arguments).settings
    if not settings.has_open_delta:
        return
    labelling = Labelling.of(settings)
    moves = np.concatenate([labelling.moves(pair.until(start).candles) for pair in pairs])
    n = int(np.isfinite(moves).sum())
    if n == 0:
        raise CommandError(
            "dual_window.labels.delta 'auto' is the median move of the candles before the "
            "timerange, and there are none; set a number, or begin later"
        )
    delta = typical_move(moves)
    arguments.set = [*arguments.set, f"dual_window.labels.delta={delta!r}"]
    print(
        f"note: delta is {delta:.6f} for all, the median move of the candles before the timerange"
    )


class Planned(NamedTuple):
    """A walk-forward that can begin.

    Parameters
    ----------
    name : that its lines begin with
    tasks : trainings, in the order of time
    settings, schedule : see there
    """

    name: str
    tasks: list[Task]
    settings: Settings
    schedule: Schedule

    @classmethod
    def of(
        cls,
        name: str,
        pairs: Sequence[PairData],
        schedule: Schedule,
        configuration: Configuration,
    ) -> "Planned":
        """Plan every window, and say which are left out.

        Raises
        ------
        FoldError, WalkForwardError
            If there is no window, or a training could not begin.
        """
        settings, threads = configuration.settings, configuration.threads or 1
        wanted, remarks = tasks(pairs, schedule, settings, threads)
        refuse_unusable_tasks(wanted)
        for remark in remarks:
            print(f"note: {name}: {remark}")
        return cls(name, wanted, settings, schedule)

    @property
    def folds(self) -> list[Fold]:
        """All windows."""
        return [member.fold for task in self.tasks for member in task.members]

    def walk(self, folder: Path, n_workers: int, *, tells_found: bool = True) -> WalkForward:
        """Predict every window that is not finished yet, and say so line by line.

        Parameters
        ----------
        folder : of this walk-forward alone
        tells_found : whether windows that are there from an earlier run get a line, too

        Raises
        ------
        WalkForwardError, WorkersDied
            As `run` does.
        """
        store = Store(folder)
        store.begin(self.settings, self.schedule)

        with steps("windows", len(self.folds)) as done:

            def report(step: Step) -> None:
                day = f"{datetime.fromtimestamp(step.fold.start, UTC):%Y-%m-%d}"
                what = f"{self.name}: {step.fold.pair} from {day}"
                if step.is_new:
                    done.advance(line=f"{what}, {step.record.seconds:.1f} s")
                else:
                    done.find(f"{what}, there from an earlier run" if tells_found else "")

            return run(self.tasks, store, Workers(n=n_workers), report)


def keep_datadir(folder: Path, arguments: argparse.Namespace) -> None:
    """Write down where candles were, so that a report on the folder finds them.

    Raises
    ------
    CommandError
        If it cannot be written.
    """
    try:
        remember_candles(folder, arguments.datadir)
    except OSError as error:
        raise CommandError(f"{folder} cannot be written to ({error.strerror})") from error


def summarise(found: WalkForward, folder: Path) -> None:
    """Print what every window was worth, and write it beside the predictions.

    Raises
    ------
    CommandError
        If it cannot be written.
    """
    folds, overall = fold_scores(found), overall_scores(found)
    told = [
        {"pair": fold.pair, "start": fold.start, "stop": fold.stop, **facts(scores)}
        for fold, _, scores in folds
    ]
    summary = {"overall": facts(overall), "folds": told}
    try:
        write_aside(folder / _SUMMARY, json.dumps(summary, indent=1, allow_nan=False).encode())
    except OSError as error:
        raise CommandError(
            f"{folder / _SUMMARY} cannot be written ({error.strerror}); all folds are kept, run "
            "again once it can"
        ) from error
    Console().print(walk_forward_table(folds, overall))
    if (n_others := _n_finished(folder) - len(found.folds)) > 0:
        print(
            f"note: {n_others} window{'' if n_others == 1 else 's'} of earlier runs, of other "
            f"pairs or days, stay in {folder / 'folds'}; {TABLE} holds those of this run alone"
        )
    print(
        f"{len(found.table):,} candles in {folder / TABLE}, what each fold was worth in "
        f"{_SUMMARY}; judge them: dualwindow report --walk-forward {folder}"
    )


def _n_finished(folder: Path) -> int:
    return sum(1 for _ in (folder / "folds").glob("*.json"))

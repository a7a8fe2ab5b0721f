"""Tell from trainings that were made what one more would take."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from dualwindow.judging.planned import Takes
from dualwindow.judging.subject import kind_in_words
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.features import FEATURES
from dualwindow.samples.windows import Rejection
from dualwindow.settings import Settings
from dualwindow_trainer.plan import estimate_of

_RECORDS = "**/*_dualwindow.json"
# How far from their median trainings were seen to be that share everything but the machine's load.
_SPREAD = 1.5
_FORMULA_SPREAD = 3.0  # of a figure measured on another machine, of other candles
_LIKE = 4.0  # a training with so many times more windows, or fewer, tells nothing of this one
_DAY = 86400


def takes(settings: Settings, train_days: float, step: int, n_pairs: int, models: Path) -> Takes:
    """Estimate a training of these settings.

    Parameters
    ----------
    settings : of the configuration
    train_days, step : of the candles, `step` in seconds
    n_pairs : that share a training, where they do
    models : FreqAI's folder, in which records of earlier trainings may lie
    """
    n_shared = n_pairs if settings.pooling == "whitelist" else 1
    n_candles = round(train_days * _DAY / step) * n_shared
    windows = n_shared * _windows(settings, n_candles // n_shared)
    by_formula = estimate_of(settings, windows, n_candles, len(FEATURES))
    taught = windows
    alike = [r for r in _records(models) if _is_alike(r, settings, windows)]
    if alike:
        each = [record.seconds / _thinned_from(record) * windows for record in alike]
        kept = [record.training_windows.total / _thinned_from(record) for record in alike]
        taught = round(statistics.median(kept) * windows)
        least, most = min(each), max(each)
        middle = statistics.median(each)
        plural = "" if len(alike) == 1 else "s"
        basis = f"{len(alike)} earlier training{plural} of these model settings in {models}"
        span = (min(least, middle / _SPREAD), max(most, middle * _SPREAD))
    else:
        middle = by_formula.seconds
        span = (middle / _FORMULA_SPREAD, middle * _FORMULA_SPREAD)
        basis = "speeds measured on two cores of another machine (docs/benchmarks.md)"
    return Takes(
        kind=kind_in_words(settings.model),
        windows=taught,
        history=settings.history,
        seconds=middle,
        least_seconds=span[0],
        most_seconds=span[1],
        memory=by_formula.memory,
        basis=basis,
    )


def _windows(settings: Settings, n_candles: int) -> int:
    """Count the windows of a pair that can be learnt from: whole, with a label before the rest.

    That is, without the first, which have no whole history, and without a horizon before those that
    validate. How many of them balancing leaves out, only labels could say.
    """
    n = round(n_candles * (1 - settings.validation_share))
    return max(0, n - settings.horizon - settings.history + 1) // settings.model.stride


def _records(models: Path) -> Iterator[TrainingRecord]:
    """Read the records that lie there; those of another version, or damaged, tell nothing."""
    for path in sorted(models.glob(_RECORDS)):
        try:
            yield TrainingRecord.from_json(path.read_text())
        except (OSError, UnicodeDecodeError, ValidationError):
            continue


def _thinned_from(record: TrainingRecord) -> int:
    """Count the windows that balancing had to choose from.

    How many it has left out is written down of each pair by itself; those that share a training
    are taken to be alike.
    """
    thinned = record.rejected.get(Rejection.THINNED.value, 0)
    return record.training_windows.total + max(1, len(record.learnt_from)) * thinned


def _is_alike(record: TrainingRecord, settings: Settings, windows: int) -> bool:
    n = _thinned_from(record)
    mine, its = (
        (each.history, each.balancing, each.model.model_copy(update={"seed": 0}))
        for each in (settings, record.settings)
    )
    is_same = mine == its and not record.left_out
    return is_same and n > 0 and windows / _LIKE <= n <= windows * _LIKE

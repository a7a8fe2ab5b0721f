"""Tell from trainings that were made what one more would take."""

import statistics
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from dualwindow.judging.planned import Takes
from dualwindow.learning.record import TrainingRecord
from dualwindow.market.features import FEATURES
from dualwindow.settings import EnsembleSettings, Settings
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
    kind: str = settings.model.kind
    if isinstance(settings.model, EnsembleSettings):
        kind = f"ensemble of {' and '.join(m.kind for m in settings.model.members)}"
    alike = [r for r in _records(models) if _is_alike(r, settings, windows)]
    if alike:
        each = [record.seconds / record.training_windows.total * windows for record in alike]
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
        kind=kind,
        windows=windows,
        history=settings.history,
        seconds=middle,
        least_seconds=span[0],
        most_seconds=span[1],
        memory=by_formula.memory,
        basis=basis,
    )


def _windows(settings: Settings, n_candles: int) -> int:
    """Count the windows of a pair that are learnt from: whole, with a label known before the rest.

    That is, without the first, which have no whole history, and without a horizon before those that
    validate.
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


def _is_alike(record: TrainingRecord, settings: Settings, windows: int) -> bool:
    n = record.training_windows.total
    mine, its = (
        (each.history, each.model.model_copy(update={"seed": 0}))
        for each in (settings, record.settings)
    )
    same = mine == its
    return same and n > 0 and windows / _LIKE <= n <= windows * _LIKE

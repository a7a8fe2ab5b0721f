"""See whether trainings keep up, and whether memory and disk suffice for them."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from dualwindow.learning.record import TrainingRecord
from dualwindow.market.candle_files import seconds
from dualwindow.market.features import FEATURES
from dualwindow.settings import Settings
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import Row, State, passed, refused
from dualwindow_freqtrade.freqai.feature_pipeline import refuse_large_dissimilarity
from dualwindow_freqtrade.freqai.names import ALL_TRAININGS, REPORT_FILE
from dualwindow_freqtrade.freqai.sources import shown
from dualwindow_freqtrade.live.pace import Pace
from dualwindow_trainer.plan import estimate_of

_DAY = 86400
_LEAST_FREE, _LITTLE_FREE = 0.2e9, 2e9  # bytes of disk
_RECORDS = 20  # the newest, of which the pace is taken


def records_of(folder: Path) -> list[TrainingRecord]:
    """Read the records of the newest trainings under an identifier; none that cannot be read."""
    found = sorted(
        folder.glob(f"{ALL_TRAININGS}/*{REPORT_FILE}"), key=lambda path: path.stat().st_mtime
    )
    records = []
    for path in found[-_RECORDS:]:
        try:
            records.append(TrainingRecord.from_json(path.read_text()))
        except (OSError, ValueError):  # of an earlier version
            continue
    return records


def look_at_pace(patient: Patient) -> Iterator[Row]:
    """See whether retraining keeps up with the number of pairs, as the bot will."""
    topic, freqai = "retraining", patient.freqai
    hours = freqai.get("live_retrain_hours", 0)
    records = records_of(patient.folder)
    if not records:
        yield passed(topic, f"every {hours:g} hours live; nothing was trained here yet to tell by")
        return
    pace = Pace.of(freqai)
    pace.take([record.seconds for record in records], len(patient.pairs))
    facts = pace.facts()
    if trouble := facts["falls_behind"]:
        fix = "raise these hours, take fewer pairs, or a faster preset"
        yield Row(topic, State.FAIL, f"it falls behind: {trouble}", fix)
        return
    one = facts["seconds_per_training"]
    yield passed(topic, f"{one:g} s a training of before, due every {hours:g} hours: it keeps up")


def look_at_memory(patient: Patient) -> Iterator[Row]:
    """Hold what a training takes against what is free."""
    topic, settings = "memory", patient.model.settings
    n_pairs = len(patient.pairs) if settings.pooling == "whitelist" else 1
    step = seconds(patient.config["timeframe"])
    n_candles = int(patient.freqai["train_period_days"] * _DAY / step)
    needed, free = _estimated(settings, n_candles * n_pairs), psutil.virtual_memory().available
    told = f"a training takes about {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free"
    if needed > free:
        fix = "fewer pairs, shorter freqai.train_period_days, or more memory"
        yield Row(topic, State.FAIL, told, fix)
    else:
        yield passed(topic, told)
    if patient.freqai.get("feature_parameters", {}).get("DI_threshold"):
        n_rows = int(n_candles * (1 - settings.validation_share))
        yield from refused(topic, MemoryError, lambda: refuse_large_dissimilarity(n_rows))


def _estimated(settings: Settings, n_candles: int) -> float:
    n_windows = n_candles // settings.model.stride
    return estimate_of(settings, n_windows, n_candles, len(FEATURES)).memory


def look_at_disk(patient: Patient) -> Iterator[Row]:
    """Hold what models take against what is free."""
    topic, place = "disk", _first_there(patient.user_data)
    free = shutil.disk_usage(place).free
    told = f"{free / 1e9:.1f} GB free at {shown(place)}"
    growth = _growth(patient)
    if growth:
        told += f"; models grow by {growth / 1e6:.1f} MB a day"
    if free < _LEAST_FREE:
        yield Row(topic, State.FAIL, told, "make room: predictions and models could not be kept")
    elif free < max(_LITTLE_FREE, 30 * growth):
        fix = "make room, or set freqai.purge_old_models to 2, which keeps two of each coin"
        yield Row(topic, State.WARN, told, fix)
    else:
        yield passed(topic, told)


def _growth(patient: Patient) -> float:
    """Bytes that a day of trading adds for ever; 0 where old models are purged, or unknown."""
    freqai = patient.freqai
    hours, kept = freqai.get("live_retrain_hours", 0), freqai.get("purge_old_models", 2)
    folders = sorted(patient.folder.glob(ALL_TRAININGS), key=lambda path: path.stat().st_mtime)
    if kept or not folders:
        return 0.0
    files = (path for path in folders[-1].rglob("*") if path.is_file())
    one = sum(path.stat().st_size for path in files)
    every = max(3600 * hours, 1.0 + _seconds_of(patient))
    return one * len(patient.pairs) * _DAY / every


def _seconds_of(patient: Patient) -> float:
    records = records_of(patient.folder)
    return records[-1].seconds * len(patient.pairs) if records else 60.0


def _first_there(path: Path) -> Path:
    """Find the folder itself, or the nearest one above it that is there."""
    absolute = path.resolve()
    return next(each for each in (absolute, *absolute.parents) if each.is_dir())

"""Run all checks, of which none hides another."""

import logging
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from dualwindow_freqtrade.doctor import (
    candles,
    device,
    machine,
    markets,
    models,
    packages,
    reading,
    resources,
    starting,
)
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import NotThereError, Row, State

Check = Callable[[Patient], Iterable[Row]]
# By the topic that a check has where it cannot be made; in this order they are told.
CHECKS: dict[str, Check] = {
    "configuration": reading.look_at_files,
    "model": reading.look_at_model,
    "strategy": starting.look_at_strategy,
    "settings": reading.put_into_words,
    "pairs": reading.look_at_pairs,
    "exchange": markets.look_at_exchange,
    "start": starting.look_at_start,
    "REST API": starting.look_at_rest_api,
    "candles": candles.look_at_candles,
    "retraining": resources.look_at_pace,
    "saved models": models.look_at_models,
    "backtest cache": models.look_at_cache,
    "running bot": models.look_for_bot,
    "memory": resources.look_at_memory,
    "disk": resources.look_at_disk,
    "folders": machine.look_at_folders,
    "clock": machine.look_at_clock,
    "packages": packages.look_at_packages,
    "device": device.look_at_device,
    "threads": device.look_at_threads,
}


def examine(words: Sequence[str], now: float) -> list[Row]:
    """Look at all there is.

    Parameters
    ----------
    words : options as for ``freqtrade backtesting``
    now : seconds since 1970 UTC
    """
    logging.disable(logging.CRITICAL)  # what matters becomes a row
    try:
        with tempfile.TemporaryDirectory() as apart:
            patient = Patient(words, now, Path(apart))
            try:
                return list(_all(patient))
            finally:
                patient.close()
    finally:
        logging.disable(logging.NOTSET)


def _all(patient: Patient) -> Iterator[Row]:
    without: dict[str, list[str]] = {}
    for topic, check in CHECKS.items():
        try:
            yield from check(patient)
        except NotThereError as reason:
            without.setdefault(str(reason), []).append(topic)
        except Exception as error:  # one that cannot be made must not hide the others
            yield Row(
                topic,
                State.FAIL,
                f"it cannot be looked at: {type(error).__name__}: {error}",
                "look at what the configuration and its files have of it",
            )
    for why, topics in without.items():
        told = f"{', '.join(topics)}: {why}"
        yield Row("not looked at", State.WARN, told, "mend what fails above, and run again")

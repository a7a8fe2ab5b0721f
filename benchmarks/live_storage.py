"""Measure what live predictions of many pairs cost on the disk and in memory."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import psutil
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from pandas import DataFrame

from benchmarks.live_faults import Goal
from dualwindow_freqtrade.freqai.names import (
    COLUMNS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    OLDER_PREDICTIONS,
    PRICES,
    STORED_PREDICTIONS,
    TARGET,
    TRAINED_AT,
)
from dualwindow_freqtrade.live.drawer import CANDLES_AT_ONCE, take_over
from dualwindow_freqtrade.live.folder import repair_folder
from dualwindow_freqtrade.live.stored_predictions import LEAST_OLDER
from harness.freqai_run import live_configuration

START = pd.Timestamp("2026-10-01", tz="UTC")
MIB = 2**20


def made_up(n: int, seed: int) -> DataFrame:
    """Predictions of n minutes of one pair, as FreqAI keeps them."""
    rng = np.random.default_rng(seed)
    rows = DataFrame(rng.random((n, len(COLUMNS))), columns=list(COLUMNS))
    rows.insert(0, TARGET, rng.choice(["SHORT", "HOLD", "LONG"], n).astype(object))
    for name in COLUMNS:
        rows[f"{name}_mean"], rows[f"{name}_std"] = 0.3, 0.4
    rows[list(PRICES)] = 100 + np.round(rng.normal(0, 0.01, (n, len(PRICES))).cumsum(0), 2)
    rows[DO_PREDICT], rows[TRAINED_AT] = 1.0, 1.79e9
    rows[DATE_OF_PREDICTION] = dates(0, n)
    return rows


def dates(first: int, n: int) -> pd.DatetimeIndex:
    return pd.date_range(START + pd.Timedelta(minutes=first), periods=n, freq="1min").as_unit("ms")


def store_as_before(path: Path, pairs: list[str], n: int) -> None:
    """Write what a bot had stored before older predictions had files of their own."""
    with path.open("wb") as file:
        cloudpickle.dump({pair: made_up(n, seed) for seed, pair in enumerate(pairs)}, file)


def predict(drawer: FreqaiDataDrawer, pairs: list[str], minute: int, n: int) -> float:
    """Hand FreqAI a candle of each pair, with n candles in the strategy's frame; milliseconds."""
    statistics = dict.fromkeys(COLUMNS, 0.5)
    facts = {"labels_mean": statistics, "labels_std": statistics}
    dk = SimpleNamespace(data=facts | {"extra_returns_per_train": {TRAINED_AT: 1.79e9}})
    row = DataFrame({TARGET: ["LONG"], **dict.fromkeys(COLUMNS, 0.5)}, index=[0])
    prices = dict.fromkeys(("high", "low", "close"), 1.0)
    candles = DataFrame({"date": dates(minute - n + 1, n), **prices})
    began = time.perf_counter()
    for pair in pairs:
        drawer.append_model_predictions(pair, row, np.ones(1, np.int_), dk, candles)
    return (time.perf_counter() - began) / len(pairs) * 1000


def used(folder: Path, n: int) -> dict[str, float]:
    """Start on what is stored, hand FreqAI two candles with n of them in a frame, and save."""
    # So that as many rows are in memory as there ever are.
    least = {"startup_candle_count": n + LEAST_OLDER - 2 - CANDLES_AT_ONCE}
    process, config = psutil.Process(), live_configuration(folder) | least
    models, rss = folder / "models" / "test", process.memory_info().rss
    found = {"mb_of_before": (models / STORED_PREDICTIONS).stat().st_size / 1e6}
    began = time.perf_counter()
    repair_folder(models)
    drawer = FreqaiDataDrawer(models, config)
    take_over(drawer)
    found |= {"seconds_to_start": time.perf_counter() - began}
    found |= {"mib_after_start": (process.memory_info().rss - rss) / MIB}
    older = models.glob(f"{OLDER_PREDICTIONS}/*/*")
    found |= {"mb_of_older": sum(path.stat().st_size for path in older) / 1e6}
    pairs = list(drawer.historic_predictions)
    last = drawer.historic_predictions[pairs[0]][DATE_OF_PREDICTION].iloc[-1]
    minute = int((last - START) / pd.Timedelta("1min"))
    found |= {"ms_per_candle": predict(drawer, pairs, minute + 1, n)}
    written, began = process.io_counters().write_chars, time.perf_counter()
    drawer.save_historic_predictions_to_disk()
    found |= {"mb_written": (process.io_counters().write_chars - written) / 1e6}
    found |= {"seconds_to_save": time.perf_counter() - began}
    found |= {"mib_after_save": (process.memory_info().rss - rss) / MIB}
    found |= {"ms_per_candle_with_a_file": predict(drawer, pairs, minute + 2, n)}
    return found | {"mib_after_files": (process.memory_info().rss - rss) / MIB}


def storage(folder: Path, n_pairs: int = 100, days: int = 30) -> tuple[dict[str, Any], list[Goal]]:
    """Start on a month of predictions in FreqAI's own file, then predict and save."""
    pairs, found = [f"C{i}/USDT:USDT" for i in range(n_pairs)], {}
    # A process of its own for each, so that memory is counted from the same beginning.
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, max_tasks_per_child=1) as processes:
        for n in (1000, 1500):
            place = folder / str(n)
            models = place / "models" / "test"
            models.mkdir(parents=True)
            task = (models / STORED_PREDICTIONS, pairs, 1440 * days)
            processes.submit(store_as_before, *task).result()
            found[f"{n} candles"] = processes.submit(used, place, n).result()
    mb = max(facts["mb_written"] for facts in found.values())
    mib = max(v for facts in found.values() for k, v in facts.items() if k.startswith("mib_after"))
    what = f"{n_pairs} pairs, {days} days of stored predictions"
    return found, [
        (f"{what}: written per training", f"{mb:.1f} MB", mb < 50),
        (f"{what}: memory", f"{mib:+.0f} MiB", mib < 200),
    ]

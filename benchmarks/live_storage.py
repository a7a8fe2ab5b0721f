"""Measure what live predictions of many pairs cost on the disk and in memory."""

import multiprocessing
import time
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
from dualwindow_freqtrade.freqai_names import (
    COLUMNS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    OLDER_PREDICTIONS,
    PRICES,
    STORED_PREDICTIONS,
    TARGET,
    TRAINED_AT,
)
from dualwindow_freqtrade.live_drawer import take_over
from dualwindow_freqtrade.live_folder import repair_folder
from dualwindow_freqtrade.stored_predictions import LEAST_OLDER
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


def storage(folder: Path, n_pairs: int = 100, days: int = 30) -> tuple[dict[str, Any], list[Goal]]:
    """Start on a month of predictions in FreqAI's own file, then predict and save."""
    models, last = folder / "models" / "test", 1440 * days - 1
    models.mkdir(parents=True)
    pairs = [f"C{i}/USDT:USDT" for i in range(n_pairs)]
    path = models / STORED_PREDICTIONS
    # In a process of its own, whose memory is not counted.
    task = (path, pairs, last + 1)
    child = multiprocessing.get_context("spawn").Process(target=store_as_before, args=task)
    child.start()
    child.join()
    process, config = psutil.Process(), live_configuration(folder)
    rss, before = process.memory_info().rss, path.stat().st_size
    began = time.perf_counter()
    repair_folder(models)
    drawer = FreqaiDataDrawer(models, config)
    take_over(drawer)
    found: dict[str, Any] = {
        "pairs": n_pairs,
        "mb_of_before": before / 1e6,
        "start_seconds": time.perf_counter() - began,
        "start_rss_mib": (process.memory_info().rss - rss) / MIB,
        "mb_of_older": sum(p.stat().st_size for p in models.glob(f"{OLDER_PREDICTIONS}/*/*")) / 1e6,
    }
    for n in (1000, 1500):
        for pair in pairs:
            drawer.historic_predictions[pair] = made_up(n + LEAST_OLDER - 2, 0)
        plain = predict(drawer, pairs, n + LEAST_OLDER - 2, n)  # as many as there ever are
        written, began = process.io_counters().write_chars, time.perf_counter()
        drawer.save_historic_predictions_to_disk()
        found[f"candles {n}"] = {
            "mb_written": (process.io_counters().write_chars - written) / 1e6,
            "seconds": time.perf_counter() - began,
            "rss_mib": (process.memory_info().rss - rss) / MIB,
            "ms_per_candle": plain,
            "ms_per_candle_with_a_file": predict(drawer, pairs, n + LEAST_OLDER - 1, n),
        }
    most = found["candles 1500"]
    mb, mib = most["mb_written"], max(most["rss_mib"], found["start_rss_mib"])
    what = f"stored predictions of {n_pairs} pairs and {days} days"
    return found, [
        (f"{what}: written per training", f"{mb:.1f} MB", mb < 50),
        (f"{what}: memory", f"{mib:+.0f} MiB", mib < 200),
    ]

"""Measure the core's speed and memory: ``make bench`` prints a table and writes JSON.

Each measurement runs in a process of its own, one after the other; nothing else should run
meanwhile. The memory of 500,000 windows takes one whole epoch: half an hour on two cores.
"""

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from datasieve.pipeline import Pipeline
from datasieve.transforms import SKLearnWrapper
from rich.console import Console
from rich.table import Table
from sklearn.preprocessing import StandardScaler

from dualwindow.learning.training import TrainingData, train
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES
from dualwindow.market.labels import CLASSES, RULES, UNKNOWN, Barriers, Labelling
from dualwindow.settings import Settings, TrainingSettings

HISTORY, HORIZON = 180, 120
RESULTS = Path(__file__).parent / "results" / "bench.json"


def random_candles(n: int) -> Candles:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 5e-4, n)))
    spread = 1 + np.abs(rng.normal(0, 3e-4, (2, n)))
    volume = rng.gamma(2.0, 1.0, n)
    return Candles(np.arange(n) * 60, close * spread[0], close / spread[1], close, volume, 60)


def training_data(n: int) -> TrainingData:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, len(CLASSES), n).astype(np.int8)
    labels[-HORIZON:] = UNKNOWN
    features = rng.normal(size=(n, len(FEATURES)))
    return TrainingData("BENCH/USDT", random_candles(n), features, FEATURES, labels)


def settings(test_size: float) -> Settings:
    return Settings.from_freqai(
        {
            "conv_width": HISTORY,
            "feature_parameters": {"label_period_candles": HORIZON},
            "data_split_parameters": {"test_size": test_size},
            "model_training_parameters": {"epochs": 1, "stride": 1, "batch_size": 256},
        }
    )


def pipeline() -> Pipeline:
    return Pipeline([("scaler", SKLearnWrapper(StandardScaler()))])


def labels_per_second(rule: str) -> float:
    """Candles labelled per second on one core, median of five runs over two million."""
    candles = random_candles(2_000_000)
    labelling = Labelling(RULES[rule], Barriers(0.01, 0.005, 0.01, 0.005), HORIZON, 15)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        labelling.label(candles)
        seconds.append(time.perf_counter() - began)
    return len(candles) / statistics.median(seconds)


def peak_memory_gb() -> float:
    """Peak resident memory of this process while it trains on 500,000 windows of 180 x 8."""
    n = round((500_000 + HISTORY - 1 + HORIZON) / 0.98) + 1
    artifact = train(training_data(n), settings(test_size=0.02), pipeline())
    trained = sum(artifact.metadata["training_windows"].values())
    assert trained >= 500_000, trained
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def growth_per_training_mb() -> float:
    """Resident memory gained per training from the fifth to the thirtieth, in one process."""
    resident = []
    for i in range(30):
        data = training_data(1500)
        artifact = train(data, settings(test_size=0.3), pipeline())
        artifact.predict(data.candles, data.features)
        gc.collect()
        resident.append(psutil.Process().memory_info().rss)
        print(f"training {i + 1}: {resident[-1] / 1e6:.1f} MB", file=sys.stderr)
    return (resident[29] - resident[4]) / 25 / 1e6


def throughput_ratio() -> float:
    """Windows per second of our training over those of plain Keras fed with ready-made arrays.

    Both train the same network on the same 2,560 windows, turn by turn, five times each after a
    first run that traces; the ratio is that of the medians.
    """
    import keras

    from dualwindow.models import network
    from dualwindow.samples.windows import gather

    n, options = 2560, TrainingSettings(epochs=1, batch_size=256)
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(n + HISTORY, len(FEATURES))).astype(np.float32)
    ends = np.arange(HISTORY - 1, HISTORY - 1 + n)
    labels = rng.integers(0, len(CLASSES), n)
    shape = network.Shape(
        HISTORY,
        len(FEATURES),
        options.lstm_units,
        options.dense_units,
        options.dropout,
        options.feature_dropout,
    )
    samples = network.Samples(rows, ends, labels, np.ones(n))
    check = network.Samples(rows, ends[:256], labels[:256], np.ones(256))

    plain = network._build(shape, seed=0)
    plain.compile(
        optimizer=keras.optimizers.Adam(use_ema=True), loss="sparse_categorical_crossentropy"
    )
    ready = gather(rows, ends, HISTORY)
    keras.utils.set_random_seed(0)

    def ours() -> None:
        network.fit(shape, samples, check, options)

    def theirs() -> None:
        plain.fit(
            ready,
            labels,
            sample_weight=np.ones(n),
            batch_size=options.batch_size,
            validation_data=(ready[:256], labels[:256]),
            verbose=0,
        )

    seconds: dict[Callable[[], None], list[float]] = {ours: [], theirs: []}
    for turn in range(6):
        for run, measured in seconds.items():
            began = time.perf_counter()
            run()
            if turn > 0:
                measured.append(time.perf_counter() - began)
    print({run.__name__: [round(s, 2) for s in t] for run, t in seconds.items()}, file=sys.stderr)
    return statistics.median(seconds[theirs]) / statistics.median(seconds[ours])


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What is measured, and the bound it has to keep."""

    what: str
    unit: str
    measure: Callable[[], float]
    at_least: float | None = None
    below: float | None = None

    @property
    def target(self) -> str:
        return f">= {self.at_least:,.3g}" if self.at_least is not None else f"< {self.below:,.3g}"

    def reached(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (
            self.below is None or value < self.below
        )


MEASUREMENTS = {
    "labels_exclusive": Measurement(
        what="labels, exclusive, one core",
        unit="candles/s",
        measure=lambda: labels_per_second("exclusive"),
        at_least=5e6,
    ),
    "labels_first_touch": Measurement(
        what="labels, first_touch, one core",
        unit="candles/s",
        measure=lambda: labels_per_second("first_touch"),
        at_least=2e6,
    ),
    "throughput": Measurement(
        what="training throughput over plain Keras",
        unit="",
        measure=throughput_ratio,
        at_least=0.95,
    ),
    "growth": Measurement(
        what="memory growth per training, 5th to 30th",
        unit="MB",
        measure=growth_per_training_mb,
        below=1.0,
    ),
    "peak_memory": Measurement(
        what="peak memory, 500,000 windows of 180 x 8",
        unit="GB",
        measure=peak_memory_gb,
        below=1.5,
    ),
}


def measure_apart(name: str) -> float:
    command = [sys.executable, "-W", "ignore", __file__, "--one", name]
    # One core for the labels, as their numbers are stated; the others use what there is.
    cores = {next(iter(os.sched_getaffinity(0)))} if name.startswith("labels") else None
    result = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )
    return float(result.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", choices=MEASUREMENTS, help="measure one, in this process")
    parser.add_argument("--only", choices=MEASUREMENTS, nargs="+", default=list(MEASUREMENTS))
    arguments = parser.parse_args()
    if arguments.one:
        print(MEASUREMENTS[arguments.one].measure())
        return 0
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    table = Table("measurement", "value", "target", "reached", title=f"{os.cpu_count()} cores")
    RESULTS.parent.mkdir(exist_ok=True)
    for name in arguments.only:
        measurement = MEASUREMENTS[name]
        value = measure_apart(name)
        reached = measurement.reached(value)
        results[name] = {"value": value, "unit": measurement.unit, "reached": reached}
        RESULTS.write_text(json.dumps(results, indent=1))
        table.add_row(
            measurement.what,
            f"{value:,.3g} {measurement.unit}",
            measurement.target,
            "yes" if reached else "NO",
        )
    Console(width=100).print(table)
    return 0 if all(results[name]["reached"] for name in arguments.only) else 1


if __name__ == "__main__":
    raise SystemExit(main())

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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from dualwindow.learning.training import train
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.market.summaries import summaries
from dualwindow.models.classifier import Hooks, make_classifier
from dualwindow.samples.data import Rows, Samples, TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.samples.windows import gather
from dualwindow.settings import LabelSettings, LstmSettings, Settings, spans_of
from harness.places import ROOT

HISTORY, HORIZON = 180, 120
NETWORK = LstmSettings(epochs=1, stride=1, batch_size=256)
DEEP = {"lstm_units": (128, 64, 32), "candles_per_step": 1, "spans": ()}
DEEP_NETWORK = NETWORK.model_copy(update=DEEP)  # what it was before, and what others publish
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


def settings(validation_share: float) -> Settings:
    return Settings(
        history=HISTORY,
        horizon=HORIZON,
        validation_share=validation_share,
        model=NETWORK,
    )


def labels_per_second(rule: str, n: int) -> float:
    """Candles labelled per second on one core, median of five runs over n of them."""
    candles = random_candles(n)
    labelling = Labelling.of(Settings(horizon=HORIZON, labels=LabelSettings(rule=rule)))
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        labelling.label(candles)
        seconds.append(time.perf_counter() - began)
    return n / statistics.median(seconds)


def peak_memory_gb(n_windows: int) -> float:
    """Peak resident memory of this process while it trains on windows of 180 x 8."""
    n = round((n_windows + HISTORY - 1 + HORIZON) / 0.98) + 1
    artifact = train(training_data(n), settings(0.02), FeatureScaler("standard"))
    trained = artifact.record.training_windows.total
    assert trained >= n_windows, trained
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def growth_per_training_mb(n_trainings: int) -> float:
    """Resident memory gained per training from the fifth to the last, in one process."""
    resident = []
    for i in range(n_trainings):
        data = training_data(1500)
        artifact = train(data, settings(0.3), FeatureScaler("standard"))
        artifact.predict(data.candles, data.features)
        gc.collect()
        resident.append(psutil.Process().memory_info().rss)
        print(f"training {i + 1}: {resident[-1] / 1e6:.1f} MB", file=sys.stderr)
    return (resident[-1] - resident[4]) / (n_trainings - 5) / 1e6


def throughput_ratio(n: int, *, is_deep: bool = False) -> float:
    """Windows per second of our training over those of plain Keras fed with ready-made arrays.

    Both train the same network on the same n windows, turn by turn, five times each after a first
    run that traces; the ratio is that of the medians.
    """
    rng = np.random.default_rng(2)
    features = rng.normal(size=(n + HISTORY, len(FEATURES))).astype(np.float32)
    rows = Rows(features, random_candles(n + HISTORY))
    ends = np.arange(HISTORY - 1, HISTORY - 1 + n)
    training = Samples(rows, ends, rng.integers(0, len(CLASSES), n), np.ones(n))
    first = slice(256)
    check = Samples(rows, ends[first], training.labels[first], training.weights[first])
    network = DEEP_NETWORK if is_deep else NETWORK
    classifier = make_classifier(network, HISTORY, len(FEATURES))
    plain = plain_keras(classifier.network)
    ready = [gather(rows.features, ends, HISTORY)]
    if spans := spans_of(network.spans, HISTORY):
        ready.append(summaries(rows.candles, ends, spans).astype(np.float32))

    def ours() -> None:
        classifier.fit(training, check, None, Hooks())

    def theirs() -> None:
        plain.fit(
            ready if len(ready) > 1 else ready[0],
            training.labels,
            sample_weight=training.weights,
            batch_size=network.batch_size,
            validation_data=(
                [part[first] for part in ready] if len(ready) > 1 else ready[0][first],
                check.labels,
            ),
            verbose=0,
        )

    return ratio_of_medians(theirs, ours)


def plain_keras(network: Any) -> Any:
    """Compile the same layers as Keras' users do."""
    import keras

    plain = network.build(0)
    plain.compile(
        optimizer=keras.optimizers.Adam(use_ema=True), loss="sparse_categorical_crossentropy"
    )
    keras.utils.set_random_seed(0)
    return plain


def ratio_of_medians(first: Callable[[], None], second: Callable[[], None]) -> float:
    """Run both turn by turn; return the median time of the first over that of the second."""
    seconds: dict[Callable[[], None], list[float]] = {second: [], first: []}
    for turn in range(6):
        for run, measured in seconds.items():
            began = time.perf_counter()
            run()
            if turn > 0:
                measured.append(time.perf_counter() - began)
    print({run.__name__: [round(s, 2) for s in t] for run, t in seconds.items()}, file=sys.stderr)
    return statistics.median(seconds[first]) / statistics.median(seconds[second])


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What is measured, of which size, and the bound that it has to keep."""

    what: str
    unit: str
    measure: Callable[[int], float]
    size: int
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
        measure=partial(labels_per_second, "exclusive"),
        size=2_000_000,
        at_least=5e6,
    ),
    "labels_first_touch": Measurement(
        what="labels, first_touch, one core",
        unit="candles/s",
        measure=partial(labels_per_second, "first_touch"),
        size=2_000_000,
        at_least=2e6,
    ),
    "throughput": Measurement(
        what="training throughput over plain Keras, default network",
        unit="",
        measure=throughput_ratio,
        size=25_600,
        at_least=1.2,
    ),
    "throughput_deep": Measurement(
        what="training throughput over plain Keras, 128-64-32 on 180 steps",
        unit="",
        measure=partial(throughput_ratio, is_deep=True),
        size=2560,
        at_least=1.2,
    ),
    "growth": Measurement(
        what="memory growth per training, 5th to 30th",
        unit="MB",
        measure=growth_per_training_mb,
        size=30,
        below=1.0,
    ),
    "peak_memory": Measurement(
        what="peak memory, 500,000 windows of 180 x 8",
        unit="GB",
        measure=peak_memory_gb,
        size=500_000,
        below=1.5,
    ),
}


def measure_apart(name: str, size: int) -> float:
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.bench", "--one", name]
    command += ["--size", str(size)]
    # One core for the labels, as their numbers are stated; the others use what there is.
    cores = {next(iter(os.sched_getaffinity(0)))} if name.startswith("labels") else None
    result = subprocess.run(
        command,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, cores)) if cores else None,
    )
    return float(result.stdout.splitlines()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", choices=MEASUREMENTS, help="measure one, in this process")
    parser.add_argument("--size", type=int, help="to try it out: smaller than what is promised")
    parser.add_argument("--only", choices=MEASUREMENTS, nargs="+", default=list(MEASUREMENTS))
    arguments = parser.parse_args()
    if arguments.one:
        measurement = MEASUREMENTS[arguments.one]
        print(measurement.measure(arguments.size or measurement.size))
        return 0
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    table = Table("measurement", "value", "target", "reached", title=f"{os.cpu_count()} cores")
    RESULTS.parent.mkdir(exist_ok=True)
    for name in arguments.only:
        measurement = MEASUREMENTS[name]
        size = arguments.size or measurement.size
        value = measure_apart(name, size)
        reached = measurement.reached(value)
        unit = measurement.unit
        results[name] = {"value": value, "unit": unit, "size": size, "reached": reached}
        RESULTS.write_text(json.dumps(results, indent=1))
        table.add_row(
            measurement.what,
            f"{value:,.3g} {unit}",
            measurement.target,
            "yes" if reached else "NO",
        )
    Console(width=100).print(table)
    return 0 if all(results[name]["reached"] for name in arguments.only) else 1


if __name__ == "__main__":
    raise SystemExit(main())

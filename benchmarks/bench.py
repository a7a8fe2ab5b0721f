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
from importlib.util import find_spec
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks import bench_workloads as workloads
from benchmarks.bench_peers import throughput_ratio, torch_ratio
from benchmarks.bench_scaling import exponent_of_time, product_share
from dualwindow.learning.training import train
from dualwindow.market.labels import Labelling
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import LabelSettings, Settings
from harness.places import ROOT

RESULTS = Path(__file__).parent / "results" / "bench.json"


def labels_per_second(rule: str, n: int) -> float:
    """Candles labelled per second on one core, median of five runs over n of them."""
    candles = workloads.random_candles(n)
    labelling = Labelling.of(Settings(horizon=workloads.HORIZON, labels=LabelSettings(rule=rule)))
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        labelling.label(candles)
        seconds.append(time.perf_counter() - began)
    return n / statistics.median(seconds)


def peak_memory_gb(n_windows: int) -> float:
    """Peak resident memory of this process while it trains on windows of 180 x 8."""
    n = round((n_windows + workloads.HISTORY - 1 + workloads.HORIZON) / 0.98) + 1
    artifact = train(
        workloads.training_data(n), workloads.settings(0.02), FeatureScaler("standard")
    )
    trained = artifact.record.training_windows.total
    assert trained >= n_windows, trained
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def growth_per_training_mb(n_trainings: int) -> float:
    """Resident memory gained per training from the fifth to the last, in one process."""
    resident = []
    for i in range(n_trainings):
        data = workloads.training_data(1500)
        artifact = train(data, workloads.settings(0.3), FeatureScaler("standard"))
        artifact.predict(data.candles, data.features)
        gc.collect()
        resident.append(psutil.Process().memory_info().rss)
        print(f"training {i + 1}: {resident[-1] / 1e6:.1f} MB", file=sys.stderr)
    return (resident[-1] - resident[4]) / (n_trainings - 5) / 1e6


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What is measured, of which size, and the bound that it has to keep."""

    what: str
    unit: str
    measure: Callable[[int], float]
    size: int
    at_least: float | None = None
    below: float | None = None
    needs: str | None = None  # a package that is no dependency, without which it is left out

    @property
    def is_possible(self) -> bool:
        return self.needs is None or find_spec(self.needs) is not None

    @property
    def target(self) -> str:
        if self.at_least is None and self.below is None:
            return "none"
        return f">= {self.at_least:,.3g}" if self.at_least is not None else f"< {self.below:,.3g}"

    def reached(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (
            self.below is None or value < self.below
        )


NETWORKS = {
    "lstm": "default network",
    "deep": "128-64-32 on 180 steps",
    "gru": "gru",
    "bilstm": "bilstm",
    "dlstm": "dlstm",
}
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
    **{
        f"throughput_{name}": Measurement(
            what=f"training throughput over plain Keras, {told}",
            unit="",
            measure=partial(throughput_ratio, name=name),
            size=2560 if name == "deep" else 25_600,
            at_least=1.2 if name in ("lstm", "deep") else 1.0,
        )
        for name, told in NETWORKS.items()
    },
    **{
        f"torch_{name}": Measurement(
            what=f"training throughput over PyTorch, {told}",
            unit="",
            measure=partial(torch_ratio, name=name),
            size=2560 if name == "deep" else 25_600,
            at_least=1.0,
            needs="torch",
        )
        for name, told in NETWORKS.items()
    },
    "products": Measurement(
        what="share of the machine's matrix products in training, default network",
        unit="",
        measure=product_share,
        size=25_600,
    ),
    "products_deep": Measurement(
        what="share of the machine's matrix products in training, 128-64-32",
        unit="",
        measure=partial(product_share, is_deep=True),
        size=2560,
    ),
    "exponent": Measurement(
        what="exponent of time against candles, 50,000 to 800,000",
        unit="",
        measure=exponent_of_time,
        size=800_000,
        below=1.05,
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
        if not measurement.is_possible:
            table.add_row(measurement.what, f"needs {measurement.needs}", measurement.target, "-")
            continue
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
    measured = [name for name in arguments.only if MEASUREMENTS[name].is_possible]
    return 0 if all(results[name]["reached"] for name in measured) else 1


if __name__ == "__main__":
    raise SystemExit(main())

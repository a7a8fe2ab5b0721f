"""Measure ``dualwindow plan``: ``make bench-plan`` prints a table and writes JSON.

The command is run as a person runs it, in a process of its own on a file of candles: start, files,
labels, times, independent moves, three numbers, table and page are all in. What else runs on the
machine shows in the wall clock; the processors' seconds tell what the command itself takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers, Labelling, exclusive
from harness.places import PROGRAMS, ROOT

RESULTS = Path(__file__).parent / "results" / "plan.json"
GRID = ["--take-profit", "0.005", "0.0075", "0.01", "0.015", "0.02"]
GRID += ["--stop-loss", "0.0025", "0.005", "0.0075", "0.01", "0.015", "--horizon", "120", "240"]
POINTS = 50
MOST_SECONDS = 15.0


class Run(NamedTuple):
    """What one run took: seconds by the clock and of the processors, and memory at the peak."""

    seconds: float
    processor_seconds: float
    gigabytes: float


def write_candles(folder: Path, n: int) -> Candles:
    """Write a random walk whose volatility comes in waves, so that there is something to see."""
    rng = np.random.default_rng(0)
    volatility = 0.0008 * np.exp(0.7 * np.sin(np.arange(n) * 2 * np.pi / 3000))
    close = 100 * np.exp(np.cumsum(volatility * rng.normal(size=n)))
    spread = 1 + 0.5 * volatility * np.abs(rng.normal(size=(2, n)))
    volume = rng.gamma(2.0, 1.0, n)
    date = 1_600_000_020 + 60 * np.arange(n)
    candles = Candles(date, close * spread[0], close / spread[1], close, volume, 60)
    frame = pd.DataFrame({"date": pd.to_datetime(candles.date, unit="s", utc=True)})
    for name in ("high", "low", "close", "volume"):
        frame[name] = getattr(candles, name)
    frame["open"] = frame["close"]
    frame.to_feather(folder / "BTC_USDT-1m.feather")
    return candles


def run(folder: Path, train_days: float) -> Run:
    """Run the command once; it must have made all points, and have asked about all of them."""
    words = ["plan", "--pair", "BTC/USDT", "--datadir", folder, *GRID, "--train-days", train_days]
    words += ["--models", folder, "--out", folder]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [str(word) for word in (PROGRAMS / "dualwindow", *words)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    plan = json.loads((folder / "plan.json").read_text())
    assert len(plan["rows"]) == POINTS, len(plan["rows"])
    assert all(row["skill"] is not None for row in plan["rows"])
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(seconds, used, after.ru_maxrss * 1024 / 1e9)


def slow_labels(candles: Candles) -> float:
    """Label one point as a training does, and tell the seconds that all would take."""
    labelling = Labelling(exclusive, Barriers(0.01, 0.005, 0.01, 0.005), 120, 15)
    began = time.process_time()
    labelling.label(candles)
    return POINTS * (time.process_time() - began)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candles", type=int, default=1_000_000, help="fewer to try it out")
    parser.add_argument("--train-days", type=float, nargs="+", default=[7, 30])
    arguments = parser.parse_args()
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        labels = slow_labels(write_candles(folder, arguments.candles))
        for days in arguments.train_days:
            found[f"{days:g}"] = run(folder, days)
    cores = len(os.sched_getaffinity(0))
    table = Table(
        *("training", "seconds", "of processors", "GB", "target"),
        title=f"plan: {arguments.candles:,} candles x {POINTS} points, {cores} cores",
    )
    for days, each in found.items():
        reached = "reached" if each.seconds <= MOST_SECONDS else "NOT reached"
        figures = (f"{each.seconds:.1f}", f"{each.processor_seconds:.1f}", f"{each.gigabytes:.2f}")
        table.add_row(f"{days} days", *figures, f"<= {MOST_SECONDS:g} s: {reached}")
    Console(width=100).print(table)
    print(f"labels alone, one point after the other: about {labels:.1f} s of one processor")
    told = {days: each._asdict() for days, each in found.items()}
    RESULTS.parent.mkdir(exist_ok=True)
    facts = {"candles": arguments.candles, "points": POINTS, "cores": cores, "runs": told}
    RESULTS.write_text(json.dumps({**facts, "labels_one_by_one": labels}, indent=1))
    return 0 if all(each.seconds <= MOST_SECONDS for each in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())

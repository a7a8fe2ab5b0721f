"""Measure ``dualwindow report``: ``make bench-report`` prints a table and writes JSON.

Fifty windows of three pairs of recorded candles are predicted once, into a folder that is kept. The
command is then run as a person runs it, in a process of its own, its page opened in a real
Chromium, and its parts timed in this process. What else runs on the machine shows in the wall
clock; the processors' seconds tell what it takes.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dualwindow.judging.finding import find
from dualwindow.learning.fold_store import TABLE, Store
from dualwindow.learning.folds import Schedule
from dualwindow.learning.parallel import Workers
from dualwindow.learning.walk_forward import run, tasks
from dualwindow.reports.files import write_report
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_trainer.report_walk import walk_evidence
from harness.browser import DESKTOP, PHONE, browser, problems, visit
from harness.places import PROGRAMS, ROOT, SHARED

RESULTS = Path(__file__).parent / "results" / "report.json"
CANDLES = SHARED / "three" / "binance"
PAIRS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
WINDOWS, WINDOW_DAYS, TRAIN_DAYS = 50, 4, 30
MOST_SECONDS, MOST_BYTES, MOST_SECONDS_TO_PAINT = 20.0, 8e6, 2.0
_DAY = 86400


def walked(folder: Path, kind: str) -> Path:
    """Predict the windows, or find them predicted by an earlier run."""
    if not (folder / TABLE).is_file():
        pairs = [PairData.read(CANDLES, pair, "1m") for pair in PAIRS]
        start = int(pairs[0].candles.date[0]) + 61 * _DAY
        schedule = Schedule(start, start + WINDOWS * WINDOW_DAYS * _DAY, TRAIN_DAYS, WINDOW_DAYS)
        settings = Settings.model_validate({"model": {"kind": kind}})
        store = Store(folder)
        store.begin(settings, schedule)
        cores = len(os.sched_getaffinity(0))
        run(tasks(pairs, schedule, settings)[0], store, Workers(n=cores))
    return folder


def command(folder: Path, out: Path) -> dict[str, float]:
    """Run the whole command once."""
    words = ["report", "--walk-forward", folder, "--datadir", CANDLES, "--out", out]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    called = [str(word) for word in (PROGRAMS / "dualwindow", *words)]
    subprocess.run(called, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor seconds": used, "gigabytes": after.ru_maxrss / 1e6}


def timed(what: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    began, used = time.perf_counter(), time.process_time()
    result = what()
    return result, {
        "seconds": time.perf_counter() - began,
        "processor seconds": time.process_time() - used,
    }


def parts(folder: Path, out: Path) -> dict[str, dict[str, float]]:
    """Time each step of the command by itself."""
    unset = ("walk", "agents", "data", "preset", "fee", "kind", "seed")
    unset += ("epochs", "batch_size", "learning_rate")
    asked = Namespace(datadir=CANDLES, config=[], set=[], importance=False, **dict.fromkeys(unset))
    evidence, reading = timed(lambda: walk_evidence(folder, asked))
    findings, finding = timed(lambda: find(evidence, 0.0))
    _, writing = timed(lambda: write_report(findings, out))
    assert len(findings.skill.rows) == WINDOWS * len(PAIRS)
    assert all(row.baseline_skill is not None for row in findings.skill.rows)
    return {"read": reading, "find": finding, "write": writing}


def first_paints(page: Path) -> dict[str, float]:
    """Open the page at both widths, in a Chromium that has just been started."""
    found = {}
    for name, width in (("desktop", DESKTOP), ("phone", PHONE)):
        with browser() as started:
            with visit(started, page, width) as seen:
                found[name] = seen.seconds_to_first_paint()
            assert problems(started, page, width) == []
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", default="ranges", help="that predicts; trees take minutes")
    arguments = parser.parse_args()
    root = Path(tempfile.gettempdir()) / "dualwindow-bench-report"
    folder = walked(root / arguments.kind, arguments.kind)
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        whole = command(folder, out)
        n_bytes = (out / "report.html").stat().st_size
        painted = first_paints(out / "report.html")
        told = {"the whole command": whole, **parts(folder, out)}
    table = Table(
        *("part", "seconds", "of processors"),
        title=f"report: {WINDOWS} windows x {len(PAIRS)} pairs of {arguments.kind}",
    )
    for part, each in told.items():
        table.add_row(part, f"{each['seconds']:.1f}", f"{each['processor seconds']:.1f}")
    Console(width=100).print(table)
    is_reached = whole["seconds"] <= MOST_SECONDS and n_bytes <= MOST_BYTES
    is_reached = is_reached and max(painted.values()) <= MOST_SECONDS_TO_PAINT
    print(
        f"page {n_bytes / 1e6:.1f} MB (<= {MOST_BYTES / 1e6:g}), painted after "
        f"{painted['desktop']:.2f} s, at a phone's width {painted['phone']:.2f} s "
        f"(<= {MOST_SECONDS_TO_PAINT:g}), command <= {MOST_SECONDS:g} s: "
        f"{'reached' if is_reached else 'NOT reached'}"
    )
    RESULTS.parent.mkdir(exist_ok=True)
    cores = len(os.sched_getaffinity(0))
    facts = {"windows": WINDOWS, "pairs": len(PAIRS), "kind": arguments.kind, "cores": cores}
    facts |= {"page bytes": n_bytes, "seconds to first paint": painted, "parts": told}
    RESULTS.write_text(json.dumps(facts, indent=1))
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())

"""Soak bots in faults: ``make soak SEED=n RUNS=k`` runs the seeds n, n + 1, ... and judges each.

A seed fixes the faults, the candles and the candle at which each fault comes, so a seed that
fails is run again by ``make soak SEED=n``; what the machine's threads do meanwhile is not fixed.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import soak_invariants as invariants
from benchmarks.soak_leader import CANDLE, PAIRS, Left, Snapshot
from benchmarks.soak_run import run
from benchmarks.soak_schedule import Kind

RESULTS = Path(__file__).parent / "results" / "soak.json"
LENGTH = 60
TOLD = (
    "candles",
    "candles in calm",
    "predicted",
    "seen, not predicted",
    "predicted before their close",
    "trades",
    "starts",
)


def judged(left: Left) -> dict[str, Any]:
    """Hold what a run has left against the invariants."""
    place, stored, trades = left.place, left.place.predictions(), left.place.trades()
    lives = invariants.lives(left.witness)
    calm = [
        (pair, left.first + (i - 1) * CANDLE)
        for i in range(left.length)
        for pair in PAIRS
        if not left.is_doubtful(i, pair)
    ]
    violations = list(left.ends)
    violations += invariants.entries_on_predictions(left.witness, trades)
    violations += invariants.predicted_once(left.witness)
    violations += invariants.stored_as_shown(left.witness, stored)
    violations += invariants.kept_at_the_end(lives[-1], stored)
    violations += invariants.predicted_in_calm(left.witness, calm)
    violations += invariants.models_whole(place.models)
    violations += invariants.memory_bound([snapshot.memory for snapshot in left.snapshots])
    for snapshot in left.snapshots:
        violations += _lies(left, snapshot)
    rows = [line for line in left.witness if line["what"] == "row"]
    return {
        "plan": [vars(fault) | {"kind": fault.kind.value} for fault in left.plan],
        "injected": dict(left.injected),
        "candles": left.length * len(PAIRS),
        "candles in calm": len(calm),
        "starts": len(lives),
        "predicted": sum(row["do_predict"] == 1 for row in rows),
        "seen, not predicted": sum(row["do_predict"] != 1 for row in rows),
        "predicted before their close": invariants.made_of_unfinished(left.witness, left.errors),
        "trades": len(trades),
        "tracebacks": left.log.count("Traceback"),
        "memory_mib": [round(snapshot.memory) for snapshot in left.snapshots],
        "violations": violations,
    }


def _lies(left: Left, snapshot: Snapshot) -> list[str]:
    if snapshot.status is None:
        return []
    life = invariants.lives(left.witness[: snapshot.lines])[-1]
    found = invariants.status_tells_of_silence(snapshot.status, life)
    if snapshot.is_settled:
        found += invariants.status_is_true(snapshot.status, life, snapshot.candle - CANDLE)
    candle = (snapshot.candle - left.first) // CANDLE
    return [f"candle {candle}: status: {text}" for text in found]


def soak(seed: int, length: int) -> dict[str, Any]:
    """Run one seed; its folder stays if it fails."""
    folder, began = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-")), time.monotonic()
    try:
        found = run(seed, length, folder, judged)
    except AssertionError as error:
        found = {"violations": [f"{error}"], "injected": {}}
    found["seconds"] = round(time.monotonic() - began)
    if found["violations"]:
        found["folder"] = str(folder)
    else:
        shutil.rmtree(folder)
    return found


def show(results: dict[str, dict[str, Any]]) -> None:
    """Print what was injected and what was violated."""
    table = Table(title=f"Soak: {len(results)} seeds")
    table.add_column("fault")
    table.add_column("injected")
    counts: Counter[str] = Counter()
    for found in results.values():
        counts.update(found["injected"])
    for kind in Kind:
        table.add_row(kind, str(counts[kind]))
    Console().print(table)
    whole = [found for found in results.values() if "candles" in found]
    sums = Counter({name: sum(found[name] for found in whole) for name in TOLD})
    most = max((m for found in whole for m in found["memory_mib"]), default=0)
    n = sum(len(found["violations"]) for found in results.values())
    print(", ".join(f"{name}: {sums[name]}" for name in TOLD), end=", ")
    print(f"most memory: {most} MiB, violations: {n}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--length", type=int, default=LENGTH, help="candles of a run")
    chosen = parser.parse_args()
    results: dict[str, dict[str, Any]] = {}
    for seed in range(chosen.seed, chosen.seed + chosen.runs):
        found = results[str(seed)] = soak(seed, chosen.length)
        print(
            f"seed {seed}: {len(found['violations'])} violations, {found['seconds']} s", flush=True
        )
        print(*found["violations"], sep="\n", end="\n" * bool(found["violations"]), flush=True)
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))
    show(results)
    failed = [seed for seed, found in results.items() if found["violations"]]
    if failed:
        print("FAILED: " + ", ".join(f"make soak SEED={seed}" for seed in failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

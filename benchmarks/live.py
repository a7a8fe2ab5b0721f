"""Watch bots for a while: ``make bench-live`` prints tables and writes JSON.

FreqAI itself is in all of them; `endurance`, `latency` and `storage` call it without an exchange,
the others are real freqtrade processes against the sandbox, in real minutes. Nothing else should
run.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table
from scipy.stats import theilslopes

from benchmarks.live_faults import Goal, checked, faults, gaps
from benchmarks.live_page import page
from benchmarks.live_pairs import many_pairs
from benchmarks.live_storage import storage
from benchmarks.live_warm_start import warm_start
from dualwindow_freqtrade.freqai.names import DATE_OF_PREDICTION
from dualwindow_sandbox.listings import COINS
from harness.bots import Bot, Place, small
from harness.freqai_run import PAIR, at, dry_run, live_configuration, train_now
from harness.places import ROOT

RESULTS = Path(__file__).parent / "results" / "live.json"
NETWORK = {"stride": 10, "epochs": 2}
THREE = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
TWENTY_FIVE = tuple(f"{coin}/USDT:USDT" for coin in list(COINS)[:25])


def started(
    folder: Path, days: int, *, pca: bool = False, **training: Any
) -> tuple[Any, pd.DataFrame]:
    """Start a dry run of the default network and windows, without the thread that trains."""
    folder.mkdir(exist_ok=True)
    config = live_configuration(
        folder,
        conv_width=180,
        feature_parameters={"principal_component_analysis": pca},
        train_period_days=days - 1,
        model_training_parameters=NETWORK
        | {"lstm_units": [128, 64, 32], "dense_units": [32, 16]}
        | training,
    )
    return dry_run(config, days)


def endurance(
    folder: Path, n: int = 60, settled: int = 10, reloads: int = 20, **training: Any
) -> tuple[dict[str, Any], list[Goal]]:
    """Train n times, predict ten times during each, and look at what the process holds.

    Principal components are taken, whose number changes with the candles, and the configuration is
    reloaded now and then, as often as asked. As in a bot, one thread trains until a reload.
    """
    process, held, strategy, trainer = psutil.Process(), [], None, None
    for i in range(n):
        if i * reloads // n > (i - 1) * reloads // n or strategy is None:
            if strategy is not None:
                strategy.freqai.shutdown()
                trainer.shutdown()
            trainer = ThreadPoolExecutor(1)
            strategy, minutes = started(folder, days=4, pca=True, **training)
            at(strategy, minutes, len(minutes) - 10 * n - 2)
        rows = range(len(minutes) - 10 * (n - i) - 1, len(minutes) - 10 * (n - i - 1) - 1)
        trained = trainer.submit(train_now, strategy)
        for row in rows:
            at(strategy, minutes, row)
        trained.result()
        rss = process.memory_info().rss / 2**20
        held.append((rss, process.num_threads(), len(process.open_files())))
    early, last = held[settled - 1], held[-1]
    later = [h[0] for h in held[settled - 1 :]]
    # Over all of them: memory goes up and down by more than it grows.
    growth = float(theilslopes(later).slope) * (len(later) - 1)
    most = max(later) - later[0]
    found = {"rss_mib": [round(h[0], 1) for h in held], "growth_mib": round(growth, 1)}
    found |= {"threads": [h[1] for h in held], "open_files": [h[2] for h in held]}
    name = f"{n} trainings, {reloads} reloads"
    return found, [
        (f"memory over {name} (robust slope)", f"{growth:+.1f} MiB", growth < 30),
        ("the same, at most", f"{most:+.1f} MiB", most < 30),
        ("threads", f"{early[1]} -> {last[1]}", last[1] <= early[1]),
        ("open files", f"{early[2]} -> {last[2]}", last[2] <= early[2]),
    ]


def latency(
    folder: Path, n: int = 500, days: int = 12, **training: Any
) -> tuple[dict[str, Any], list[Goal]]:
    """Predict n times alone, then while a training runs in the other thread."""
    strategy, frame, dk = ready(folder, days, training)
    timed(strategy, frame, dk, 20, 0)
    idle = timed(strategy, frame, dk, n, 0)
    time.sleep(1.1)
    thread = threading.Thread(target=train_now, args=(strategy,))
    thread.start()
    busy = []
    while thread.is_alive():
        busy += timed(strategy, frame, dk, 10, 0.02)
    thread.join()
    found, goals = {}, []
    for name, times, middle, tail in (("idle", idle, 10, 50), ("training", busy, 50, 250)):
        median, worst = np.percentile(times, [50, 99])
        found[name] = {"n": len(times), "median_ms": round(median, 2), "p99_ms": round(worst, 2)}
        text = f"median {median:.1f} ms, 99 % below {worst:.1f} ms (n {len(times)})"
        goals.append((f"prediction, {name}", text, bool(median < middle and worst < tail)))
    return found, goals


def ready(folder: Path, days: int, training: dict[str, Any]) -> tuple[Any, pd.DataFrame, Any]:
    """Train once, and hand over what FreqAI's predict call is timed with."""
    from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

    strategy, minutes = started(folder, days, **training)
    at(strategy, minutes, len(minutes) - 2)
    train_now(strategy)
    at(strategy, minutes, len(minutes) - 1)
    model = strategy.freqai
    dk = FreqaiDataKitchen(strategy.config, live=True, pair=PAIR)
    model.model = model.dd.load_data(PAIR, dk)
    frame = dk.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=minutes.tail(2000).copy(), pair=PAIR
    )
    return strategy, frame, dk


def timed(strategy: Any, frame: pd.DataFrame, dk: Any, n: int, pause: float) -> list[float]:
    """Milliseconds of FreqAI's predict call on the newest 180 candles."""
    found = []
    for i in range(n):
        tail = frame.iloc[-180 - i : len(frame) - i]
        began = time.perf_counter()
        strategy.freqai.predict(tail, dk, first=False)
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(pause)
    return found


def ten_pairs(folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Ten minutes with ten pairs of the default network, one of which is always in training."""
    pairs = TWENTY_FIVE[:10]
    options = {"conv_width": 180, "live_retrain_hours": 0.01, "train_period_days": 7}
    training = {"model_training_parameters": {"stride": 5, "epochs": 6}}
    place = Place(folder, small(list(pairs), **options, **training))
    bot = Bot(place, folder / "bot.log")
    try:
        for pair in pairs:
            bot.wait_for(f"{pair} trained on", 600)
        time.sleep(75)
        began = pd.Timestamp.now("UTC").floor("min")
        time.sleep(600)
    finally:
        seconds = bot.stop()
    found: dict[str, Any] = {"seconds_to_stop": round(seconds, 1), "pairs": {}}
    late, missed = 0.0, 0
    for pair, predictions in place.predictions().items():
        n, gone = gaps(predictions[predictions[DATE_OF_PREDICTION] >= began])
        missed += gone + max(10 - n, 0)
        delays = place.status()[pair]["seconds_after_candle"]
        late = max(late, delays["max"])
        found["pairs"][pair] = {"predicted": n, "missed": gone, "seconds_after_candle": delays}
    total = sum(p["predicted"] for p in found["pairs"].values())
    return found, [
        ("candles of ten pairs in ten minutes", f"{total} predicted, {missed} missed", missed == 0),
        ("latest prediction after its candle", f"{late:.1f} s", late < 5),
    ]


def hour(
    folder: Path, pairs: Sequence[str] = THREE, stride: int = 10, **training: Any
) -> tuple[dict[str, Any], list[Goal]]:
    """Watch pairs for an hour from their first models on, retrained every 12 minutes."""
    options = {"conv_width": 180, "live_retrain_hours": 0.2, "train_period_days": 7}
    network = {"model_training_parameters": {"stride": stride, "epochs": 4} | training}
    overlay = small(list(pairs), **options, **network) | {"dry_run_wallet": 100_000}
    place, began = Place(folder, overlay), pd.Timestamp.now("UTC")
    bot = Bot(place, folder / "bot.log")
    try:
        for pair in pairs:
            bot.wait_for(f"{pair} trained on", 1200)
        time.sleep(70)  # every pair has predicted
        process, held = psutil.Process(bot.pid), []
        for _ in range(60):
            time.sleep(60)
            held.append(round(process.memory_info().rss / 2**20))
            assert place.ask("ping") == {"status": "pong"}
    finally:
        seconds = bot.stop()
    status, trades = place.status(), place.trades()
    closed = trades[trades["is_open"] == 0]
    found = checked(place, began) | {
        "pairs": len(pairs),
        "seconds_to_stop": round(seconds, 1),
        "rss_mib": held,
        "status": status,
        "exits": closed.groupby(["is_short", "exit_reason"]).size().reset_index().values.tolist(),
        "warnings": bot.said().count(" - WARNING - "),
        "errors": bot.errors(),
    }
    return found, _goals_of_hour(found, closed)


def _goals_of_hour(found: dict[str, Any], closed: pd.DataFrame) -> list[Goal]:
    status, n_pairs, held = found["status"].values(), found["pairs"], found["rss_mib"]
    trained = sum(facts["trainings"] for facts in status)
    failed = sum(facts["failed_trainings"] for facts in status)
    troubles = sum(n for facts in status for n in facts["counts"].values())
    delay = max(facts["seconds_after_candle"]["max"] for facts in status)
    n, missed, errors = found["predicted"], found["not predicted"], len(found["errors"])
    short = int(closed["is_short"].sum())
    sides = f"{len(closed) - short} long, {short} short"
    unsound, latest = found["trades without a prediction"], 4.5 + 0.15 * n_pairs
    name, ended = f"hour, {n_pairs} pairs", found["seconds_to_stop"]
    return [
        (
            f"{name}: trainings",
            f"{trained}, {failed} failed",
            trained >= 4 * n_pairs and not failed,
        ),
        (f"{name}: predictions", f"{n}, {missed} missed", n >= 60 * n_pairs and not missed),
        (f"{name}: latest after its candle", f"{delay:.1f} s", delay < latest),
        (f"{name}: troubles, errors", f"{troubles}, {errors}", not troubles + errors),
        (f"{name}: closed trades", f"{sides}, {unsound} unsound", 0 < short < len(closed)),
        (f"{name}: memory", f"{held[10]} -> {held[-1]} MiB", held[-1] < held[10] + 100),
        (f"{name}: parity", found["parity"], found["sound"]),
        (f"{name}: end on SIGTERM", f"{ended:.1f} s", ended < 10),
    ]


PARTS: dict[str, Callable[[Path], tuple[dict[str, Any], list[Goal]]]] = {
    "endurance": endurance,
    "latency": latency,
    "storage": storage,
    "warm_start": warm_start,
    "many_pairs": many_pairs,
    "page": page,
    "ten_pairs": ten_pairs,
    "hour": hour,
    "hour_of_many": partial(hour, pairs=TWENTY_FIVE, stride=20, lstm_units=[16], dense_units=[8]),
    "faults": faults,
}


def show(parts: Iterable[tuple[str, list[Goal]]]) -> None:
    table = Table(title="Live")
    for column in ("what", "measured", "reached"):
        table.add_column(column)
    for _, goals in parts:
        for what, text, reached in goals:
            table.add_row(what, text, "yes" if reached else "NO")
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--inside", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:  # a process of its own for each part
        found, goals = PARTS[chosen.inside](chosen.folder)
        print(json.dumps({"found": found, "goals": goals}, default=float))  # NumPy's numbers
        return 0
    results = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for part in chosen.only:
        folder = Path(tempfile.mkdtemp(prefix=f"bench-{part}-"))
        words = [sys.executable, "-W", "ignore", "-m", "benchmarks.live"]
        words += ["--inside", part, "--folder", str(folder)]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True, cwd=ROOT)
        results[part] = json.loads(done.stdout.splitlines()[-1])
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(results, indent=1))
        show([(part, results[part]["goals"])])
        if all(goal[2] for goal in results[part]["goals"]):
            shutil.rmtree(folder)
    if len(chosen.only) > 1:
        show((part, results[part]["goals"]) for part in chosen.only)
    return 0 if all(g[2] for part in chosen.only for g in results[part]["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())

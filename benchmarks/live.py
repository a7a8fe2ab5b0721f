"""Watch bots for a while: ``make bench-live`` prints tables and writes JSON.

FreqAI itself is in all of them; `endurance` and `latency` call it without an exchange, the others
are real freqtrade processes against the sandbox, in real minutes. Nothing else should run.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the same bots that the tests watch

from bots import Bot, Place, dualwindow, small  # noqa: E402
from freqai_run import PAIR, at, dry_run, live_configuration, train_now  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "live.json"
Goal = tuple[str, str, bool]
NETWORK = {"stride": 10, "epochs": 2}


def started(folder: Path, days: int, **training: Any) -> tuple[Any, pd.DataFrame]:
    """Start a dry run of the default network and windows, without the thread that trains."""
    folder.mkdir(exist_ok=True)
    config = live_configuration(
        folder,
        conv_width=180,
        train_period_days=days - 1,
        model_training_parameters=NETWORK
        | {"lstm_units": [128, 64, 32], "dense_units": [32, 16]}
        | training,
    )
    return dry_run(config, days)


def endurance(folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Train 60 times, predict 500 times in between, and look at what the process holds."""
    strategy, minutes = started(folder, days=4)
    process, held = psutil.Process(), []
    rows = iter(range(len(minutes) - 601, len(minutes)))
    at(strategy, minutes, next(rows))
    for _ in range(60):
        thread = threading.Thread(target=train_now, args=(strategy,))
        thread.start()
        for _ in range(10):
            at(strategy, minutes, next(rows))
        thread.join()
        rss = process.memory_info().rss / 2**20
        held.append((rss, process.num_threads(), len(process.open_files())))
    tenth, last = held[9], held[-1]
    growth = last[0] - tenth[0]
    found = {"rss_mib": [round(h[0], 1) for h in held], "growth_mib": round(growth, 1)}
    found |= {"threads": [h[1] for h in held], "open_files": [h[2] for h in held]}
    return found, [
        ("memory after 60 trainings against after 10", f"{growth:+.1f} MiB", growth < 30),
        ("threads", f"{tenth[1]} -> {last[1]}", last[1] <= tenth[1]),
        ("open files", f"{tenth[2]} -> {last[2]}", last[2] <= tenth[2]),
    ]


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


def latency(folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Predict alone, then while a training runs in the other thread."""
    from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

    strategy, minutes = started(folder, days=12)
    at(strategy, minutes, len(minutes) - 2)
    train_now(strategy)
    at(strategy, minutes, len(minutes) - 1)
    model = strategy.freqai
    dk = FreqaiDataKitchen(strategy.config, live=True, pair=PAIR)
    model.model = model.dd.load_data(PAIR, dk)
    frame = dk.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=minutes.tail(2000).copy(), pair=PAIR
    )
    timed(strategy, frame, dk, 20, 0)
    idle = timed(strategy, frame, dk, 500, 0)
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


def gaps(predictions: pd.DataFrame) -> tuple[int, int]:
    """How many candles were predicted, and how many between the first and the last were not."""
    made = predictions["do_predict"] == 1
    if not made.any():
        return 0, 0
    first, last = made.idxmax(), made[::-1].idxmax()
    span = predictions.loc[first:last]
    minutes = (span["date_pred"].iloc[-1] - span["date_pred"].iloc[0]) / pd.Timedelta("1min") + 1
    return int(made.sum()), int(minutes - made.sum())


def ten_pairs(folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Ten minutes with ten pairs of the default network, one of which is always in training."""
    coins = ["BTC", "ETH", "BNB", "SOL", "XRP", "ADA", "DOGE", "AVAX", "TRX", "DOT"]
    pairs = [f"{coin}/USDT:USDT" for coin in coins]
    options = {"conv_width": 180, "live_retrain_hours": 0.01, "train_period_days": 7}
    training = {"model_training_parameters": {"stride": 5, "epochs": 6}}
    place = Place(folder, small(pairs, **options, **training))
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
        n, gone = gaps(predictions[predictions["date_pred"] >= began])
        missed += gone + max(10 - n, 0)
        delays = place.status()[pair]["seconds_after_candle"]
        late = max(late, delays["max"])
        found["pairs"][pair] = {"predicted": n, "missed": gone, "seconds_after_candle": delays}
    total = sum(p["predicted"] for p in found["pairs"].values())
    return found, [
        ("candles of ten pairs in ten minutes", f"{total} predicted, {missed} missed", missed == 0),
        ("latest prediction after its candle", f"{late:.1f} s", late < 5),
    ]


def checked(place: Place, fault: pd.Timestamp, n_missing_live: int = 0) -> dict[str, Any]:
    """Look at predictions, at trades on none of them, and at parity with a backtest.

    Trades count from the fault on (after a kill, the predictions of those before may be lost with
    the memory); there must be one, or nothing is shown.
    """
    n, missed, unsound = 0, 0, 0
    predictions = place.predictions()
    for found in predictions.values():
        made, gone = gaps(found)
        n, missed = n + made, missed + gone
    trades = place.trades()
    later = trades[pd.to_datetime(trades["open_date"], utc=True) > fault]
    for trade in later.itertuples():
        opened = pd.Timestamp(trade.open_date, tz="UTC").floor("min") - pd.Timedelta("1min")
        found = predictions[trade.pair]
        row = found[found["date_pred"] == opened]
        unsound += row.empty or row["do_predict"].iloc[0] != 1
    place.download()
    parity = dualwindow("check", "parity", "--", *place.options)
    # A minute that was missing live, and that a download now brings, is seen by the backtest alone.
    wrong = parity.stdout.count("WRONG")
    return {
        "predicted": n,
        "not predicted": missed,
        "trades": len(trades),
        "trades after the fault": len(later),
        "trades without a prediction": unsound,
        "parity": parity.stdout.strip().splitlines()[-1] if parity.stdout else parity.stderr[-300:],
        "sound": wrong <= n_missing_live
        and parity.returncode < 2
        and not unsound
        and len(later) > 0,
    }


FAULTS = {
    "429": ["--seconds", "75"],
    "503": ["--seconds", "75"],
    "timeout": ["--seconds", "75"],
    "disconnect": ["--seconds", "75"],
    "empty": ["--seconds", "75"],
    "duplicate": ["--seconds", "130"],
    "missing": ["--seconds", "130"],
    "clock": ["--seconds", "130", "--offset", "30"],
}


def wait_for_prediction(place: Place, n: int, seconds: float) -> bool:
    """Wait until every pair has `n` more predictions than now."""
    before = {pair: known["predictions"] for pair, known in place.status().items()}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = {pair: known["predictions"] for pair, known in place.status().items()}
        if all(now.get(pair, 0) >= known + n for pair, known in before.items()):
            return True
        time.sleep(1)
    return False


def exchange_fault(kind: str, folder: Path) -> dict[str, Any]:
    """Let a bot run into one of the exchange's faults and see it come back."""
    place = Place(folder, small(["BTC/USDT:USDT", "ETH/USDT:USDT"]))
    bot = Bot(place, folder / "bot.log")
    try:
        bot.wait_for("ETH/USDT:USDT trained on", 300)
        time.sleep(70)
        assert wait_for_prediction(place, 1, 150), f"{kind}: no predictions before the fault"
        fault = pd.Timestamp.now("UTC")
        asked = dualwindow("sandbox", "fault", kind, "--url", bot.exchange, *FAULTS[kind])
        assert asked.returncode == 0, asked.stderr
        time.sleep(float(FAULTS[kind][1]))
        back = wait_for_prediction(place, 2, 200)
    finally:
        bot.stop()
    found = checked(place, fault, n_missing_live=2 if kind == "missing" else 0)
    return found | {"back": back, "reached": bool(back and found["sound"])}


def killed(what: str, folder: Path) -> dict[str, Any]:
    """End a bot by kill -9 while it trains, saves or predicts; start it again."""
    place = Place(folder, small(["BTC/USDT:USDT", "ETH/USDT:USDT"]))
    variables = {"DUALWINDOW_KILL": what, "PYTHONPATH": str(Path(__file__).parent / "killing")}
    bot = Bot(place, folder / "first.log", **variables)
    bot.process.wait(600)
    assert " -9" in str(bot.process.returncode) or bot.process.returncode == 137, bot.said()[-500:]
    fault, before = pd.Timestamp.now("UTC"), place.predictions()
    again = Bot(place, folder / "second.log")
    try:
        again.wait_for("goes on with the model in", 300)
        time.sleep(70)
        back = wait_for_prediction(place, 2, 200)
    finally:
        again.stop()
    after, columns = place.predictions(), ["date_pred", "do_predict", "SHORT", "HOLD", "LONG"]
    kept = sum(int((old["do_predict"] == 1).sum()) for old in before.values())
    same = all(
        after[pair].head(len(old))[columns].equals(old[columns]) for pair, old in before.items()
    )
    found = checked(place, fault)
    reached = bool(back and same and kept and found["sound"])
    return found | {
        "back": back,
        "stored predictions kept": kept if same else 0,
        "reached": reached,
    }


def full_disk(folder: Path) -> dict[str, Any]:
    """Let the disk of a bot's models run full, and grow again; needs the right to mount one."""
    place = Place(folder, small(["BTC/USDT:USDT", "ETH/USDT:USDT"]))
    place.models.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place.models)]
    subprocess.run(mount, check=True)
    try:
        bot = Bot(place, folder / "bot.log")
        try:
            bot.wait_for("training failed, it is tried again in", 900)
            fault, models = pd.Timestamp.now("UTC"), model_files(place)
            during = wait_for_prediction(place, 2, 200)
            failed = sum(known["failed_trainings"] for known in place.status().values())
            whole = model_files(place) == models
            subprocess.run(["mount", "-o", "remount,size=50m", str(place.models)], check=True)
            time.sleep(180)
            trained = len(model_files(place)) > len(models)
            back = wait_for_prediction(place, 2, 200)
        finally:
            bot.stop()
        found = checked(place, fault)
    finally:
        subprocess.run(["umount", str(place.models)], check=False)
    reached = bool(during and back and failed and whole and trained and found["sound"])
    return found | {"failed trainings": failed, "back": back, "reached": reached}


def model_files(place: Place) -> dict[Path, bytes]:
    return {p: p.read_bytes() for p in sorted(place.models.glob("sub-train-*/*_model.joblib"))}


def truncated(folder: Path) -> dict[str, Any]:
    """Cut a model in half between two runs."""
    place = Place(folder, small(["BTC/USDT:USDT", "ETH/USDT:USDT"]))
    bot = Bot(place, folder / "first.log")
    bot.wait_for("ETH/USDT:USDT trained on", 300)
    time.sleep(70)
    bot.stop()
    newest = json.loads((place.models / "pair_dictionary.json").read_text())["BTC/USDT:USDT"]
    (path,) = Path(newest["data_path"]).glob("*_model.joblib")
    os.truncate(path, path.stat().st_size // 2)
    again, fault = Bot(place, folder / "second.log"), pd.Timestamp.now("UTC")
    try:
        again.wait_for("BTC/USDT:USDT: the model in", 300)
        again.wait_for("BTC/USDT:USDT trained on", 300)
        time.sleep(130)
        back = wait_for_prediction(place, 1, 200)
    finally:
        again.stop()
    found = checked(place, fault)
    return found | {"back": back, "reached": bool(back and found["sound"])}


def faults(folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Every fault, a few bots side by side; the minutes are real, the work is small."""
    cases: dict[str, Callable[[Path], dict[str, Any]]] = {
        **{f"exchange: {k}": (lambda f, k=k: exchange_fault(k, f)) for k in FAULTS},
        **{
            f"kill -9 while {what}": (lambda f, what=what: killed(what, f))
            for what in ("training", "saving", "predicting")
        },
        "disk full": full_disk,
        "truncated model": truncated,
    }
    found: dict[str, Any] = {}

    def watch(name: str) -> None:
        place = folder / name.replace(" ", "-").replace(":", "")
        try:
            found[name] = cases[name](place)
        except Exception as error:  # the other cases go on
            found[name] = {"error": f"{type(error).__name__}: {error}", "reached": False}

    names = list(cases)
    for batch in (names[:7], names[7:]):
        threads = [threading.Thread(target=watch, args=(name,)) for name in batch]
        for thread in threads:
            thread.start()
            time.sleep(10)  # the starts cost the most
        for thread in threads:
            thread.join()
    goals = []
    for name in names:
        facts = found[name]
        text = facts.get("error", "")[:200] or ", ".join(
            f"{key}: {facts[key]}"
            for key in (
                "predicted",
                "not predicted",
                "trades after the fault",
                "trades without a prediction",
            )
        )
        goals.append((name, text, facts["reached"]))
    return found, goals


def warm_start(folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Epochs until a training is as good as a cold one at its best, from the model before.

    The model before has seen candles until six hours earlier; three times, on other candles.
    """
    epochs: dict[str, list[int | None]] = {"cold": [], "warm": []}
    for case in range(3):
        strategy, minutes = started(folder / str(case), days=12, epochs=8, patience=8, seed=case)
        model, known = strategy.freqai, strategy.freqai.dd.historic_data[PAIR]
        at(strategy, minutes, len(minutes) - 360 - case * 60)
        losses, earlier = {}, None
        for name, going_on in (("before", False), ("cold", False), ("warm", True)):
            until = len(minutes) - (720 if name == "before" else 360) - case * 60
            known["1m"] = minutes.head(until)
            model.continual_learning = going_on
            if name == "warm":  # from the one before, not from the cold one on the same candles
                model.dd.model_dictionary[PAIR] = earlier
            dk = train_now(strategy)
            earlier = earlier or model.dd.model_dictionary[PAIR]
            (path,) = dk.data_path.glob("*_dualwindow.json")
            facts = json.loads(path.read_text())
            assert facts["warm_start"] is going_on
            losses[name] = [e["validation_loss"] for e in facts["epochs"]]
            time.sleep(1.1)
        best = min(losses["cold"])
        for name, found in epochs.items():
            found.append(next((i + 1 for i, v in enumerate(losses[name]) if v <= best), None))
    sums = {n: sum(9 if e is None else e for e in found) for n, found in epochs.items()}
    text = f"cold {epochs['cold']}, warm {epochs['warm']}"
    goal = ("epochs to the best cold validation loss", text, sums["warm"] < sums["cold"])
    return {"epochs": epochs}, [goal]


PARTS: dict[str, Callable[[Path], tuple[dict[str, Any], list[Goal]]]] = {
    "endurance": endurance,
    "latency": latency,
    "warm_start": warm_start,
    "ten_pairs": ten_pairs,
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
        print(json.dumps({"found": found, "goals": goals}))
        return 0
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    for part in chosen.only:
        folder = Path(tempfile.mkdtemp(prefix=f"bench-{part}-"))
        words = [
            sys.executable,
            "-W",
            "ignore",
            __file__,
            "--inside",
            part,
            "--folder",
            str(folder),
        ]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True, cwd=ROOT)
        known[part] = json.loads(done.stdout.splitlines()[-1])
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(known, indent=1))
        show([(part, known[part]["goals"])])
        if all(goal[2] for goal in known[part]["goals"]):
            shutil.rmtree(folder)
    show((part, known[part]["goals"]) for part in chosen.only)
    return 0 if all(g[2] for part in chosen.only for g in known[part]["goals"]) else 1


if __name__ == "__main__":
    sys.exit(main())

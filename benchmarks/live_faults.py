"""Let bots run into faults, kill them, fill their disk, and see them come back."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    MODEL_FILE,
    PAIR_DICTIONARY,
)
from harness.bots import Bot, Place, dualwindow, small

Goal = tuple[str, str, bool]


def gaps(predictions: pd.DataFrame) -> tuple[int, int]:
    """How many candles were predicted, and how many between the first and the last were not."""
    made = predictions[DO_PREDICT] == 1
    if not made.any():
        return 0, 0
    first, last = made.idxmax(), made[::-1].idxmax()
    span = predictions.loc[first:last]
    dates = span[DATE_OF_PREDICTION]
    minutes = (dates.iloc[-1] - dates.iloc[0]) / pd.Timedelta("1min") + 1
    return int(made.sum()), int(minutes - made.sum())


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
        row = found[found[DATE_OF_PREDICTION] == opened]
        unsound += bool(row.empty or row[DO_PREDICT].iloc[0] != 1)
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


SECONDS = 130  # of a fault: more than two candles, of which at least one cannot be had in time
FAULTS = ["429", "503", "timeout", "disconnect", "empty", "duplicate", "missing", "clock"]


def wait_for_prediction(place: Place, n: int, seconds: float) -> bool:
    """Wait until every pair has `n` more predictions than now."""
    before = {pair: facts["predictions"] for pair, facts in place.status().items()}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        now = {pair: facts["predictions"] for pair, facts in place.status().items()}
        if all(now.get(pair, 0) >= n_before + n for pair, n_before in before.items()):
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
        words = ["--url", bot.exchange, "--seconds", str(SECONDS)]
        words += ["--offset", "30"] if kind == "clock" else []
        asked = dualwindow("sandbox", "fault", kind, *words)
        assert asked.returncode == 0, asked.stderr
        time.sleep(SECONDS)
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
    after = place.predictions()
    columns = [DATE_OF_PREDICTION, DO_PREDICT, "SHORT", "HOLD", "LONG"]
    kept = sum(int((old[DO_PREDICT] == 1).sum()) for old in before.values())
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
            failed = sum(facts["failed_trainings"] for facts in place.status().values())
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
    return {p: p.read_bytes() for p in sorted(place.models.glob(f"{ALL_TRAININGS}/*{MODEL_FILE}"))}


def truncated(folder: Path) -> dict[str, Any]:
    """Cut a model in half between two runs."""
    place = Place(folder, small(["BTC/USDT:USDT", "ETH/USDT:USDT"]))
    bot = Bot(place, folder / "first.log")
    bot.wait_for("ETH/USDT:USDT trained on", 300)
    time.sleep(70)
    bot.stop()
    newest = json.loads((place.models / PAIR_DICTIONARY).read_text())["BTC/USDT:USDT"]
    (path,) = Path(newest["data_path"]).glob(f"*{MODEL_FILE}")
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

"""Measure what the probabilities are worth: ``make bench-skill`` prints tables and writes JSON.

Walk-forward, as FreqAI does it: train on the days before a window, predict the window, go on. The
judge is the skill, 1 - log loss / log loss of the training frequencies, out of sample. LightGBM
learns the same labels from the same features, stops early and is calibrated in the same way: once
from the eight features of the candle, once from the whole window of them. Synthetic markets show
the two ends: a random walk has nothing to learn, and for the planted market the generator tells
the true probabilities.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from datasieve.pipeline import Pipeline
from datasieve.transforms import SKLearnWrapper
from freqtrade.configuration.load_config import load_from_files
from rich.console import Console
from rich.table import Table
from sklearn.preprocessing import MinMaxScaler

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.learning.calibration import Evidence, calibrate
from dualwindow.learning.metrics import auc, calibration_errors, log_loss, skill
from dualwindow.learning.training import TrainingData, train
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours
from dualwindow.market.labels import LONG, SHORT, UNKNOWN
from dualwindow.samples.balancing import class_frequencies
from dualwindow.samples.scaling import known_rows, prepared
from dualwindow.samples.splits import chronological_split
from dualwindow.samples.windows import broken_windows, gather, whole
from dualwindow.settings import Settings
from dualwindow_sandbox.dynamics import PLANTED, RANDOM_WALK
from dualwindow_sandbox.listings import COINS, synthetic_listing
from dualwindow_sandbox.market import FIRST, PairHistory
from dualwindow_sandbox.ohlcv import joined
from dualwindow_sandbox.oracle import class_probabilities

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results" / "skill.json"
DAY = 86400
RECORDED = "recorded"
LAWS = {
    "planted": PLANTED,
    # Of constant volatility: where it comes in clusters, as in the sandbox's own random walk,
    # whether a barrier is near can be foreseen, though not in which direction.
    "random walk": replace(RANDOM_WALK, clustering=0.0),
}
SYNTHETIC_WEEKS = 14  # a month for the averages, one for training, four weeks to predict
PEERS = ("lightgbm, candle", "lightgbm, window")


@dataclass(frozen=True)
class Plan:
    """What all windows share."""

    settings: Settings
    datadir: Path
    train_days: int
    window_days: int


@dataclass(frozen=True)
class Window:
    """Where candles come from, and the second at which training ends and prediction begins."""

    source: str
    pair: str
    start: int


def pipeline(settings: Settings) -> Pipeline:
    any_scaler = Pipeline([("scaler", SKLearnWrapper(MinMaxScaler()))])
    return prepared(any_scaler, settings.dual_window.scaler, settings.training.seed)


def candle_file(datadir: Path, pair: str, timeframe: str) -> Path:
    return datadir / f"{pair.replace('/', '_')}-{timeframe}.feather"


@cache
def recorded(datadir: Path, pair: str) -> tuple[Candles, FloatArray]:
    minutes, hours = (pd.read_feather(candle_file(datadir, pair, t)) for t in ("1m", "1h"))
    opened = hours["date"].to_numpy("datetime64[s]").astype(np.int64)
    close, volume = (hours[c].to_numpy(np.float64) for c in ("close", "volume"))
    candles = Candles.from_frame(minutes, 60)
    return candles, candle_features(candles, join_hours(candles, opened, close, volume))


@cache
def history(source: str, pair: str) -> PairHistory:
    return PairHistory(LAWS[source], 1, synthetic_listing(pair.partition("/")[0]))


@cache
def synthetic(source: str, pair: str) -> tuple[Candles, FloatArray]:
    weeks = range(SYNTHETIC_WEEKS)
    m = joined([history(source, pair).week(week).candles for week in weeks])
    h = joined([history(source, pair).hours(week) for week in weeks])
    minutes = Candles(m.time // 1000, m.high, m.low, m.close, m.volume, 60)
    levels = join_hours(minutes, h.time // 1000, h.close, h.volume)
    return minutes, candle_features(minutes, levels)


def scores(probabilities: FloatArray, truth: IntArray, reference: float) -> dict[str, Any]:
    loss = log_loss(probabilities, truth)
    return {
        "log_loss": loss,
        "skill": skill(loss, reference),
        "auc_short": auc(probabilities, truth, SHORT),
        "auc_long": auc(probabilities, truth, LONG),
    }


def lightgbm_peer(
    data: TrainingData, settings: Settings, inputs: Callable[[IntArray], FloatArray]
) -> Callable[[IntArray], FloatArray]:
    """Train LightGBM on the windows that `train` takes; return a map of rows to probabilities."""
    broken = broken_windows(
        data.candles,
        known_rows(data.features),
        settings.windows.history,
        settings.dual_window.max_untraded_candles,
    )
    horizon, stride = settings.windows.horizon, settings.training.stride
    share = settings.windows.validation_share
    split = chronological_split(data.candles.date, horizon * data.candles.step, share)
    usable = (data.labels != UNKNOWN) & whole(broken)
    fit_on = np.flatnonzero(usable & split.train)[::stride]
    check_on = np.flatnonzero(usable & split.validation)[::stride]
    model = lightgbm.LGBMClassifier(random_state=settings.training.seed, verbose=-1, n_jobs=1)
    model.fit(
        inputs(fit_on),
        data.labels[fit_on],
        eval_set=[(inputs(check_on), data.labels[check_on])],
        callbacks=[lightgbm.early_stopping(10, verbose=False)],
    )

    def raw(ends: IntArray) -> FloatArray:
        full = np.zeros((len(ends), 3))
        full[:, model.classes_] = model.predict_proba(inputs(ends))
        return full

    evidence = Evidence(
        raw(check_on),
        data.labels[check_on],
        class_frequencies(data.labels),
        class_frequencies(data.labels[fit_on]),
        overlap=max(horizon // stride, 1),
    )
    calibration, _ = calibrate(settings.dual_window.calibration, evidence)
    return lambda ends: calibration.apply(raw(ends))


def measure(plan: Plan, window: Window) -> dict[str, Any]:
    """Train before one window, predict it, and score the predictions."""
    is_recorded = window.source == RECORDED
    candles, features = (
        recorded(plan.datadir, window.pair)
        if is_recorded
        else synthetic(window.source, window.pair)
    )
    settings, start = plan.settings, window.start
    edges = [start - plan.train_days * DAY, start, start + plan.window_days * DAY]
    a, b, c = np.searchsorted(candles.date, edges).tolist()
    data = TrainingData(
        window.pair, candles[a:b], features[a:b], FEATURES, settings.labelling.label(candles[a:b])
    )
    began = time.perf_counter()
    artifact = train(data, settings, pipeline(settings))
    seconds = time.perf_counter() - began
    prediction = artifact.predict(candles[b:c], features[b:c])
    truth = settings.labelling.label(candles[b : c + settings.windows.horizon])[: c - b]
    judged = np.flatnonzero((truth != UNKNOWN) & prediction.valid)
    frequencies = class_frequencies(data.labels)
    reference = log_loss(np.broadcast_to(frequencies, (len(judged), 3)), truth[judged])
    result = {
        "source": window.source,
        "pair": window.pair,
        "window": f"{pd.Timestamp(start, unit='s'):%Y-%m-%d}",
        "candles": len(judged),
        "log_loss_of_frequencies": reference,
        "dualwindow": scores(prediction.probabilities[judged], truth[judged], reference),
        "raw scores": scores(prediction.scores[judged], truth[judged], reference),
        "calibration": artifact.metadata["calibration"],
        "best_epoch": artifact.metadata["best_epoch"],
        "epochs": len(artifact.metadata["epochs"]),
        "seconds": round(seconds, 1),
        "predicted": (prediction.probabilities[judged], truth[judged]),
    }
    if is_recorded:
        rows, length = features[a:c].astype(np.float32), settings.windows.history
        for name, inputs in zip(
            PEERS,
            (lambda e: rows[e], lambda e: gather(rows, e, length).reshape(len(e), -1)),
            strict=True,
        ):
            peer = lightgbm_peer(data, settings, inputs)
            result[name] = scores(peer(b - a + judged), truth[judged], reference)
    else:
        some = judged[::60]
        true = true_probabilities(plan, window, candles[b:c], some)
        ours = log_loss(prediction.probabilities[some], truth[some])
        base = log_loss(np.broadcast_to(frequencies, (len(some), 3)), truth[some])
        result["true probabilities"] = {"skill": skill(log_loss(true, truth[some]), base)}
        result["on the same candles"] = {"skill": skill(ours, base)}
    return result


def true_probabilities(plan: Plan, window: Window, candles: Candles, rows: IntArray) -> FloatArray:
    past = history(window.source, window.pair)
    week = 7 * DAY
    first = FIRST // 1000
    blocks = [past.week(w).block for w in range((candles.date[-1] - first) // week + 1)]
    minute = (candles.date[rows] - first) // 60
    return class_probabilities(
        LAWS[window.source],
        np.log(candles.close[rows] / COINS[window.pair.partition("/")[0]][0]),
        np.concatenate([block.volatility for block in blocks])[minute],
        np.concatenate([block.regime for block in blocks])[minute],
        plan.settings.labelling,
        n_paths=2000,
    )


def windows_between(timerange: str, plan: Plan, pairs: Sequence[str]) -> list[Window]:
    first, _, last = timerange.partition("-")
    start, stop = (int(pd.Timestamp(day, tz="UTC").timestamp()) for day in (first, last))
    step = plan.window_days * DAY
    starts = range(start, stop - step + 1, step)
    return [Window(RECORDED, pair, s) for pair in pairs for s in starts]


def synthetic_windows() -> list[Window]:
    first = FIRST // 1000 + 65 * DAY
    return [Window(source, "BTC/USDT", first + 7 * i * DAY) for source in LAWS for i in range(4)]


def window_table(results: Sequence[dict[str, Any]]) -> Table:
    table = Table(title="Skill out of sample, a row per window")
    columns = ["source", "pair", "window", "log loss (frequencies)", "skill", "raw scores"]
    columns += [
        "LightGBM candle",
        "LightGBM window",
        "true",
        "AUC S / L",
        "calibration",
        "epochs",
        "s",
    ]
    for column in columns:
        table.add_column(column)
    for r in results:
        ours = r["dualwindow"]
        cells = [r[name]["skill"] if name in r else None for name in (*PEERS, "true probabilities")]
        table.add_row(
            r["source"],
            r["pair"],
            r["window"],
            f"{ours['log_loss']:.3f} ({r['log_loss_of_frequencies']:.3f})",
            f"{ours['skill']:+.3f}",
            f"{r['raw scores']['skill']:+.3f}",
            *("" if cell is None else f"{cell:+.3f}" for cell in cells),
            f"{ours['auc_short'] or np.nan:.2f} / {ours['auc_long'] or np.nan:.2f}",
            r["calibration"]["method"],
            f"{r['best_epoch']} of {r['epochs']}",
            f"{r['seconds']:.0f}",
        )
    return table


def of_recorded(results: Sequence[dict[str, Any]], holdout: str) -> list[tuple[str, str, bool]]:
    mine = [r for r in results if r["source"] == RECORDED]
    if not mine:
        return []
    skills = np.array([r["dualwindow"]["skill"] for r in mine])
    p, y = (np.concatenate([r["predicted"][i] for r in mine]) for i in (0, 1))
    errors = calibration_errors(p, y)
    goals = [
        ("mean skill", f"{skills.mean():+.3f}", skills.mean() > 0.03),
        ("windows above 0", f"{(skills > 0).sum()} of {len(mine)}", (skills > 0).mean() >= 0.75),
        ("worst window", f"{skills.min():+.3f}", skills.min() >= -0.05),
        ("calibration error S / H / L", " / ".join(f"{e:.3f}" for e in errors), max(errors) < 0.05),
    ]
    held = np.array([r["dualwindow"]["skill"] for r in mine if r["window"] >= holdout])
    if len(held):
        good = (held > 0).mean() >= 0.75 and held.mean() > 0.03
        text = f"{held.mean():+.3f}, {(held > 0).sum()} of {len(held)} above 0"
        goals.append((f"from {holdout} on, untouched by tuning", text, bool(good)))
    for peer in PEERS:
        better = [r["dualwindow"]["log_loss"] < r[peer]["log_loss"] for r in mine]
        text = f"{sum(better)} of {len(mine)} windows"
        goals.append((f"better log loss than {peer}", text, np.mean(better) >= 0.8))
        for side in ("auc_short", "auc_long"):
            both = [(r["dualwindow"][side], r[peer][side]) for r in mine]
            if told := [pair for pair in both if None not in pair]:
                us, them = np.mean(told, axis=0)
                goals.append((f"mean {side}, ours / {peer}", f"{us:.3f} / {them:.3f}", us >= them))
    return goals


def of_synthetic(results: Sequence[dict[str, Any]]) -> list[tuple[str, str, bool]]:
    goals = []
    for source in LAWS:
        mine = [r for r in results if r["source"] == source]
        if not mine:
            continue
        skills = np.array([r["dualwindow"]["skill"] for r in mine])
        error = skills.std(ddof=1) / np.sqrt(len(mine))
        ours, true = (
            np.mean([r[name]["skill"] for r in mine])
            for name in ("on the same candles", "true probabilities")
        )
        text = f"{skills.mean():+.4f} ± {error:.4f}, true probabilities {true:+.3f}"
        reached = ours >= true / 2 if source == "planted" else skills.mean() <= 2 * error
        goals.append((f"skill on the {source}", text, bool(reached)))
    return goals


def one_thread() -> None:
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)


def write(
    path: Path, results: Sequence[dict[str, Any]], goals: list[tuple[str, str, bool]]
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    windows = [{k: v for k, v in r.items() if k != "predicted"} for r in results]
    reached = [{"what": g, "value": v, "reached": bool(ok)} for g, v, ok in goals]
    path.write_text(json.dumps({"goals": reached, "windows": windows}, indent=1))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, default=ROOT.parent / "shared/data/binance")
    parser.add_argument("--pairs", nargs="+", default=["BTC/USDT", "ETH/USDT"])
    parser.add_argument("--timerange", default="20231031-20240130", help="of the predictions")
    parser.add_argument("--holdout", default="2024-01-01", help="settings were tuned before it")
    configs = [ROOT / "user_data/config.json", ROOT / "config/presets/standard.json"]
    parser.add_argument("--config", type=Path, nargs="+", default=configs)
    parser.add_argument("--train-days", type=int, default=30)
    parser.add_argument("--window-days", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="windows at a time")
    parser.add_argument("--only", choices=["recorded", "synthetic"], help="leave the others out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    chosen.holdout = f"{pd.Timestamp(chosen.holdout):%Y-%m-%d}"
    missing = [
        pair for pair in chosen.pairs if not candle_file(chosen.datadir, pair, "1m").is_file()
    ]
    if missing and chosen.only != "synthetic":
        parser.error(
            f"no 1m candles of {', '.join(missing)} in {chosen.datadir}; name the folder "
            "with --datadir, or leave recorded candles out with --only synthetic"
        )
    return chosen


def main() -> int:
    chosen = arguments()
    configured = load_from_files([str(path) for path in chosen.config])["freqai"]
    settings = Settings.from_freqai(configured)
    plan = Plan(settings, chosen.datadir, chosen.train_days, chosen.window_days)
    if settings.dual_window.labels.rule != "exclusive" and chosen.only != "recorded":
        print("skill.py: only 'exclusive' labels have true probabilities; add --only recorded")
        return 2
    windows = [] if chosen.only == "recorded" else synthetic_windows()
    if chosen.only != "synthetic":
        windows = windows_between(chosen.timerange, plan, chosen.pairs) + windows
    if not windows:
        print(f"skill.py: {chosen.timerange} holds no window of {chosen.window_days} days")
        return 2
    results: list[dict[str, Any]] = []
    os.environ["OMP_NUM_THREADS"] = "1"  # a window per core is faster than a core per window
    with ProcessPoolExecutor(chosen.jobs, get_context("spawn"), one_thread) as pool:
        for result in pool.map(partial(measure, plan), windows):
            results.append(result)
            write(chosen.out, results, [])
            said = f"{result['source']} {result['pair']} {result['window']}"
            print(said, f"skill {result['dualwindow']['skill']:+.3f}", flush=True)
    goals = of_recorded(results, chosen.holdout) + of_synthetic(results)
    write(chosen.out, results, goals)
    console = Console(width=180)
    console.print(window_table(results))
    table = Table("number", "value", "reached", title="Over all windows")
    for what, value, ok in goals:
        table.add_row(what, value, "yes" if ok else "NO")
    console.print(table)
    return 0 if all(ok for _, _, ok in goals) else 1


if __name__ == "__main__":
    raise SystemExit(main())

"""Measure what a candle costs a bot with many pairs, inside the real FreqAI."""

import time
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.live_faults import Goal
from dualwindow_freqtrade.freqai.names import DO_PREDICT
from harness.freqai_run import PAIR, at, dry_run, live_configuration, train_now

NETWORK = {"stride": 10, "epochs": 2, "lstm_units": [128, 64, 32], "dense_units": [32, 16]}
DAYS = 31  # of minutes in memory, as after a month


def many_pairs(folder: Path, few: int = 25, many: int = 100) -> tuple[dict[str, Any], list[Goal]]:
    """Compare what a candle costs per pair with 25 pairs and with 100, and start with 50."""
    per_pair = {n: _seconds_per_pair(folder / str(n), n) for n in (few, many)}
    ratio = per_pair[many] / per_pair[few]
    first = _seconds_of_first_candle(folder / "first", n := many // 2)
    found = {"cpu_seconds_per_pair": per_pair, "first_candle_seconds": {n: first}}
    text = f"{1000 * per_pair[few]:.0f} ms, {1000 * per_pair[many]:.0f} ms"
    return found, [
        (f"CPU per pair and candle, {few} and {many} pairs", text, per_pair[many] < 0.15),
        (f"the same, {many} against {few}", f"{ratio:.2f} x", ratio <= 1.2),
        (f"first candle of a process, {n} pairs", f"{first:.1f} s", first < 60),
    ]


def _seconds_per_pair(folder: Path, n: int, candles: int = 4) -> float:
    """CPU seconds of this process per pair and candle, after one candle to warm up."""
    strategy, minutes = _with_models(folder, n)
    rows = range(len(minutes) - candles - 1, len(minutes))
    _all_pairs(strategy, minutes, rows[0])
    began = time.process_time()
    for row in rows[1:]:
        assert _all_pairs(strategy, minutes, row) == n
    return (time.process_time() - began) / candles / n


def _seconds_of_first_candle(folder: Path, n: int) -> float:
    """Wall seconds from the first pair of a new process to the last, all with saved models."""
    first, _ = _with_models(folder, n)
    first.freqai.dd.save_drawer_to_disk()
    strategy, minutes = _started(folder, n)
    began = time.perf_counter()
    assert _all_pairs(strategy, minutes, len(minutes) - 1) == n
    return time.perf_counter() - began


def _started(folder: Path, n: int) -> tuple[Any, pd.DataFrame]:
    folder.mkdir(exist_ok=True, parents=True)
    config = live_configuration(
        folder, conv_width=180, train_period_days=3, model_training_parameters=NETWORK
    )
    strategy, minutes = dry_run(config, DAYS)
    history = strategy.freqai.dd.historic_data
    for i in range(1, n):
        pair = f"C{i}/USDT:USDT"
        strategy.dp.others[pair] = dict(strategy.dp.frames)
        history[pair] = {timeframe: frame.copy() for timeframe, frame in history[PAIR].items()}
    return strategy, minutes


def _with_models(folder: Path, n: int) -> tuple[Any, pd.DataFrame]:
    """Train once; all other pairs use the same model."""
    strategy, minutes = _started(folder, n)
    at(strategy, minutes, len(minutes) - 10)
    train_now(strategy)
    drawer = strategy.freqai.dd
    for pair in strategy.dp.others:
        drawer.pair_dict[pair] = {**drawer.pair_dict[PAIR]}
        drawer.model_dictionary[pair] = drawer.model_dictionary[PAIR]
        drawer.meta_data_dictionary[pair] = drawer.meta_data_dictionary[PAIR]
    return strategy, minutes


def _all_pairs(strategy: Any, minutes: pd.DataFrame, row: int) -> int:
    """Analyse one candle of every pair; return how many were predicted."""
    seen = [at(strategy, minutes, row, pair) for pair in strategy.dp.current_whitelist()]
    return sum(int(frame[DO_PREDICT].iloc[-1] == 1) for frame in seen)

"""A walk-forward of seconds, also in a process that can be killed, and folds that die."""

import os
import signal
import sys
from pathlib import Path

import numpy as np
from examples import make_candles, small_settings

from dualwindow.learning import walk_forward
from dualwindow.learning.fold_store import Done, Store
from dualwindow.learning.folds import Schedule
from dualwindow.learning.parallel import Workers
from dualwindow.learning.walk_forward import Task, WalkForward
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import HourlyLevels
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings

MINUTE = 60
TRAIN, WINDOW, N_WINDOWS = 720, 144, 4  # candles of a minute; the last window is 44 shorter
START = 720 * MINUTE
STOP = START + (N_WINDOWS * WINDOW - 44) * MINUTE
SCHEDULE = Schedule(START, STOP, TRAIN / 1440, WINDOW / 1440)
HORIZON = 12


def pairs(n: int = 1500, names: tuple[str, ...] = ("A/USDT", "B/USDT")) -> list[PairData]:
    """Random walks, other ones for each pair, calm and wild by turns; more than the windows."""
    found = []
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        volatility = 0.0015 * np.exp(np.sin(np.arange(1500) * 2 * np.pi / 180))
        close = 100 * np.exp(np.cumsum(rng.normal(0, volatility)))
        spread = np.abs(rng.normal(0, volatility / 2, (2, 1500)))
        candles = make_candles(
            close, close * (1 + spread[0]), close * (1 - spread[1]), rng.gamma(2.0, 1.0, 1500)
        )
        features = candle_features(candles, HourlyLevels(*rng.uniform(90, 110, (4, 1500))))
        found.append(PairData(name, candles[:n], features[:n], FEATURES))
    return found


def settings(kind: str = "ranges", **model) -> Settings:
    barriers = {f"{side}_take_profit": 0.006 for side in ("long", "short")}
    barriers |= {f"{side}_stop_loss": 0.003 for side in ("long", "short")}
    small = {"lstm_units": [2], "dense_units": [], "epochs": 2} if kind == "lstm" else {}
    return small_settings(12, HORIZON, kind, whole={"labels": barriers}, **small, **model)


def pairs_of(kind: str) -> list[PairData]:
    """One pair is enough for a kind that takes its time."""
    return pairs() if kind == "ranges" else pairs(names=("A/USDT",))


def tasks(kind: str = "ranges", given: list[PairData] | None = None) -> list[Task]:
    return walk_forward.tasks(given or pairs_of(kind), SCHEDULE, settings(kind))[0]


def walk(
    folder: Path,
    kind: str = "ranges",
    workers: Workers | None = None,
    report=lambda step: None,
    given: list[PairData] | None = None,
) -> WalkForward:
    store = Store(folder)
    store.begin(settings(kind), SCHEDULE)
    return walk_forward.run(tasks(kind, given), store, workers or Workers(), report)


def die_once(marker: Path, task: Task) -> list[Done]:
    """Be killed in the third fold, the first time that it is tried."""
    fold = task.members[0].fold
    if fold.number == 1 and fold.pair.startswith("A") and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return walk_forward.run_fold(task)


if __name__ == "__main__":  # wait for the end when three folds are finished
    there = []

    def report(step: walk_forward.Step) -> None:
        there.append(step)
        if len(there) == 3:
            print("three", flush=True)
            signal.pause()

    walk(Path(sys.argv[1]), workers=Workers(n=int(sys.argv[2])), report=report)

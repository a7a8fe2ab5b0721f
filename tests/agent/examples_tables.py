"""A walk-forward of a second, its candles, and the folder of it as the trainer writes it."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dualwindow.learning.fold_store import Store
from dualwindow.learning.folds import Schedule
from dualwindow.learning.parallel import Workers
from dualwindow.learning.walk_forward import run, tasks
from dualwindow.market.candles import Candles
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.market import FIRST, SyntheticMarket
from dualwindow_sandbox.ohlcv import DAY, MINUTE

STEP = 300
PAIRS = ("BTC/USDT:USDT", "ETH/USDT:USDT")
DAYS = 46
BEGIN = FIRST // 1000 + 38 * 86400  # of what is predicted
END = BEGIN + 8 * 86400
HORIZON = 24


def frame_of(pair: str) -> pd.DataFrame:
    market = SyntheticMarket(MarketKind.PLANTED, 1)
    spot = pair.partition(":")[0]
    found = market.minutes(spot, FIRST, FIRST + DAYS * DAY).resampled(5 * MINUTE)
    prices = {name: getattr(found, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"date": pd.to_datetime(found.time, unit="ms", utc=True), **prices})


def candle_file(folder: Path, pair: str) -> Path:
    """As `--data` takes it."""
    path = folder / f"{pair[:3]}.feather"
    if not path.is_file():
        frame_of(pair).to_feather(path)
    return path


def candles_of(pair: str) -> Candles:
    return Candles.from_frame(frame_of(pair), STEP)


def settings_of(horizon: int = HORIZON, kind: str = "trees", **others: Any) -> Settings:
    small = {"least_windows": 20, "rounds": 30} if kind == "trees" else {}
    model = {"kind": kind, "stride": 3, **small}
    return Settings.model_validate({"history": 36, "horizon": horizon, "model": model, **others})


def walk_forward(
    folder: Path, pairs: tuple[str, ...] = PAIRS, settings: Settings | None = None
) -> Path:
    """Walk forward in four folds of two days each; give the folder."""
    chosen = settings or settings_of(pooling="whitelist")
    schedule = Schedule(BEGIN, END, 7, 2)
    store = Store(folder)
    store.begin(chosen, schedule)
    given = [PairData.of_frame(pair, frame_of(pair), STEP) for pair in pairs]
    run(tasks(given, schedule, chosen)[0], store, Workers())
    return folder


def rewrite_records(folder: Path, pair: str, fold: int, **changes: Any) -> None:
    """Change the record of one fold."""
    paths = sorted((folder / "folds").glob(f"{pair[:3]}*.json"))
    record = json.loads(paths[fold].read_text())
    for name, value in changes.items():
        *blocks, last = name.split("__")
        place = record
        for block in blocks:
            place = place[block]
        place[last] = value
    paths[fold].write_text(json.dumps(record))


def rewrite_table(folder: Path, change: Any) -> None:
    """Change the table; `change` takes the frame and gives another."""
    path = folder / "predictions.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)


def shifted(frame: pd.DataFrame, seed: int = 3) -> Candles:
    """Other candles of the same dates."""
    rng = np.random.default_rng(seed)
    factor = np.exp(np.cumsum(rng.normal(0, 0.002, len(frame))))
    prices = {name: frame[name] * factor for name in ("open", "high", "low", "close")}
    return Candles.from_frame(frame.assign(**prices), STEP)


def as_arguments(**given: Any) -> argparse.Namespace:
    return argparse.Namespace(**given)

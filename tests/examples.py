"""Candles, settings and places that several tests share."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualwindow.candles import Candles

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"


def make_candles(
    close: list[float] | np.ndarray,
    high: list[float] | np.ndarray | None = None,
    low: list[float] | np.ndarray | None = None,
    volume: list[float] | np.ndarray | None = None,
    minute: list[int] | np.ndarray | None = None,
) -> Candles:
    close = np.asarray(close, dtype=np.float64)
    minutes = np.arange(len(close)) if minute is None else np.asarray(minute)
    high = close if high is None else np.asarray(high, dtype=np.float64)
    low = close if low is None else np.asarray(low, dtype=np.float64)
    volume = np.ones(len(close)) if volume is None else np.asarray(volume, dtype=np.float64)
    return Candles(minutes * 60, high, low, close, volume, 60)


def random_candles(n: int, seed: int, volatility: float = 0.002) -> Candles:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, n)))
    spread = np.abs(rng.normal(0, volatility / 2, (2, n)))
    return make_candles(
        close, close * (1 + spread[0]), close * (1 - spread[1]), rng.gamma(2.0, 1.0, n)
    )


def shared_frame(name: str) -> pd.DataFrame:
    path = SHARED / name
    if not path.is_file():
        pytest.skip(f"needs {path.name} of ../shared/data")
    return pd.read_feather(path)

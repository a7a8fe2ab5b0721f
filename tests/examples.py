"""Candles, settings and places that several tests share."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import HourlyLevels, join_hours
from dualwindow.market.labels import Barriers, Labelling, exclusive
from dualwindow.samples.data import Rows, Samples, TrainingData
from dualwindow.settings import KINDS, RecurrentSettings, Settings
from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.market import FIRST, SyntheticMarket
from dualwindow_sandbox.ohlcv import DAY, MINUTE, Ohlcv
from harness.places import ROOT, SHARED


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


def random_candles(n: int, seed: int, volatility: float | np.ndarray = 0.002) -> Candles:
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


def random_training_data(
    n: int, seed: int, horizon: int = 12, step_volatility: float | np.ndarray = 0.002
) -> TrainingData:
    """A random walk: where its volatility is constant, nothing in it can be predicted."""
    candles = random_candles(n, seed, step_volatility)
    levels = HourlyLevels(*np.random.default_rng(seed).uniform(90, 110, (4, n)))
    labels = Labelling(exclusive, Barriers(0.006, 0.003, 0.006, 0.003), horizon, 15).label(candles)
    return TrainingData("RND/USDT", candles, candle_features(candles, levels), FEATURES, labels)


def market_training_data(kind: str, days: int, seed: int, horizon: int = 24) -> TrainingData:
    """Five-minute candles of the synthetic market, after thirty days for the averages."""
    start = FIRST + 35 * DAY
    market = SyntheticMarket(MarketKind(kind), seed)
    candles = _candles(market.minutes("BTC/USDT", start, start + days * DAY).resampled(5 * MINUTE))
    hours = market.hours("BTC/USDT", FIRST, start + days * DAY)
    levels = join_hours(candles, hours.time // 1000, hours.close, hours.volume)
    labels = Labelling(exclusive, Barriers(0.01, 0.005, 0.01, 0.005), horizon, 15).label(candles)
    return TrainingData("BTC/USDT", candles, candle_features(candles, levels), FEATURES, labels)


def _candles(ohlcv: Ohlcv) -> Candles:
    step = int(ohlcv.time[1] - ohlcv.time[0]) // 1000
    return Candles(ohlcv.time // 1000, ohlcv.high, ohlcv.low, ohlcv.close, ohlcv.volume, step)


def part_of(data: TrainingData, rows: slice) -> TrainingData:
    return TrainingData(
        data.pair,
        data.candles[rows],
        data.features[rows],
        data.feature_names,
        data.labels[rows],
    )


# What keeps a training small, whatever the kind; each takes what it has.
SMALL = {
    "lstm_units": [8],
    "gru_units": [8],
    "dense_units": [4],
    "batch_size": 128,
    "epochs": 4,
    "stride": 1,
    "feature_dropout": 0.0,
    "candles_per_step": 1,
    "spans": [3, 12],
}


def small_settings(
    history: int, horizon: int, kind: str = "lstm", whole: dict[str, Any] | None = None, **model
) -> Settings:
    """Settings of a kind that learns within a second; `whole` are settings beside the model."""
    known = KINDS[kind].model_fields
    small = {name: value for name, value in SMALL.items() if name in known}
    if issubclass(KINDS[kind], RecurrentSettings):
        small["spans"] = None  # some windows are shorter than these
    if kind == "ensemble":
        kinds = ("lstm", "trees")
        small["members"] = [
            small_settings(history, horizon, each).model.model_dump(exclude={"stride"})
            for each in kinds
        ]
    balancing = {"method": "undersample", "floor": 100}
    return Settings.model_validate(
        {"history": history, "horizon": horizon, "balancing": balancing}
        | (whole or {})
        | {"model": {"kind": kind, **small, **model}}
    )


def separable(n: int = 400, seed: int = 0) -> tuple[Samples, Samples]:
    """Windows of five rows whose class is the sign of the mean of their last three values."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, 2)).astype(np.float32)
    rows = Rows(features, make_candles(np.ones(n)))
    ends = np.arange(4, n)
    mean = np.convolve(features[:, 0], np.ones(3) / 3)[:n]
    labels = (1 + (mean[ends] > 0.3).astype(int) - (mean[ends] < -0.3)).astype(np.int8)
    cut = len(ends) * 3 // 4
    return tuple(
        Samples(rows, ends[part], labels[part], np.ones(len(ends[part])))
        for part in (slice(cut), slice(cut, None))
    )


def leaves(model: BaseModel, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no block of others, by its dotted name."""
    for name, value in model:
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


def readme_settings() -> dict[str, str]:
    """Key to default, as the README's table of settings has them."""
    rows = re.findall(
        r"^\| `([\w.]+)` \| ([^|]+) \| [^|]*\| [^|]+ \|$",
        (ROOT / "README.md").read_text().partition("## Settings")[2],
        re.MULTILINE,
    )
    assert len({key for key, _ in rows}) == len(rows)
    return {key: default.strip() for key, default in rows}


def documented_default(documented: str, kind: str) -> str:
    """Read a default that a kind has otherwise: 64 (`published`: 256)."""
    found = re.fullmatch(r"(.*) \(`(\w+)`: (.*)\)", documented)
    if found is None:
        return documented
    return found[3] if found[2] == kind else found[1]


def as_in_readme(value: Any) -> str:
    if isinstance(value, tuple):
        return str([getattr(item, "kind", item) for item in value]).replace("'", "")
    return str(value)

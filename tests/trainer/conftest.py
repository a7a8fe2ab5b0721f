"""Candles of five minutes in a file, and the command that is typed."""

from pathlib import Path

import pandas as pd
import pytest

from dualwindow.cli import main
from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.market import FIRST, SyntheticMarket
from dualwindow_sandbox.ohlcv import DAY, MINUTE

DAYS = 50


def candles(pair: str, seed: int) -> pd.DataFrame:
    market = SyntheticMarket(MarketKind.PLANTED, seed)
    found = market.minutes(pair, FIRST, FIRST + DAYS * DAY).resampled(5 * MINUTE)
    prices = {name: getattr(found, name) for name in ("open", "high", "low", "close", "volume")}
    return pd.DataFrame({"timestamp": found.time, **prices})


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Two pairs, each as CSV."""
    folder = tmp_path_factory.mktemp("candles")
    for seed, coin in ((1, "BTC"), (2, "ETH")):
        candles(f"{coin}/USDT", seed).to_csv(folder / f"{coin}.csv", index=False)
    return folder


@pytest.fixture
def btc(folder) -> list[str]:
    return ["--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), "--timeframe", "5m"]


@pytest.fixture(scope="session")
def trained(folder, tmp_path_factory) -> Path:
    """What one training has written."""
    out = tmp_path_factory.mktemp("outputs")
    words = ["--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), "--timeframe", "5m"]
    network = ["conv_width=24", "feature_parameters.label_period_candles=24"]
    network += [
        f"model_training_parameters.{s}" for s in ("lstm_units=[4]", "stride=3", "epochs=2")
    ]
    settings = [word for setting in network for word in ("--set", setting)]
    asked = ["--epochs", "2", "--timerange", "20220202-20220215", "--out", str(out)]
    assert main(["train", *words, *settings, *asked]) == 0
    return out

"""Measure what a training gains by going on from the weights of the model before."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration.load_config import load_from_files
from live_faults import Goal
from skill import DAY, RECORDED, ROOT, candle_file, labelled, pipeline, recorded, synthetic

from dualwindow.artifact import Artifact
from dualwindow.features import FEATURES
from dualwindow.sandbox.market import FIRST
from dualwindow.settings import Settings
from dualwindow.training import TrainingData, train

DATADIR = ROOT.parent / "shared/data/binance"
TRAIN_DAYS, RETRAIN_HOURS, EPOCHS = 7, 6, 8
PLANTED = [FIRST // 1000 + (45 + 9 * i) * DAY for i in range(3)]
DAYS = ("2023-11-10", "2023-12-05", "2024-01-10")


def trained(
    source: str, pair: str, stop: int, settings: Settings, previous: Artifact | None = None
) -> Artifact:
    """Train on the days before `stop` (seconds since 1970 UTC)."""
    known = recorded(DATADIR, pair) if source == RECORDED else synthetic(source, pair)
    candles, features = known
    a, b = np.searchsorted(candles.date, [stop - TRAIN_DAYS * DAY, stop]).tolist()
    labels = labelled(candles[a:b], settings)
    data = TrainingData(pair, candles[a:b], features[a:b], FEATURES, labels)
    return train(data, settings, pipeline(settings), previous=previous)


def first_at_most(losses: Sequence[float], level: float) -> int:
    return int(np.argmax(np.array(losses) <= level))


def one_case(source: str, pair: str, stop: int, settings: Settings) -> dict[str, Any]:
    """Train cold, and from a model of some hours earlier, on the same candles.

    The loss that is compared is the lower one that both have reached.
    """
    before = trained(source, pair, stop - RETRAIN_HOURS * 3600, settings)
    cold = trained(source, pair, stop, settings).metadata
    warm = trained(source, pair, stop, settings, before).metadata
    cold_losses = [np.inf, *(e["validation_loss"] for e in cold["epochs"])]
    warm_losses = [
        warm["warm_start"]["validation_loss"],
        *(e["validation_loss"] for e in warm["epochs"]),
    ]
    level = max(min(cold_losses), min(warm_losses))
    return {
        "market": f"{source} {pair} {pd.Timestamp(stop, unit='s'):%Y-%m-%d}",
        "level": level,
        "cold_epochs": first_at_most(cold_losses, level),
        "warm_epochs": first_at_most(warm_losses, level),
        "cold_best": min(cold_losses),
        "warm_best": min(warm_losses),
        "cold_losses": cold_losses[1:],
        "warm_losses": warm_losses,
        "frequencies": cold["validation"]["log_loss_of_frequencies"],
    }


def warm_start(_folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Count the epochs to the same validation loss, on planted and, if there are any, real candles.

    The weights that a warm start begins with are its epoch 0.
    """
    configs = [ROOT / "user_data/config.json", ROOT / "config/presets/quick.json"]
    configured = load_from_files([str(path) for path in configs])["freqai"]
    configured["model_training_parameters"] |= {"epochs": EPOCHS, "patience": EPOCHS}
    settings = Settings.from_freqai(configured)
    cases = [("planted", "BTC/USDT", stop) for stop in PLANTED]
    for pair in ("BTC/USDT", "ETH/USDT"):
        if candle_file(DATADIR, pair, "1m").is_file():
            cases += [
                (RECORDED, pair, int(pd.Timestamp(day, tz="UTC").timestamp())) for day in DAYS
            ]
    found = [one_case(*case, settings) for case in cases]
    cold, warm = ([case[f"{way}_epochs"] for case in found] for way in ("cold", "warm"))
    text = f"cold {cold}, warm {warm}"
    return {"cases": found}, [("epochs to the same validation loss", text, sum(warm) < sum(cold))]

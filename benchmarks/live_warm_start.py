"""Measure what a training gains by going on from the weights of the model before."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration.load_config import load_from_files

from benchmarks.live_faults import Goal
from benchmarks.skill_markets import BEGIN, DAY, synthetic_pair
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.metrics import log_loss
from dualwindow.learning.training import train
from dualwindow.market.labels import UNKNOWN, Labelling
from dualwindow.samples.data import TrainingData
from dualwindow.samples.pair_data import PairData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings
from dualwindow_freqtrade.freqai.configuration import read_configuration
from harness.places import ROOT, SHARED

DATADIR = SHARED / "binance"
CONFIGS = [ROOT / "user_data/config.json", ROOT / "config/presets/quick.json"]
TRAIN_DAYS, RETRAIN_HOURS = 7, 6
PLANTED = [BEGIN + (45 + 9 * i) * DAY for i in range(3)]
DAYS = ("2023-11-10", "2023-12-05", "2024-01-10")


class Market:
    """Candles of one pair, to train before and to predict after."""

    def __init__(self, pair: PairData, settings: Settings) -> None:
        self._pair, self._settings = pair, settings
        self._labelling = Labelling.of(settings)

    def trained(self, stop: int, previous: Artifact | None = None) -> Artifact:
        """Train on the week before `stop` (seconds since 1970 UTC)."""
        pair, settings = self._pair, self._settings
        a, b = np.searchsorted(pair.candles.date, [stop - TRAIN_DAYS * DAY, stop]).tolist()
        candles, features = pair.candles[a:b], pair.features[a:b]
        labels = self._labelling.label(candles)
        taught = TrainingData(pair.pair, candles, features, pair.feature_names, labels)
        return train(taught, settings, FeatureScaler(settings.scaler), previous=previous)

    def next_day(self, model: Artifact, stop: int) -> float:
        """Log loss on the day after `stop`, which no choice has looked at."""
        candles = self._pair.candles
        a, b = np.searchsorted(candles.date, [stop, stop + DAY]).tolist()
        prediction = model.predict(candles[a:b], self._pair.features[a:b])
        truth = self._labelling.label(candles[a : b + self._settings.horizon])[: b - a]
        judged = (truth != UNKNOWN) & prediction.valid
        return log_loss(prediction.probabilities[judged], truth[judged])


def one_case(market: Market, stop: int) -> dict[str, Any]:
    """Train cold, and from a model of some hours earlier, on the same candles."""
    before = market.trained(stop - RETRAIN_HOURS * 3600)
    found: dict[str, Any] = {}
    for way, previous in (("cold", None), ("warm", before)):
        model = market.trained(stop, previous)
        record = model.record
        losses = [epoch.validation_loss for epoch in record.epochs]
        start = [] if record.start_loss is None else [record.start_loss]
        found[way] = {
            "epochs": len(losses),
            "best_epoch": record.best_epoch,
            "loss": min([*start, *losses]),
            "next_day": market.next_day(model, stop),
            "losses": losses,
        }
    return found


def cases() -> Iterator[tuple[str, PairData, int]]:
    """Three planted weeks and, if there are candles, six recorded ones."""
    planted = synthetic_pair("planted", PLANTED[-1] + DAY)
    yield from (("planted", planted, stop) for stop in PLANTED)
    for pair in ("BTC/USDT", "ETH/USDT") if DATADIR.is_dir() else ():
        recorded = PairData.read(DATADIR, pair, "1m")
        for day in DAYS:
            yield "recorded", recorded, int(pd.Timestamp(day, tz="UTC").timestamp())


def warm_start(_folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Count the epochs that both ways run with the preset `quick`, and compare where they end.

    A network of another seed ends some hundredths better or worse in a week, a hundredth in the
    mean of many.
    """
    freqai = load_from_files([str(path) for path in CONFIGS])["freqai"]
    settings = read_configuration(freqai).settings
    found = {
        f"{source} {pair.pair} {pd.Timestamp(stop, unit='s'):%Y-%m-%d}": one_case(
            Market(pair, settings), stop
        )
        for source, pair, stop in cases()
    }
    return {"cases": found}, goals(found)


def goals(found: Mapping[str, dict[str, Any]]) -> list[Goal]:
    """Ask for fewer epochs, and for an end that is as good."""
    cold, warm = (pd.DataFrame([case[way] for case in found.values()]) for way in ("cold", "warm"))
    epochs, losses, days = (
        f"cold {cold[column].agg(how):{form}}, warm {warm[column].agg(how):{form}}"
        for column, how, form in (
            ("epochs", "sum", "d"),
            ("loss", "mean", ".4f"),
            ("next_day", "mean", ".4f"),
        )
    )
    fewer = bool(warm["epochs"].sum() < cold["epochs"].sum())
    as_good = bool(warm["loss"].mean() <= cold["loss"].mean() + 0.01)
    return [
        (f"epochs of {len(found)} trainings", epochs, fewer),
        (f"their validation loss; on the next day {days}", losses, as_good),
    ]

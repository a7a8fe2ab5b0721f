"""Measure what a training gains by going on from the weights of the model before."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.configuration.load_config import load_from_files
from live_faults import Goal
from skill import DAY, RECORDED, ROOT, candle_file, pipeline, recorded, synthetic

from dualwindow.learning.artifact import Artifact
from dualwindow.learning.metrics import log_loss
from dualwindow.learning.training import TrainingData, train
from dualwindow.market.features import FEATURES
from dualwindow.market.labels import UNKNOWN
from dualwindow.settings import Settings
from dualwindow_sandbox.market import FIRST

DATADIR = ROOT.parent / "shared/data/binance"
TRAIN_DAYS, RETRAIN_HOURS = 7, 6
PLANTED = [FIRST // 1000 + (45 + 9 * i) * DAY for i in range(3)]
DAYS = ("2023-11-10", "2023-12-05", "2024-01-10")


class Market:
    """Candles of one pair, to train before and to predict after."""

    def __init__(self, source: str, pair: str, settings: Settings) -> None:
        found = recorded(DATADIR, pair) if source == RECORDED else synthetic(source, pair)
        self._candles, self._features = found
        self._pair, self._settings = pair, settings

    def trained(self, stop: int, previous: Artifact | None = None) -> Artifact:
        """Train on the week before `stop` (seconds since 1970 UTC)."""
        a, b = np.searchsorted(self._candles.date, [stop - TRAIN_DAYS * DAY, stop]).tolist()
        candles, settings = self._candles[a:b], self._settings
        labels = settings.labelling.label(candles)
        data = TrainingData(self._pair, candles, self._features[a:b], FEATURES, labels)
        return train(data, settings, pipeline(settings), previous=previous)

    def next_day(self, model: Artifact, stop: int) -> float:
        """Log loss on the day after `stop`, which no choice has looked at."""
        a, b = np.searchsorted(self._candles.date, [stop, stop + DAY]).tolist()
        prediction = model.predict(self._candles[a:b], self._features[a:b])
        later = self._candles[a : b + self._settings.windows.horizon]
        truth = self._settings.labelling.label(later)[: b - a]
        judged = (truth != UNKNOWN) & prediction.valid
        return float(log_loss(prediction.probabilities[judged], truth[judged]))


def one_case(market: Market, stop: int) -> dict[str, Any]:
    """Train cold, and from a model of some hours earlier, on the same candles."""
    before = market.trained(stop - RETRAIN_HOURS * 3600)
    found: dict[str, Any] = {}
    for way, previous in (("cold", None), ("warm", before)):
        model = market.trained(stop, previous)
        facts = model.metadata
        losses = [epoch["validation_loss"] for epoch in facts["epochs"]]
        start = facts["warm_start"]
        found[way] = {
            "epochs": len(losses),
            "best_epoch": facts["best_epoch"],
            "loss": min([*losses, start["validation_loss"]] if start else losses),
            "next_day": market.next_day(model, stop),
            "losses": losses,
        }
    return found


def warm_start(_folder: Path) -> tuple[dict[str, Any], list[Goal]]:
    """Count the epochs that both ways run with the preset `quick`, and compare where they end.

    Three planted weeks and, if there are candles, six recorded ones. A network of another seed
    ends some hundredths better or worse in a week, a hundredth in the mean of many.
    """
    configs = [ROOT / "user_data/config.json", ROOT / "config/presets/quick.json"]
    settings = Settings.from_freqai(load_from_files([str(path) for path in configs])["freqai"])
    cases = [("planted", "BTC/USDT", stop) for stop in PLANTED]
    for pair in ("BTC/USDT", "ETH/USDT"):
        if candle_file(DATADIR, pair, "1m").is_file():
            stops = [int(pd.Timestamp(day, tz="UTC").timestamp()) for day in DAYS]
            cases += [(RECORDED, pair, stop) for stop in stops]
    found = {}
    for source, pair, stop in cases:
        name = f"{source} {pair} {pd.Timestamp(stop, unit='s'):%Y-%m-%d}"
        found[name] = one_case(Market(source, pair, settings), stop)
    ways = {way: pd.DataFrame([case[way] for case in found.values()]) for way in ("cold", "warm")}
    cold, warm = ways["cold"], ways["warm"]
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
    return {"cases": found}, [
        (f"epochs of {len(found)} trainings", epochs, fewer),
        (f"their validation loss; on the next day {days}", losses, as_good),
    ]

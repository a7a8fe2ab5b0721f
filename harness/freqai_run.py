"""Real FreqAI, the real model and the real strategy, on frames instead of an exchange."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.enums import RunMode
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import StrategyResolver
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from pandas import DataFrame

from dualwindow_freqtrade.live.status import STATUS_FILE
from harness.places import ROOT

PAIR = "BTC/USDT:USDT"
HISTORY = 10
DUAL_WINDOW = {
    "balancing": {"floor": 50},
    "calibration": "none",
    # Candles of these tests are old, and some are predicted without FreqAI.
    "guards": {"max_candle_age": 1e9, "max_prediction_share": 1e9},
}


def configuration(user_data: Path, **freqai: Any) -> dict[str, Any]:
    """One day of training and quarters of a day to predict, in a network of two units."""
    (user_data / "config.json").write_text("{}")
    features = {
        "include_timeframes": ["1m", "1h"],
        "include_corr_pairlist": [],
        "indicator_periods_candles": [1],
        "include_shifted_candles": 0,
        "label_period_candles": 20,
        "shuffle_after_split": False,
        "buffer_train_data_candles": 0,
        **freqai.pop("feature_parameters", {}),
    }
    given = freqai.pop("model_training_parameters", {})
    training: dict[str, Any] = {"stride": 1}
    if given.get("kind") != "ensemble":  # whose members have their own
        training |= {"lstm_units": [2], "dense_units": [], "epochs": 1}
        training |= {"candles_per_step": 1, "spans": []}  # for any length of window
    return {
        "runmode": RunMode.BACKTEST,
        "strategy": "DualWindowStrategy",
        "strategy_path": str(ROOT / "strategies"),
        "freqaimodel": "DualWindowLSTM",
        "freqaimodel_path": str(ROOT / "freqaimodels"),
        "user_data_dir": user_data,
        "config_files": [str(user_data / "config.json")],
        "datadir": user_data,
        "timeframe": "1m",
        "timerange": "20240202-20240203",
        "trading_mode": "futures",
        "stake_currency": "USDT",
        "stake_amount": 10,
        "fee": 0.0005,
        "dry_run": True,
        "exchange": {"name": "binance", "pair_whitelist": [PAIR]},
        "freqai": {
            "enabled": True,
            "identifier": "test",
            "conv_width": HISTORY,
            "train_period_days": 1,
            "purge_old_models": 2,
            "backtest_period_days": 0.25,
            "activate_tensorboard": False,
            "data_split_parameters": {"test_size": 0.2},
            "dual_window": DUAL_WINDOW,
            "feature_parameters": features,
            "model_training_parameters": training | given,
            **freqai,
        },
    }


def market(
    seed: int = 0, volatility: float = 0.001, start: str = "2024-02-01", days: int = 2
) -> dict[str, DataFrame]:
    """Minutes of some days from `start`, and their hours with those of 38 days before."""
    first = pd.Timestamp(start, tz="UTC")
    rng = np.random.default_rng(seed)

    def candles(start: pd.Timestamp, frequency: str, n: int, step: float) -> DataFrame:
        close = 100 * np.exp(np.cumsum(rng.normal(0, step, n)))
        open_ = np.concatenate([[100.0], close[:-1]])
        spread = 1 + np.abs(rng.normal(0, step / 2, n))
        return DataFrame(
            {
                "date": pd.date_range(start, periods=n, freq=frequency).as_unit("ms"),
                "open": open_,
                "high": np.maximum(open_, close) * spread,
                "low": np.minimum(open_, close) / spread,
                "close": close,
                "volume": rng.gamma(2.0, 5.0, n),
            }
        )

    return {
        "1m": candles(first, "1min", days * 1440, volatility),
        "1h": candles(first - pd.Timedelta("38D"), "1h", (38 + days) * 24, 8 * volatility),
    }


class Frames:
    """What the strategy asks a data provider for, served from frames.

    `frames` are those of `PAIR`; `others` may hold those of further pairs of the whitelist.
    """

    def __init__(self, frames: Mapping[str, DataFrame], runmode: RunMode) -> None:
        self.frames = dict(frames)
        self.others: dict[str, dict[str, DataFrame]] = {}
        self.analysed: dict[str, pd.Timestamp] = {}
        self.runmode = runmode
        self._exchange = None

    def get_pair_dataframe(self, pair: str, timeframe: str) -> DataFrame:
        """Give a copy, as freqtrade does."""
        return self.others.get(pair, self.frames)[timeframe].copy()

    def get_analyzed_dataframe(self, pair: str, timeframe: str) -> tuple[None, pd.Timestamp]:
        """Tell when a pair was analysed; in 1970 if never."""
        return None, self.analysed.get(pair, pd.Timestamp(0, tz="UTC"))

    def current_whitelist(self) -> list[str]:
        """Give all pairs."""
        return [PAIR, *self.others]


def load_strategy(config: dict[str, Any], frames: Mapping[str, DataFrame]):
    """Load strategy and model through freqtrade's own resolvers."""
    strategy = StrategyResolver.load_strategy(config)
    strategy.dp = Frames(frames, config["runmode"])
    strategy.ft_bot_start()
    return strategy


def backtest(config: dict[str, Any], frames: Mapping[str, DataFrame], pair: str = PAIR):
    """Run all windows through FreqAI and return strategy and annotated candles."""
    strategy = load_strategy(config, frames)
    return strategy, strategy.advise_indicators(frames["1m"].copy(), {"pair": pair})


def live_configuration(user_data: Path, **freqai: Any) -> dict[str, Any]:
    """Configure a dry run on candles of `market`, which may be an hour off the clock."""
    guards = DUAL_WINDOW["guards"] | freqai.pop("guards", {})
    options = {"live_retrain_hours": 1, "dual_window": DUAL_WINDOW | {"guards": guards}}
    return configuration(user_data, **(options | freqai)) | {"runmode": RunMode.DRY_RUN}


def market_until_now(days: int = 2) -> dict[str, DataFrame]:
    """Make a market whose minutes end within an hour of the clock."""
    first = pd.Timestamp.now("UTC").floor("h") - pd.Timedelta(hours=24 * days - 1)
    return market(start=str(first.tz_localize(None)), days=days)


def dry_run(config: dict[str, Any], days: int = 2, frames: Mapping[str, DataFrame] | None = None):
    """Start a strategy on minutes that end now, without the thread that trains.

    Returns
    -------
    The strategy and all its minutes.
    """
    frames = frames or market_until_now(days)
    strategy = StrategyResolver.load_strategy(config)
    strategy.dp = Frames(frames, config["runmode"])
    # Not ft_bot_start(), which would download candles.
    strategy.freqai = FreqaiModelResolver.load_freqaimodel(config)
    strategy.freqai_info = config["freqai"]
    strategy.bot_start()
    strategy.freqai.start_scanning = lambda strategy: None  # the test trains when it wants to
    history = {**frames, "1m": frames["1m"].head(1440 * days - 880)}
    strategy.freqai.dd.historic_data[PAIR] = history
    return strategy, frames["1m"]


def at(strategy, minutes: DataFrame, row: int, pair: str = PAIR) -> DataFrame:
    """Show the strategy what it sees when the candle of this row has just closed."""
    frames = strategy.dp.others.get(pair, strategy.dp.frames)
    frames["1m"] = minutes.iloc[row - 999 : row + 1].reset_index(drop=True)
    analysed = strategy.advise_indicators(frames["1m"].copy(), {"pair": pair})
    strategy.dp.analysed[pair] = minutes["date"].iloc[row] + pd.Timedelta("1min")
    return analysed


def train_now(strategy, pair: str = PAIR) -> FreqaiDataKitchen:
    """Train as FreqAI's thread does when it is time."""
    model = strategy.freqai
    dk = FreqaiDataKitchen(strategy.config, live=True, pair=pair)
    _, trained_on, loaded = dk.check_if_new_training_required(0)
    dk.set_paths(pair, trained_on.stopts)
    model.extract_data_and_train_model(trained_on, pair, strategy, dk, loaded)
    return dk


def out_of_sample(result: DataFrame) -> DataFrame:
    """Return the candles of the backtest, without those it was trained on."""
    return result[result["date"] >= "2024-02-02"].reset_index(drop=True)


def status_of(strategy) -> dict[str, Any]:
    """Read what the status file of a dry run says."""
    strategy.freqai._live_watch._status.write()  # it is not written too often
    return json.loads((strategy.freqai.full_path / STATUS_FILE).read_text())

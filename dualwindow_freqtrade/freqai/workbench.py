"""Take a strategy and its model out of freqtrade's loops, onto a workbench."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
from freqtrade.commands.arguments import Arguments
from freqtrade.configuration import Configuration, validate_config_consistency
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException, OperationalException
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.resolvers import StrategyResolver
from freqtrade.strategy import IStrategy
from pandas import DataFrame

from dualwindow.learning.artifact import Artifact, Prediction, format_trouble
from dualwindow.market.candles import Candles
from dualwindow_freqtrade.freqai.names import MODEL_FILE, trained_at, trainings_of
from dualwindow_freqtrade.freqai.sources import others_beside
from dualwindow_freqtrade.freqai.whitelist import configured_pairs


class _Market:
    """What a strategy asks a data provider for, with candles that a check may change."""

    runmode = RunMode.BACKTEST

    def __init__(self, provider: DataProvider, pairs: Sequence[str]) -> None:
        self._provider, self._pairs = provider, pairs
        self.change: Callable[[DataFrame, str], DataFrame] = lambda frame, timeframe: frame

    def get_pair_dataframe(self, pair: str, timeframe: str, candle_type: str = "") -> DataFrame:
        frame = self._provider.historic_ohlcv(pair, timeframe, candle_type)
        if frame.empty:
            raise OperationalException(
                f"{pair}: no {timeframe} candles; download them: freqtrade download-data -p {pair} "
                f"-t {timeframe} --timerange YYYYMMDD-, with the same -c, -d and --userdir"
            )
        return self.change(frame, timeframe)

    def current_whitelist(self) -> list[str]:
        return list(self._pairs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._provider, name)


def read_words(words: Sequence[str]) -> dict[str, Any]:
    """Read the configuration as ``freqtrade backtesting`` does with these options."""
    return _filled(_read("backtesting", words), RunMode.BACKTEST)


def read_words_of_check(words: Sequence[str], command: str = "backtesting") -> dict[str, Any]:
    """Read the configuration of a bot, for a workbench.

    It needs no timerange, and one in it is left out unless it is among the words: that of the
    configuration is for backtests, live predictions are later.

    Parameters
    ----------
    words : options of the command
    command : ``backtesting`` or ``trade`` of freqtrade
    """
    config = _read(command, words)
    if not Arguments([command, *words]).get_parsed_arg().get("timerange"):
        config.pop("timerange", None)
    return _filled(config, RunMode.UTIL_EXCHANGE)


def _read(command: str, words: Sequence[str]) -> dict[str, Any]:
    arguments = Arguments([command, *words]).get_parsed_arg()
    paths = [Path(path) for path in arguments["config"] if path != "-"]
    missing = [f"{path}: {there}" for path in paths if (there := others_beside(path))]
    if missing:  # freqtrade would only say that it is missing
        raise OperationalException(f"a configuration file was not found; {'; '.join(missing)}")
    mode = RunMode.DRY_RUN if command == "trade" else RunMode.BACKTEST
    config: dict[str, Any] = Configuration(arguments, mode).get_config()
    return config


def _filled(config: dict[str, Any], mode: RunMode) -> dict[str, Any]:
    """Let freqtrade refuse what this mode cannot do with, and fill in what is left out."""
    config["runmode"] = mode
    validate_config_consistency(config, preliminary=True)
    config["runmode"] = RunMode.BACKTEST  # a workbench has no exchange to ask
    config["candle_type_def"] = config.get("candle_type_def", "spot")
    return config


def _pairs_of(config: dict[str, Any]) -> list[str]:
    pairs = configured_pairs(config)
    if not pairs:
        written = config["exchange"].get("pair_whitelist", [])
        raise OperationalException(
            f"exchange.pair_whitelist is {written}, which names no pair with {config['timeframe']} "
            f"candles in {config['datadir']}; what a pairlist finds only the exchange can tell, so "
            "name the pairs: one more -c FILE with an exchange.pair_whitelist of them"
        )
    return pairs


def _start(strategy: IStrategy) -> None:
    """Start it and its model; FreqAI loads what it finds in the folder, whole or not."""
    try:
        strategy.ft_bot_start()
    except FreqtradeException:  # all that a strategy raises is one
        raise
    except Exception as error:  # damaged pickles raise whatever they like
        config = strategy.config
        folder = Path(config["user_data_dir"], "models", config["freqai"].get("identifier", ""))
        raise OperationalException(
            f"the model cannot be made on {folder} ({type(error).__name__}: {error}); a bot "
            "that starts sets aside what is damaged there, and goes on with its backup"
        ) from error


class Workbench:
    """A strategy with its model and candles, outside of freqtrade's loops.

    Parameters
    ----------
    config : as `read_words` gives it

    Raises
    ------
    OperationalException
        If something does not fit, or it names no pairs.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = {**config, "exchange": dict(config["exchange"])}
        features = config["freqai"]["feature_parameters"]
        self.corr_pairs: list[str] = features.get("include_corr_pairlist", [])
        # It may set the timeframe, which says whose candles are on disk.
        self.strategy: IStrategy = StrategyResolver.load_strategy(self.config)
        self.pairs = _pairs_of(self.config)
        self.config["exchange"]["pair_whitelist"] = self.pairs
        self.market = _Market(DataProvider(self.config, None), self.pairs)
        self.strategy.dp = self.market
        _start(self.strategy)
        self.model = self.strategy.freqai
        self.model.fingerprint.digest_code(self.strategy)
        self.folder = Path(self.model.full_path)

    def featured(self, pair: str, minutes: DataFrame) -> DataFrame:
        """Compute the strategy's features and labels of all these candles, as a backtest does."""
        # A kitchen that is not live insists on the windows of a timerange.
        dk = FreqaiDataKitchen(self.config, live=True, pair=pair)
        return dk.use_strategy_to_populate_indicators(
            self.strategy, prediction_dataframe=minutes, pair=pair
        )

    def minutes(self, pair: str) -> DataFrame:
        """All candles of the strategy's timeframe."""
        return self.market.get_pair_dataframe(pair, self.config["timeframe"])

    def models(self, pair: str, notes: list[str]) -> dict[int, Artifact]:
        """All saved models of a pair by the second of their training; damaged ones are noted."""
        found = {}
        for path in sorted(self.folder.glob(f"{trainings_of(pair)}/*{MODEL_FILE}")):
            try:
                model = cloudpickle.loads(path.read_bytes())
            except Exception as error:  # damaged pickles raise whatever they like
                damage = f"it is damaged: {type(error).__name__}: {error}"
                notes.append(f"{path}: {format_trouble(error) or damage}")
                continue
            if model.record.pair == pair:
                found[trained_at(path.parent)] = model
        return found

    def predicted(self, model: Artifact, frame: DataFrame) -> Prediction:
        """Predict all candles that have been given features."""
        features = frame[list(model.record.features)].to_numpy(np.float64)
        candles = Candles.from_frame(frame, self.model.base_tf_seconds)
        return model.predict(candles, features)

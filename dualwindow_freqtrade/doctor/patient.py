"""What the doctor looks at: a configuration, and what freqtrade makes of it, as far as it goes."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import ccxt
from freqtrade.commands.arguments import Arguments
from freqtrade.configuration import (
    Configuration,
    remove_exchange_credentials,
    validate_config_consistency,
)
from freqtrade.configuration.environment_vars import environment_vars_to_dict
from freqtrade.configuration.load_config import load_from_files
from freqtrade.data.dataprovider import DataProvider
from freqtrade.enums import CandleType, RunMode
from freqtrade.exchange import Exchange
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.misc import deep_merge_dicts
from freqtrade.resolvers import ExchangeResolver, StrategyResolver
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver
from freqtrade.strategy import IStrategy

from dualwindow_freqtrade.doctor.rows import NotThereError

T = TypeVar("T")

PATIENCE = 5  # seconds; nothing but a warning depends on the exchange's answer


class Completed(NamedTuple):
    """A configuration with all that freqtrade fills in, and what it refuses in it, if anything."""

    config: dict[str, Any]
    refusal: Exception | None


def _or_refusal(make: Callable[[], T]) -> T | Exception:
    """Make something by anybody's code, which may raise anything: that is the answer, then."""
    try:
        return make()
    except NotThereError:
        raise
    except Exception as error:
        return error


def _there(made: T | Exception, otherwise: str) -> T:
    if isinstance(made, Exception):
        raise NotThereError(otherwise)
    return made


def _without_key(exchange: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out who the user is, wherever ccxt would take it from, and do not wait for long."""
    found = deepcopy(dict(exchange))
    remove_exchange_credentials(found, dry_run=True)
    secret = ccxt.Exchange.requiredCredentials
    for block in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        given = found.get(block, {})
        found[block] = {name: value for name, value in given.items() if name not in secret}
    found["ccxt_async_config"]["timeout"] = 1000 * PATIENCE
    return found


class Patient:
    """A configuration and what belongs to it; each part is made when it is first asked for.

    Nothing here asks an exchange but `ask_for_markets`, and nothing is written but in a folder that
    is removed later.

    Parameters
    ----------
    words : options as for ``freqtrade backtesting``
    now : seconds since 1970 UTC
    apart : an empty folder, in which FreqAI may write what it writes at a start
    """

    def __init__(self, words: Sequence[str], now: float, apart: Path) -> None:
        self.words, self.now, self._apart = tuple(words), now, apart
        self.arguments: dict[str, Any] = Arguments(["backtesting", *words]).get_parsed_arg()

    @cached_property
    def written(self) -> dict[str, Any]:
        """All files, and the environment on top of them."""
        loaded = load_from_files(self.arguments["config"])
        return dict(deep_merge_dicts(environment_vars_to_dict(), loaded))

    @cached_property
    def completed(self) -> Completed:
        """As freqtrade completes it; what it refuses stays as it is written."""
        try:
            written = self.written
        except Exception as error:  # of a damaged file, almost any
            raise NotThereError("the configuration cannot be read") from error
        try:
            config = Configuration(dict(self.arguments), RunMode.BACKTEST).get_config()
        except Exception as error:  # whatever freqtrade stumbles over in what is written
            return Completed(self._filled(written), error)
        if not config.get("timerange"):  # it is for a bot: what a backtest needs is not asked
            config["runmode"] = RunMode.UTIL_EXCHANGE
        try:
            validate_config_consistency(config, preliminary=True)
        except Exception as error:
            return Completed(self._filled(config), error)
        return Completed({**self._filled(config), "runmode": RunMode.BACKTEST}, None)

    def _filled(self, config: Mapping[str, Any]) -> dict[str, Any]:
        exchange = config.get("exchange")
        name = exchange.get("name", "") if isinstance(exchange, Mapping) else ""
        folder = Path(
            self.arguments.get("user_data_dir") or config.get("user_data_dir", "user_data")
        )
        is_spot = config.get("trading_mode", "spot") == "spot"
        defaults = {
            "user_data_dir": folder,
            "datadir": Path(self.arguments.get("datadir") or folder / "data" / str(name)),
            "candle_type_def": CandleType.SPOT if is_spot else CandleType.FUTURES,
            "dataformat_ohlcv": "feather",
            "timeframe": "1m",
        }
        return {**defaults, **config}

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, whether freqtrade takes it or not.

        Raises
        ------
        NotThereError
            If its files cannot be read.
        """
        return self.completed.config

    @property
    def freqai(self) -> dict[str, Any]:
        """The block of that name."""
        found = self.config.get("freqai")
        if not isinstance(found, dict) or not found:
            raise NotThereError("there is no block freqai")
        return found

    @property
    def own(self) -> dict[str, Any]:
        """The block ``dual_window``; empty where there is none."""
        found = self.freqai.get("dual_window")
        return found if isinstance(found, dict) else {}

    @property
    def pairs(self) -> list[str]:
        """The whitelist as it is written; patterns are left out."""
        exchange = self.config.get("exchange")
        found = exchange.get("pair_whitelist", []) if isinstance(exchange, dict) else []
        return [pair for pair in found if isinstance(pair, str) and not set(pair) & set("*[(|")]

    @property
    def patterns(self) -> list[str]:
        """What the whitelist has of patterns, which an exchange must be asked about."""
        exchange = self.config.get("exchange")
        found = exchange.get("pair_whitelist", []) if isinstance(exchange, dict) else []
        return [text for text in found if isinstance(text, str) and text not in self.pairs]

    @property
    def pairlists(self) -> list[str]:
        """The pairlists that ask for pairs while a bot runs."""
        lists = self.config.get("pairlists")
        given = [each.get("method") for each in lists or [] if isinstance(each, dict)]
        return [str(method) for method in given[:1] if method != "StaticPairList"]

    @property
    def user_data(self) -> Path:
        """The folder of the user's data."""
        return Path(self.config["user_data_dir"])

    @property
    def folder(self) -> Path:
        """The folder of the models of the identifier; it may not be there."""
        return self.user_data / "models" / str(self.freqai.get("identifier", ""))

    @cached_property
    def made(self) -> IFreqaiModel | Exception:
        """The model as the bot makes it, or why it refuses."""
        name = self.config.get("freqaimodel") or "DualWindowLSTM"
        config = {**deepcopy(self.config), "user_data_dir": self._apart}
        return _or_refusal(
            lambda: FreqaiModelResolver.load_object(name, self.config, kwargs={"config": config})
        )

    @property
    def model(self) -> IFreqaiModel:
        """The model.

        Raises
        ------
        NotThereError
            If it refuses the configuration.
        """
        return _there(self.made, "the model refuses the configuration")

    @cached_property
    def loaded(self) -> IStrategy | Exception:
        """The strategy as the bot loads it, or why it cannot."""
        return _or_refusal(lambda: StrategyResolver.load_strategy(self.config))

    @property
    def strategy(self) -> IStrategy:
        """The strategy, without model and market.

        Raises
        ------
        NotThereError
            If it cannot be loaded.
        """
        return _there(self.loaded, "the strategy cannot be loaded")

    @property
    def startup_candles(self) -> int:
        """How many candles features look back on, as far as it is known."""
        if isinstance(self.loaded, Exception):
            found = self.config.get("startup_candle_count", 0)
            return found if isinstance(found, int) else 0
        return int(self.loaded.startup_candle_count)

    @cached_property
    def started(self) -> IStrategy:
        """The strategy with its model and a market that knows no prices, before it starts."""
        strategy = self.strategy
        strategy.freqai, strategy.freqai_info = self.model, self.config["freqai"]
        strategy.dp = DataProvider(self.config, self.exchange)
        return strategy

    @cached_property
    def exchange(self) -> Exchange:
        """What freqtrade knows of the exchange without asking it.

        Where a bot trades for money, freqtrade would ask, with the user's key.
        """
        config = {**self.config, "dry_run": True}
        try:
            config["exchange"] = _without_key(config["exchange"])
            return ExchangeResolver.load_exchange(config, validate=False)
        except Exception as error:
            raise NotThereError(f"freqtrade does not know the exchange: {error}") from error

    def ask_for_markets(self) -> None:
        """Let the exchange say what it trades, as it tells everybody, once and not for long.

        Raises
        ------
        TemporaryError
            If it does not.
        """
        # As Exchange.reload_markets does, which tells nobody but the log why there are none.
        self.exchange._load_async_markets()
        self.exchange._markets = self.exchange._api_async.markets

    def close(self) -> None:
        """Let go of the exchange, if it was asked for."""
        if "exchange" in vars(self):
            self.exchange.close()

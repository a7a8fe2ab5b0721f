"""Keep what a backtest or a bot was in the folder of its identifier, for whoever reports on it.

FreqAI keeps predictions, but neither which of them belong to one backtest nor where the candles
are, what decided on an entry, or who traded.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_serializer

from dualwindow.facts import Facts
from dualwindow.market.files import write_aside
from dualwindow.settings import ConfidenceSettings

BACKTEST_FILE = "dualwindow_backtest.json"
BEGUN_FILE = "dualwindow_backtest_begun.json"  # while a backtest is going on, or after a crash
LIVE_FILE = "dualwindow_live.json"


# Of freqtrade's configuration; keys of exchanges, servers and messengers are not among them, nor
# what freqtrade copies into it from a strategy, which knows it itself.
_KEPT = (
    *("timeframe", "trading_mode", "margin_mode", "candle_type_def", "dataformat_ohlcv", "fee"),
    *("stake_currency", "stake_amount", "max_open_trades", "tradable_balance_ratio", "dry_run"),
    *("dry_run_wallet", "entry_pricing", "exit_pricing", "unfilledtimeout"),
    *("reduce_df_footprint", "internals", "freqai", "freqaimodel"),
)
# Which live freqtrade lengthens in its copy: features on made-up candles would be others.
_STARTUP = "startup_candle_count"
_PATHS = ("user_data_dir", "datadir", "strategy_path", "freqaimodel_path")


class RunError(Exception):
    """There is nothing to report on, or it cannot be read; it says what to do."""


class Judging(Facts):
    """What decides on an entry.

    Parameters
    ----------
    confidence : the rule as settings; None where an agent or nobody decides by one
    words : the rule in words
    fees : of entry and exit together, a fraction of the stake
    warnings : for the reader, as that the strategy may decide otherwise
    can_short : whether the strategy enters SHORT where it is told to, which freqtrade does not let
        it on spot
    """

    confidence: ConfidenceSettings | None
    words: str
    fees: float
    warnings: tuple[str, ...] = ()
    can_short: bool = True

    @field_serializer("confidence")
    def _as_it_was_given(self, confidence: ConfidenceSettings | None) -> dict[str, Any] | None:
        """Leave out what was not set, which some modes refuse."""
        return None if confidence is None else confidence.model_dump(exclude_unset=True)


class Market(Facts):
    """Where candles are.

    Parameters
    ----------
    exchange, candles, form, kind : name, folder, ending of the files, freqtrade's word for spot or
        futures
    timeframe, step : of a candle, in words and in seconds
    """

    exchange: str
    candles: Path
    form: str
    kind: str
    timeframe: str
    step: int


class Window(Facts):
    """A window that was predicted: FreqAI's name of its model, and seconds since 1970 UTC."""

    name: str
    start: int
    stop: int


class Seen(Facts):
    """What a backtest had of a pair: its first and its last candle, and its windows."""

    first: int
    last: int
    windows: tuple[Window, ...]


class Command(Facts):
    """What was run, so that a workbench can be set up likewise, wherever its files have gone.

    Parameters
    ----------
    user_data : folder
    strategy : name
    timerange : of a backtest, as it was typed
    configuration : what a strategy and its model read of it; nothing that is secret
    """

    user_data: Path
    strategy: str
    timerange: str | None
    configuration: dict[str, Any]


class Run(Facts):
    """A backtest, or a bot.

    Parameters
    ----------
    made_at : seconds since 1970 UTC
    pairs : what a backtest has predicted, in its order; of a bot there are none
    trades : file of a bot's database; None of a backtest, or where it is on a server
    """

    format: Literal[1] = 1
    made_at: float
    judging: Judging
    market: Market
    command: Command
    pairs: dict[str, Seen] = Field(default_factory=dict)
    trades: Path | None = None


def command_of(config: Mapping[str, Any], strategy: str) -> Command:
    """Read in freqtrade's configuration what was run, beside the name of the strategy.

    Not which files it came from: some are gone by then, and variables of the environment count.
    """
    exchange, given = config.get("exchange", {}), config.get("original_config", {})
    kept: dict[str, Any] = {
        **{key: config[key] for key in _KEPT if key in config},
        **{key: given[key] for key in (_STARTUP,) if key in given},
        **{key: str(Path(config[key]).absolute()) for key in _PATHS if config.get(key)},
        "exchange": {key: exchange[key] for key in ("name", "pair_whitelist") if key in exchange},
        # Their other keys may be secret: the address of a list, and the token for it.
        "pairlists": [{"method": each.get("method", "")} for each in config.get("pairlists", [])],
        "strategy": strategy,
    }
    return Command(
        user_data=Path(config["user_data_dir"]).absolute(),
        strategy=strategy,
        timerange=_text(config.get("timerange")),
        configuration=json.loads(json.dumps(kept, default=str)),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def market_of(config: Mapping[str, Any], step: int) -> Market:
    """Read in freqtrade's configuration where candles are; `step` in seconds."""
    return Market(
        exchange=str(config.get("exchange", {}).get("name", "")),
        candles=Path(config["datadir"]).absolute(),
        form=str(config.get("dataformat_ohlcv", "feather")),
        kind=str(config.get("candle_type_def", config.get("trading_mode", "spot"))),
        timeframe=str(config["timeframe"]),
        step=step,
    )


def write_run(path: Path, run: Run) -> None:
    """Write it whole.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aside(path, run.to_json().encode(), durable=False, mode=0o600)


def read_run(path: Path) -> Run:
    """Read what `write_run` has written.

    Raises
    ------
    RunError
        If it is damaged, or of another version.
    """
    try:
        return Run.from_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise RunError(
            f"{path} is damaged, or of another version ({first}); run the backtest once more (what "
            "is cached stays valid), or start the bot again, and it is written anew"
        ) from error

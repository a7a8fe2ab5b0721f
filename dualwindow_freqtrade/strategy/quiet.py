"""Keep lines of freqtrade off the log that say nothing, or what is no longer so."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from freqtrade.enums import TRADE_MODES

# By logger, the beginnings of lines. freqtrade writes each value of a strategy as it is before
# `bot_start`, which then puts in the stop, the take-profits and the age of candles; and each
# parameter that hyperopt has not found with a default that the configuration has replaced. What is
# in effect is the line "Rule in effect". What comes from a configuration or from hyperopt's file
# (`Override strategy ...`, `Strategy Parameter: ...`) stays.
_SUPERSEDED = {
    "freqtrade.resolvers.strategy_resolver": ("Strategy using ",),
    "freqtrade.strategy.hyper": (
        "Strategy Parameter(default): ",
        "No params for buy found, using default values.",
        "No params for sell found, using default values.",
    ),
}
# What FreqAI says whatever the strategy: of each file that is not there yet; that a window is
# trained, and that cached predictions are reused, is told.
_IDLE_LIVE = {
    "freqtrade.freqai.data_kitchen": ("Could not find backtesting prediction file at ",),
    "freqtrade.freqai.freqai_interface": (
        "Could not find model at ",
        "Saving metadata to disk.",
        "Saving backtest model to disk.",
        "Set fresh train queue from whitelist.",
    ),
    "freqtrade.data.dataprovider": ("Increasing startup_candle_count for freqai ", "Loading data "),
}
# A bot's user is to read that it begins without the predictions of before.
_IDLE = {**_IDLE_LIVE, "freqtrade.freqai.data_drawer": ("Could not find existing ",)}


class _Without(logging.Filter):
    """Drops lines of level INFO with one of the beginnings; warnings never."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        super().__init__()
        self._beginnings = beginnings

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno != logging.INFO or not record.getMessage().startswith(
            self._beginnings
        )


_FILTERS = {name: _Without(beginnings) for name, beginnings in {**_SUPERSEDED, **_IDLE}.items()}


def leave_out_superseded(config: Mapping[str, Any]) -> None:
    """Leave out what the line "Rule in effect" replaces, for a strategy that writes it.

    From now on, of all strategies of the process; ``-v`` shows them.
    """
    _leave_out(config, _SUPERSEDED)


def leave_out_idle(config: Mapping[str, Any]) -> None:
    """Leave out what FreqAI tells of files and steps of its own; ``-v`` shows them."""
    is_live = config.get("runmode") in TRADE_MODES
    _leave_out(config, _IDLE_LIVE if is_live else _IDLE)


def _leave_out(config: Mapping[str, Any], names: Iterable[str]) -> None:
    for name in names:
        if config.get("verbosity", 0) > 0:
            logging.getLogger(name).removeFilter(_FILTERS[name])
        else:
            logging.getLogger(name).addFilter(_FILTERS[name])

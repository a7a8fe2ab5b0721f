"""Keep lines of freqtrade off the log that say nothing, or what is no longer so."""

import logging
from collections.abc import Mapping
from typing import Any

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
    # FreqAI's lines of each file that is not there yet; that a window is trained, and that cached
    # predictions are reused, is told.
    "freqtrade.freqai.data_kitchen": ("Could not find backtesting prediction file at ",),
    "freqtrade.freqai.data_drawer": ("Could not find existing ",),
    "freqtrade.freqai.freqai_interface": (
        "Could not find model at ",
        "Saving metadata to disk.",
        "Saving backtest model to disk.",
        "Set fresh train queue from whitelist.",
    ),
    "freqtrade.data.dataprovider": ("Increasing startup_candle_count for freqai ", "Loading data "),
}


class _Without(logging.Filter):
    """Drops lines of level INFO with one of the beginnings; warnings never."""

    def __init__(self, beginnings: tuple[str, ...]) -> None:
        super().__init__()
        self._beginnings = beginnings

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno != logging.INFO or not record.getMessage().startswith(
            self._beginnings
        )


_FILTERS = {name: _Without(beginnings) for name, beginnings in _SUPERSEDED.items()}


def leave_out_superseded(config: Mapping[str, Any]) -> None:
    """Leave these lines out from now on, of all strategies of the process; ``-v`` shows them."""
    for name, one in _FILTERS.items():
        if config.get("verbosity", 0) > 0:
            logging.getLogger(name).removeFilter(one)
        else:
            logging.getLogger(name).addFilter(one)

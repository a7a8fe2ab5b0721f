"""Name the pairs that are traded together."""

from collections.abc import Mapping
from typing import Any

from freqtrade.data.history.datahandlers.idatahandler import get_datahandlerclass
from freqtrade.enums import CandleType, TradingMode
from freqtrade.exceptions import OperationalException
from freqtrade.plugins.pairlist.pairlist_helpers import expand_pairlist
from freqtrade.strategy import IStrategy


def whitelist_of(strategy: IStrategy) -> list[str]:
    """Give the pairs as they are now, which the configuration does not name of a pairlist.

    Those of the configuration where freqtrade has no pairlists: its web server shows candles
    without, and so do our checks.
    """
    try:
        pairs: list[str] = strategy.dp.current_whitelist()
    except (AttributeError, OperationalException):
        pairs = strategy.config["exchange"].get("pair_whitelist", [])
    return pairs


def configured_pairs(config: Mapping[str, Any]) -> list[str]:
    """Name the pairs of the configuration's whitelist where no exchange can be asked.

    As freqtrade does, but a pattern stands for the pairs that have candles on disk, not for those
    that are traded. There may be none: what a pairlist finds is not in the configuration.

    Raises
    ------
    OperationalException
        If a pattern is none.
    """
    exchange = config.get("exchange", {})
    handler = get_datahandlerclass(config.get("dataformat_ohlcv", "feather"))
    market = config.get("trading_mode", TradingMode.SPOT)
    kept = (config.get("timeframe", "1m"), config.get("candle_type_def", CandleType.SPOT))
    candles = handler.ohlcv_get_available_data(config["datadir"], market)
    there = sorted(pair for pair, *kind in candles if tuple(kind) == kept)
    try:
        pairs = expand_pairlist(exchange.get("pair_whitelist", []), there, keep_invalid=True)
        banned = expand_pairlist(exchange.get("pair_blacklist", []), pairs)
    except ValueError as error:
        raise OperationalException(
            f"exchange.pair_whitelist or pair_blacklist: {error}; all pairs of USDT are .*/USDT"
        ) from error
    return [pair for pair in dict.fromkeys(pairs) if pair not in banned]

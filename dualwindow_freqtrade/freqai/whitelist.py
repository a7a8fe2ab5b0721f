"""Name the pairs that are traded together."""

from freqtrade.exceptions import OperationalException
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

"""What a bot really holds, beside what it would hold by its agent's actions alone."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from freqtrade.persistence import Trade
from pandas import DataFrame

from dualwindow.market.candles import Candles
from dualwindow_agent.freqai.acting import Account, Held
from dualwindow_agent.freqai.frames import decided_live
from dualwindow_agent.market.accounts import Terms

logger = logging.getLogger(__name__)

_WORDS = {1: "long", -1: "short", 0: "flat"}


def held_by_bot(pair: str, candles: Candles) -> Held:
    """Read the bot's open trade of a pair, as it is when the last candle has closed.

    A trade whose entry is not filled yet counts, too: it has been decided.
    """
    trades = Trade.get_trades_proxy(pair=pair, is_open=True)
    if not trades:
        return Held(0, 0.0, 0)
    trade, step = trades[0], candles.step
    opened = int(trade.open_date_utc.timestamp()) // step * step
    age = max((int(candles.date[-1]) - opened) // step, 0)
    return Held(-1 if trade.is_short else 1, float(trade.open_rate), age)


def whole_end(candles: Candles) -> Candles:
    """Leave out what lies before the last hole in a frame: an account cannot go across one."""
    holes = np.flatnonzero(candles.breaks)  # the first candle is one
    return candles[slice(int(holes[-1]), None)]


@dataclass
class _Followed:
    """One pair: where its actions alone would have led, and how often that was not so.

    Parameters
    ----------
    date : of the candle at whose close it stands, seconds since 1970 UTC
    held : by the actions alone
    apart : in words, how the bot differs now; empty if it does not
    differences : how often it began to differ, or to differ in another way
    """

    date: int
    held: Held
    apart: str = ""
    differences: int = 0


@dataclass
class Follower:
    """Follows the bot's pairs, and tells where they stand apart from their agents' actions.

    Parameters
    ----------
    tell : shows facts of a pair in the bot's status file
    """

    tell: Callable[..., None]
    _pairs: dict[str, _Followed] = field(default_factory=dict)

    def compare(
        self, pair: str, candles: Candles, terms: Terms, stored: DataFrame, real: Held
    ) -> None:
        """Go on to the newest candle by the stored actions, and compare with what is really held.

        A pair begins as the bot stands, and begins anew where its candles do not reach back.

        Parameters
        ----------
        pair : name
        candles : up to the newest, with opens
        terms : of the agent
        stored : FreqAI's stored predictions of the pair
        real : what the bot holds
        """
        newest, before = int(candles.date[-1]), self._pairs.get(pair)
        if before is None:
            before = self._pairs[pair] = _Followed(newest, real)
        elif before.date != newest:  # else freqtrade has come back with the same candle
            before.held = _gone_on(before, candles, terms, stored) or real
            before.date = newest
        apart = ""
        if before.held.side != real.side:
            apart = f"{_WORDS[real.side]}, by its actions {_WORDS[before.held.side]}"
        if apart and apart != before.apart:
            before.differences += 1
            logger.warning("%s: the bot is %s (%d so far)", pair, apart, before.differences)
        elif before.apart and not apart:
            logger.info("%s: the bot is %s, as by its actions", pair, _WORDS[real.side])
        before.apart = apart
        self.tell(
            pair,
            position=_WORDS[real.side],
            position_by_actions=_WORDS[before.held.side],
            position_differences=before.differences,
        )

    def forget(self, pair: str) -> None:
        """Begin anew with the pair when it comes back."""
        self._pairs.pop(pair, None)


def _gone_on(before: _Followed, candles: Candles, terms: Terms, stored: DataFrame) -> Held | None:
    row = int(np.searchsorted(candles.date, before.date))
    if row >= len(candles) or candles.date[row] != before.date or candles.breaks[row + 1 :].any():
        return None
    account = Account(candles, terms, row, before.held)
    account.replay(*decided_live(stored), len(candles) - 1)
    return account.held

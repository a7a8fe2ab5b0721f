"""Step one account per pair through the windows of a backtest, cached ones included."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from pandas import DataFrame

from dualwindow.arrays import IntArray
from dualwindow.market.candles import Candles
from dualwindow_agent.freqai.acting import Account, Acted, Held, act
from dualwindow_agent.freqai.artifact import AgentArtifact
from dualwindow_agent.freqai.frames import acted_of, decided_in_backtest, seconds, shown_tape
from dualwindow_agent.market.accounts import Terms
from dualwindow_freqtrade.backtest.cache import CachedWindow

_SAME = 1e-9  # of a rate


class BacktestAccounts:
    """The accounts of a backtest.

    FreqAI takes windows that are cached as they are. What an account holds is a function of its
    actions and of candles, so it is where it would be had it just been through them.

    Parameters
    ----------
    terms : by which all trade
    """

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._candles: dict[str, Candles] = {}
        self._accounts: dict[str, Account] = {}

    def begin(
        self, pair: str, candles: Candles, windows: Sequence[CachedWindow], reused: Sequence[bool]
    ) -> None:
        """Open a pair's account, and delete cached windows that do not begin where it then is.

        Those are the ones after a window that is predicted anew, and those of a backtest that
        began earlier or later; they are predicted anew, too.

        Parameters
        ----------
        pair : name
        candles : all of it
        windows, reused : in the order of time, and whether FreqAI will reuse what is cached of each
        """
        self._candles[pair] = candles
        first = _row(candles, int(windows[0].start.timestamp()))
        account = self._accounts[pair] = Account(candles, self._terms, first)
        before, follows = [np.empty((0, 2), dtype=np.int64)], True
        for window, is_reused in zip(windows, reused, strict=True):
            follows = follows and is_reused
            if follows:
                frame = pd.read_feather(window.prediction)
                date, wanted = decided_in_backtest(frame)
                decided = np.concatenate(before)
                account.replay(decided[:, 0], decided[:, 1], _row(candles, int(date[0])))
                follows = _are_same(account.held, acted_of(frame.head(1)))
                before.append(np.stack([date, wanted], axis=1))
            if not follows:
                window.prediction.unlink(missing_ok=True)

    def act(
        self, pair: str, model: AgentArtifact, frame: DataFrame, shown: IntArray, before: DataFrame
    ) -> Acted:
        """Act on a window.

        Parameters
        ----------
        pair : name
        model : decides, but where its classifier tells no two candles apart: there all stays, as
            live, where a guard doubts such a model
        frame : m predictions, with their dates
        shown : (m,) FreqAI's ``do_predict``
        before : all windows before, cached or not, as FreqAI keeps them
        """
        candles, account = self._candles[pair], self._accounts[pair]
        first = _row(candles, int(seconds(frame, "date")[0]))
        if not before.empty:
            account.replay(*decided_in_backtest(before), first)
        tape = shown_tape(pair, candles[slice(first + len(frame))], frame, shown)
        return act(model.policy, tape, account, may_move=not model.record.is_constant)


def _row(candles: Candles, second: int) -> int:
    return int(np.searchsorted(candles.date, second))


def _are_same(held: Held, acted: Acted) -> bool:
    """Tell whether what is held is what the first candle of a window began with."""
    began = Held(int(acted.side[0]), float(acted.rate[0]), int(acted.candles[0]))
    same = began.side == held.side and began.candles == held.candles
    return same and abs(began.rate - held.rate) <= _SAME * held.rate

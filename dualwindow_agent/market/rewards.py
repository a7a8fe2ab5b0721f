"""What an agent is paid for a candle, in changes of the log of its account."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow_agent.market.accounts import Accounts
from dualwindow_agent.settings import RewardSettings

_LOOKBACK = 10
_DEEP = 0.1
_SHARPE = (-0.5, 1.0)
_LEAST_CHANGE = 1e-6 - 1


@dataclass
class Rewards:
    """Remembers what the terms of a published agent need; n accounts.

    Parameters
    ----------
    settings : the weights
    recent : (10, n) growths of the last candles, a row each, in turn
    n_seen : (n,) candles since the account was opened
    """

    settings: RewardSettings
    recent: FloatArray
    n_seen: IntArray

    def __post_init__(self) -> None:
        self._everyone = np.arange(len(self.n_seen))

    @classmethod
    def of(cls, settings: RewardSettings, n: int) -> "Rewards":
        """Begin."""
        return cls(settings, np.zeros((_LOOKBACK, n)), np.zeros(n, dtype=np.int64))

    def reopen(self, which: BoolArray) -> None:
        """Forget what accounts did that are opened anew."""
        self.n_seen[which] = 0  # what is in `recent` is written over before it counts again

    def paid(self, accounts: Accounts, before: "Before", invalid: BoolArray) -> FloatArray:
        """Pay for the last candle: (n,).

        Parameters
        ----------
        accounts : after it
        before : the same before it
        invalid : (n,) whether the action could not be taken
        """
        s, worth = self.settings, accounts.worth
        growth = np.log(worth / before.worth)
        total = s.growth * growth
        if s.realised:
            total += s.realised * _log_change(accounts.booked, before.worth)
        if s.cost:
            total += s.cost * _log_change(before.costs - accounts.costs, before.worth)
        if s.drawdown:
            below = np.log(accounts.peak / worth)
            total -= s.drawdown * (below + np.maximum(below - _DEEP, 0))
        if s.sharpe:
            total += s.sharpe * self._sharpe(growth)
        if s.holding:
            total -= s.holding * (accounts.units != 0)
        if s.invalid:
            total -= s.invalid * invalid
        return np.maximum(np.minimum(total, s.limit), -s.limit) if s.limit else total

    def _sharpe(self, growth: FloatArray) -> FloatArray:
        self.recent[self.n_seen % _LOOKBACK, self._everyone] = growth
        self.n_seen += 1
        mean = np.add.reduce(self.recent) / _LOOKBACK
        away = self.recent - mean
        deviation = np.sqrt(np.add.reduce(away * away) / _LOOKBACK)
        still = deviation == 0
        ratio = np.maximum(np.minimum(mean / (deviation + still), _SHARPE[1]), _SHARPE[0])
        return ratio * (~still & (self.n_seen >= _LOOKBACK))


def _log_change(amount: FloatArray, worth: FloatArray) -> FloatArray:
    """Compute how an amount changes the log of a worth; what it cannot lose counts as 1 - 1e-6."""
    return np.log1p(np.maximum(amount / worth, _LEAST_CHANGE))


class Before(NamedTuple):
    """Worth and costs of n accounts before a candle."""

    worth: FloatArray
    costs: FloatArray

    @classmethod
    def of(cls, accounts: Accounts) -> "Before":
        """Copy them."""
        return cls(accounts.worth, accounts.costs.copy())

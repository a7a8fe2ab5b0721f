"""Say what having tried several costs: how likely the best of them is luck."""

from collections.abc import Mapping, Sequence

import numpy as np

from dualwindow.judging.findings import Trials
from dualwindow.judging.ladder import LadderError, alike
from dualwindow.judging.overfitting import (
    daily_losses,
    deflated_sharpe,
    probability_of_overfitting,
    sharpe_of,
)
from dualwindow.judging.returns import of_signals
from dualwindow.judging.rungs import Decider, or_none
from dualwindow.judging.seen import Seen
from dualwindow.learning.walk_forward import WalkForward

_PACKAGE = "the package purgedcv is not installed; pip install 'dualwindow[study]' brings it"
_FEW_DAYS = "the probability of overfitting takes eight days that all have predicted"
_LEAST_DAYS = 10
_NO_RETURNS = f"the deflated Sharpe ratio takes signals of the rule on {_LEAST_DAYS} days at least"


def trials_of(
    walks: Mapping[str, WalkForward], seen: Mapping[str, Sequence[Seen]], decider: Decider
) -> Trials | None:
    """Estimate what of the best, and of the first, is luck, because it was chosen among others.

    The first need not be the best: a person may choose another one, after having seen all of them.

    Parameters
    ----------
    walks : all that were tried; None comes of one alone. Of the first is the deflated Sharpe ratio
    seen : by the same names
    decider : of entries, whose daily returns the Sharpe ratios are made of
    """
    if len(walks) < 2:
        return None
    try:
        import purgedcv  # noqa: F401 - an extra's
    except ModuleNotFoundError:
        return Trials(tried=len(walks), overfitting=None, deflated_sharpe=None, notes=(_PACKAGE,))
    overfitting, notes = _overfitting(walks)
    sharpe = _deflated(walks, seen, decider)
    if sharpe is None:
        notes.append(_NO_RETURNS)
    return Trials(
        tried=len(walks), overfitting=overfitting, deflated_sharpe=sharpe, notes=tuple(notes)
    )


def _overfitting(walks: Mapping[str, WalkForward]) -> tuple[float | None, list[str]]:
    try:
        losses = daily_losses(alike(walks, next(iter(walks))))
    except LadderError as error:
        return None, [f"the probability of overfitting is not known: {error}"]
    found = probability_of_overfitting(losses)
    return found, [] if found is not None else [_FEW_DAYS]


def _deflated(
    walks: Mapping[str, WalkForward], seen: Mapping[str, Sequence[Seen]], decider: Decider
) -> float | None:
    if decider.rule is None:
        return None
    first = min(fold.start for walk in walks.values() for fold in walk.folds)
    last = max(fold.stop for walk in walks.values() for fold in walk.folds)
    returns = [np.array(of_signals(seen[name], decider, first, last).value) for name in walks]
    if np.count_nonzero(returns[0]) < _LEAST_DAYS:
        return None
    found = deflated_sharpe(returns[0], [sharpe_of(each) for each in returns], len(walks))
    return or_none(found)

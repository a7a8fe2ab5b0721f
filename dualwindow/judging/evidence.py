"""What a report is made from: predictions, candles, and what a host knows beside them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dualwindow.arrays import IntArray
from dualwindow.judging.decisions import Rule
from dualwindow.judging.findings import Agents, Deal, Importances, Live, Source
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.candles import Candles
from dualwindow.settings import Fallback


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one model, or of several that predicted the same.

    Parameters
    ----------
    source, name : see `Subject`
    walks : by name, at least one; the first is the one that is reported, the others have been tried
        beside it on the same folds
    candles : of each pair; from the first training to `horizon` candles after the last prediction,
        as far as there are any
    rule, fallback : what decides on an entry, and what where nothing passes; None where it is
        unknown
    confidence : the rule in words
    fees : of entry and exit together, a fraction of the stake
    can_short : whether whoever trades can enter SHORT; if not, such signals count nowhere
    vetoed : by pair, (n,) of the candles of the walk's table of this pair (in its order) that a
        host does not enter on whatever the rule says, as where `do_predict` is not 1
    deals : trades that were made, in the order of time; None where nobody traded
    deals_lost : reason to number of signals that became no trade, as far as the host knows
    importances, live, agents : see there
    actions : by pair, (n,) positions that an agent wanted; like `vetoed`
    day : the day to show candle by candle (seconds since 1970 UTC of its beginning), or the one
        with most deals or signals
    warnings : sentences for the reader
    """

    source: Source
    name: str
    walks: Mapping[str, WalkForward]
    candles: Mapping[str, Candles]
    rule: Rule | None
    fallback: Fallback
    confidence: str
    fees: float
    can_short: bool = True
    vetoed: Mapping[str, np.ndarray] = field(default_factory=dict)
    deals: tuple[Deal, ...] | None = None
    deals_lost: Mapping[str, int] = field(default_factory=dict)
    importances: tuple[Importances, ...] = ()
    live: Live | None = None
    agents: Agents | None = None
    actions: Mapping[str, IntArray] = field(default_factory=dict)
    day: int | None = None
    warnings: tuple[str, ...] = ()

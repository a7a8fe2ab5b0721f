"""Evidence for reports: real walk-forwards of seconds, and tables written by hand."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pandas as pd
import walks

from dualwindow.judging.decisions import ExpectedValue
from dualwindow.judging.evidence import Evidence
from dualwindow.judging.outcomes import Costs
from dualwindow.judging.seen import Seen
from dualwindow.learning import walk_forward
from dualwindow.learning.fold_store import Store
from dualwindow.learning.folds import Fold
from dualwindow.learning.parallel import Workers
from dualwindow.learning.walk_forward import RAW, WalkForward
from dualwindow.market.labels import CLASSES, Barriers, Labelling, first_touch
from dualwindow.settings import Settings

FEES = 0.0002
COSTS = Costs(Labelling(first_touch, Barriers(0.01, 0.005, 0.02, 0.01), 3, 15), fees=0.001)


@cache
def walked(settings: Settings, names: tuple[str, ...] = ("A/USDT", "B/USDT")) -> WalkForward:
    """Four windows of each pair of random walks, calm and wild by turns."""
    store = Store(Path(mkdtemp(dir=_folder())))
    store.begin(settings, walks.SCHEDULE)
    wanted = walk_forward.tasks(walks.pairs(names=names), walks.SCHEDULE, settings)[0]
    return walk_forward.run(wanted, store, Workers())


@cache
def _folder() -> str:
    return mkdtemp(prefix="dualwindow-evidence-")


def evidence(walk: WalkForward | None = None, **more: Any) -> Evidence:
    """What a walk-forward of `ranges` has seen, with a rule that enters now and then."""
    walk = walk or walked(walks.settings())
    barriers = Labelling.of(walk.records[0].settings).barriers
    plain: dict[str, Any] = {
        "source": "walk-forward",
        "name": "toy",
        "walks": {"toy": walk},
        "candles": {pair.pair: pair.candles for pair in walks.pairs()},
        "rule": ExpectedValue(barriers, FEES, -0.001) if barriers.has_take_profits else None,
        "fallback": "hold",
        "confidence": "worth more than -0.1 % of the stake after fees",
        "fees": FEES,
    }
    plain["candles"] = {
        pair: candles
        for pair, candles in plain["candles"].items()
        if pair in {fold.pair for fold in walk.folds}
    }
    return Evidence(**(plain | more))


def by_hand(probabilities: list[list[float]], labels: list[int], n_windows: int = 1) -> WalkForward:
    """One pair, windows of the same length, a minute from candle to candle, from the first on."""
    record = walked(walks.settings()).records[0]
    p, n = np.array(probabilities, dtype=np.float64), len(labels)
    length = n // n_windows
    fold = np.arange(n) // length
    folds = [
        Fold("A/USDT", i, walks.START - 43200, walks.START + i * length * 60, _stop(i, length))
        for i in range(n_windows)
    ]
    table = pd.DataFrame(
        {
            "date": pd.to_datetime(walks.START + 60 * np.arange(n), unit="s", utc=True),
            "pair": pd.Categorical(["A/USDT"] * n),
            "fold": fold.astype(np.int32),
            **dict(zip(CLASSES, p.T, strict=True)),
            **dict(zip(RAW, p.T, strict=True)),
            "label": np.array(labels, dtype=np.int8),
            "valid": np.isfinite(p).all(axis=1),
            "made_by": pd.Categorical(["hand"] * n),
        }
    )
    return WalkForward(table, [record] * n_windows, folds)


def _stop(i: int, length: int) -> int:
    return walks.START + (i + 1) * length * 60


def seen(candles, labels, probabilities=None, place=None, vetoed=None) -> Seen:
    """What was seen of a pair whose candles were all predicted, unless `place` says otherwise."""
    n = len(labels)
    place = np.arange(n) if place is None else np.asarray(place)
    p = np.full((n, 3), 1 / 3) if probabilities is None else np.asarray(probabilities, float)
    return Seen(
        pair="A/USDT",
        rows=np.arange(n),
        window=np.zeros(n, dtype=np.int64),
        date=60 * np.arange(n),
        probabilities=p,
        labels=np.asarray(labels),
        valid=np.isfinite(p).all(axis=1),
        vetoed=np.zeros(n, dtype=bool) if vetoed is None else np.asarray(vetoed),
        candles=candles,
        place=place,
        costs=COSTS,
    )

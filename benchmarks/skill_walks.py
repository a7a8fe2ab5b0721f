"""Let our model, the baseline, the peers and the truth predict the same candles, and judge them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.skill_goals import (
    OURS,
    OURS_ON_SAME,
    RAW_SCORES,
    RECORDED,
    THREE_NUMBERS,
    TRUE,
    Windows,
)
from benchmarks.skill_markets import Moments, true_probabilities
from benchmarks.skill_peers import CANDLE, WINDOW, Asked, peer_probabilities
from dualwindow.arrays import FloatArray
from dualwindow.judging.out_of_sample import Scores, fold_scores, overall_scores
from dualwindow.learning.fold_store import Store
from dualwindow.learning.folds import Schedule
from dualwindow.learning.parallel import Workers, run_tasks
from dualwindow.learning.walk_forward import RAW, Step, Task, WalkForward, run, tasks
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import RangesSettings, Settings


class Source(NamedTuple):
    """Where candles come from, and when they are predicted."""

    name: str
    pairs: Sequence[PairData]
    schedule: Schedule


class Judged(NamedTuple):
    """What the probabilities of one source were worth.

    Parameters
    ----------
    source : its name
    windows : of each who predicted
    overall : of our own model
    """

    source: str
    windows: dict[str, Windows]
    overall: Scores


class Bench(NamedTuple):
    """What all sources share.

    Parameters
    ----------
    settings : of our own model
    folder : of finished windows
    workers : windows at a time
    n_paths : simulated futures of a candle for its true probabilities
    """

    settings: Settings
    folder: Path
    workers: Workers
    n_paths: int


def judge(source: Source, bench: Bench) -> Judged:
    """Let all of them predict a source, and judge them on the same candles."""
    wanted, walk = walk_forward(source, OURS, bench.settings, bench)
    _, baseline = walk_forward(source, THREE_NUMBERS, three_numbers(bench.settings), bench)
    same = ["date", "pair", "fold", "label", "valid"]
    assert walk.table[same].equals(baseline.table[same])
    walks = {OURS: walk, THREE_NUMBERS: baseline}
    walks[RAW_SCORES] = saying(walk, [walk.table[list(RAW)].to_numpy()])
    further = with_peers if source.name == RECORDED else partial(with_truth, source.name)
    walks |= further(wanted, walk, bench)
    windows = {who: fold_scores(theirs) for who, theirs in walks.items()}
    return Judged(source.name, windows, overall_scores(walk))


def three_numbers(settings: Settings) -> Settings:
    """Put the baseline in the place of the model."""
    model = RangesSettings(stride=settings.model.stride, seed=settings.model.seed)
    return Settings.model_validate(dict(settings) | {"model": model})


def walk_forward(
    source: Source, who: str, settings: Settings, bench: Bench
) -> tuple[list[Task], WalkForward]:
    """Train and predict all windows of a source that are not finished yet."""
    wanted, remarks = tasks(source.pairs, source.schedule, settings)
    store = Store(bench.folder / source.name / who)
    store.begin(settings, source.schedule)
    for remark in remarks:
        print(f"note: {remark}")

    def report(step: Step) -> None:
        window = f"{step.fold.pair} {pd.Timestamp(step.fold.start, unit='s'):%Y-%m-%d}"
        how = f"{step.record.seconds:.0f} s" if step.is_new else "there from an earlier run"
        print(f"{source.name} {window}, {who}: {how}, {step.n_left} left", flush=True)

    return wanted, run(wanted, store, bench.workers, report)


def saying(walk: WalkForward, probabilities: Sequence[FloatArray]) -> WalkForward:
    """Put other probabilities into the table: (n, 3) for the rows of one fold after the other."""
    columns = dict(zip(CLASSES, np.concatenate(probabilities).T, strict=True))
    return walk._replace(table=walk.table.assign(**columns))


def with_peers(wanted: Sequence[Task], walk: WalkForward, bench: Bench) -> dict[str, WalkForward]:
    """Let the peers predict the candles that our own model predicted."""
    valid = np.split(walk.table["valid"].to_numpy(), _edges(wanted))
    asked = [Asked(task, mask) for task, mask in zip(wanted, valid, strict=True)]
    found = dict(run_tasks(peer_probabilities, asked, bench.workers))
    told = [found[i] for i in range(len(wanted))]
    return {peer: saying(walk, [by_peer[peer] for by_peer in told]) for peer in (CANDLE, WINDOW)}


def with_truth(
    market: str, wanted: Sequence[Task], walk: WalkForward, bench: Bench
) -> dict[str, WalkForward]:
    """Hold our own model against the true probabilities, on every 60th candle."""
    known = (walk.table["valid"] & (walk.table["label"] != UNKNOWN)).to_numpy()
    rows = [np.flatnonzero(mask)[::60] for mask in np.split(known, _edges(wanted))]
    labelling = Labelling.of(bench.settings)
    moments = [
        Moments(market, task.candles.date[r], task.candles.close[r], labelling, bench.n_paths)
        for task, r in zip(wanted, rows, strict=True)
    ]
    found = dict(run_tasks(true_probabilities, moments, bench.workers))
    firsts = [0, *_edges(wanted)]
    some = np.concatenate([first + r for first, r in zip(firsts, rows, strict=True)])
    ours = walk._replace(table=walk.table.iloc[some])
    return {OURS_ON_SAME: ours, TRUE: saying(ours, [found[i] for i in range(len(wanted))])}


def _edges(wanted: Sequence[Task]) -> list[int]:
    return np.cumsum([len(task.candles) for task in wanted])[:-1].tolist()

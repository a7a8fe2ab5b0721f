"""Let our model, the ladder and the truth predict the same candles, and judge them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from benchmarks.skill_markets import Moments, true_probabilities
from benchmarks.skill_rungs import SPANS, Rung, rungs, with_model, with_seed
from dualwindow.arrays import FloatArray
from dualwindow.judging.out_of_sample import FoldScores, Scores, fold_scores, overall_scores
from dualwindow.judging.overfitting import daily_losses, probability_of_overfitting
from dualwindow.learning.fold_store import Store
from dualwindow.learning.folds import Schedule
from dualwindow.learning.parallel import Workers, run_tasks
from dualwindow.learning.walk_forward import RAW, Member, Step, WalkForward, run, tasks
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import RangesSettings, Settings

RECORDED = "recorded"
# Who predicts. The raw scores are our own model's before calibration; of synthetic markets, both
# our own and the true probabilities are held against each other on a sample of the candles.
OURS, RAW_SCORES, BASELINE = "dualwindow", "raw scores", "three numbers, 30 days, own pair"
TRUE, OURS_ON_SAME = "true probabilities", "on the same candles"

Windows = Sequence[FoldScores]


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
    windows : of each who predicted, the same ones
    overall : of our own model, all seeds
    overfitting : probability that the best of the ladder is below its middle on other days; None
        where there is no ladder
    """

    source: str
    windows: Mapping[str, Windows]
    overall: Sequence[Scores]
    overfitting: float | None


class Bench(NamedTuple):
    """What all sources share.

    Parameters
    ----------
    ours : our own model, once for each seed
    train_days : of our own model
    folder : of finished windows
    workers : windows at a time
    n_paths : simulated futures of a candle for its true probabilities
    published : whether the published network is a rung, too
    """

    ours: Sequence[Rung]
    folder: Path
    workers: Workers
    n_paths: int
    published: bool = False


def of_seeds(settings: Settings, train_days: float, n: int) -> list[Rung]:
    """Name our own model once for each of n seeds, from its own one on."""
    first = settings.model.seed
    return [
        Rung(
            OURS if i == 0 else f"{OURS}, seed {first + i}",
            with_seed(settings, first + i),
            train_days,
        )
        for i in range(n)
    ]


def judge(source: Source, bench: Bench) -> Judged:
    """Let all of them predict a source, and judge them on the same candles."""
    settings = bench.ours[0].settings
    wanted = list(bench.ours)
    if source.name == RECORDED:
        wanted += rungs(settings, published=bench.published)
    else:
        model = RangesSettings(stride=settings.model.stride, seed=settings.model.seed, spans=SPANS)
        days = source.schedule.train_days
        wanted = [rung._replace(train_days=days) for rung in bench.ours[:1]]
        wanted.append(Rung(BASELINE, with_model(settings, model, "pair"), days))
    walks, members = {}, []
    for rung in wanted:
        found, walks[rung.name] = walk_forward(source, rung, bench)
        members = members or found
    same, first = ["date", "pair", "fold", "label", "valid"], walks[OURS].table
    for name, walk in walks.items():
        assert walk.table[same].equals(first[same]), name
    ours = [walks[rung.name] for rung in bench.ours if rung.name in walks]
    is_ladder = source.name == RECORDED
    overfitting = probability_of_overfitting(daily_losses(walks)) if is_ladder else None
    if not is_ladder:
        walks |= with_truth(source.name, members, walks[OURS], bench)
    walks[RAW_SCORES] = saying(walks[OURS], [first[list(RAW)].to_numpy()])
    windows = {who: fold_scores(theirs) for who, theirs in walks.items()}
    return Judged(source.name, windows, [overall_scores(walk) for walk in ours], overfitting)


def walk_forward(source: Source, rung: Rung, bench: Bench) -> tuple[list[Member], WalkForward]:
    """Train and predict all windows of a source that are not finished yet."""
    schedule = source.schedule
    schedule = Schedule(schedule.start, schedule.stop, rung.train_days, schedule.window_days)
    wanted, remarks = tasks(source.pairs, schedule, rung.settings)
    store = Store(bench.folder / source.name / rung.name.replace(" ", "-").replace(",", ""))
    store.begin(rung.settings, schedule)
    for remark in remarks:
        print(f"note: {remark}")

    def report(step: Step) -> None:
        window = f"{step.fold.pair} {pd.Timestamp(step.fold.start, unit='s'):%Y-%m-%d}"
        how = f"{step.record.seconds:.0f} s" if step.is_new else "there from an earlier run"
        print(f"{source.name} {window}, {rung.name}: {how}, {step.n_left} left", flush=True)

    members = [member for task in wanted for member in task.members]
    return members, run(wanted, store, bench.workers, report)


def saying(walk: WalkForward, probabilities: Sequence[FloatArray]) -> WalkForward:
    """Put other probabilities into the table: (n, 3) for the rows of one fold after the other."""
    columns = dict(zip(CLASSES, np.concatenate(probabilities).T, strict=True))
    return walk._replace(table=walk.table.assign(**columns))


def with_truth(
    market: str, members: Sequence[Member], walk: WalkForward, bench: Bench
) -> dict[str, WalkForward]:
    """Hold our own model against the true probabilities, on every 60th candle."""
    known = (walk.table["valid"] & (walk.table["label"] != UNKNOWN)).to_numpy()
    lengths = [len(member.candles) for member in members]
    firsts = np.cumsum([0, *lengths[:-1]])
    rows = [np.flatnonzero(mask)[::60] for mask in np.split(known, firsts[1:])]
    labelling = Labelling.of(bench.ours[0].settings)
    moments = [
        Moments(market, m.candles.date[r], m.candles.close[r], labelling, bench.n_paths)
        for m, r in zip(members, rows, strict=True)
    ]
    found = dict(run_tasks(true_probabilities, moments, bench.workers))
    some = np.concatenate([first + r for first, r in zip(firsts, rows, strict=True)])
    ours = walk._replace(table=walk.table.iloc[some])
    return {OURS_ON_SAME: ours, TRUE: saying(ours, [found[i] for i in range(len(members))])}

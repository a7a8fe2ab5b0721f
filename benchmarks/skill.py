"""Measure what the probabilities are worth: ``make bench-skill`` prints tables and writes JSON.

Walk-forward, as FreqAI does it: train on the days before a window, predict the window, go on. The
judge is the skill, 1 - log loss / log loss of the frequencies of the own pair's last thirty days,
out of sample. Our own model stands on a ladder of baselines, each a kind of the core: three numbers
in a logistic regression, and small boosted trees, on one to four months, of each pair by itself
and of all together. Synthetic markets show the ends: on random walks, of constant volatility and of
such that comes in clusters, little or nothing can be learnt, and for the planted market the
generator tells the true probabilities. What is finished is kept: a run that was ended goes on.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
from freqtrade.configuration.load_config import load_from_files
from freqtrade.exceptions import FreqtradeException
from rich.console import Console

from benchmarks.skill_goals import Goal, Line, goals_of_recorded, goals_of_synthetic, ladder
from benchmarks.skill_markets import DAY, LAWS, synthetic_pair, synthetic_schedule
from benchmarks.skill_rungs import DAYS, SPANS
from benchmarks.skill_tables import goal_table, ladder_table, window_rows, window_table, write
from benchmarks.skill_walks import RECORDED, Bench, Source, judge, of_seeds
from dualwindow.learning.fold_store import WalkForwardError
from dualwindow.learning.folds import FoldError, Schedule, folds
from dualwindow.learning.parallel import Workers
from dualwindow.market.candle_files import CandleFileError
from dualwindow.samples.pair_data import PairData
from dualwindow.settings import Settings
from dualwindow_freqtrade.freqai.configuration import ConfigurationError, read_configuration
from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
from harness.places import ROOT, SHARED

RESULTS = Path(__file__).parent / "results" / "skill.json"
CONFIGS = [ROOT / "user_data/config.json", ROOT / "config/presets/production.json"]


class CannotRun(Exception):
    """The benchmark cannot do what it is asked for."""


def whole_windows(timerange: str, train_days: float, window_days: int) -> Schedule:
    """Fit whole windows into a timerange, YYYYMMDD-YYYYMMDD."""
    first, _, last = timerange.partition("-")
    start, stop = (int(pd.Timestamp(day, tz="UTC").timestamp()) for day in (first, last))
    window = window_days * DAY
    if stop - start < window:
        raise FoldError(f"{timerange} holds no window of {window_days} days")
    return Schedule(start, start + (stop - start) // window * window, train_days, window_days)


def sources(chosen: argparse.Namespace, train_days: float) -> list[Source]:
    """Read or generate the candles that are asked for."""
    found = []
    if chosen.only != "synthetic":
        schedule = whole_windows(chosen.timerange, train_days, chosen.window_days)
        try:
            pairs = [PairData.read(chosen.datadir, pair, "1m") for pair in chosen.pairs]
        except CandleFileError as error:
            raise CannotRun(
                f"{error}; or name another folder with --datadir, or leave recorded candles out "
                "with --only synthetic"
            ) from error
        _refuse_short_past(pairs, replace(schedule, train_days=max(train_days, *DAYS)))
        found.append(Source(RECORDED, pairs, schedule))
    if chosen.only != "recorded":
        schedule = synthetic_schedule(train_days, chosen.window_days)
        found += [Source(m, [synthetic_pair(m, schedule.stop)], schedule) for m in LAWS]
    return found


def _refuse_short_past(pairs: Sequence[PairData], longest: Schedule) -> None:
    """Refuse candles on which not every rung can predict every window."""
    _, remarks = folds(pairs, longest)
    if remarks:
        raise CannotRun(
            f"with {longest.train_days:g} days of training, {'; '.join(remarks)}; leave these "
            "pairs out with --pairs, or begin later with --timerange"
        )


def read_ours(chosen: argparse.Namespace) -> tuple[Settings, float]:
    """Read settings and days of training of our own model; refuse what cannot be compared."""
    freqai = load_from_files([str(path) for path in chosen.config])["freqai"]
    settings = read_configuration(freqai).settings
    if settings.labels.rule != "exclusive" and chosen.only != "recorded":
        raise CannotRun("only 'exclusive' labels have true probabilities; add --only recorded")
    if settings.history < max(SPANS):
        raise CannotRun(
            f"freqai.conv_width is {settings.history} candles, but the three numbers look back on "
            f"{max(SPANS)}; lengthen it"
        )
    return settings, chosen.train_days or freqai["train_period_days"]


def bench_skill(chosen: argparse.Namespace) -> list[Goal]:
    """Walk forward over one source after the other; show and write all that is known by then."""
    settings, train_days = read_ours(chosen)
    bench = Bench(
        of_seeds(settings, train_days, chosen.seeds),
        chosen.out.with_suffix(""),
        Workers(n=chosen.jobs),
        chosen.paths,
        chosen.published,
    )
    rows, goals = [], []
    lines: list[Line] = []
    overfitting = None
    for source in sources(chosen, train_days):
        judged = judge(source, bench)
        rows += window_rows(judged)
        if source.name == RECORDED:
            lines = ladder(judged)
            goals += goals_of_recorded(lines, judged.overall)
            overfitting = judged.overfitting
        else:
            goals += goals_of_synthetic(source.name, judged.windows)
        write(chosen.out, rows, lines, goals, overfitting)
    console = Console(width=190)
    console.print(window_table(rows))
    if lines:
        console.print(ladder_table(lines))
    if overfitting is not None:
        console.print(f"The best of these is below their middle with probability {overfitting:.2f}")
    console.print(goal_table(goals))
    return goals


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datadir", type=Path, default=SHARED / "three/binance")
    parser.add_argument("--pairs", nargs="+", default=["BTC/USDT", "ETH/USDT", "SOL/USDT"])
    parser.add_argument("--timerange", default="20231031-20231231", help="of the predictions")
    parser.add_argument("--config", type=Path, nargs="+", default=CONFIGS)
    parser.add_argument(
        "--train-days", type=int, help="of our own model (default freqai.train_period_days)"
    )
    parser.add_argument(
        "--published", action="store_true", help="with the published network; minutes per window"
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="of our own model, one after the other"
    )
    parser.add_argument("--window-days", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="windows at a time")
    parser.add_argument("--only", choices=["recorded", "synthetic"], help="leave the others out")
    parser.add_argument("--paths", type=int, default=2000, help="futures for true probabilities")
    parser.add_argument(
        "--out", type=Path, default=RESULTS, help="finished windows go to a folder of that name"
    )
    return parser.parse_args()


def main() -> int:
    quiet_tensorflow()
    try:
        goals = bench_skill(arguments())
    except (
        CannotRun,
        ConfigurationError,
        FoldError,
        FreqtradeException,
        WalkForwardError,
    ) as error:
        print(f"skill.py: {error}", file=sys.stderr)
        return 2
    return 0 if all(goal.reached for goal in goals) else 1


if __name__ == "__main__":
    raise SystemExit(main())

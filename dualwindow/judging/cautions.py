"""Warn of what makes the numbers of a report worth less than they look."""

from collections.abc import Iterator

from dualwindow.judging.advice import n_blocks
from dualwindow.judging.baseline import DAYS, Foreseen
from dualwindow.judging.comparison import LEAST_BLOCKS
from dualwindow.judging.findings import Findings
from dualwindow.market.labels import CLASSES

_MANY_UNPREDICTED = 0.1


def cautions(found: Findings, baseline: Foreseen) -> Iterator[str]:
    """Say what a reader has to know, one sentence each."""
    yield from _of_windows(found)
    yield from _of_classes(found)
    yield from _of_baseline(baseline)


def _of_windows(found: Findings) -> Iterator[str]:
    rows = found.skill.rows
    n_times = n_blocks(rows)
    if 0 < n_times < LEAST_BLOCKS:
        yield (
            f"Only {n_times} window{'' if n_times == 1 else 's'} of time: below {LEAST_BLOCKS}, "
            "nothing can be said about how much of the skill is chance."
        )
    asked = sum(row.judged + row.unpredicted for row in rows)
    unpredicted = sum(row.unpredicted for row in rows)
    if asked and unpredicted > _MANY_UNPREDICTED * asked:
        yield (
            f"{100 * unpredicted / asked:.0f} % of the candles have no prediction; the funnel says "
            "why."
        )
    lengths = sorted({row.stop - row.start for row in rows})
    if len(lengths) > 1:
        short = sum(row.stop - row.start < lengths[-1] for row in rows)
        yield f"{short} of {len(rows)} windows are shorter than the others."


def _of_classes(found: Findings) -> Iterator[str]:
    counts = {name: sum(row.labels[name] for row in found.skill.rows) for name in CLASSES}
    if sum(counts.values()) == 0:
        yield "No candle has a known label yet, so nothing can be judged."
        return
    absent = [name for name, n in counts.items() if n == 0]
    if absent:
        yield (
            f"{' and '.join(absent)} never happened: the barriers are wider than the market moved, "
            "or there are too few candles."
        )


def _of_baseline(baseline: Foreseen) -> Iterator[str]:
    if baseline.days is not None:
        low, high = baseline.days
        if low < DAYS - 0.01:
            between = f"{low:.3g}" if high - low < 0.01 else f"{low:.3g} to {high:.3g}"
            yield (
                f"Three numbers learnt from {between} days before each window, not from "
                f"{DAYS:.0f}: the training period is shorter, or candles are missing."
            )
    for why, n in baseline.failed.items():
        yield f"Three numbers could not be asked about {n} windows: {why}."

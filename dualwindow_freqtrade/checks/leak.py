"""Check on a user's own candles that nothing before a moment depends on what comes after it."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from freqtrade.exchange import timeframe_to_seconds
from pandas import DataFrame

from dualwindow.arrays import BoolArray
from dualwindow.learning.artifact import Artifact
from dualwindow.market.candles import Candles
from dualwindow.outside import chance
from dualwindow.reports.progress import Steps, steps
from dualwindow_freqtrade.checks.report import Report
from dualwindow_freqtrade.freqai.names import FEATURE_PREFIX, LABEL_PREFIX, RAW_SCORES
from dualwindow_freqtrade.freqai.workbench import Workbench

Column = npt.NDArray[Any]  # numbers, or the names of classes


def check_leak(bench: Workbench, cuts: int = 5, days: float = 3.0) -> Report:
    """Change all candles after a moment, and see whether anything before it moves.

    The last `days` of each pair are cut in `cuts` places. Features and labels come from the
    strategy, predictions from the newest saved model, if there is one.
    """
    report = Report()
    with steps("cuts", len(bench.pairs) * cuts) as done:
        for pair in bench.pairs:
            _look_at_pair(bench, pair, cuts, days, report, done)
    bench.market.change = lambda frame, timeframe: frame
    return report


def _look_at_pair(
    bench: Workbench, pair: str, cuts: int, days: float, report: Report, done: Steps
) -> None:
    models = bench.models(pair, report.notes)
    model = models[max(models)] if models else None
    if model is None:
        report.notes.append(
            f"{pair}: no saved model, so only features and labels were checked; a live run or "
            "a backtest with freqai.save_backtest_models true saves one"
        )
    for moment in _moments(bench.minutes(pair)["date"], cuts, days):
        _look_before(bench, pair, model, moment, days, report)
        done.advance(line=f"{pair}: another future after {moment:%Y-%m-%d %H:%M}")


def _moments(dates: pd.Series, cuts: int, days: float) -> Iterator[pd.Timestamp]:
    """Spread cuts over the last days, on odd minutes, so that most fall inside an hour."""
    for share in np.linspace(0.2, 0.9, cuts):
        yield (dates.iloc[-1] - (1 - share) * pd.Timedelta(days=days)).floor("min")


def _look_before(
    bench: Workbench,
    pair: str,
    model: Artifact | None,
    moment: pd.Timestamp,
    days: float,
    report: Report,
) -> None:
    """Compare rows up to `moment`, the close of a candle, with and without another future."""
    seen = []
    for change in (lambda frame, timeframe: frame, _another_future(moment)):
        bench.market.change = change
        minutes = bench.minutes(pair)
        minutes = minutes[minutes["date"] > minutes["date"].iloc[-1] - pd.Timedelta(days=days)]
        minutes = minutes.reset_index(drop=True)
        seen.append(_columns(bench, model, bench.featured(pair, minutes)))
    closed = minutes["date"] + pd.Timedelta(seconds=bench.model.base_tf_seconds)
    past = (closed <= moment).to_numpy()
    horizon = bench.model.settings.horizon
    # A label may look as far as its horizon, and no further.
    labelled = np.r_[past[horizon:], np.zeros(horizon, dtype=bool)]
    for name in seen[0]:
        settled = labelled if name.startswith(LABEL_PREFIX) else past
        true, changed = (columns[name] for columns in seen)
        same = _same(true, changed, 1e-6 if name in RAW_SCORES else 1e-12)
        moved = settled & ~same
        report.checked += int(settled.sum())
        if moved.any():
            first = minutes["date"].iloc[int(moved.argmax())]
            report.problems.append(
                f"{pair}: {name} of {first} changes with candles after {moment} "
                f"({moved.sum()} rows)"
            )
        if same[~settled].all():
            report.notes.append(
                f"{pair}: {name} does not change after {moment} either, which proves nothing"
            )


def _columns(bench: Workbench, model: Artifact | None, frame: DataFrame) -> dict[str, Column]:
    names = [name for name in map(str, frame) if name.startswith((FEATURE_PREFIX, LABEL_PREFIX))]
    columns: dict[str, Column] = {name: frame[name].to_numpy() for name in names}
    if model is not None:
        # Not probabilities, which do not move where they are calibrated to the class frequencies.
        prediction = bench.predicted(model, frame)
        columns |= {name: prediction.scores[:, i] for i, name in enumerate(RAW_SCORES)}
        candles = Candles.from_frame(frame, bench.model.base_tf_seconds)
        columns |= bench.model.acted_columns(model, candles, prediction)
    return columns


def _same(a: Column, b: Column, tolerance: float) -> BoolArray:
    if a.dtype == object:
        return (a == b) | (pd.isna(a) & pd.isna(b))
    return np.isclose(a, b, rtol=1e-9, atol=tolerance, equal_nan=True)


def _another_future(moment: pd.Timestamp) -> Callable[[DataFrame, str], DataFrame]:
    """Move candles that close after `moment` by some percent, widen them, and let more trade."""

    def change(frame: DataFrame, timeframe: str) -> DataFrame:
        later = frame["date"] + pd.Timedelta(seconds=timeframe_to_seconds(timeframe)) > moment
        rng, n = chance(0), int(later.sum())
        factors, wider = np.exp(rng.normal(0, 0.03, n)), np.exp(np.abs(rng.normal(0, 0.003, n)))
        prices = ["open", "high", "low", "close"]
        frame.loc[later, prices] = frame.loc[later, prices].to_numpy() * factors[:, None]
        frame.loc[later, "high"] *= wider
        frame.loc[later, "low"] /= wider
        frame.loc[later, "volume"] *= 3
        return frame

    return change

"""Check on a user's own candles that live is as the backtest, and that the future is unseen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
from freqtrade.exceptions import FreqtradeException, OperationalException
from freqtrade.exchange import timeframe_to_seconds
from pandas import DataFrame

from dualwindow.learning.artifact import Artifact
from dualwindow.market.labels import CLASSES
from dualwindow_freqtrade.backtest_cache import differences
from dualwindow_freqtrade.check_workbench import Workbench
from dualwindow_freqtrade.live_loop import TRAINED_AT

_TOLERANCE = 1e-4  # of a probability; float32 in batches of other sizes differs by 1e-7
_SHOWN = 5


class CheckError(Exception):
    """A check could not be done."""


@dataclass
class Report:
    """What a check found.

    Parameters
    ----------
    checked : how many values were compared; a check that compared nothing proves nothing
    problems : what is wrong, the first few in full
    notes : what could not be checked, and why
    """

    checked: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_parity(bench: Workbench) -> Report:
    """Predict the candles of a live run again, as a backtest does, and compare."""
    report, stored = Report(), _stored_predictions(bench.folder / "historic_predictions.pkl")
    for pair in bench.pairs:
        if pair not in stored:
            report.notes.append(
                f"{pair}: no live predictions are stored; a bot does when it ends, and after each "
                "training"
            )
        elif TRAINED_AT not in stored[pair]:
            report.notes.append(f"{pair}: the stored predictions are those of another model")
        else:
            live = stored[pair][stored[pair]["do_predict"] == 1]
            _compare_one_pair(bench, pair, live, report)
    return report


def _stored_predictions(path: Path) -> dict[str, DataFrame]:
    if not path.is_file():
        others = sorted(p.parent.name for p in path.parents[1].glob(f"*/{path.name}"))
        raise OperationalException(
            f"{path} does not exist: a dry or live run stores its predictions there when it ends, "
            "and after each training; let one run first, or give the options that it had (there "
            f"are predictions of the identifiers: {', '.join(others) or 'none'})"
        )
    return dict(cloudpickle.loads(path.read_bytes()))


def _compare_one_pair(bench: Workbench, pair: str, live: DataFrame, report: Report) -> None:
    frame = bench.featured(pair, bench.minutes(pair))
    models = bench.models(pair, report.notes)
    for trained, part in live.groupby(TRAINED_AT):
        name = f"{pair}, model of {pd.Timestamp(trained, unit='s')}Z"
        model = models.get(int(trained))
        if model is None:
            report.notes.append(
                f"{name}: {len(part)} predictions, but the model is gone; "
                "freqai.purge_old_models false keeps all"
            )
        elif changed := _changes(model, bench):
            report.notes.append(
                f"{name}: {len(part)} predictions, but with other settings or code: {changed}"
            )
        else:
            _compare_one_model(bench, model, frame, part, name, report)


def _changes(model: Artifact, bench: Workbench) -> str:
    recorded, now = model.metadata["made_from"], bench.model.fingerprint()
    return "; ".join(differences(recorded, now, sorted(recorded.keys() | now.keys())))


def _compare_one_model(
    bench: Workbench, model: Artifact, frame: DataFrame, live: DataFrame, name: str, report: Report
) -> None:
    # The first windows begin in the model's own context; what is older is of no use.
    after = frame[frame["date"] > pd.Timestamp(model.context.date[0], unit="s", tz="UTC")]
    again = bench.predicted(model, after).probabilities
    rows = pd.Index(after["date"]).get_indexer(pd.DatetimeIndex(live["date_pred"]))
    if absent := int((rows < 0).sum()):
        report.notes.append(
            f"{name}: {absent} predictions, but their candles are not there; freqtrade "
            "download-data -t 1m 1h --timerange YYYYMMDD- fetches them"
        )
    live, rows = live[rows >= 0], rows[rows >= 0]
    difference = np.abs(live[list(CLASSES)].to_numpy(np.float64) - again[rows]).max(axis=1)
    wrong = ~(difference <= _TOLERANCE)  # NaN is wrong, too
    report.checked += len(rows)
    for i in np.flatnonzero(wrong)[:_SHOWN]:
        report.problems.append(
            f"{name}: {live['date_pred'].iloc[i]} live {_shown(live[list(CLASSES)].iloc[i])}, "
            f"as a backtest {_shown(again[rows[i]])}"
        )
    if wrong.sum() > _SHOWN:
        report.problems.append(f"{name}: {wrong.sum()} of {len(rows)} differ")


def _shown(probabilities: Any) -> str:
    return " / ".join(f"{p:.4f}" for p in probabilities)


def check_leak(bench: Workbench, cuts: int = 5, days: float = 3.0) -> Report:
    """Change all candles after a moment, and see whether anything before it moves.

    The last `days` of each pair are cut in `cuts` places. Features and labels come from the
    strategy, predictions from the newest saved model, if there is one.
    """
    report = Report()
    for pair in bench.pairs:
        models = bench.models(pair, report.notes)
        model = models[max(models)] if models else None
        if model is None:
            report.notes.append(
                f"{pair}: no saved model, so only features and labels were checked; a live run or "
                "a backtest with freqai.save_backtest_models true saves one"
            )
        for moment in _moments(bench.minutes(pair)["date"], cuts, days):
            _look_before(bench, pair, model, moment, days, report)
    bench.market.change = lambda frame, timeframe: frame
    return report


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
    horizon = bench.model.settings.windows.horizon
    for name in seen[0]:
        known = (closed <= moment).to_numpy()
        if name.startswith("&"):  # a label may look as far as its horizon, and no further
            known = np.r_[known[horizon:], np.zeros(horizon, dtype=bool)]
        true, changed = (columns[name] for columns in seen)
        same = _same(true, changed, 1e-6 if name.endswith("_raw") else 1e-12)
        moved = known & ~same
        report.checked += int(known.sum())
        if moved.any():
            first = minutes["date"].iloc[int(moved.argmax())]
            report.problems.append(
                f"{pair}: {name} of {first} changes with candles after {moment} "
                f"({moved.sum()} rows)"
            )
        if same[~known].all():
            report.notes.append(
                f"{pair}: {name} does not change after {moment} either, which proves nothing"
            )


def _columns(bench: Workbench, model: Artifact | None, frame: DataFrame) -> dict[str, np.ndarray]:
    columns = {c: frame[c].to_numpy() for c in frame if c.startswith(("%", "&"))}
    if model is not None:
        # Not probabilities, which do not move where they are calibrated to the class frequencies.
        scores = bench.predicted(model, frame).scores
        columns |= {f"{name}_raw": scores[:, i] for i, name in enumerate(CLASSES)}
    return columns


def _same(a: np.ndarray, b: np.ndarray, tolerance: float) -> np.ndarray:
    if a.dtype == object:
        return (a == b) | (pd.isna(a) & pd.isna(b))
    return np.isclose(a, b, rtol=1e-9, atol=tolerance, equal_nan=True)


def _another_future(moment: pd.Timestamp) -> Callable[[DataFrame, str], DataFrame]:
    """Move every candle that closes after `moment` by some percent, and let three times trade."""

    def change(frame: DataFrame, timeframe: str) -> DataFrame:
        later = frame["date"] + pd.Timedelta(seconds=timeframe_to_seconds(timeframe)) > moment
        factors = np.exp(np.random.default_rng(0).normal(0, 0.03, int(later.sum())))
        prices = ["open", "high", "low", "close"]
        frame.loc[later, prices] = frame.loc[later, prices].to_numpy() * factors[:, None]
        frame.loc[later, "volume"] *= 3
        return frame

    return change


def run_check(what: str, words: Sequence[str]) -> Report:
    """Run the check ``parity`` or ``leak``.

    Parameters
    ----------
    words : options as for ``freqtrade backtesting``

    Raises
    ------
    CheckError
        If it cannot be done with this configuration, these candles or models.
    """
    checks = {"parity": check_parity, "leak": check_leak}
    try:
        return checks[what](Workbench(words))
    except FreqtradeException as error:
        raise CheckError(str(error)) from error

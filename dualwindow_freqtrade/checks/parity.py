"""Check on a user's own candles that a live run has predicted what a backtest predicts."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from freqtrade.exceptions import OperationalException
from pandas import DataFrame

from dualwindow.arrays import BoolArray, FloatArray
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.fingerprint import all_differences
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES
from dualwindow.reports.progress import steps
from dualwindow_freqtrade.checks.report import Report
from dualwindow_freqtrade.freqai.names import (
    DATE_OF_PREDICTION,
    DO_PREDICT,
    STORED_PREDICTIONS,
    TRAINED_AT,
)
from dualwindow_freqtrade.freqai.workbench import Workbench
from dualwindow_freqtrade.live.stored_predictions import stored_predictions

_TOLERANCE = 1e-4  # of a probability; float32 in batches of other sizes differs by 1e-7
_SHOWN = 5
_EXPIRED = 2  # FreqAI's `do_predict` of a model that is too old to be asked


def check_parity(bench: Workbench) -> Report:
    """Predict the candles of a live run again, as a backtest does, and compare."""
    report, stored = Report(), _stored(bench.folder)
    with steps("pairs", len(bench.pairs)) as done:
        for pair in bench.pairs:
            before = report.checked
            _look_at_pair(bench, pair, stored, report)
            done.advance(line=f"{pair}: {report.checked - before:,} live predictions made again")
    return report


def _look_at_pair(
    bench: Workbench, pair: str, stored: Mapping[str, DataFrame], report: Report
) -> None:
    if pair not in stored:
        report.notes.append(
            f"{pair}: no live predictions are stored; a bot does when it ends, and after each "
            "training"
        )
    elif TRAINED_AT not in stored[pair]:
        report.notes.append(f"{pair}: the stored predictions are those of another model")
    else:
        _compare_one_pair(bench, pair, stored[pair], report)


def _stored(folder: Path) -> dict[str, DataFrame]:
    stored = stored_predictions(folder)
    if not stored:
        path = folder / STORED_PREDICTIONS
        others = sorted(p.parent.name for p in folder.parent.glob(f"*/{path.name}"))
        raise OperationalException(
            f"{path} has none: a dry or live run stores its predictions there when it ends, "
            "and after each training; let one run first, or give the options that it had (there "
            f"are predictions of the identifiers: {', '.join(others) or 'none'})"
        )
    return stored


def _compare_one_pair(bench: Workbench, pair: str, stored: DataFrame, report: Report) -> None:
    frame = bench.featured(pair, bench.minutes(pair))
    models = bench.models(pair, report.notes)
    for second, rows in stored.groupby(TRAINED_AT):
        trained = int(cast(float, second))
        name = f"{pair}, model of {pd.Timestamp(trained, unit='s')}Z"
        model = models.get(trained)
        part = rows[_is_prediction(rows, model) | _is_decided(rows, bench)]
        if part.empty:
            continue
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


def _is_prediction(rows: DataFrame, model: Artifact | None) -> BoolArray:
    """Mark what a live run has predicted: with `do_predict` 0 if all probabilities are the same."""
    if model is None or not model.record.is_constant:
        return (rows[DO_PREDICT] == 1).to_numpy()
    return np.isclose(rows[list(CLASSES)].to_numpy(np.float64).sum(axis=1), 1, atol=1e-3)


def _is_decided(rows: DataFrame, bench: Workbench) -> BoolArray:
    """Mark on what a model that acts has decided: also on candles without a prediction."""
    decided = (rows[TRAINED_AT] != 0) & (rows[DO_PREDICT] != _EXPIRED)
    return (decided & bool(bench.model.columns_beside)).to_numpy()


def _changes(model: Artifact, bench: Workbench) -> str:
    return "; ".join(all_differences(model.record.made_from, bench.model.fingerprint.facts()))


def _compare_one_model(
    bench: Workbench, model: Artifact, frame: DataFrame, live: DataFrame, name: str, report: Report
) -> None:
    # The first windows begin in the model's own context; what is older is of no use. A model that
    # was handed to a pair has none.
    oldest = model.context.date[0] if len(model.context) else 0
    after = frame[frame["date"] > pd.Timestamp(oldest, unit="s", tz="UTC")]
    prediction = bench.predicted(model, after)
    again = prediction.probabilities
    rows = pd.Index(after["date"]).get_indexer(pd.DatetimeIndex(live[DATE_OF_PREDICTION]))
    if absent := int((rows < 0).sum()):
        report.notes.append(
            f"{name}: {absent} predictions, but their candles are not there; freqtrade "
            "download-data -t 1m 1h --timerange YYYYMMDD- fetches them"
        )
    live, rows = live[rows >= 0], rows[rows >= 0]
    candles = Candles.from_frame(frame, bench.model.base_tf_seconds)
    others = bench.model.other_actions(model, candles, prediction, live)
    report.checked += len(rows) if bench.model.columns_beside else 0
    report.problems += [f"{name}: {other}" for other in others[:_SHOWN]]
    if len(others) > _SHOWN:
        report.problems.append(f"{name}: {len(others)} of {len(rows)} actions differ")
    predicted = _is_prediction(live, model)
    compare_probabilities(live[predicted], again[rows[predicted]], name, report)


def compare_probabilities(live: DataFrame, again: FloatArray, name: str, report: Report) -> None:
    """Hold stored probabilities against those that the model gives as a backtest does.

    Parameters
    ----------
    live : n rows of what was stored
    again : (n, 3) of the same candles
    name : of the model, for what is reported
    report : is added to
    """
    difference = np.abs(live[list(CLASSES)].to_numpy(np.float64) - again).max(axis=1, initial=0)
    wrong = ~(difference <= _TOLERANCE)  # NaN is wrong, too
    report.checked += len(live)
    for i in np.flatnonzero(wrong)[:_SHOWN]:
        candle = live.iloc[i]
        report.problems.append(
            f"{name}: {candle[DATE_OF_PREDICTION]} live {_shown(candle[list(CLASSES)])}, "
            f"as a backtest {_shown(again[i])}"
        )
    if wrong.sum() > _SHOWN:
        report.problems.append(f"{name}: {wrong.sum()} of {len(live)} differ")


def _shown(probabilities: Any) -> str:
    return " / ".join(f"{p:.4f}" for p in probabilities)

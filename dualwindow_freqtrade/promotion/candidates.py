"""Find the newest models of a backtest, and say which a live bot could not begin with."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd

from dualwindow.learning.artifact import Artifact, format_trouble
from dualwindow.market.candles import Candles
from dualwindow.reports.progress import steps
from dualwindow_freqtrade.checks.parity import compare_probabilities
from dualwindow_freqtrade.checks.report import Report
from dualwindow_freqtrade.freqai.folder_use import is_trained_live
from dualwindow_freqtrade.freqai.names import (
    BACKTEST_FOLDER,
    BACKTEST_PREDICTION,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    FEATURE_PIPELINE,
    LABEL_PIPELINE,
    METADATA_FILE,
    MODEL_FILE,
    TRAINED_DATES,
    TRAINED_ROWS,
    model_name,
    trained_at,
    trainings_of,
)
from dualwindow_freqtrade.freqai.workbench import Workbench
from dualwindow_freqtrade.live.saved_models import why_not

PARTS = (
    MODEL_FILE,
    METADATA_FILE,
    FEATURE_PIPELINE,
    LABEL_PIPELINE,
    TRAINED_ROWS,
    TRAINED_DATES,
)
_HOUR = 3600
_SHOWN = 3


@dataclass
class Candidate:
    """The newest backtested model of a pair.

    Parameters
    ----------
    pair : name
    folder : in which its files lie; None where there is none
    against : why it cannot be promoted; it can if this is empty
    remarks : what should be known beside
    checked : predictions of the backtest that it has made again
    """

    pair: str
    folder: Path | None
    against: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    checked: int = 0
    model: Artifact | None = None

    @property
    def second(self) -> int:
        """When its training ended, seconds since 1970 UTC."""
        assert self.folder is not None
        return trained_at(self.folder)

    @property
    def name(self) -> str:
        """FreqAI's name of it, with which its files begin."""
        assert self.folder is not None
        return model_name(self.pair, self.second)


def candidates(bench: Workbench, live: Mapping[str, int], now: float) -> list[Candidate]:
    """Find the newest model of each pair, and hold it against the live settings and the backtest.

    Parameters
    ----------
    bench : with the live settings, on the folder of the backtest
    live : when the model was trained that a bot would begin with now, by pair
    now : seconds since 1970 UTC
    """
    found = [_newest(bench.folder, pair) for pair in bench.pairs]
    with steps("models", len(found)) as done:
        for each in found:
            _look_at(each, bench, live.get(each.pair, 0), now)
            done.advance()
    if bench.model.settings.pooling == "whitelist":
        all_or_none(found)
    return found


def _look_at(each: Candidate, bench: Workbench, live: int, now: float) -> None:
    if each.folder is None:
        return
    _load(each)
    if each.model is not None:
        each.against += _against_settings(each, each.model, bench)
        each.against += _against_age(each, bench, live, now)
        _tell_age(each, bench, now)
        if not each.against:
            _prove(each, each.model, bench)


def _newest(folder: Path, pair: str) -> Candidate:
    """Find the newest model of a pair that a backtest has made."""
    kept = [part for part in PARTS if part != METADATA_FILE]
    found = []
    for made in folder.glob(trainings_of(pair)):
        second = made.name.rpartition("_")[2]
        if not second.isdecimal():
            continue
        name = model_name(pair, int(second))
        # Metadata alone is left by a backtest that keeps no models; of one whose model is missing
        # other files are there, and an older one is not to be taken in its place.
        is_kept = any((made / f"{name}{part}").is_file() for part in kept)
        if is_kept and not is_trained_live(made / f"{name}{METADATA_FILE}"):
            found.append(made)
    if not found:
        return Candidate(pair, None, [f"no backtest has left a model of it in {folder}"])
    return Candidate(pair, max(found, key=trained_at))


def _load(each: Candidate) -> None:
    """Load the model, and see whether all of its files are there and whole."""
    assert each.folder is not None
    for part in PARTS:
        path = each.folder / f"{each.name}{part}"
        try:
            content = path.read_bytes()
            found = json.loads(content) if part == METADATA_FILE else cloudpickle.loads(content)
        except Exception as error:  # damaged pickles raise whatever they like
            damage = f"is missing or damaged ({type(error).__name__}: {error})"
            each.against.append(f"{path} {format_trouble(error) or damage}")
            return
        if part == MODEL_FILE:
            each.model = found


def _against_settings(each: Candidate, model: Artifact, bench: Workbench) -> list[str]:
    """Say what a bot that starts would say, and whether other pairs were learnt from."""
    against = []
    # As if a bot had trained it, which is what the promotion will say.
    reason = why_not(model, each.pair, bench.model.fingerprint, was_live=True)
    if reason is not None:
        against.append(reason)
    is_shared = bench.model.settings.pooling == "whitelist"
    learnt, wanted = set(model.record.learnt_from or (model.record.pair,)), set(bench.pairs)
    if is_shared and learnt != wanted:
        against.append(
            f"it was learnt from {_listed(learnt)}; a live training would learn from "
            f"{_listed(wanted)}"
        )
    return against


def _against_age(each: Candidate, bench: Workbench, live: int, now: float) -> list[str]:
    age, longest = now - each.second, bench.config["freqai"].get("expiration_hours", 0)
    if age < 0:
        return [f"its training ends at {_date(each.second)}, which is yet to come by this clock"]
    if longest and age > longest * _HOUR:
        return [
            f"it was trained until {_date(each.second)}, {age / _HOUR:.0f} hours ago, and "
            f"freqai.expiration_hours is {longest:g}: FreqAI would not ask it; backtest until now, "
            "with a timerange whose last window begins within these hours (a short "
            "backtest_period_days helps)"
        ]
    if live >= each.second:
        told = "is that one" if live == each.second else "is newer"
        return [f"the model that a bot would begin with, of {_date(live)}, {told}"]
    return []


def _tell_age(each: Candidate, bench: Workbench, now: float) -> None:
    hours = (now - each.second) / _HOUR
    rest = bench.config["freqai"].get("live_retrain_hours", 0) - hours
    due = f"in {rest:.1f} hours" if rest > 0 else "at the start"
    each.remarks.append(f"trained until {_date(each.second)}; a new training is due {due}")
    if each.model is not None and each.model.record.is_constant:
        each.remarks.append(
            "it gives all candles the same probabilities, so nothing will be entered until the "
            "next training"
        )


def _prove(each: Candidate, model: Artifact, bench: Workbench) -> None:
    """Let the model predict its window of the backtest again, and hold it against the cache."""
    path = bench.folder / BACKTEST_FOLDER / f"{each.name}{BACKTEST_PREDICTION}"
    try:
        cached = pd.read_feather(path)
    except Exception as error:  # missing, or damaged however
        each.against.append(
            f"its predictions in the backtest, {path}, are missing or damaged "
            f"({type(error).__name__}), so nothing proves that it predicts the same"
        )
        return
    cached = cached[cached[DO_PREDICT] == 1].rename(columns={"date": DATE_OF_PREDICTION})
    frame = bench.featured(each.pair, bench.minutes(each.pair))
    if other := _other_candles(model, Candles.from_frame(frame, bench.model.base_tf_seconds)):
        each.against.append(other)
        return
    # As in `check parity`: the first windows begin in the model's own context.
    oldest = model.context.date[0] if len(model.context) else 0
    after = frame[frame["date"] > pd.Timestamp(oldest, unit="s", tz="UTC")]
    again = bench.predicted(model, after).probabilities
    rows = pd.Index(after["date"]).get_indexer(pd.DatetimeIndex(cached[DATE_OF_PREDICTION]))
    report = Report()
    compare_probabilities(cached[rows >= 0], again[rows[rows >= 0]], each.pair, report)
    each.checked = report.checked
    if not report.checked:
        each.against.append(
            f"nothing of its window in the backtest can be predicted again: {len(cached)} "
            "predictions, and no candles of them"
        )
    elif report.problems:
        told = "; ".join(report.problems[:_SHOWN])
        each.against.append(f"it does not predict what it has predicted in the backtest: {told}")


def _other_candles(model: Artifact, candles: Candles) -> str | None:
    """Say whether the newest candles that it was trained on are others on disk."""
    context = model.context
    rows = np.searchsorted(candles.date, context.date)
    there = rows < len(candles.date)
    there[there] = candles.date[rows[there]] == context.date[there]
    if not there.all():
        return (
            f"{int((~there).sum())} of the newest {len(context)} candles that it was trained on "
            "are not on disk; give the -d of the backtest, or download them"
        )
    for name in ("high", "low", "close", "volume"):
        differ = getattr(candles, name)[rows] != getattr(context, name)
        if differ.any():
            when = _date(float(context.date[int(differ.argmax())]))
            return f"the candle of {when} has another {name} on disk than it was trained on"
    return None


def all_or_none(found: Sequence[Candidate]) -> None:
    """Let a model that pairs share be promoted for all of them, or for none."""
    seconds = {each.second for each in found if each.folder is not None}
    newest = max(seconds, default=0)
    for each in found:
        if each.folder is not None and each.second != newest:
            each.against.append(
                f"its newest model is of {_date(each.second)}, that of other pairs of "
                f"{_date(newest)}: they are not of one training"
            )
    refused = [each.pair for each in found if each.against]
    for each in found:
        if refused and not each.against:
            each.against.append(
                f"pairs share one model, and it cannot be that of {', '.join(refused)}"
            )


def _listed(pairs: set[str]) -> str:
    return ", ".join(sorted(pairs))


def _date(second: float) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M} UTC"

"""Find out what takes a strategy at work: parity with a backtest, and what features do."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import FreqtradeException

from dualwindow.judging.findings import Importances, Parity
from dualwindow.judging.importance import importances
from dualwindow.learning.artifact import Artifact
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow.samples.data import TrainingData
from dualwindow.samples.pair_data import PairData
from dualwindow_freqtrade.checks.parity import check_parity
from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
from dualwindow_freqtrade.freqai.workbench import Workbench, read_words_of_check
from dualwindow_freqtrade.reporting.run_file import Command, RunError

# Windows that are predicted to shuffle features, in all; networks predict some 10,000 a second.
_FEW = 100_000
_REPEATS = 3
_PATHS = ("user_data_dir", "datadir")


def configuration_of_words(words: Sequence[str]) -> dict[str, Any]:
    """Read options of ``freqtrade backtesting``.

    Raises
    ------
    RunError
        If they are wrong, or no identifier is in the configuration.
    """
    with quietly():
        try:
            config = read_words_of_check(words)
        except FreqtradeException as error:
            raise RunError(f"after --: {error}") from error
    if "identifier" not in config.get("freqai", {}):
        raise RunError("after --: no freqai.identifier in the configuration; -c names it")
    return config


def configuration_of_run(command: Command) -> dict[str, Any]:
    """Give the configuration that a run has noted, as freqtrade has it in memory."""
    kept = dict(command.configuration)
    paths = {key: Path(kept[key]) for key in _PATHS if key in kept}
    kind = CandleType.from_string(str(kept.get("candle_type_def", "spot")))
    return {**kept, **paths, "candle_type_def": kind, "runmode": RunMode.BACKTEST}


@contextmanager
def quietly() -> Iterator[None]:
    """Silence what freqtrade and the strategy tell of their whole start; errors are raised."""
    before = logging.root.manager.disable
    logging.disable(max(before, logging.WARNING))
    try:
        yield
    finally:
        logging.disable(before)


def parity_of(bench: Workbench) -> Parity:
    """Look whether a backtest predicts what the bot has predicted, or say why nobody can."""
    try:
        report = check_parity(bench)
    except Exception as error:  # a strategy may raise whatever it likes
        return Parity(checked=0, problems=(), notes=(f"it could not be looked at: {error}",))
    problems, notes = tuple(report.problems), tuple(report.notes)
    return Parity(checked=report.checked, problems=problems, notes=notes)


def importances_of(
    bench: Workbench, pairs: Sequence[str], *, is_patient: bool
) -> tuple[tuple[Importances, ...], tuple[str, ...]]:
    """Shuffle the features of the newest saved model of each pair.

    Returns
    -------
    What was found, and why not, where it could not be looked at or would take too long.
    """
    notes: list[str] = []
    models = {pair: bench.models(pair, notes) for pair in pairs}
    newest = {pair: found[max(found)] for pair, found in models.items() if found}
    n_windows = sum(passes(model) for model in newest.values())
    if n_windows > _FEW and not is_patient:
        notes.append(
            "importances of features take a while with this model: dualwindow report --importance"
        )
        return (), tuple(notes)
    found = []
    for pair, model in newest.items():
        try:
            group = _group(bench, pair, model, newest)
            found.append(importances(model, group, repeats=_REPEATS))
        except Exception as error:  # a strategy may raise whatever it likes
            notes.append(f"{pair}: importances of features could not be found: {error}")
    return tuple(found), tuple(notes)


def passes(model: Artifact) -> int:
    """Count the windows that are predicted to look at all features and groups of one model."""
    record = model.record
    shuffles = 2 * len(record.features) + 1  # at most as many groups
    n_pairs = max(len(record.learnt_from), 1)
    return record.validation_windows.total // n_pairs * (1 + _REPEATS * shuffles)


def _group(
    bench: Workbench, pair: str, model: Artifact, newest: Mapping[str, Artifact]
) -> list[TrainingData]:
    """Cut out what a model was trained on, of each of its pairs."""
    first = pd.Timestamp(model.record.first_candle)
    last = pd.Timestamp(model.record.last_candle)
    others = [p for p in model.record.learnt_from if p != pair and p in newest]
    return [
        _data(bench, name, newest[name].record.features, (first, last)) for name in (pair, *others)
    ]


def _data(
    bench: Workbench,
    pair: str,
    features: tuple[str, ...],
    span: tuple[pd.Timestamp, pd.Timestamp],
) -> TrainingData:
    step, model = bench.model.base_tf_seconds, bench.model
    before = pd.Timedelta(seconds=step * bench.strategy.startup_candle_count)
    minutes = bench.minutes(pair)
    looked_at = minutes[minutes["date"].between(span[0] - before, span[1])]
    frame = bench.featured(pair, looked_at.reset_index(drop=True))
    candles = Candles.from_frame(frame, step)
    data = PairData(pair, candles, frame[list(features)].to_numpy(np.float64), features)
    labelling = Labelling.of(model.settings)
    return data.between(span[0].timestamp(), span[1].timestamp() + step, labelling)


@contextmanager
def workbench(config: dict[str, Any]) -> Iterator[Workbench]:
    """Set strategy and model up; freqtrade tells nothing of it."""
    quiet_tensorflow()
    with quietly():
        yield Workbench(config)

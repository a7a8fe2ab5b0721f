"""Gather what a report of walk-forwards is made from: of one, of a comparison or of a study."""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dualwindow.cli import CommandError
from dualwindow.judging.decisions import ConfidenceError, Rule, in_words, rule_of
from dualwindow.judging.evidence import Evidence
from dualwindow.learning.fold_store import WalkForwardError
from dualwindow.learning.folds import Fold
from dualwindow.learning.walk_folder import is_walk, read_walk, remembered_candles
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling
from dualwindow.settings import ConfidenceSettings
from dualwindow_trainer.pairs import candles_of
from dualwindow_trainer.report_agents import agents_of
from dualwindow_trainer.report_importance import importances_of
from dualwindow_trainer.request import configuration_of, exchange_of, fee_of
from dualwindow_trainer.tried import digest_of, folder_of

_COMPARISON, _STUDY, _OF_TRAIN = "comparison.json", "study.json", "walk_forward"
T = TypeVar("T")

_DEFAULT = Path("user_data", "config.json")
_CHOSEN_HERE = {
    _STUDY: "A study has chosen its best settings on these very weeks, which flatters them; what "
    "they did on weeks held out stands in study.json.",
    _COMPARISON: "Who is best of a comparison was found on these very weeks, which flatters it; "
    "hold it against three numbers on later weeks before you believe it.",
}
_TIMEFRAMES = {60: "1m", 180: "3m", 300: "5m", 900: "15m", 1800: "30m", 3600: "1h"}


def walk_evidence(folder: Path, arguments: argparse.Namespace) -> Evidence:
    """Gather the predictions of a folder, and the candles that they are about.

    Parameters
    ----------
    folder : of a walk-forward, of `train --walk-forward`, of a comparison or of a study
    arguments : those of `add_report_of_walk`, and `importance`

    Raises
    ------
    CommandError
        If something is missing, damaged or not finished.
    """
    try:
        walks = walks_of(folder, arguments.walk)
    except WalkForwardError as error:
        raise CommandError(f"report: {error}") from error
    walk = next(iter(walks.values()))
    if not arguments.config and arguments.preset is None and _DEFAULT.is_file():
        arguments.config = [_DEFAULT]  # as `walk-forward` has it
    asked = _asked(folder, walk, arguments)
    candles = _candles(walks, asked)
    confidence, fees = configuration_of(arguments).confidence, 2 * fee_of(arguments)
    rule, words, warnings = _rule(confidence, walk, fees)
    return Evidence(
        source="walk-forward",
        name=folder.name,
        walks=walks,
        candles=candles,
        rule=rule,
        fallback=confidence.fallback,
        confidence=words,
        fees=fees,
        importances=importances_of(walk, asked) if arguments.importance else (),
        agents=None if arguments.agents is None else agents_of(arguments.agents),
        warnings=(*warnings, *(_CHOSEN_HERE[n] for n in _CHOSEN_HERE if (folder / n).is_file())),
    )


def walks_of(folder: Path, wanted: str | None = None) -> dict[str, WalkForward]:
    """Read all walk-forwards of a folder; the first is the one that is wanted, or the best.

    Raises
    ------
    WalkForwardError, CommandError
        If there is none, or not the one that is wanted, or one cannot be read.
    """
    if not folder.is_dir():
        raise CommandError(f"report: --walk-forward {folder}: there is no such folder")
    if is_walk(folder):
        return {folder.name: read_walk(folder)}
    if is_walk(folder / _OF_TRAIN):
        return {folder.name: read_walk(folder / _OF_TRAIN)}
    folders = _tried(folder)
    first = _best(folder, folders) if wanted is None else _wanted(folder, folders, wanted)
    in_order = [first, *(name for name in folders if name != first)]
    return {name: read_walk(folders[name]) for name in in_order}


def _tried(folder: Path) -> dict[str, Path]:
    """Find the folders of a comparison or of a study's trials, by the names these give them.

    Of a study that has ended, those that have come to a skill.
    """
    where = folder / "trials" if (folder / "trials").is_dir() else folder
    found = {path.name: path for path in sorted(where.iterdir()) if is_walk(path)}
    if (told := folder / _STUDY).is_file():
        names = _read(told, lambda study: [str(name) for name in study["folders"]])
        found = {name: where / name for name in names}
    if not found:
        raise CommandError(
            f"report: {folder} holds no walk-forward: neither predictions.parquet nor folders "
            "with it"
        )
    return found


def _wanted(folder: Path, folders: Mapping[str, Path], wanted: str) -> str:
    if wanted not in folders:
        raise CommandError(
            f"report: --walk {wanted}: there is no such walk-forward in {folder}; there are: "
            f"{', '.join(folders)}"
        )
    return wanted


def _best(folder: Path, folders: Mapping[str, Path]) -> str:
    if (folder / _COMPARISON).is_file():
        best = _read(folder / _COMPARISON, lambda told: str(told["ladder"][0]["name"]))
        name = folder_of(best)
    elif (folder / _STUDY).is_file():
        name = _read(folder / _STUDY, lambda told: digest_of(told["best"]))
    else:
        raise CommandError(
            f"report: {folder} is not finished: {len(folders)} walk-forwards are there, but no "
            f"{_COMPARISON} or {_STUDY} that says which is best; run the same command again, it "
            f"goes on, or name one with --walk: {', '.join(folders)}"
        )
    if name not in folders:
        raise CommandError(f"report: {folder}: the best one, {name}, is not there")
    return name


def _read(path: Path, what: Callable[[Any], T]) -> T:
    try:
        return what(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise CommandError(
            f"report: {path} is damaged ({type(error).__name__}: {error}); run the command that "
            "made it again, it goes on"
        ) from error


def _asked(folder: Path, walk: WalkForward, arguments: argparse.Namespace) -> argparse.Namespace:
    """Say which candles, in the words of other commands."""
    return argparse.Namespace(
        pair=sorted({fold.pair for fold in walk.folds}),
        datadir=arguments.datadir if arguments.data else _datadir(folder, arguments),
        data=arguments.data,
        timeframe=_timeframe(walk),
    )


def _candles(walks: Mapping[str, WalkForward], asked: argparse.Namespace) -> dict[str, Candles]:
    """Read the candles of all pairs, from the first training to a horizon after the last window."""
    folds = [fold for walk in walks.values() for fold in walk.folds]
    horizon = max(record.settings.horizon for walk in walks.values() for record in walk.records)
    found = {}
    for pair, candles in _read_candles(asked):
        own = [fold for fold in folds if fold.pair == pair]
        first = min(fold.train_from for fold in own)
        last = max(fold.stop for fold in own) + horizon * candles.step
        found[pair] = candles[(candles.date >= first) & (candles.date < last)]
        _refuse_others(pair, found[pair], own)
    return found


def _read_candles(asked: argparse.Namespace) -> list[tuple[str, Candles]]:
    try:
        return list(candles_of(asked))
    except CommandError as error:
        if asked.data:
            raise
        raise CommandError(
            f"report: give the folder of the candles that the walk-forward had with --datadir; in "
            f"{asked.datadir} they are not ({error})"
        ) from error


def _refuse_others(pair: str, candles: Candles, folds: Sequence[Fold]) -> None:
    first, last = min(fold.start for fold in folds), max(fold.stop for fold in folds)
    if not ((candles.date >= first) & (candles.date < last)).any():
        raise CommandError(
            f"report: {pair}: predictions are of {_day(first)} to {_day(last)}, of which there are "
            "no candles; give the folder that the walk-forward had with --datadir, or --data"
        )


def _day(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _datadir(folder: Path, arguments: argparse.Namespace) -> Path:
    """Choose what is given, else what the walk-forward had, else where freqtrade has them."""
    if arguments.datadir is not None:
        return Path(arguments.datadir)
    for place in (folder, folder / _OF_TRAIN):
        if (found := remembered_candles(place)) is not None:
            return found
    exchange = exchange_of(arguments)
    if exchange is None:
        raise CommandError(
            "report: --datadir is missing: where the candles are that were predicted; or name the "
            "configuration with -c, which has the exchange"
        )
    return Path("user_data", "data", exchange)


def _timeframe(walk: WalkForward) -> str:
    dates = np.unique(walk.table["date"].to_numpy("datetime64[s]").astype(np.int64))
    step = int(np.diff(dates).min()) if len(dates) > 1 else 60
    if step not in _TIMEFRAMES:
        raise CommandError(f"report: predictions are {step} s apart, which is no timeframe")
    return _TIMEFRAMES[step]


def _rule(
    confidence: ConfidenceSettings, walk: WalkForward, fees: float
) -> tuple[Rule | None, str, tuple[str, ...]]:
    """Make the rule and name it; labels without take-profits may have none."""
    barriers = Labelling.of(walk.records[-1].settings).barriers
    try:
        return rule_of(confidence, barriers, fees), in_words(confidence), ()
    except ConfidenceError as error:
        said = str(error).removeprefix("confidence: ")
        return None, "none", (f"No rule decides on entries: {said}.",)

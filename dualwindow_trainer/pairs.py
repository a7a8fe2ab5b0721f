"""Read the candles, or the training-ready rows, of the pairs that a command is asked for."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dualwindow.cli import CommandError
from dualwindow.learning.artifact_files import pair_folder
from dualwindow.market.candle_files import (
    CandleFileError,
    candle_file,
    read_candle_file,
    seconds,
)
from dualwindow.market.candles import Candles
from dualwindow.market.quality import Quality, quality_of
from dualwindow.market.ready_files import read_ready_frame, ready_table
from dualwindow.market.ready_quality import ReadyQuality, ready_quality_of
from dualwindow.samples.pair_data import PairData, completed_frame, read_pair_candles
from dualwindow.samples.ready_data import is_undated, ready_pair
from dualwindow_trainer.ready_names import (
    Wanted,
    find_ready,
    is_ready,
    label_columns,
    refuse_missing,
    refuse_other_name,
)


def pairs_of(arguments: argparse.Namespace, wanted: Wanted | None = None) -> Iterator[PairData]:
    """Read the candles of every pair, from a folder of freqtrade's or from files.

    Parameters
    ----------
    arguments : of the command
    wanted : what names of training-ready files must fit; without, such files are refused

    Raises
    ------
    CommandError
        If candles are missing, or are none.
    """
    step = _step(arguments)
    with _told():
        for pair, path in _files(arguments, wanted):
            if path is None:
                yield PairData.read(arguments.datadir, pair, arguments.timeframe)
            elif is_ready(path):
                yield _ready(pair, path, step, arguments)
            else:
                yield PairData.of_frame(pair, read_candle_file(path), step)


def _ready(pair: str, path: Path, step: int, arguments: argparse.Namespace) -> PairData:
    try:
        found = ready_pair(pair, ready_table(read_ready_frame(path), label_columns(path)), step)
    except ValueError as error:
        raise CommandError(f"{pair}: {path}: {error}") from error
    if is_undated(found.candles) and arguments.timerange is not None:
        raise CommandError(
            f"{pair}: {path}: no timerange can be cut out, because it has neither a column "
            "timestamp nor an index of dates; leave --timerange out"
        )
    return found


def candles_of(arguments: argparse.Namespace) -> Iterator[tuple[str, Candles]]:
    """Read the candles of every pair, without those of an hour and without any feature.

    Raises
    ------
    CommandError
        If candles are missing, or are none.
    """
    step = _step(arguments)
    with _told():
        for pair, path in _files(arguments, None):
            if path is None:
                yield pair, read_pair_candles(arguments.datadir, pair, arguments.timeframe)
            else:
                whole = completed_frame(pair, read_candle_file(path), step)
                yield pair, Candles.from_frame(whole, step)


def qualities_of(
    arguments: argparse.Namespace, wanted: Wanted | None = None
) -> Iterator[tuple[str, Quality | ReadyQuality]]:
    """Look at the file of every pair as it lies there; the parameters are those of `pairs_of`.

    Raises
    ------
    CommandError
        If one is missing, or holds no candles.
    """
    step = _step(arguments)
    with _told():
        for pair, path in _files(arguments, wanted):
            if path is not None and is_ready(path):
                yield pair, ready_quality_of(read_ready_frame(path), label_columns(path), step)
            else:
                file = path or candle_file(arguments.datadir, pair, arguments.timeframe)
                yield pair, quality_of(read_candle_file(file), step)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what is wrong with candles as a command does."""
    try:
        yield
    except (CandleFileError, ValueError) as error:
        raise CommandError(str(error)) from error


def _step(arguments: argparse.Namespace) -> int:
    folders = [pair_folder(pair) for pair in arguments.pair]
    if plain := [pair for pair in arguments.pair if "/" not in pair]:
        raise CommandError(
            f"--pair must be like BTC/USDT, or BTC/USDT:USDT for futures. Received: {plain[0]}"
        )
    if twice := sorted({name for name in folders if folders.count(name) > 1}):
        raise CommandError(f"--pair: named more than once: {', '.join(twice)}")
    with _told():
        step = seconds(arguments.timeframe)
    if step > 3600:
        raise CommandError(f"timeframe: must be at most 1h. Received: {arguments.timeframe}")
    return step


def _files(
    arguments: argparse.Namespace, wanted: Wanted | None
) -> Iterator[tuple[str, Path | None]]:
    """Name the file of each pair, or None where it is one of freqtrade's in ``--datadir``."""
    if not arguments.data:
        if arguments.datadir is None:
            raise CommandError("--datadir or --data is missing: where the candles are")
        yield from ((pair, None) for pair in arguments.pair)
        return
    for pair, path in zip(arguments.pair, _given(arguments), strict=True):
        if not is_ready(path) and not path.is_dir():
            yield pair, path
        elif wanted is None:
            raise CommandError(
                f"--data {path}: training-ready files hold no prices, which this command needs; "
                "give it candles: --datadir, or --data with a file of candles for each pair"
            )
        else:
            yield pair, _checked(path, pair, arguments.timeframe, wanted)


def _checked(path: Path, pair: str, timeframe: str, wanted: Wanted) -> Path:
    """Find the training-ready file of a pair, and hold its name against the settings."""
    if path.is_dir():
        return find_ready(path, pair, timeframe, wanted.settings)
    refuse_other_name(path, pair, timeframe, wanted)
    refuse_missing(path, pair)
    return path


def _given(arguments: argparse.Namespace) -> Sequence[Path]:
    """Give the files of ``--data``, one for each pair; a folder may be that of all."""
    found: list[Path] = list(arguments.data)
    if arguments.datadir is not None:
        raise CommandError("--data and --datadir: give one of them")
    if len(found) == 1 and found[0].is_dir():
        return found * len(arguments.pair)
    if len(found) != len(arguments.pair):
        raise CommandError(
            f"--data: a file for each pair is needed. Received: {len(found)} for "
            f"{len(arguments.pair)} pairs"
        )
    return found

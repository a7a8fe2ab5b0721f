"""The command ``dualwindow train``: one training, from files of candles to files of a model."""

import argparse
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import cores
from dualwindow_trainer.arguments import (
    add_candles,
    add_settings,
    add_windows,
    days,
    positive,
)

if TYPE_CHECKING:
    from dualwindow.samples.data import TrainingData
    from dualwindow.samples.pair_data import PairData
    from dualwindow_freqtrade.freqai.configuration import Configuration
    from dualwindow_trainer.judged import Judged

# The handlers import what they need, so that --help does not wait for TensorFlow.


def _train(arguments: argparse.Namespace) -> int:
    from dualwindow.learning.artifact_files import ArtifactFileError
    from dualwindow.learning.checkpoint_file import CheckpointFileError
    from dualwindow.learning.fold_store import WalkForwardError
    from dualwindow.learning.folds import FoldError
    from dualwindow.learning.parallel import WorkersDied
    from dualwindow.samples.data import TrainingError
    from dualwindow_freqtrade.freqai.configuration import translated
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow
    from dualwindow_trainer.config_test import tell_settings
    from dualwindow_trainer.request import configuration_of

    quiet_tensorflow()
    configuration = configuration_of(arguments)
    if arguments.config_test:
        tell_settings(configuration)
    if not arguments.walk_forward:
        for name in ("train_days", "window_days", "workers"):
            if getattr(arguments, name) is not None:
                flag = f"--{name.replace('_', '-')}"
                raise CommandError(f"train: {flag} is of --walk-forward, which is not there")
    do = _walk_forward if arguments.walk_forward else _once
    try:
        do(configuration, arguments)
    except (
        *(TrainingError, FloatingPointError, ArtifactFileError, CheckpointFileError),
        *(FoldError, WalkForwardError, WorkersDied),
    ) as error:
        raise CommandError(f"train: {translated(str(error))}") from error
    return 0


def _once(configuration: "Configuration", arguments: argparse.Namespace) -> None:
    """Train on the whole timerange: every pair by itself, or all together."""
    from dualwindow.learning.group import refuse_without_prices
    from dualwindow_trainer.config_test import tell_quality, tell_windows
    from dualwindow_trainer.pairs import pairs_of
    from dualwindow_trainer.ready_names import Wanted
    from dualwindow_trainer.request import fee_of, timerange_of
    from dualwindow_trainer.train_group import GroupTraining

    settings = configuration.settings
    wanted = Wanted(settings, "change these settings, or take another file")
    span = timerange_of(arguments.timerange)
    if arguments.config_test:
        tell_quality(arguments, wanted)
    pairs = list(pairs_of(arguments, wanted))
    is_shared = settings.pooling == "whitelist"
    groups = [
        [_between(pair, span, configuration, len(group)) for pair in group]
        for group in ([pairs] if is_shared else [[pair] for pair in pairs])
    ]
    for group in groups:
        refuse_without_prices(group, settings)
        _tell_what_is_unknown(group)
    if arguments.config_test:
        for group in groups:
            tell_windows(group, configuration)
        return
    _refuse_unwritable(arguments.out)
    trainings = [
        GroupTraining(group, configuration, arguments.out / "models", 2 * fee_of(arguments))
        for group in groups
    ]
    for training in trainings:  # all before the first: hours later, only a device can be refused
        if arguments.resume:
            training.resume()
        else:
            training.begin()
    _write_matrix(arguments.out, [training.run() for training in trainings])


def _walk_forward(configuration: "Configuration", arguments: argparse.Namespace) -> None:
    """Train before each window of the timerange, and predict it."""
    from dualwindow.learning.folds import Schedule
    from dualwindow_trainer.config_test import tell_quality
    from dualwindow_trainer.pairs import pairs_of
    from dualwindow_trainer.request import block_of, predicted_of
    from dualwindow_trainer.walk import Planned, days_of, keep_datadir, summarise

    span = predicted_of(arguments.timerange)
    if arguments.config_test:
        tell_quality(arguments, None)
    planned = Planned.of(
        configuration.settings.model.kind,
        list(pairs_of(arguments)),
        Schedule(
            *span,
            arguments.train_days or days_of(block_of(arguments)),
            arguments.window_days or 7.0,
        ),
        configuration,
    )
    if arguments.config_test:
        n = len(planned.folds)
        print(f"{n} window{'' if n == 1 else 's'} would be predicted")
        return
    folder = arguments.out / "walk_forward"
    walk = planned.walk(folder, arguments.workers or cores())
    keep_datadir(folder, arguments)
    summarise(walk, folder)


def _tell_what_is_unknown(group: Sequence["TrainingData"]) -> None:
    """Say what cannot be checked of rows without prices, and refuse what cannot be told at all."""
    from dualwindow.samples.ready_data import is_undated

    undated = [data.pair for data in group if is_undated(data.candles)]
    if undated and len(group) > 1:
        raise CommandError(
            f"train: {', '.join(undated)}: the files have no timestamps, so pairs cannot be split "
            "at the same moment; give them timestamps, or set dual_window.pooling to 'pair'"
        )
    for data in group:
        if not data.candles.has_prices:
            print(
                f"note: {data.pair}: the file holds no prices: its labels are taken as they are, "
                "and cannot be checked against the barriers"
            )
        if is_undated(data.candles):
            print(
                f"note: {data.pair}: the file has no timestamps: its rows are taken for "
                "consecutive candles, and are counted from 1970-01-01 on"
            )


def _refuse_unwritable(out: Path) -> None:
    """Tell that nothing can be written before hours of training."""
    try:
        (out / "models").mkdir(parents=True, exist_ok=True)
        (out / "reports").mkdir(exist_ok=True)
        if not os.access(out / "models", os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise CommandError(f"train: --out {out} cannot be written to ({error.strerror})") from error


def _between(
    pair: "PairData", span: tuple[float, float], configuration: "Configuration", n_pairs: int
) -> "TrainingData":
    """Cut the candles to learn from out: where no beginning is asked for, from the first known.

    Of several pairs that learn together, one whose candles are too few is left to the training,
    which leaves it out.
    """
    import numpy as np

    from dualwindow.market.labels import Labelling
    from dualwindow.samples.scaling import known_rows

    start, stop = span
    known = np.flatnonzero(known_rows(pair.features))
    settings = configuration.settings
    if len(known) == 0 and n_pairs > 1:
        return pair.between(start, stop, Labelling.of(settings))
    if len(known) == 0:
        raise CommandError(
            f"{pair.pair}: no candle has all its features, which average over 30 days: there are "
            f"{len(pair.candles) * pair.candles.step / 86400:.1f} days of candles"
        )
    start = max(start, float(pair.candles.date[known[0]]))
    data = pair.between(start, stop, Labelling.of(settings))
    if len(data.candles) == 0 and n_pairs == 1:
        first, last = (np.datetime64(int(pair.candles.date[i]), "s") for i in (known[0], -1))
        raise CommandError(
            f"{pair.pair}: there are no candles in the timerange; all features, of which some "
            f"average over 30 days, are known from {first} to {last} UTC"
        )
    return data


def _write_matrix(out: Path, judged: Sequence["Judged"]) -> None:
    from dualwindow_trainer.judged import matrix_of, matrix_path
    from dualwindow_trainer.output import write_out

    content = json.dumps(matrix_of(judged), indent=1, allow_nan=False).encode()
    write_out(matrix_path(out), content, "train")


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "train",
        help="train on files of candles, without a bot",
        description="Train on files of candles, without a bot: a model, its scaler, its "
        "calibration and a report are written to --out. How far a network has come is written "
        "there after every epoch, for --resume to go on from.",
    )
    add_candles(command, "default all candles")
    add_settings(command)
    command.add_argument("--kind", help="of classifier")
    command.add_argument("--epochs", type=positive, metavar="N", help="at most")
    command.add_argument("--batch-size", type=positive, metavar="N", help="windows per step")
    command.add_argument("--learning-rate", type=float, metavar="RATE", help="first step size")
    command.add_argument(
        "--out", type=Path, default=Path("outputs"), metavar="DIR", help="default outputs"
    )
    command.add_argument(
        "--resume",
        action="store_true",
        help="go on after the last epoch of a training that was ended or killed, to the same "
        "model; what is trained already, from the same settings and candles, is left alone (a "
        "walk-forward always goes on)",
    )
    command.add_argument(
        "--config-test",
        action="store_true",
        help="say which settings, candles and windows there are and what they take; train nothing",
    )
    command.add_argument(
        "--walk-forward",
        action="store_true",
        help="instead of one training, predict the timerange window by window, each after a "
        "training on the days before it; a run that was ended goes on",
    )
    command.add_argument(
        "--train-days",
        type=days,
        metavar="N",
        help="of a walk-forward (default train_period_days, else 30)",
    )
    add_windows(command)
    command.set_defaults(handler=_train)


TRAIN = Command(_add)

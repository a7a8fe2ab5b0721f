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
    from dualwindow_trainer.request import configuration_of

    quiet_tensorflow()
    configuration = configuration_of(arguments)
    if arguments.config_test:
        _tell_settings(configuration)
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
    from dualwindow_trainer.request import fee_of, pairs_of, timerange_of
    from dualwindow_trainer.train_group import GroupTraining

    span = timerange_of(arguments.timerange)
    if arguments.config_test:
        _tell_quality(arguments)
    pairs = list(pairs_of(arguments))
    is_shared = configuration.settings.pooling == "whitelist"
    groups = [
        [_between(pair, span, configuration, len(group)) for pair in group]
        for group in ([pairs] if is_shared else [[pair] for pair in pairs])
    ]
    if arguments.config_test:
        for group in groups:
            _test(group, configuration)
        return
    _refuse_unwritable(arguments.out)
    trainings = [
        GroupTraining(group, configuration, arguments.out / "models", 2 * fee_of(arguments))
        for group in groups
    ]
    for training in trainings:  # all before the first, so that hours later nothing is refused
        if arguments.resume:
            training.resume()
        else:
            training.begin()
    _write_matrix(arguments.out, [training.run() for training in trainings])


def _walk_forward(configuration: "Configuration", arguments: argparse.Namespace) -> None:
    """Train before each window of the timerange, and predict it."""
    from dualwindow.learning.folds import Schedule
    from dualwindow_trainer.request import block_of, pairs_of, predicted_of
    from dualwindow_trainer.walk import Planned, days_of, summarise

    span = predicted_of(arguments.timerange)
    if arguments.config_test:
        _tell_quality(arguments)
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
    summarise(planned.walk(folder, arguments.workers or cores()), folder)


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
        first = np.datetime64(int(pair.candles.date[known[0]]), "s")
        raise CommandError(
            f"{pair.pair}: there are no candles in the timerange; all features, of which some "
            f"average over 30 days, are known from {first} UTC on"
        )
    return data


def _write_matrix(out: Path, judged: Sequence["Judged"]) -> None:
    from dualwindow.market.files import write_aside
    from dualwindow_trainer.judged import matrix_of, matrix_path

    path = matrix_path(out)
    try:
        write_aside(path, json.dumps(matrix_of(judged), indent=1, allow_nan=False).encode())
    except OSError as error:
        raise CommandError(f"train: {path} cannot be written ({error.strerror})") from error


def _tell_settings(configuration: "Configuration") -> None:
    """Print every setting in effect that shapes the training, in the user's words."""
    from dualwindow.learning.fingerprint import flatten
    from dualwindow_freqtrade.freqai.configuration import users_key

    print("settings in effect:")
    for place, value in flatten({"settings": configuration.settings.model_dump()}).items():
        print(f"  {users_key(place)} = {value}")


def _tell_quality(arguments: argparse.Namespace) -> None:
    from dualwindow_trainer.request import qualities_of

    for pair, quality in qualities_of(arguments):
        print(f"{pair}: {quality.candles} candles from {quality.first} to {quality.last} UTC")
        wrong = {name: n for name, n in quality._asdict().items() if isinstance(n, int) and n}
        wrong.pop("candles")
        told = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in wrong.items())
        print(f"  {told or 'nothing is missing or unknown'}")


def _test(data: Sequence["TrainingData"], configuration: "Configuration") -> None:
    """Print what would be learnt from, and what it would take."""
    from dualwindow.learning.group import prepare
    from dualwindow.samples.scaling import FeatureScaler
    from dualwindow.samples.selection import refuse_one_class
    from dualwindow_trainer.plan import estimate, windows_of

    settings = configuration.settings
    prepared = prepare(data, settings, FeatureScaler(settings.scaler))
    refuse_one_class(", ".join(part.data.pair for part in prepared.parts), prepared.training.labels)
    for part in prepared.parts:
        lost = ", ".join(f"{n} {why}" for why, n in part.selection.rejected.items() if n)
        print(f"{part.data.pair}: {len(part.data.candles)} candles (dropped: {lost or 'none'})")
    for pair, why in prepared.left_out.items():
        print(f"{pair} would be left out: {why}")
    for name, (short, hold, long) in windows_of(prepared):
        print(f"{name} windows: {short} SHORT + {hold} HOLD + {long} LONG")
    takes = estimate(settings, prepared, data[0].features.shape[1])
    print(
        f"estimated for two cores: about {takes.seconds:.0f} s at most, "
        f"{takes.memory / 1e9:.1f} GB of memory"
    )


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

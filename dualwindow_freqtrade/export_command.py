"""The command ``dualwindow export``: models that FreqAI has trained, as files without a pickle."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics

if TYPE_CHECKING:
    from dualwindow.learning.artifact import Artifact
    from dualwindow.samples.scaling import FeatureScaler
    from dualwindow.settings import ScalerKind

# The handlers import what they need, so that --help does not wait for TensorFlow.


def _export(arguments: argparse.Namespace) -> int:
    import datasieve  # noqa: F401 - told now, if it is not there: FreqAI's pipelines are made of it

    from dualwindow.learning.artifact_files import (
        ArtifactFileError,
        pair_folder,
        write_artifact,
    )
    from dualwindow.reports.progress import steps
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow

    quiet_tensorflow()
    newest = _newest(arguments.models)
    with steps("models", len(newest)) as done:
        for path in newest:
            artifact = exportable(_load(path))
            folder = arguments.out / "models" / pair_folder(artifact.record.pair)
            try:
                write_artifact(artifact, folder)
            except ArtifactFileError as error:
                raise CommandError(f"export: {error}") from error
            done.say(f"{artifact.record.pair}: {path.parent.name} is in {folder}")
            done.advance()
    return 0


def _newest(folder: Path) -> list[Path]:
    """Find the newest model of each coin, as its name tells the time of its training.

    FreqAI names its folders by the coin alone.
    """
    from dualwindow_freqtrade.freqai.names import ALL_TRAININGS, MODEL_FILE, coin_of, trained_at

    newest: dict[str, Path] = {}
    for path in folder.glob(f"{ALL_TRAININGS}/*{MODEL_FILE}"):
        if not path.parent.name.rpartition("_")[2].isdecimal():
            continue  # a copy that somebody has made
        coin = coin_of(path.parent)
        if coin not in newest or trained_at(path.parent) > trained_at(newest[coin].parent):
            newest[coin] = path
    if not newest:
        raise CommandError(
            f"--models: no model in {folder}; it is a folder of user_data/models, named as "
            "freqai.identifier, and a backtest keeps its models only with save_backtest_models"
        )
    return [newest[coin] for coin in sorted(newest)]


def _load(path: Path) -> "Artifact":
    import joblib

    from dualwindow.learning.artifact import Artifact

    try:
        found = joblib.load(path)
    except Exception as error:  # whatever a damaged pickle raises
        raise CommandError(f"export: {path}: {type(error).__name__}: {error}") from error
    if not isinstance(found, Artifact):
        raise CommandError(f"export: {path} is a model of another kind than ours")
    return found


def exportable(artifact: "Artifact") -> "Artifact":
    """Take a model out of FreqAI: its scaler alone, and the features by their plain names.

    Raises
    ------
    CommandError
        If FreqAI's pipeline does more than to scale, which no file could tell.
    """
    record = artifact.record
    plain = tuple(name.removeprefix("%-") for name in record.features)
    return replace(
        artifact,
        scaler=_scaler(artifact, record.settings.scaler),
        record=record.model_copy(update={"features": plain}),
    )


def _scaler(artifact: "Artifact", kind: "ScalerKind") -> "FeatureScaler":
    from dualwindow.samples.scaling import FeatureScaler, learnt_by
    from dualwindow_freqtrade.freqai.feature_pipeline import pipeline_of

    pipeline = pipeline_of(artifact.scaler)
    others = [name for name, _ in pipeline.steps if name != "scaler"]
    if others:
        raise CommandError(
            f"export: {artifact.record.pair}: FreqAI's {', '.join(others)} cannot be exported; "
            "train without principal_component_analysis, use_SVM_to_remove_outliers and "
            "DI_threshold"
        )
    return FeatureScaler.from_dict({"kind": kind, **learnt_by(pipeline["scaler"]._skl, kind)})


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "export",
        help="write models that FreqAI has trained as files for 'predict' and other programs",
        description="Write the newest model of each coin as a .keras file with its scaler and "
        "calibration as JSON. The models are FreqAI's pickles: only read your own.",
    )
    command.add_argument(
        "--models", type=Path, required=True, metavar="DIR", help="user_data/models/IDENTIFIER"
    )
    command.add_argument(
        "--out", type=Path, default=Path("outputs"), metavar="DIR", help="default outputs"
    )
    command.set_defaults(handler=_export)


EXPORT = Command(_add)

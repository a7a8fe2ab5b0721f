"""One training of ``dualwindow train``: begun, gone on with after a kill, or found done."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from dualwindow.cli import CommandError
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.artifact_files import (
    ArtifactFileError,
    metadata_path,
    pair_folder,
    read_artifact,
    stem,
    write_artifact,
)
from dualwindow.learning.checkpoint_file import CheckpointFile, facts_of, fingerprint_of
from dualwindow.learning.training import train_together
from dualwindow.models.classifier import CheckpointError, Epoch, Hooks, use_threads
from dualwindow.reports.progress import Steps, in_words, steps
from dualwindow.reports.terminal import comparison_table
from dualwindow.samples.data import TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow_freqtrade.freqai.configuration import Configuration, translated
from dualwindow_trainer.judged import Judged, judge

_TRAINING = "training"  # where a record names the digest of what shaped its training
_TITLE = "Validation part, by which the model was chosen and calibrated: no out-of-sample result"


class GroupTraining:
    """The training of one pair, or of several together.

    Parameters
    ----------
    group : data of each pair
    configuration : settings, and the rule to compare with
    models : folder of the models of all pairs
    fees : of entry and exit together, a fraction of the stake
    """

    def __init__(
        self,
        group: Sequence[TrainingData],
        configuration: Configuration,
        models: Path,
        fees: float,
    ) -> None:
        self._group, self._configuration, self._fees = group, configuration, fees
        settings, pairs = configuration.settings, [data.pair for data in group]
        self._folders = {pair: models / pair_folder(pair) for pair in pairs}
        self._name = ", ".join(pairs)
        facts, first = facts_of(group, settings), min(pairs)
        self._fingerprint = fingerprint_of(facts)
        path = self._folders[first] / f"checkpoint_{stem(first, settings)}.zip"
        self._checkpoint = CheckpointFile(path, facts)
        self._done: list[Artifact] | None = None
        self._is_anew = False
        if configuration.threads is not None:
            use_threads(settings.model, configuration.threads)

    def begin(self) -> None:
        """Begin anew, whatever is there; a checkpoint is replaced, or gone once it is done."""
        self._is_anew = True
        if (path := self._checkpoint.path).is_file():
            print(f"note: {self._name}: begins anew; {path} is left of a training that was ended")

    def resume(self) -> None:
        """Go on where an earlier run was, which is said in one line.

        Raises
        ------
        CommandError
            If the checkpoint is of something else.
        CheckpointFileError
            If it cannot be read.
        """
        self._done = self._found()
        if self._done is not None:
            print(f"{self._name}: trained already, with the same settings and candles")
            return
        try:
            where = self._checkpoint.take_up()
        except CheckpointError as error:
            raise self._cannot_go_on(error) from error
        if where:
            print(f"{self._name}: {where}", flush=True)

    def run(self) -> Judged:
        """Train, write the models and tell of them, unless that is done; judge them."""
        artifacts = self._done if self._done is not None else self._trained()
        self._checkpoint.remove(also_others=self._is_anew)
        judged = judge(self._group, artifacts, self._configuration.confidence, self._fees)
        if self._done is None:
            self._tell(artifacts, judged)
        return judged

    def _found(self) -> list[Artifact] | None:
        """Read what a training of the same fingerprint has written, if it has written all of it."""
        settings, found = self._configuration.settings, []
        for pair, folder in self._folders.items():
            path = metadata_path(folder, pair, settings)
            if not path.is_file():
                return None
            try:
                artifact = read_artifact(path)
            except ArtifactFileError as error:
                print(f"note: {error}")
                return None
            if artifact.record.made_from.get(_TRAINING) != self._fingerprint:
                print(
                    f"note: {pair}: the model in {folder} is of other settings, candles or "
                    "versions, and will be replaced"
                )
                return None
            found.append(artifact)
        return found

    def _trained(self) -> list[Artifact]:
        settings = self._configuration.settings
        logs = self._folders[self._group[0].pair] / "logs"
        with steps("epochs") as done:
            hooks = Hooks(
                report=lambda epoch: _say(epoch, done),
                tensorboard=logs,
                checkpoint=self._checkpoint.whole,
            )
            try:
                found = train_together(
                    self._group, settings, FeatureScaler(settings.scaler), hooks=hooks
                )
            except CheckpointError as error:
                raise self._cannot_go_on(error) from error
        artifacts = [artifact.made_from({_TRAINING: self._fingerprint}) for artifact in found]
        for artifact in artifacts:
            write_artifact(artifact, self._folders[artifact.record.pair])
        return artifacts

    def _cannot_go_on(self, error: CheckpointError) -> CommandError:
        return CommandError(
            f"train: {self._checkpoint.path}: {translated(str(error))}; with --resume, settings, "
            "candles and versions must be those of then, and without, the training begins anew"
        )

    def _tell(self, artifacts: Sequence[Artifact], judged: Judged) -> None:
        for line in _lines(artifacts):
            print(line)
        Console(width=100).print(comparison_table(_TITLE, [judged.argmax, judged.confident]))
        for pair, folder in self._folders.items():
            name = metadata_path(folder, pair, self._configuration.settings).name
            print(f"model, scaler, calibration and metadata: {folder} ({name})")


def _say(epoch: Epoch, done: Steps) -> None:
    n_left = epoch.most - epoch.number
    left = f", at most {in_words(n_left * epoch.seconds)} left" if n_left else ""
    done.say(
        f"epoch {epoch.number}/{epoch.most}: loss {epoch.loss:.4f}, validation loss "
        f"{epoch.validation_loss:.4f}, rate {epoch.learning_rate:.2g}, {epoch.seconds:.1f} s{left}"
    )
    done.advance(left=n_left)


def _lines(artifacts: Sequence[Artifact]) -> Iterator[str]:
    record = next(a.record for a in artifacts if not a.record.left_out)
    names = ", ".join(record.learnt_from) or record.pair
    scores = record.validation
    yield (
        f"{names}: trained on {record.training_windows}, validated on "
        f"{record.validation_windows.total} windows, {record.seconds:.1f} s; calibrated by "
        f"{record.calibration.method}; log loss {scores.log_loss:.4f} (raw scores "
        f"{scores.log_loss_of_raw_scores:.4f}, class frequencies "
        f"{scores.log_loss_of_frequencies:.4f})"
        f"{'' if record.delta is None else f'; labels of delta {record.delta:.6f}'}"
    )
    yield from (f"calibration: {remark}" for remark in record.calibration.remarks)
    for artifact in artifacts:
        if why := artifact.record.left_out:
            yield f"{artifact.record.pair} has the model of the others: {why}"

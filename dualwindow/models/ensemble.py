"""Several classifiers of the same windows, whose scores are averaged."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.models import classifier
from dualwindow.models.classifier import Classifier, Epoch, Fitted, Hooks, make_classifier
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import EnsembleSettings


def make(settings: EnsembleSettings, history: int, n_features: int) -> "EnsembleClassifier":
    """Make the classifier, and those that belong to it."""
    members = (make_classifier(member, history, n_features) for member in settings.members)
    return EnsembleClassifier(tuple(members))


def use_threads(settings: EnsembleSettings, n: int) -> None:
    """Cap the threads of all members."""
    for member in settings.members:
        classifier.use_threads(member, n)


@dataclass(frozen=True)
class EnsembleClassifier:
    """Classifiers that learn one after the other, each by itself."""

    members: tuple[Classifier, ...]

    def fit(
        self, training: Samples, validation: Samples, start: Fitted | None, hooks: Hooks
    ) -> "FittedEnsemble":
        """Let every member learn; each goes on from its own predecessor, if `start` has one."""
        before: tuple[Fitted | None, ...] = (None,) * len(self.members)
        if isinstance(start, FittedEnsemble) and len(start.members) == len(self.members):
            before = start.members
        return FittedEnsemble(
            tuple(
                member.fit(training, validation, its_start, hooks)
                for member, its_start in zip(self.members, before, strict=True)
            )
        )

    def from_bytes(self, content: bytes) -> "FittedEnsemble":
        """Unpack every member from its file in the archive."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if len(archive.namelist()) != len(self.members):
                raise ValueError("this is an ensemble of another number of members")
            return FittedEnsemble(
                tuple(
                    member.from_bytes(archive.read(str(i))) for i, member in enumerate(self.members)
                )
            )


@dataclass(frozen=True)
class FittedEnsemble:
    """What each member has learnt; epochs are those of the first that has any."""

    members: tuple[Fitted, ...]

    @property
    def _told(self) -> Fitted:
        with_epochs = (m for m in self.members if m.epochs or m.start_loss is not None)
        return next(with_epochs, self.members[0])

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """Of the first member that has any."""
        return self._told.epochs

    @property
    def best_epoch(self) -> int:
        """Of the same member."""
        return self._told.best_epoch

    @property
    def start_loss(self) -> float | None:
        """Of the same member."""
        return self._told.start_loss

    @property
    def device(self) -> str:
        """Of the same member."""
        return self._told.device

    def scores(self, rows: Rows, ends: IntArray) -> FloatArray:
        """Average the scores; NaN where a member has none.

        The mean of probabilities is what T. G. Dietterich, "Ensemble Methods in Machine Learning",
        2000, calls an unweighted vote.
        """
        return np.asarray(np.mean([member.scores(rows, ends) for member in self.members], axis=0))

    def is_sound(self) -> bool:
        """Tell whether every member is."""
        return all(member.is_sound() for member in self.members)

    def to_bytes(self) -> bytes:
        """Pack every member into a file of an archive, named by its place."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for i, member in enumerate(self.members):
                # Not by name alone, with which goes the time of packing.
                archive.writestr(zipfile.ZipInfo(str(i)), member.to_bytes())
        return packed.getvalue()

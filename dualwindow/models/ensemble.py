"""Several classifiers of the same windows that are asked together."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.models import classifier
from dualwindow.models.classifier import Classifier, Epoch, Fitted, Hooks, make_classifier
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import Combine, EnsembleSettings

_WEIGHTS = "weights.json"
_LEAST = 1e-12  # what a score counts at least, where its logarithm would be infinite
_ROUNDS = 1000
_SETTLED = 1e-9  # nats per window that a round gains at least, or it is the last one


def make(settings: EnsembleSettings, history: int, n_features: int) -> "EnsembleClassifier":
    """Make the classifier, and those that belong to it."""
    members = (make_classifier(member, history, n_features) for member in settings.members)
    return EnsembleClassifier(tuple(members), settings.combine)


def use_threads(settings: EnsembleSettings, n: int) -> None:
    """Cap the threads of all members."""
    for member in settings.members:
        classifier.use_threads(member, n)


@dataclass(frozen=True)
class EnsembleClassifier:
    """Classifiers that learn one after the other, each by itself."""

    members: tuple[Classifier, ...]
    combine: Combine = "soft"

    def fit(
        self, training: Samples, validation: Samples, start: Fitted | None, hooks: Hooks
    ) -> "FittedEnsemble":
        """Let every member learn; each goes on from its own predecessor, if `start` has one."""
        before: tuple[Fitted | None, ...] = (None,) * len(self.members)
        if isinstance(start, FittedEnsemble) and len(start.members) == len(self.members):
            before = start.members
        fitted = tuple(
            member.fit(training, validation, its_start, hooks.of_member(place))
            for place, (member, its_start) in enumerate(zip(self.members, before, strict=True))
        )
        weights = [1 / len(fitted)] * len(fitted)
        if self.combine == "stacked":
            scores = [member.scores(validation.rows, validation.ends) for member in fitted]
            weights = best_weights(scores, validation.labels, validation.weights)
        return FittedEnsemble(fitted, self.combine, tuple(weights))

    def from_bytes(self, content: bytes) -> "FittedEnsemble":
        """Unpack every member from its file in the archive, and the weights of a stacked one."""
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = set(archive.namelist()) - {_WEIGHTS}
            if names != {str(i) for i in range(len(self.members))}:
                raise ValueError("this is an ensemble of another number of members")
            fitted = tuple(
                member.from_bytes(archive.read(str(i))) for i, member in enumerate(self.members)
            )
            weights = [1 / len(fitted)] * len(fitted)
            if self.combine == "stacked":
                weights = json.loads(archive.read(_WEIGHTS))
            if len(weights) != len(fitted):
                raise ValueError("these are the weights of another number of members")
            return FittedEnsemble(fitted, self.combine, tuple(weights))


def best_weights(
    scores: Sequence[FloatArray], labels: IntArray, sample_weights: FloatArray
) -> list[float]:
    """Find the mixture of classifiers with the least log loss, where it is the only one.

    Every round gives each classifier the share that it has in the probability of what came true
    (expectation maximisation; the linear opinion pool of R. Ranjan and T. Gneiting, "Combining
    probability forecasts", 2010). It begins with all alike, and never leaves the simplex.

    Parameters
    ----------
    scores : (m, 3) of each classifier, for windows that none of them was trained on
    labels : (m,) of SHORT, HOLD, LONG
    sample_weights : (m,)

    Returns
    -------
    A weight for each, none negative; they sum to 1. Equal ones where scores are no numbers.

    Examples
    --------
    >>> sure, wrong = np.array([[0.8, 0.1, 0.1]] * 9), np.array([[0.1, 0.8, 0.1]] * 9)
    >>> [round(w, 3) for w in best_weights([sure, wrong], np.zeros(9, dtype=int), np.ones(9))]
    [1.0, 0.0]
    """
    rows = np.arange(len(labels))
    chosen = np.maximum(np.stack([each[rows, labels] for each in scores], axis=1), _LEAST)
    weights = np.full(len(scores), 1 / len(scores))
    if not np.isfinite(chosen).all():
        return list(weights.tolist())
    counts, last = sample_weights / sample_weights.sum(), np.inf
    for _ in range(_ROUNDS):
        mixed = chosen @ weights
        loss = -float(counts @ np.log(mixed))
        if last - loss < _SETTLED:
            break
        last, weights = loss, weights * (counts @ (chosen / mixed[:, None]))
    return list((weights / weights.sum()).tolist())


@dataclass(frozen=True)
class FittedEnsemble:
    """What each member has learnt; epochs are those of the first that has any."""

    members: tuple[Fitted, ...]
    combine: Combine
    weights: tuple[float, ...]

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
        """Combine the scores; NaN where a member has none.

        The mean of probabilities is what T. G. Dietterich, "Ensemble Methods in Machine Learning",
        2000, calls an unweighted vote. Where votes are counted, the score of a class is its share
        of them; a member votes for the first of classes that it holds for equally likely.
        """
        scores = np.stack([member.scores(rows, ends) for member in self.members])
        if self.combine == "hard":
            votes = np.eye(len(CLASSES))[scores.argmax(axis=2)]
            scores = np.where(np.isfinite(scores), votes, np.nan)
        return np.asarray(np.average(scores, axis=0, weights=self.weights))

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
            if self.combine == "stacked":
                archive.writestr(zipfile.ZipInfo(_WEIGHTS), json.dumps(self.weights))
        return packed.getvalue()

"""What every kind of classifier can do, and where each kind is found."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.models.notices import without_notices
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import ClassifierSettings


@dataclass(frozen=True)
class Epoch:
    """One line of progress: the `number`-th of at most `most`."""

    number: int
    most: int
    loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


class CheckpointError(Exception):
    """A training cannot go on from what a checkpoint holds."""


class Checkpoint(Protocol):
    """Where a training keeps how far it has come, so that another process can go on from there."""

    def load(self) -> bytes | None:
        """Give what was saved last; None if nothing was, so that the training begins anew."""

    def save(self, content: bytes, n_epochs: int) -> None:
        """Keep the state after so many epochs; what was saved before stays until this is whole.

        What it raises, for example because the disk is full, ends the training.
        """

    def member(self, place: int) -> "Checkpoint":
        """Give the checkpoint of one member of an ensemble, which learn one after the other."""


@dataclass(frozen=True)
class Hooks:
    """How a host follows a training.

    Parameters
    ----------
    report : called after every epoch, by kinds that have epochs
    interrupt : called often; what it raises ends the training
    tensorboard : folder for TensorBoard's files, for kinds that write them
    checkpoint : gets the state after every epoch, before that is reported, and gives it back to a
        later training of the very same settings and samples, which comes to the same bits; for
        kinds that have epochs
    """

    report: Callable[[Epoch], None] = lambda epoch: None
    interrupt: Callable[[], None] = lambda: None
    tensorboard: Path | None = None
    checkpoint: Checkpoint | None = None

    def of_member(self, place: int) -> "Hooks":
        """Give those of one member of an ensemble."""
        if self.checkpoint is None:
            return self
        return replace(self, checkpoint=self.checkpoint.member(place))


class Fitted(Protocol):
    """A classifier that has learnt: a pure function of rows, safe in any thread."""

    @property
    def epochs(self) -> tuple[Epoch, ...]:
        """All that were run; empty for kinds without epochs and for one that was loaded."""

    @property
    def best_epoch(self) -> int:
        """The one whose weights were kept; 0 for those it began with, or without epochs."""

    @property
    def start_loss(self) -> float | None:
        """Validation loss of what it began with; None where it began anew."""

    @property
    def device(self) -> str:
        """What it was computed on, in words."""

    def scores(self, rows: Rows, ends: IntArray) -> FloatArray:
        """Score the windows that end at the rows `ends`: (m, 3) float64, rows sum to 1.

        A window looks at its own rows only. Scores that are no numbers say that it failed.
        """

    def is_sound(self) -> bool:
        """Tell whether all it has learnt are finite numbers."""

    def to_bytes(self) -> bytes:
        """Pack all it has learnt, for `Classifier.from_bytes`."""


class Classifier(Protocol):
    """Something that learns SHORT, HOLD and LONG from windows of rows."""

    def fit(
        self, training: Samples, validation: Samples, start: Fitted | None, hooks: Hooks
    ) -> Fitted:
        """Learn from `training`; `validation`, later in time, is for choosing when to stop.

        Parameters
        ----------
        start : what to go on from; a kind that cannot, or not from this, begins anew
        hooks : how the host follows it

        Raises
        ------
        FloatingPointError
            If what is learnt becomes NaN or infinite.
        CheckpointError
            If it cannot go on from what the hooks' checkpoint holds.
        """

    def from_bytes(self, content: bytes) -> Fitted:
        """Unpack what `Fitted.to_bytes` has packed.

        Raises
        ------
        Exception
            Of whatever kind, if the content is damaged or of another classifier.
        """


def make_classifier(settings: ClassifierSettings, history: int, n_features: int) -> Classifier:
    """Make the classifier that the settings' `kind` names.

    The module of that name in this room has a function `make` with these parameters, and a
    function `use_threads` with the settings and a number. It is imported now, because a network's
    takes seconds and hundreds of megabytes.

    Parameters
    ----------
    settings : of the classifier
    history : rows per window
    n_features : columns of ``Rows.features``
    """
    classifier: Classifier = _module(settings).make(settings, history, n_features)
    return classifier


def use_threads(settings: ClassifierSettings, n: int) -> None:
    """Cap the threads of a kind in this process; only before the first of its operations."""
    _module(settings).use_threads(settings, n)


def _module(settings: ClassifierSettings) -> Any:
    with without_notices():
        return import_module(f"dualwindow.models.{settings.kind}")

"""Keep how far a training has come in a file, which is bound to what is trained."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dualwindow.learning.fingerprint import all_differences, digest, digest_arrays
from dualwindow.learning.fold_store import in_backticks, plan_of
from dualwindow.market.files import set_aside, write_aside
from dualwindow.models.classifier import CheckpointError
from dualwindow.samples.data import TrainingData
from dualwindow.settings import Settings

_FORMAT = 1
_FACTS = "facts.json"
_ENDING = ".npz"
_ALONE = "state"  # the name of a classifier that is no member of an ensemble


class CheckpointFileError(Exception):
    """A file of a checkpoint cannot be written or read."""


def facts_of(group: Sequence[TrainingData], settings: Settings) -> dict[str, Any]:
    """Name everything that shapes a training, by dotted names: trainings alike come to one model.

    Parameters
    ----------
    group : data of the pairs that learn together; their order does not matter
    settings : of the training
    """
    learnt_from = {f"candles of {data.pair}": _digest_of(data) for data in group}
    return {"format": _FORMAT, **in_backticks(plan_of(settings)), **learnt_from}


def _digest_of(data: TrainingData) -> str:
    candles = data.candles
    arrays: list[Any] = [candles.date, candles.high, candles.low, candles.close, candles.volume]
    arrays += [data.features, data.labels]
    told = [candles.step, data.feature_names, digest_arrays(arrays)]
    return digest([json.dumps(told).encode()])


def fingerprint_of(facts: Mapping[str, Any]) -> str:
    """Digest what `facts_of` has named."""
    return digest([json.dumps(facts, sort_keys=True).encode()])


class _State(NamedTuple):
    content: bytes
    n_epochs: int


class CheckpointFile:
    """The states of one training: of its classifier, or of each member of an ensemble.

    The file is a ZIP archive of JSON text, which says what is trained, and what the classifiers
    have packed; nothing in it is ever run. Each state that is saved replaces it as a whole.

    Parameters
    ----------
    path : of the file
    facts : what is trained, as `facts_of` names it
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        self._facts = dict(facts)
        self._states: dict[str, _State] = {}

    @property
    def whole(self) -> "StateInFile":
        """What the training is given."""
        return StateInFile(self, _ALONE)

    def take_up(self) -> str:
        """Read what an earlier run has written, to go on from it.

        Returns
        -------
        In words, where this training goes on; empty if there is no file. A damaged one is set
        aside, and the training begins anew.

        Raises
        ------
        CheckpointError
            If it is of a training of something else; it stays as it is, and settings are named in
            backticks, as a `TrainingError` does.
        CheckpointFileError
            If it cannot be read.
        """
        content = self._content()
        if content is None:
            return ""
        try:
            facts, states = _unpacked(content)
        except Exception as error:  # a damaged archive raises almost anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            kept = set_aside(self.path)
            return f"begins anew, its checkpoint is damaged ({reason}) and now {kept}"
        if changed := all_differences(facts, self._facts):
            raise CheckpointError(f"it is of another training ({'; '.join(changed)})")
        self._states = states
        return f"goes on after {_places(states)}"

    def _content(self) -> bytes | None:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CheckpointFileError(f"{self.path} cannot be read ({error.strerror})") from error

    def load(self, name: str) -> bytes | None:
        """Give a state that was taken up."""
        state = self._states.get(name)
        return None if state is None else state.content

    def save(self, name: str, content: bytes, n_epochs: int) -> None:
        """Write all states, of which one is new.

        Raises
        ------
        CheckpointFileError
            If it cannot be written, for example because the disk is full.
        """
        self._states[name] = _State(content, n_epochs)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(self.path, _packed(self._facts, self._states))
        except OSError as error:
            raise CheckpointFileError(
                f"{self.path} cannot be written ({error.strerror}); what was written after the "
                "epoch before stays, go on from it once it can"
            ) from error

    def remove(self, *, also_others: bool = False) -> None:
        """Delete the file, because the training is over.

        Parameters
        ----------
        also_others : whether it may be that of another training, which was begun anew

        Raises
        ------
        CheckpointFileError
            If it cannot be read or deleted.
        """
        content = self._content()
        if content is None or not (also_others or self._is_mine(content)):
            return
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointFileError(
                f"{self.path} cannot be deleted ({error.strerror})"
            ) from error

    def _is_mine(self, content: bytes) -> bool:
        try:
            return _unpacked(content)[0] == self._facts
        except Exception:  # damaged: left to be looked at
            return False


@dataclass(frozen=True)
class StateInFile:
    """One state in the file; a `dualwindow.models.classifier.Checkpoint`."""

    file: CheckpointFile
    name: str

    def load(self) -> bytes | None:
        """Give what was saved last, by an earlier run."""
        return self.file.load(self.name)

    def save(self, content: bytes, n_epochs: int) -> None:
        """Keep the state after so many epochs."""
        self.file.save(self.name, content, n_epochs)

    def member(self, place: int) -> "StateInFile":
        """Give that of a member; an ensemble holds no ensembles."""
        return StateInFile(self.file, str(place))


def _packed(facts: Mapping[str, Any], states: Mapping[str, _State]) -> bytes:
    told = {"made_from": facts, "epochs": {name: s.n_epochs for name, s in states.items()}}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_FACTS), json.dumps(told, indent=1))
        for name, state in states.items():
            archive.writestr(zipfile.ZipInfo(f"{name}{_ENDING}"), state.content)
    return packed.getvalue()


def _unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, _State]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:  # it checks sums as it reads
        told = json.loads(archive.read(_FACTS))
        states = {
            name: _State(archive.read(f"{name}{_ENDING}"), int(n))
            for name, n in told["epochs"].items()
        }
        return dict(told["made_from"]), states


def _places(states: Mapping[str, _State]) -> str:
    """Say in words how far each has come.

    Examples
    --------
    >>> _places({"0": _State(b"", 6), "1": _State(b"", 2)})
    'epoch 6 of member 1, epoch 2 of member 2'
    """
    return ", ".join(
        f"epoch {state.n_epochs}" + ("" if name == _ALONE else f" of member {int(name) + 1}")
        for name, state in states.items()
    )

"""Keep how far the training of an agent has come in files, each bound to what is trained."""

import io
import json
import logging
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dualwindow.learning.fingerprint import all_differences, digest, digest_arrays, flatten
from dualwindow.market.files import set_aside, write_aside
from dualwindow_agent.learning.task import AgentTask
from dualwindow_agent.market.tape import Tape

_FORMAT = 1
_KEPT = 2  # so that there is an older one where the newest is damaged
_PATTERN = "agent-*.npz"
_TREE, _ARRAY = "tree", "array"
_PACKAGES = ("numpy", "torch", "stable-baselines3", "sb3-contrib")
# Changes of these lead to other weights; the commands and freqtrade's half do not.
SHAPING = {
    "market": (
        "accounts",
        "arena",
        "exchange",
        "following",
        "observation",
        "orders",
        "rewards",
    ),
    "learning": ("learner", "policy", "training", "vec_env"),
}

logger = logging.getLogger(__name__)


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be written, read or gone on from."""


def facts_of(task: AgentTask, threads: int) -> dict[str, Any]:
    """Name all that shapes a training, by dotted names: trainings alike come to one policy.

    Parameters
    ----------
    task : see there
    threads : of PyTorch, whose sums depend on them
    """
    settings = task.settings.model_dump(mode="json")
    settings["learning"].pop("checkpoint_every")
    parts = {"learn": task.learn, "validate": task.validate}
    tapes = {
        f"{part} on {i + 1}, {tape.pair}": digest_of(tape)
        for part, tapes in parts.items()
        for i, tape in enumerate(tapes)
    }
    labels = {"barriers": vars(task.barriers), "horizon": task.horizon}
    told = {"format": _FORMAT, "threads": threads}
    return {**flatten(settings), **flatten(labels), **tapes, **made_with(), **told}


def made_with() -> dict[str, str]:
    """Name the code and the packages that shape trainings, by names and digests."""
    package = Path(__file__).parents[1]
    files = [package / room / f"{name}.py" for room, names in SHAPING.items() for name in names]
    packages = {f"version of {name}": version(name) for name in _PACKAGES}
    return {"code": digest(path.read_bytes() for path in files), **packages}


def digest_of(tape: Tape) -> str:
    """Digest all that an agent can see of a tape, or that it trades at."""
    candles = tape.candles
    arrays: list[Any] = [candles.date, tape.opens, candles.high, candles.low, candles.close]
    arrays += [candles.volume, tape.probabilities, tape.valid, *tape.further]
    told = [tape.pair, candles.step, tape.first, digest_arrays(arrays)]
    return digest([json.dumps(told).encode()])


class Checkpoints:
    """Those of one training, in a folder of their own.

    Each is a npz archive, whose sums are checked as it is read: arrays, and one JSON text that says
    where they belong and what is trained; nothing in it is ever run.

    Parameters
    ----------
    folder : made when it is needed
    facts : what is trained, as `facts_of` names it
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any]) -> None:
        self.folder = folder
        self._facts = dict(facts)

    def load(self) -> dict[str, Any] | None:
        """Give what was saved last; None where there is nothing.

        A damaged file is set aside, and the one before it counts.

        Raises
        ------
        CheckpointError
            If it is of another training, or cannot be read for now; it stays as it is.
        """
        for path in sorted(self.folder.glob(_PATTERN), reverse=True):
            try:
                content = path.read_bytes()
            except OSError as error:
                raise CheckpointError(f"{path} cannot be read ({error.strerror})") from error
            try:
                facts, state = _unpacked(content)
            except MemoryError:
                raise
            except Exception as error:  # a damaged archive raises almost anything
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                logger.warning(
                    "A checkpoint of an agent is damaged (%s) and now %s; the training goes on "
                    "from the one before it, or begins anew.",
                    reason,
                    set_aside(path),
                )
                continue
            if changed := all_differences(facts, self._facts):
                raise CheckpointError(
                    f"{path} is of another training ({'; '.join(changed)}); delete it to begin "
                    "anew, or choose another folder"
                )
            return state
        return None

    def save(self, state: Mapping[str, Any], timesteps: int) -> None:
        """Write a state of numbers, texts, lists, arrays and mappings of such.

        Raises
        ------
        CheckpointError
            If it cannot be written, for example because the disk is full; those before it stay.
        """
        path = self.folder / f"agent-{timesteps:012d}.npz"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_aside(path, _packed(self._facts, state))
            for old in sorted(self.folder.glob(_PATTERN))[:-_KEPT]:
                old.unlink(missing_ok=True)
        except OSError as error:
            raise CheckpointError(
                f"{path} cannot be written ({error.strerror}); what was written before stays, go "
                "on from it once it can"
            ) from error


def remove_checkpoints(folder: Path) -> None:
    """Delete the checkpoints in a folder, because what was trained is safe elsewhere."""
    for path in folder.glob(_PATTERN):
        path.unlink(missing_ok=True)


def _packed(facts: Mapping[str, Any], state: Mapping[str, Any]) -> bytes:
    arrays: dict[str, Any] = {}
    tree = json.dumps({"made_from": facts, "state": _without_arrays(state, arrays)})
    packed = io.BytesIO()
    text = np.frombuffer(tree.encode(), dtype=np.uint8)
    np.savez(packed, allow_pickle=False, **{_TREE: text}, **arrays)
    return packed.getvalue()


def _unpacked(content: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    told = json.loads(arrays.pop(_TREE).tobytes())
    return told["made_from"], _with_arrays(told["state"], arrays)


def _without_arrays(value: Any, arrays: dict[str, Any]) -> Any:
    """Put a name in the place of each array, which is added to `arrays`."""
    if isinstance(value, np.ndarray):
        name = f"{_ARRAY}_{len(arrays)}"
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {key: _without_arrays(each, arrays) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(each, arrays) for each in value]
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _with_arrays(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_arrays(each, arrays) for each in value]
    return value

"""How far a training of a network has come, as bytes from which another process goes on."""

import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dualwindow.arrays import IntArray
from dualwindow.models.classifier import CheckpointError, Epoch
from dualwindow.models.network import Weights
from dualwindow.outside import chance

_VARIABLE, _BEST = "variable-", "best-"


@dataclass
class Patience:
    """How many epochs ago a loss was last better, by more than a margin, than ever before."""

    best: float = math.inf
    margin: float = 0.0
    since: int = 0

    def got_better(self, loss: float) -> bool:
        """Note the loss of one more epoch."""
        self.since += 1
        if loss < self.best - self.margin:
            self.best, self.since = loss, 0
        return self.since == 0


@dataclass
class TrainingState:
    """All that the rest of a training depends on, but the variables of the compiled model.

    Parameters
    ----------
    chance : shuffles `order`
    order : of the windows in the last epoch; the next one shuffles it further
    weights : of the best epoch, or those that it began with
    start_loss : of what it went on from; None where it began anew
    stopping, plateau : when to stop, and when to lower the learning rate
    epochs : so far
    """

    chance: np.random.Generator
    order: IntArray
    weights: Weights
    start_loss: float | None
    stopping: Patience
    plateau: Patience
    epochs: list[Epoch]


def pack(state: TrainingState, variables: Weights, device: str) -> bytes:
    """Lay a state out as the content of an ``.npz`` file: arrays, and JSON text for the rest.

    Parameters
    ----------
    state : of the training
    variables : of the compiled model, in its own order
    device : in words; another one would not come to the same bits
    """
    told = {
        "device": device,
        "chance": state.chance.bit_generator.state,
        "start_loss": state.start_loss,
        "stopping": asdict(state.stopping),
        "plateau": asdict(state.plateau),
        "epochs": [asdict(epoch) for epoch in state.epochs],
    }
    arrays: dict[str, Any] = {f"{_VARIABLE}{i}": value for i, value in enumerate(variables)}
    arrays |= {f"{_BEST}{i}": value for i, value in enumerate(state.weights)}
    text = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8)
    packed = io.BytesIO()
    np.savez(packed, order=state.order, told=text, **arrays)
    return packed.getvalue()


def unpack(content: bytes, n_windows: int, device: str) -> tuple[TrainingState, Weights]:
    """Read what `pack` has laid out; nothing in it is ever run.

    Parameters
    ----------
    content : as it was packed
    n_windows : that are learnt from here
    device : of this process

    Returns
    -------
    The state, and the variables of the compiled model.

    Raises
    ------
    CheckpointError
        If it is something else, or of other windows or another device.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = dict(file)
        told = json.loads(arrays["told"].tobytes())
        state = _state(told, arrays, n_windows)
        found, variables = str(told["device"]), _listed(arrays, _VARIABLE)
    except Exception as error:  # an archive that was tampered with raises almost anything
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise CheckpointError(f"it is no state of this training ({reason})") from error
    if found != device:
        raise CheckpointError(f"it was computed on {found}, this would be on {device}")
    return state, variables


def _state(told: Mapping[str, Any], arrays: Mapping[str, Any], n_windows: int) -> TrainingState:
    order = arrays["order"]
    if not np.array_equal(np.sort(order), np.arange(n_windows)):
        raise ValueError(f"its order is not one of {n_windows} windows")
    generator = chance(0)
    generator.bit_generator.state = told["chance"]
    return TrainingState(
        generator,
        order.astype(np.int64),
        _listed(arrays, _BEST),
        told["start_loss"],
        Patience(**told["stopping"]),
        Patience(**told["plateau"]),
        [Epoch(**each) for each in told["epochs"]],
    )


def _listed(arrays: Mapping[str, Any], prefix: str) -> Weights:
    n = sum(name.startswith(prefix) for name in arrays)
    return [arrays[f"{prefix}{i}"] for i in range(n)]

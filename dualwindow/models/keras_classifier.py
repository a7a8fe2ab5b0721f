"""A network as a classifier: what all networks share but their layers.

Keras and TensorFlow take seconds and hundreds of megabytes to import, so `make_classifier` imports
the modules that need them when a network is asked for.
"""

import math
import tempfile
import threading
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.models.classifier import Epoch, Fitted, Hooks
from dualwindow.models.device import use_device
from dualwindow.models.keras_training import PREDICT_BATCH, fit_network
from dualwindow.models.network import Network, Weights, inputs_of, is_fused, summed
from dualwindow.samples.data import Rows, Samples
from dualwindow.samples.windows import gather
from dualwindow.settings import NetworkSettings


@dataclass(frozen=True)
class KerasClassifier:
    """A network of any kind, and how it is trained."""

    network: Network
    settings: NetworkSettings

    def fit(
        self, training: Samples, validation: Samples, start: Fitted | None, hooks: Hooks
    ) -> "FittedNetwork":
        """Train from seeded weights, or from `start`, and keep the best epoch.

        `start`, if it is of the same network, counts as epoch 0: going on from weights that are
        good already mostly learns the training part by heart, so they are given up only for
        better ones.

        What is validated and kept is a running average of the weights over about one epoch, which
        depends less on the seed (B. Polyak and A. Juditsky, "Acceleration of Stochastic
        Approximation by Averaging", 1992). Early stopping and the learning rate follow the
        validation loss. The compiled model of this network is reused: building one per training
        would cost 40 MB and several seconds each time.
        """
        weights = None
        if isinstance(start, FittedNetwork) and start.network == self.network:
            weights = start.weights
        learnt = fit_network(self.network, self.settings, training, validation, weights, hooks)
        fitted = FittedNetwork(self.network, *learnt)
        if weights is not None and fitted.best_epoch == 0:
            return replace(fitted, weights=weights)
        return fitted

    def from_bytes(self, content: bytes) -> "FittedNetwork":
        """Unpack the weights of a ``.keras`` file of this network."""
        skeleton = _skeleton(self.network, fused=False)
        with skeleton.lock, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            path.write_bytes(content)
            skeleton.model.load_weights(path)
            weights = [np.asarray(w) for w in skeleton.model.get_weights()]
        return FittedNetwork(self.network, weights)


@dataclass(frozen=True)
class FittedNetwork:
    """The weights of the best epoch, in Keras' order, and the history of their training."""

    network: Network
    weights: Weights
    epochs: tuple[Epoch, ...] = ()
    start_loss: float | None = None

    @property
    def best_epoch(self) -> int:
        """Whose weights these are; 0 for those it began with."""
        start = self.start_loss
        if start is None or not math.isfinite(start):
            start = math.inf
        return int(np.argmin([start, *(epoch.validation_loss for epoch in self.epochs)]))

    @property
    def device(self) -> str:
        """The processor or the graphics card."""
        return use_device()

    def scores(self, rows: Rows, ends: IntArray) -> FloatArray:
        """Give the softmax of the windows that end at `ends`.

        It shares no state with a training that runs in another thread.
        """
        # A live bot asks for one window at a time. XLA compiles that within a second and then runs
        # it seven times as fast, also beside a training; each other number of windows it would
        # compile anew, and it takes neither the fused layers nor those of a GPU.
        forward = _forward(self.network, compiled=len(ends) == 1 and is_fused())
        tensors = [tf.constant(w) for w in self.weights]
        parts, sums = [np.empty((0, len(CLASSES)))], summed(self.network, rows, ends)
        for first in range(0, len(ends), PREDICT_BATCH):
            part = slice(first, first + PREDICT_BATCH)
            windows = gather(rows.features, ends[part], self.network.history)
            given = forward(tensors, windows, sums[part])
            parts.append(given.numpy().astype(np.float64))
        probabilities = np.concatenate(parts)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def is_sound(self) -> bool:
        """Tell whether all weights are finite."""
        return all(bool(np.isfinite(w).all()) for w in self.weights)

    def to_bytes(self) -> bytes:
        """Pack the weights as the content of a ``.keras`` file, which plain Keras can load."""
        skeleton = _skeleton(self.network, fused=False)
        with skeleton.lock, tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.keras"
            skeleton.model.set_weights(self.weights)
            skeleton.model.save(path)
            return path.read_bytes()


class _Model:
    """A Keras model that one thread at a time may use."""

    def __init__(self, network: Network, *, fused: bool) -> None:
        use_device()
        self.model = network.build(0, fused=fused)
        self.lock = threading.Lock()


@cache
def _skeleton(network: Network, *, fused: bool) -> _Model:
    return _Model(network, fused=fused)


@cache
def _forward(network: Network, *, compiled: bool) -> Any:
    model = _skeleton(network, fused=is_fused() and not compiled).model
    trained = {id(v) for v in model.trainable_variables}
    is_trained = [id(w) in trained for w in model.weights]
    held = {id(w) for w in model.weights}  # the others are states of dropout, which is idle here

    @tf.function(jit_compile=compiled, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(weights: list[Any], windows: Any, summed: Any) -> Any:
        given = list(zip(weights, is_trained, strict=True))
        others = iter([w for w, is_one in given if not is_one])
        states = [next(others) if id(v) in held else v for v in model.non_trainable_variables]
        inputs = inputs_of(network, windows, summed)
        taught = [w for w, is_one in given if is_one]
        return model.stateless_call(taught, states, inputs, training=False)[0]

    return forward

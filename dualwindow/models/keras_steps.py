"""What is compiled, once per network: a step of its training, and the loss of a batch."""

import threading
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.models.classifier import CheckpointError
from dualwindow.models.device import use_device
from dualwindow.models.network import (
    SUMMARY_SCALE,
    Network,
    Weights,
    inputs_of,
    is_fused,
    n_summaries,
    summed,
    windows_of,
)
from dualwindow.samples.data import Samples
from dualwindow.settings import NetworkSettings

_LEAST_VARIANCE = 1e-6  # of a summary that tells anything; others are not blown up


class Task(NamedTuple):
    """Samples as a compiled step takes them."""

    rows: Any
    ends: IntArray
    summed: FloatArray
    labels: IntArray
    weights: FloatArray

    @classmethod
    def of(cls, samples: Samples, network: Network, rows: Any) -> "Task":
        """Take samples whose rows are a tensor, so that parts of one training can share it."""
        return cls(
            rows,
            samples.ends.astype(np.int32),
            summed(network, samples.rows, samples.ends),
            samples.labels.astype(np.int32),
            samples.weights.astype(np.float32),
        )

    def batches(self, order: IntArray, size: int) -> Iterator[tuple[Any, ...]]:
        """Pick windows in this order, so many at a time."""
        for first in range(0, len(order), size):
            picked = order[first : first + size]
            yield (self.rows, *(part[picked] for part in self[1:]))


class Trainer:
    """A compiled model and what it takes to make it as new."""

    def __init__(self, network: Network) -> None:
        use_device()
        self.model = network.build(0, fused=is_fused())
        self.lock = threading.Lock()  # one training at a time
        self._optimizer = keras.optimizers.Adam()
        self._optimizer.build(self.model.trainable_variables)
        self._network = network
        self._fresh = [np.asarray(v) for v in self._optimizer.variables]
        self._averages = [tf.Variable(v) for v in self.model.trainable_variables]
        generators = [v for v in self.model.non_trainable_variables if "seed_generator" in v.path]
        self._generators = generators
        # Shapes are said as far as they are known, so that nothing is ever traced twice.
        n_features = self.model.inputs[0].shape[-1]
        known = [
            tf.TensorSpec((None, n_features), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None, n_summaries(network.spans)), tf.float32),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        ]
        share = tf.TensorSpec((), tf.float32)
        self.step = tf.function(self._step, input_signature=[*known, share])
        self.losses = tf.function(self._losses, input_signature=known)

    def _inputs(self, rows: Any, ends: Any, summed: Any) -> Any:
        return inputs_of(self._network, windows_of(rows, ends, self._network.history), summed)

    def _step(
        self, rows: Any, ends: Any, summed: Any, labels: Any, weights: Any, share: Any
    ) -> Any:
        """Learn from a batch, and move the averages by a share towards the new weights."""
        variables = self.model.trainable_variables
        inputs = self._inputs(rows, ends, summed)
        with tf.GradientTape() as tape:
            given = self.model(inputs, training=True)
            total = tf.reduce_sum(
                weights * keras.losses.sparse_categorical_crossentropy(labels, given)
            )
            loss = total / tf.cast(tf.shape(labels)[0], tf.float32)
        gradients = tape.gradient(loss, [v.value for v in variables])
        self._optimizer.apply(gradients, variables)
        for average, variable in zip(self._averages, variables, strict=True):
            average.assign_add(share * (variable.value - average))
        return total

    def _losses(self, rows: Any, ends: Any, summed: Any, labels: Any, weights: Any) -> Any:
        given = self.model(self._inputs(rows, ends, summed), training=False)
        return tf.reduce_sum(weights * keras.losses.sparse_categorical_crossentropy(labels, given))

    def reset(self, settings: NetworkSettings, start: Weights | None, summed: FloatArray) -> None:
        """Begin anew from a seed and the scale of these summaries, or from the weights before."""
        self.model.set_weights(start or _initial_weights(self._network, settings.seed))
        if self._network.spans and start is None:
            variance = summed.var(axis=0)
            variance[variance < _LEAST_VARIANCE] = 1.0
            self.model.get_layer(SUMMARY_SCALE).set_weights([summed.mean(axis=0), variance])
        for variable, value in zip(self._optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        self._optimizer.learning_rate = settings.learning_rate
        for i, state in enumerate(self._generators):
            state.assign([settings.seed, i])
        for average, variable in zip(self._averages, self.model.trainable_variables, strict=True):
            average.assign(variable.value)

    @property
    def _variables(self) -> list[Any]:
        """All that a step reads and writes."""
        kept = [*self.model.weights, *self._generators, *self._optimizer.variables]
        return [*kept, *self._averages]

    def values(self) -> Weights:
        """Copy all that the next steps depend on."""
        return [np.array(variable) for variable in self._variables]

    def restore(self, values: Weights) -> None:
        """Go on from what `values` gave, in this process or another one.

        Raises
        ------
        CheckpointError
            If they are those of another network; then nothing has changed.
        """
        variables = self._variables
        mine = [(tuple(v.shape), np.asarray(v).dtype) for v in variables]
        if [(v.shape, v.dtype) for v in values] != mine:
            raise CheckpointError("it is of a network with other variables")
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    @property
    def rate(self) -> float:
        """The learning rate."""
        return float(self._optimizer.learning_rate)

    def lower_rate(self, settings: NetworkSettings) -> None:
        """Lower the learning rate as the settings say."""
        lowered = max(self.rate * settings.lr_factor, settings.min_learning_rate)
        self._optimizer.learning_rate = lowered

    def swap(self) -> None:
        """Exchange the weights and their averages."""
        for average, variable in zip(self._averages, self.model.trainable_variables, strict=True):
            held = tf.identity(variable.value)
            variable.assign(average)
            average.assign(held)


@cache
def trainer_of(network: Network) -> Trainer:
    """Compile a network, once in a process."""
    return Trainer(network)


@lru_cache(maxsize=8)
def _initial_weights(network: Network, seed: int) -> Weights:
    return [np.asarray(w) for w in network.build(seed).get_weights()]

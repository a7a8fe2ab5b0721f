"""Train a network: batches gathered where they are used, and one compiled step per network."""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, Protocol

import keras
import numpy as np
import tensorflow as tf

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.market.summaries import summaries, summary_names
from dualwindow.models.classifier import Epoch, Hooks
from dualwindow.models.device import use_device
from dualwindow.outside import chance, elapsed
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import NetworkSettings

# Windows per forward pass outside training: larger ones gain no speed on a CPU, and four times as
# many would need 250 MB more than a training step does.
PREDICT_BATCH = 256
SUMMARY_SCALE = "summary_scale"  # the layer that holds their means and variances
_LEAST_VARIANCE = 1e-6  # of a summary that tells anything; others are not blown up
_NOTABLE = 1e-4  # the least gain that keeps the learning rate up

Weights = list[FloatArray]


class Network(Protocol):
    """The layers of a kind: hashable and picklable, with all that a compiled model depends on."""

    @property
    def history(self) -> int:
        """Rows per window."""

    @property
    def spans(self) -> tuple[int, ...]:
        """Candles that the summaries beside a window look back on; without them there are none."""

    def build(self, seed: int, *, fused: bool = False) -> keras.Model:
        """Build it with the weights of this seed, in Keras' own layers or in faster ones.

        Its input is ``(m, history, n_features)``, with spans ``[that, (m, n_summaries)]``, and its
        output a softmax. Its variables that are not trained are the states of dropout's
        generators and, in a batch normalisation named `SUMMARY_SCALE`, the summaries' scale.
        """

    def __hash__(self) -> int:
        """Equal networks share one compiled model."""


class Learnt(NamedTuple):
    """Weights in Keras' order, all epochs, and the validation loss of the weights before them."""

    weights: Weights
    epochs: tuple[Epoch, ...]
    start_loss: float | None


def seeded(kind: type, seed: int, offset: int) -> Any:
    """Make an initializer that differs with the seed of the training and the place of its layer."""
    return kind(seed=seed * 1000 + offset)


def softmax_head(x: Any, units: Sequence[int], seed: int) -> Any:
    """Put ReLU layers and the softmax over the three classes on a tensor."""
    for i, n in enumerate(units):
        kernel = seeded(keras.initializers.GlorotUniform, seed, 100 + i)
        x = keras.layers.Dense(n, activation="relu", kernel_initializer=kernel)(x)
    kernel = seeded(keras.initializers.GlorotUniform, seed, 200)
    return keras.layers.Dense(len(CLASSES), activation="softmax", kernel_initializer=kernel)(x)


def is_fused() -> bool:
    """Whether this process runs the fused layers: on a GPU, Keras' own are the faster ones."""
    return not use_device().startswith("GPU")


def summed(network: Network, rows: Rows, ends: IntArray) -> FloatArray:
    """Sum the windows up for a network: (m, g) float32, of no columns if it wants none."""
    if not network.spans:
        return np.empty((len(ends), 0), dtype=np.float32)
    return summaries(rows.candles, ends, network.spans).astype(np.float32)


def n_summaries(spans: tuple[int, ...]) -> int:
    """How many numbers sum a window up."""
    return len(summary_names(spans)) if spans else 0


def windows_of(rows: Any, ends: Any, history: int) -> Any:
    """Gather the windows that end at the given rows, within a graph: (m, history, n_features)."""
    return tf.gather(rows, ends[:, None] + tf.range(1 - history, 1))


def inputs_of(network: Network, windows: Any, summed: Any) -> Any:
    """Give a network what it was built to take."""
    return [windows, summed] if network.spans else windows


class _Task(NamedTuple):
    """Samples as a compiled step takes them."""

    rows: Any
    ends: IntArray
    summed: FloatArray
    labels: IntArray
    weights: FloatArray

    @classmethod
    def of(cls, samples: Samples, network: Network, rows: Any) -> "_Task":
        return cls(
            rows,
            samples.ends.astype(np.int32),
            summed(network, samples.rows, samples.ends),
            samples.labels.astype(np.int32),
            samples.weights.astype(np.float32),
        )

    def batches(self, order: IntArray, size: int) -> Iterator[tuple[Any, ...]]:
        for first in range(0, len(order), size):
            picked = order[first : first + size]
            yield (self.rows, *(part[picked] for part in self[1:]))


class _Trainer:
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
def _trainer(network: Network) -> _Trainer:
    return _Trainer(network)


@lru_cache(maxsize=8)
def _initial_weights(network: Network, seed: int) -> Weights:
    return [np.asarray(w) for w in network.build(seed).get_weights()]


def fit_network(
    network: Network,
    settings: NetworkSettings,
    training: Samples,
    validation: Samples,
    start: Weights | None,
    hooks: Hooks,
) -> Learnt:
    """Train a network from seeded weights, or from `start`, and keep the best epoch."""
    trainer = _trainer(network)
    rows = tf.constant(training.rows.features)
    later = rows if validation.rows is training.rows else tf.constant(validation.rows.features)
    tasks = _Task.of(training, network, rows), _Task.of(validation, network, later)
    with trainer.lock, scalars(hooks.tensorboard) as tell:
        trainer.reset(settings, start, tasks[0].summed.astype(np.float64))
        return _Fit(trainer, settings, *tasks, hooks, tell).run(is_new=start is None)


@dataclass
class _Patience:
    """How many epochs ago a loss was last better, by more than a margin, than ever before."""

    best: float = math.inf
    margin: float = 0.0
    since: int = 0

    def got_better(self, loss: float) -> bool:
        self.since += 1
        if loss < self.best - self.margin:
            self.best, self.since = loss, 0
        return self.since == 0


@dataclass
class _Fit:
    """One training."""

    trainer: _Trainer
    settings: NetworkSettings
    task: _Task
    later: _Task
    hooks: Hooks
    tell: Callable[[Epoch], None]

    def run(self, *, is_new: bool) -> Learnt:
        """Train until the last epoch, or until validation has not got better for some."""
        trainer, settings = self.trainer, self.settings
        weights, epochs = trainer.model.get_weights(), []
        start_loss = None if is_new else self._validation_loss()
        stopping, plateau = _Patience(), _Patience(margin=_NOTABLE)
        if start_loss is not None and math.isfinite(start_loss):
            stopping.best = start_loss
        rng, order = chance(settings.seed), np.arange(len(self.task.ends))
        for number in range(1, settings.epochs + 1):
            rng.shuffle(order)
            epoch, averages = self._epoch(order, number)
            epochs.append(epoch)
            self.tell(epoch)
            self.hooks.report(epoch)
            if stopping.got_better(epoch.validation_loss):
                weights = averages
            if stopping.since >= settings.patience:
                break
            has_gained = plateau.got_better(epoch.validation_loss)
            if not has_gained and plateau.since >= settings.lr_patience:
                trainer.lower_rate(settings)
                plateau.since = 0
        if not all(np.isfinite(w).all() for w in weights):
            self._stop_diverged("with weights that are no numbers")
        return Learnt([np.asarray(w) for w in weights], tuple(epochs), start_loss)

    def _epoch(self, order: IntArray, number: int) -> tuple[Epoch, Weights]:
        """Learn from all batches once; validate the averages of the weights, and give these."""
        began, rate = elapsed(), self.trainer.rate
        loss = self._learn(order, number)
        self.trainer.swap()
        later, averages = self._validation_loss(), self.trainer.model.get_weights()
        self.trainer.swap()
        if not math.isfinite(loss + later):
            self._stop_diverged(f"in epoch {number} (loss {loss}, validation loss {later})")
        seconds = elapsed() - began
        return Epoch(number, self.settings.epochs, loss, later, rate, seconds), averages

    def _learn(self, order: IntArray, number: int) -> float:
        """Learn from all batches once; give the mean loss."""
        n_batches = math.ceil(len(order) / self.settings.batch_size)
        totals = []
        for i, batch in enumerate(self.task.batches(order, self.settings.batch_size)):
            # A mean of all weights so far, at first; then one over about an epoch.
            so_far = (number - 1) * n_batches + i + 1
            share = np.float32(1 / min(so_far, n_batches))
            totals.append(self.trainer.step(*batch, share))
            self.hooks.interrupt()
        return float(tf.add_n(totals)) / len(order)

    def _validation_loss(self) -> float:
        order, totals = np.arange(len(self.later.ends)), []
        for batch in self.later.batches(order, PREDICT_BATCH):
            totals.append(self.trainer.losses(*batch))
            self.hooks.interrupt()
        return float(tf.add_n(totals)) / len(order)

    def _stop_diverged(self, where: str) -> NoReturn:
        raise FloatingPointError(
            f"training diverged {where}; lower `model.learning_rate`. "
            f"Received: {self.settings.learning_rate:g}"
        )


@contextmanager
def scalars(folder: Path | None) -> Iterator[Callable[[Epoch], None]]:
    """Write epochs for TensorBoard, by the names that Keras gives them; nothing without a folder.

    Parameters
    ----------
    folder : gets the folders ``train`` and ``validation``
    """
    if folder is None:
        yield lambda epoch: None
        return
    train, validation = (
        tf.summary.create_file_writer(str(folder / name)) for name in ("train", "validation")
    )

    def tell(epoch: Epoch) -> None:
        with train.as_default(epoch.number - 1):
            tf.summary.scalar("epoch_loss", epoch.loss)
            tf.summary.scalar("epoch_learning_rate", epoch.learning_rate)
        with validation.as_default(epoch.number - 1):
            tf.summary.scalar("epoch_loss", epoch.validation_loss)

    try:
        yield tell
    finally:
        train.close()
        validation.close()

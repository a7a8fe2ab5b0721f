"""Train and run the LSTM with Keras on TensorFlow; the only module that imports either.

It takes seconds and hundreds of megabytes to import, so others import it only inside the
functions that need it.
"""

import contextlib
import math
import os
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.samples.windows import gather
from dualwindow.settings import TrainingSettings

# TensorFlow reads this once, while it is imported; its notices would drown the trader's log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import tensorflow as tf

# Windows per forward pass outside training: larger ones gain no speed on a CPU, and four times as
# many would need 250 MB more than a training step does.
_PREDICT_BATCH = 256

Weights = list[FloatArray]


class Shape(NamedTuple):
    """What a compiled model depends on; everything else is set anew for each training."""

    history: int
    n_features: int
    lstm_units: tuple[int, ...]
    dense_units: tuple[int, ...]
    dropout: float
    feature_dropout: float


class Epoch(NamedTuple):
    """One line of progress."""

    number: int
    loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


class Samples(NamedTuple):
    """Windows to learn from, by reference: `rows` are shared, windows are gathered per batch.

    Parameters
    ----------
    rows : (n, f) float32, scaled
    ends : (m,) rows at which the windows end
    labels : (m,) of SHORT, HOLD, LONG
    weights : (m,) float
    """

    rows: FloatArray
    ends: IntArray
    labels: IntArray
    weights: FloatArray


@dataclass(frozen=True)
class Fitted:
    """Best weights and the history of a training.

    Parameters
    ----------
    weights : of the best epoch, in Keras' order
    epochs : all that were run
    start_loss : validation loss of the weights it began with; infinite for new ones
    """

    weights: Weights
    epochs: list[Epoch]
    start_loss: float

    @property
    def best_epoch(self) -> int:
        """Whose weights these are; 0 for those it began with."""
        losses = [self.start_loss, *(epoch.validation_loss for epoch in self.epochs)]
        return int(np.argmin(losses))


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows, in an order drawn anew for each epoch from a seed."""

    def __init__(
        self, samples: Samples, history: int, batch_size: int, rng: np.random.Generator | None
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._samples, self._history, self._batch_size = samples, history, batch_size
        self._rng = rng
        self._order = np.arange(len(samples.ends))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[FloatArray, IntArray, FloatArray]:
        picked = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        rows, ends, labels, weights = self._samples
        return gather(rows, ends[picked], self._history), labels[picked], weights[picked]

    def on_epoch_end(self) -> None:
        if self._rng is not None:
            self._rng.shuffle(self._order)


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Report every epoch, and stop on a loss that is no number, or when told to."""

    def __init__(self, report: Callable[[Epoch], None], interrupt: Callable[[], None]) -> None:
        super().__init__()
        self._report, self._interrupt = report, interrupt
        self.epochs: list[Epoch] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._interrupt()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._interrupt()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.perf_counter() - self._started
        values = logs or {}
        rate = float(self.model.optimizer.learning_rate)
        done = Epoch(epoch + 1, values["loss"], values["val_loss"], rate, seconds)
        if not math.isfinite(done.loss + done.validation_loss):
            raise FloatingPointError(
                f"training diverged in epoch {done.number} (loss {done.loss}, validation loss "
                f"{done.validation_loss}); lower model_training_parameters.learning_rate. "
                f"Received: {rate:g}"
            )
        self.epochs.append(done)
        self._report(done)


def fit(
    shape: Shape,
    training: Samples,
    validation: Samples,
    settings: TrainingSettings,
    *,
    start: Weights | None = None,
    report: Callable[[Epoch], None] = lambda epoch: None,
    interrupt: Callable[[], None] = lambda: None,
    tensorboard: Path | None = None,
) -> Fitted:
    """Train a network from seeded weights, or from `start`, and keep the best epoch.

    `start` itself counts as epoch 0: going on from weights that are good already mostly learns the
    training part by heart, so they are given up only for better ones.

    What is validated and kept is a running average of the weights over about one epoch, which
    depends less on the seed (B. Polyak and A. Juditsky, "Acceleration of Stochastic Approximation
    by Averaging", 1992). Early stopping and the learning rate follow the validation loss. The
    compiled model of this shape is reused: building one per training would cost 40 MB and several
    seconds each time.

    Parameters
    ----------
    shape : of the network
    training, validation : samples; validation lies later in time
    settings : training settings; the network's part of them must agree with `shape`
    start : weights to begin with, in the order of `Fitted.weights`
    report : called after every epoch
    interrupt : called after every batch; what it raises ends the training
    tensorboard : folder for TensorBoard's files, or None

    Raises
    ------
    FloatingPointError
        If the loss or a weight becomes NaN or infinite.
    """
    progress = _Progress(report, interrupt)
    callbacks = [
        progress,
        # Before early stopping, which keeps the weights that it finds in the model.
        keras.callbacks.SwapEMAWeights(swap_on_epoch=True),
        keras.callbacks.ReduceLROnPlateau(
            factor=settings.lr_factor,
            patience=settings.lr_patience,
            min_lr=settings.min_learning_rate,
        ),
    ]
    if tensorboard is not None:
        callbacks.append(keras.callbacks.TensorBoard(str(tensorboard), write_graph=False))
    trainer = _trainer(shape)
    batches = _Batches(
        training, shape.history, settings.batch_size, np.random.default_rng(settings.seed)
    )
    later = _Batches(validation, shape.history, _PREDICT_BATCH, None)
    with trainer.lock:
        trainer.reset(settings, len(batches), start)
        start_loss = math.inf
        if start is not None:
            start_loss = trainer.model.evaluate(later, callbacks=[progress], verbose=0)
        stopping = keras.callbacks.EarlyStopping(
            patience=settings.patience, restore_best_weights=True, baseline=start_loss
        )
        trainer.model.fit(
            batches,
            validation_data=later,
            epochs=settings.epochs,
            callbacks=[*callbacks, stopping],
            shuffle=False,  # the batches shuffle themselves, from the seed
            verbose=0,
        )
        weights = [np.asarray(w) for w in trainer.model.get_weights()]
    if not all(np.isfinite(w).all() for w in weights):
        raise FloatingPointError(
            "training ended with weights that are no numbers; lower "
            f"model_training_parameters.learning_rate. Received: {settings.learning_rate:g}"
        )
    fitted = Fitted(weights, progress.epochs, start_loss)
    if start is not None and fitted.best_epoch == 0:
        return replace(fitted, weights=start)
    return fitted


def predict(shape: Shape, weights: Weights, rows: FloatArray, ends: IntArray) -> FloatArray:
    """Give the softmax of the windows that end at `ends`.

    A pure function of its arguments: it shares no state with a training that runs in another
    thread.

    Parameters
    ----------
    shape : of the network
    weights : as in `Fitted.weights`
    rows : (n, f) float32, scaled
    ends : (m,) rows

    Returns
    -------
    (m, 3) float64; rows sum to 1
    """
    # A live bot asks for one window at a time. XLA compiles that within a second and then runs it
    # seven times as fast, also beside a training; each other number of windows it would compile
    # anew.
    on_gpu = use_device().startswith("GPU")  # whose LSTM kernels XLA does not take
    forward = _forward(shape, compiled=len(ends) == 1 and not on_gpu)
    tensors = [tf.constant(w) for w in weights]
    parts = [np.empty((0, len(CLASSES)))]
    for first in range(0, len(ends), _PREDICT_BATCH):
        windows = gather(rows, ends[first : first + _PREDICT_BATCH], shape.history)
        parts.append(forward(tensors, windows).numpy().astype(np.float64))
    probabilities = np.concatenate(parts)
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def to_keras(shape: Shape, weights: Weights) -> bytes:
    """Pack weights as the content of a ``.keras`` file, which plain Keras can load."""
    skeleton = _skeleton(shape)
    with skeleton.lock, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        skeleton.model.set_weights(weights)
        skeleton.model.save(path)
        return path.read_bytes()


def from_keras(shape: Shape, content: bytes) -> Weights:
    """Unpack the weights of a ``.keras`` file of this shape."""
    skeleton = _skeleton(shape)
    with skeleton.lock, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        path.write_bytes(content)
        skeleton.model.load_weights(path)
        return [np.asarray(w) for w in skeleton.model.get_weights()]


def use_threads(n: int) -> None:
    """Cap the threads of TensorFlow's operations; only before the first of them has run."""
    # TensorFlow refuses where something in the process has used it before; then so be it.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(n)


@lru_cache(maxsize=1)
def use_device() -> str:
    """Set the process's device up, once, and say in words what it is."""
    if keras.backend.backend() != "tensorflow":
        raise RuntimeError(
            "Keras must run on TensorFlow; unset KERAS_BACKEND. "
            f"Received: KERAS_BACKEND={keras.backend.backend()!r}"
        )
    # Same seed, same bits, also on a GPU.
    tf.config.experimental.enable_op_determinism()
    # An LSTM is one long chain: running operations side by side gains no time and costs 100 MB.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(1)
    devices = tf.config.list_physical_devices("GPU")
    for device in devices:
        tf.config.experimental.set_memory_growth(device, enable=True)
    names = [tf.config.experimental.get_device_details(d).get("device_name", "?") for d in devices]
    return f"GPU ({', '.join(names)})" if devices else f"CPU ({os.cpu_count()} cores)"


class _Model:
    """A Keras model that one thread at a time may use."""

    def __init__(self, shape: Shape, seed: int = 0) -> None:
        use_device()
        self.model = _build(shape, seed)
        self.lock = threading.Lock()


class _Trainer(_Model):
    """A compiled model and what it takes to make it as new."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        self.model.compile(
            optimizer=keras.optimizers.Adam(use_ema=True), loss="sparse_categorical_crossentropy"
        )
        # A variable, because a number would be compiled in.
        self._momentum = keras.Variable(0.0, trainable=False)
        self.model.optimizer.ema_momentum = self._momentum
        self.model.optimizer.build(self.model.trainable_variables)
        self._shape = shape
        self._fresh = [np.asarray(v) for v in self.model.optimizer.variables]

    def reset(self, settings: TrainingSettings, n_batches: int, start: Weights | None) -> None:
        self.model.set_weights(start or _initial_weights(self._shape, settings.seed))
        for variable, value in zip(self.model.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        self.model.optimizer.learning_rate = settings.learning_rate
        self._momentum.assign(1 - 1 / n_batches)
        # The only variables that are not trained are the states of the dropout's generators.
        for i, state in enumerate(self.model.non_trainable_variables):
            state.assign([settings.seed, i])


@cache
def _trainer(shape: Shape) -> _Trainer:
    return _Trainer(shape)


@cache
def _skeleton(shape: Shape) -> _Model:
    return _Model(shape)


@lru_cache(maxsize=8)
def _initial_weights(shape: Shape, seed: int) -> Weights:
    model = _build(shape, seed)
    first = next(layer for layer in model.layers if isinstance(layer, keras.layers.LSTM))
    kernel, recurrent, _ = first.get_weights()
    first.set_weights([kernel, recurrent, _chrono_bias(first.units, shape.history, seed)])
    return [np.asarray(w) for w in model.get_weights()]


def _chrono_bias(units: int, history: int, seed: int) -> FloatArray:
    """Spread the memory of the first layer from one candle to the whole window: (4 * units,).

    Keras' usual forget bias of 1 forgets within four candles, so volatility, the mean of an hour
    or three, would have to be discovered first. Gates are in Keras' order: input, forget, cell,
    output.

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
    """
    memory = np.random.default_rng(seed).uniform(1, max(history - 1, 2), units)
    forget = np.log(memory)
    return np.concatenate([-forget, forget, np.zeros(2 * units)])


@cache
def _forward(shape: Shape, *, compiled: bool) -> Any:
    model = _skeleton(shape).model
    generators = model.non_trainable_variables  # of the dropout, which is idle here

    @tf.function(jit_compile=compiled, reduce_retracing=True)  # type: ignore[untyped-decorator]
    def forward(weights: list[Any], windows: Any) -> Any:
        return model.stateless_call(weights, generators, windows, training=False)[0]

    return forward


def _build(shape: Shape, seed: int) -> Any:
    layers = keras.layers

    def seeded(kind: type, offset: int) -> Any:
        return kind(seed=seed * 1000 + offset)

    inputs = keras.Input((shape.history, shape.n_features))
    # Whole features are dropped, for all candles of a window: the slow ones, which tell one week
    # from another, would otherwise be learnt by heart.
    x = layers.SpatialDropout1D(shape.feature_dropout, seed=1000)(inputs)
    tops = []
    for i, units in enumerate(shape.lstm_units):
        x, last, _ = layers.LSTM(
            units,
            return_sequences=i + 1 < len(shape.lstm_units),
            return_state=True,
            kernel_initializer=seeded(keras.initializers.GlorotUniform, 2 * i),
            recurrent_initializer=seeded(keras.initializers.Orthogonal, 2 * i + 1),
        )(x)
        x = layers.Dropout(shape.dropout, seed=i)(x)
        tops.append(last)
    # The head sees the last state of every layer, not of the deepest alone, which learns slowly
    # and by heart (skip connections: A. Graves, "Generating Sequences With Recurrent Neural
    # Networks", 2013).
    x = layers.Concatenate()(tops) if len(tops) > 1 else last
    x = layers.Dropout(shape.dropout, seed=100)(x)
    for i, units in enumerate(shape.dense_units):
        kernel = seeded(keras.initializers.GlorotUniform, 100 + i)
        x = layers.Dense(units, activation="relu", kernel_initializer=kernel)(x)
    kernel = seeded(keras.initializers.GlorotUniform, 200)
    outputs = layers.Dense(len(CLASSES), activation="softmax", kernel_initializer=kernel)(x)
    return keras.Model(inputs, outputs)

"""Train a network with Keras: batches, progress, and one compiled model per network."""

import contextlib
import math
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import keras
import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.models.classifier import Epoch, Hooks
from dualwindow.models.device import use_device
from dualwindow.outside import chance, elapsed
from dualwindow.samples.data import Samples
from dualwindow.samples.windows import gather
from dualwindow.settings import NetworkSettings

# Windows per forward pass outside training: larger ones gain no speed on a CPU, and four times as
# many would need 250 MB more than a training step does.
PREDICT_BATCH = 256

Weights = list[FloatArray]


class Network(Protocol):
    """The layers of a kind: hashable and picklable, with all that a compiled model depends on."""

    @property
    def history(self) -> int:
        """Rows per window."""

    def build(self, seed: int) -> keras.Model:
        """Build it from (m, history, n_features) to a softmax, with the weights of this seed.

        Its only variables that are not trained are the states of dropout's generators.
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


class _Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of windows, in an order drawn anew for each epoch from a seed."""

    def __init__(
        self, samples: Samples, history: int, batch_size: int, rng: np.random.Generator | None
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self._samples: Samples | None = samples
        self._history, self._batch_size, self._rng = history, batch_size, rng
        self._order = np.arange(len(samples.ends))
        self.on_epoch_end()

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[FloatArray, IntArray, FloatArray]:
        picked = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        assert self._samples is not None
        rows, ends, labels, weights = self._samples
        windows = gather(rows.features, ends[picked], self._history)
        return windows, labels[picked], weights[picked]

    def on_epoch_end(self) -> None:
        if self._rng is not None:
            self._rng.shuffle(self._order)

    def release(self) -> None:
        """Let go of all samples: TensorFlow keeps every generator that it was ever given."""
        self._samples, self._order = None, np.empty(0, dtype=np.int64)


class _Progress(keras.callbacks.Callback):  # type: ignore[misc]
    """Report every epoch, and stop on a loss that is no number, or when told to."""

    def __init__(self, most: int, hooks: Hooks) -> None:
        super().__init__()
        self._most, self._hooks = most, hooks
        self.epochs: list[Epoch] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._hooks.interrupt()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._hooks.interrupt()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._started = elapsed()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = elapsed() - self._started
        values = logs or {}
        rate = float(self.model.optimizer.learning_rate)
        loss, later = values["loss"], values["val_loss"]
        done = Epoch(epoch + 1, self._most, loss, later, rate, seconds)
        if not math.isfinite(done.loss + done.validation_loss):
            raise FloatingPointError(
                f"training diverged in epoch {done.number} (loss {done.loss}, validation loss "
                f"{done.validation_loss}); lower `model.learning_rate`. "
                f"Received: {rate:g}"
            )
        self.epochs.append(done)
        self._hooks.report(done)


class _Trainer:
    """A compiled model and what it takes to make it as new."""

    def __init__(self, network: Network) -> None:
        use_device()
        self.model = network.build(0)
        self.lock = threading.Lock()  # one training at a time
        self.model.compile(
            optimizer=keras.optimizers.Adam(use_ema=True), loss="sparse_categorical_crossentropy"
        )
        # A variable, because a number would be compiled in.
        self._momentum = keras.Variable(0.0, trainable=False)
        self.model.optimizer.ema_momentum = self._momentum
        self.model.optimizer.build(self.model.trainable_variables)
        self._network = network
        self._fresh = [np.asarray(v) for v in self.model.optimizer.variables]

    def reset(self, settings: NetworkSettings, n_batches: int, start: Weights | None) -> None:
        self.model.set_weights(start or _initial_weights(self._network, settings.seed))
        for variable, value in zip(self.model.optimizer.variables, self._fresh, strict=True):
            variable.assign(value)
        self.model.optimizer.learning_rate = settings.learning_rate
        self._momentum.assign(1 - 1 / n_batches)
        for i, state in enumerate(self.model.non_trainable_variables):
            state.assign([settings.seed, i])


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
    progress = _Progress(settings.epochs, hooks)
    trainer = _trainer(network)
    batches = _Batches(training, network.history, settings.batch_size, chance(settings.seed))
    later = _Batches(validation, network.history, PREDICT_BATCH, None)
    with trainer.lock, contextlib.ExitStack() as at_last:
        at_last.callback(batches.release)
        at_last.callback(later.release)
        trainer.reset(settings, len(batches), start)
        start_loss = None
        if start is not None:
            start_loss = trainer.model.evaluate(later, callbacks=[progress], verbose=0)
        trainer.model.fit(
            batches,
            validation_data=later,
            epochs=settings.epochs,
            callbacks=_callbacks(settings, progress, start_loss, hooks.tensorboard),
            shuffle=False,  # the batches shuffle themselves, from the seed
            verbose=0,
        )
        weights = [np.asarray(w) for w in trainer.model.get_weights()]
    if not all(np.isfinite(w).all() for w in weights):
        raise FloatingPointError(
            "training ended with weights that are no numbers; lower `model.learning_rate`. "
            f"Received: {settings.learning_rate:g}"
        )
    return Learnt(weights, tuple(progress.epochs), start_loss)


def _callbacks(
    settings: NetworkSettings,
    progress: _Progress,
    start_loss: float | None,
    tensorboard: Path | None,
) -> list[keras.callbacks.Callback]:
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
    stopping = keras.callbacks.EarlyStopping(
        patience=settings.patience,
        restore_best_weights=True,
        baseline=math.inf if start_loss is None else start_loss,
    )
    return [*callbacks, stopping]

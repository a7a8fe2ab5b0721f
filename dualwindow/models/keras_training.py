"""Train a network: the epochs, when they end, and which weights are kept."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
import tensorflow as tf

from dualwindow.arrays import IntArray
from dualwindow.models.classifier import CheckpointError, Epoch, Hooks
from dualwindow.models.device import use_device
from dualwindow.models.keras_steps import Task, Trainer, trainer_of
from dualwindow.models.network import Network, Weights, is_fused
from dualwindow.models.training_state import Patience, TrainingState, pack, unpack
from dualwindow.outside import chance, elapsed
from dualwindow.samples.data import Samples
from dualwindow.settings import NetworkSettings

# Windows per forward pass outside training: larger ones gain no speed on a CPU, and four times as
# many would need 250 MB more than a training step does.
PREDICT_BATCH = 256
_NOTABLE = 1e-4  # the least gain that keeps the learning rate up


class Learnt(NamedTuple):
    """Weights in Keras' order, all epochs, and the validation loss of the weights before them."""

    weights: Weights
    epochs: tuple[Epoch, ...]
    start_loss: float | None


def fit_network(
    network: Network,
    settings: NetworkSettings,
    training: Samples,
    validation: Samples,
    start: Weights | None,
    hooks: Hooks,
) -> Learnt:
    """Train a network from seeded weights, or from `start`, and keep the best epoch."""
    trainer = trainer_of(network)
    rows = tf.constant(training.rows.features)
    later = rows if validation.rows is training.rows else tf.constant(validation.rows.features)
    tasks = Task.of(training, network, rows), Task.of(validation, network, later)
    with trainer.lock, scalars(hooks.tensorboard) as tell:
        trainer.reset(settings, start, tasks[0].summed.astype(np.float64))
        return _Fit(trainer, settings, *tasks, hooks, tell).run(is_new=start is None)


@dataclass
class _Fit:
    """One training."""

    trainer: Trainer
    settings: NetworkSettings
    task: Task
    later: Task
    hooks: Hooks
    tell: Callable[[Epoch], None]

    def run(self, *, is_new: bool) -> Learnt:
        """Train until the last epoch, or until validation has not got better for some."""
        state = self._gone_on() or self._begun(is_new=is_new)
        while not self._is_over(state):
            epoch = self._learn_once_more(state)
            # Whoever has been told of an epoch can rely on going on after it.
            self._save(state)
            self.tell(epoch)
            self.hooks.report(epoch)
        weights = [np.asarray(w) for w in state.weights]
        if not all(np.isfinite(w).all() for w in weights):
            self._stop_diverged("with weights that are no numbers")
        return Learnt(weights, tuple(state.epochs), state.start_loss)

    def _begun(self, *, is_new: bool) -> TrainingState:
        start_loss = None if is_new else self._validation_loss()
        stopping = Patience()
        if start_loss is not None and math.isfinite(start_loss):
            stopping.best = start_loss
        return TrainingState(
            chance(self.settings.seed),
            np.arange(len(self.task.ends)),
            self.trainer.model.get_weights(),
            start_loss,
            stopping,
            Patience(margin=_NOTABLE),
            [],
        )

    def _gone_on(self) -> TrainingState | None:
        """Go on from the checkpoint, if there is any; TensorBoard is told all epochs again."""
        checkpoint = self.hooks.checkpoint
        content = checkpoint.load() if checkpoint is not None else None
        if content is None:
            return None
        state, values = unpack(content, len(self.task.ends), _device())
        if [w.shape for w in state.weights] != [tuple(w.shape) for w in self.trainer.model.weights]:
            raise CheckpointError("its best weights are those of another network")
        self.trainer.restore(values)
        for epoch in state.epochs:
            self.tell(epoch)
        return state

    def _save(self, state: TrainingState) -> None:
        if self.hooks.checkpoint is not None:
            content = pack(state, self.trainer.values(), _device())
            self.hooks.checkpoint.save(content, len(state.epochs))

    def _is_over(self, state: TrainingState) -> bool:
        n, settings = len(state.epochs), self.settings
        return n >= settings.epochs or state.stopping.since >= settings.patience

    def _learn_once_more(self, state: TrainingState) -> Epoch:
        """Run the next epoch, and note in the state what comes of it."""
        state.chance.shuffle(state.order)
        epoch, averages = self._epoch(state.order, len(state.epochs) + 1)
        state.epochs.append(epoch)
        if state.stopping.got_better(epoch.validation_loss):
            state.weights = averages
        has_gained = state.plateau.got_better(epoch.validation_loss)
        if not has_gained and state.plateau.since >= self.settings.lr_patience:
            self.trainer.lower_rate(self.settings)
            state.plateau.since = 0
        return epoch

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


def _device() -> str:
    """Name what shapes the bits: how many cores there are does not."""
    return "CPU" if is_fused() else use_device()


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

"""What a network is to all that trains and runs it, and the parts that many are built of."""

from collections.abc import Sequence
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.market.labels import CLASSES
from dualwindow.market.summaries import summaries, summary_names
from dualwindow.models.device import use_device
from dualwindow.samples.data import Rows

SUMMARY_SCALE = "summary_scale"  # the layer that holds their means and variances

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

"""A published network as it was published: LSTM 128, 64 and 32, and a head on the last state."""

from typing import NamedTuple

import keras

from dualwindow.market.labels import CLASSES
from dualwindow.models.device import use_threads
from dualwindow.models.fused_lstm import FusedLstm
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.network import seeded
from dualwindow.settings import PublishedSettings

__all__ = ["make", "use_threads"]

_LSTM_UNITS, _DENSE_UNITS = (128, 64, 32), (32, 16)


def make(settings: PublishedSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    return KerasClassifier(PublishedNetwork(history, n_features, settings.dropout), settings)


class PublishedNetwork(NamedTuple):
    """Its layers begin as Keras lets them: 133,603 weights on eight features.

    Source: a standalone trainer ("V3", "dual-window v4.1") whose users shall find their network
    here. Only the training is ours: the weights that are kept are averaged, and the windows
    selected, split and purged as those of every other kind.
    """

    history: int
    n_features: int
    dropout: float
    spans: tuple[int, ...] = ()

    def build(self, seed: int, *, fused: bool = False) -> keras.Model:
        """Build it with the weights that a training of this seed begins with."""
        layers, glorot = keras.layers, keras.initializers.GlorotUniform
        x = windows = keras.Input((self.history, self.n_features))
        for i, units in enumerate(_LSTM_UNITS):
            x = (FusedLstm if fused else layers.LSTM)(
                units,
                return_sequences=i + 1 < len(_LSTM_UNITS),
                kernel_initializer=seeded(glorot, seed, 2 * i),
                recurrent_initializer=seeded(keras.initializers.Orthogonal, seed, 2 * i + 1),
            )(x)
        for i, units in enumerate(_DENSE_UNITS):
            kernel = seeded(glorot, seed, 100 + i)
            x = layers.Dense(units, activation="relu", kernel_initializer=kernel)(x)
            x = layers.Dropout(self.dropout, seed=i)(x)
        kernel = seeded(glorot, seed, 200)
        x = layers.Dense(len(CLASSES), activation="softmax", kernel_initializer=kernel)(x)
        return keras.Model(windows, x)

"""The LSTM: layer on layer, with memories spread over the window."""

from typing import NamedTuple

import keras
import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.models.device import use_threads
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.keras_training import seeded, softmax_head
from dualwindow.outside import chance
from dualwindow.settings import LstmSettings

__all__ = ["make", "use_threads"]


def make(settings: LstmSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    network = LstmNetwork(
        history,
        n_features,
        settings.lstm_units,
        settings.dense_units,
        settings.dropout,
        settings.feature_dropout,
    )
    return KerasClassifier(network, settings)


class LstmNetwork(NamedTuple):
    """What a compiled LSTM depends on; everything else is set anew for each training."""

    history: int
    n_features: int
    lstm_units: tuple[int, ...]
    dense_units: tuple[int, ...]
    dropout: float
    feature_dropout: float

    def build(self, seed: int) -> keras.Model:
        """Build it with the weights that a training of this seed begins with."""
        layers = keras.layers
        inputs = keras.Input((self.history, self.n_features))
        # Whole features are dropped, for all candles of a window: the slow ones, which tell one
        # week from another, would otherwise be learnt by heart.
        x = layers.SpatialDropout1D(self.feature_dropout, seed=1000)(inputs)
        stack, tops = [], []
        for i, units in enumerate(self.lstm_units):
            layer = layers.LSTM(
                units,
                return_sequences=i + 1 < len(self.lstm_units),
                return_state=True,
                kernel_initializer=seeded(keras.initializers.GlorotUniform, seed, 2 * i),
                recurrent_initializer=seeded(keras.initializers.Orthogonal, seed, 2 * i + 1),
            )
            x, last, _ = layer(x)
            stack.append(layer)
            x = layers.Dropout(self.dropout, seed=i)(x)
            tops.append(last)
        # The head sees the last state of every layer, not of the deepest alone, which learns
        # slowly and by heart (skip connections: A. Graves, "Generating Sequences With Recurrent
        # Neural Networks", 2013).
        x = layers.Concatenate()(tops) if len(tops) > 1 else last
        x = layers.Dropout(self.dropout, seed=100)(x)
        model = keras.Model(inputs, softmax_head(x, self.dense_units, seed))
        kernel, recurrent, _ = stack[0].get_weights()
        bias = chrono_bias(stack[0].units, self.history, seed)
        stack[0].set_weights([kernel, recurrent, bias])
        return model


def chrono_bias(units: int, history: int, seed: int) -> FloatArray:
    """Spread the memory of a layer from one candle to the whole window: (4 * units,).

    Keras' usual forget bias of 1 forgets within four candles, so volatility, the mean of an hour
    or three, would have to be discovered first. Gates are in Keras' order: input, forget, cell,
    output.

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
    """
    memory = chance(seed).uniform(1, max(history - 1, 2), units)
    forget = np.log(memory)
    return np.concatenate([-forget, forget, np.zeros(2 * units)])

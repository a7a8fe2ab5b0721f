"""The LSTM: layer on layer, with memories spread over the window."""

from typing import Any, NamedTuple

import keras
import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.models.device import use_threads
from dualwindow.models.fused_lstm import FusedLstm
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.keras_training import SUMMARY_SCALE, n_summaries, seeded, softmax_head
from dualwindow.outside import chance
from dualwindow.settings import LstmSettings, spans_of

__all__ = ["make", "use_threads"]


def make(settings: LstmSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    spans = spans_of(settings.spans, history)
    network = LstmNetwork(
        history,
        n_features,
        settings.lstm_units,
        settings.dense_units,
        settings.dropout,
        settings.feature_dropout,
        settings.candles_per_step,
        spans,
        settings.summary_dropout if spans else 0.0,
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
    candles_per_step: int = 1
    spans: tuple[int, ...] = ()
    summary_dropout: float = 0.0

    def build(self, seed: int, *, fused: bool = False) -> keras.Model:
        """Build it with the weights that a training of this seed begins with."""
        layers = keras.layers
        windows = keras.Input((self.history, self.n_features))
        # Whole features are dropped, for all candles of a window: the slow ones, which tell one
        # week from another, would otherwise be learnt by heart.
        x = layers.SpatialDropout1D(self.feature_dropout, seed=1000)(windows)
        n_steps, n_over = divmod(self.history, self.candles_per_step)
        if n_over:
            x = layers.Cropping1D((n_over, 0))(x)
        if self.candles_per_step > 1:
            x = layers.Reshape((n_steps, self.candles_per_step * self.n_features))(x)
        stack, tops = [], []
        for i, units in enumerate(self.lstm_units):
            layer = (FusedLstm if fused else layers.LSTM)(
                units,
                return_sequences=i + 1 < len(self.lstm_units),
                kernel_initializer=seeded(keras.initializers.GlorotUniform, seed, 2 * i),
                recurrent_initializer=seeded(keras.initializers.Orthogonal, seed, 2 * i + 1),
            )
            x = layer(x)
            stack.append(layer)
            tops.append(x[:, -1] if layer.return_sequences else x)
            x = layers.Dropout(self.dropout, seed=i)(x)
        # The head sees the last state of every layer, not of the deepest alone, which learns
        # slowly and by heart (skip connections: A. Graves, "Generating Sequences With Recurrent
        # Neural Networks", 2013).
        x = layers.Concatenate()(tops) if len(tops) > 1 else tops[0]
        x = layers.Dropout(self.dropout, seed=100)(x)
        inputs = windows
        if self.spans:
            inputs = [windows, keras.Input((n_summaries(self.spans),))]
            x = layers.Concatenate()([x, self._scaled(inputs[1])])
        model = keras.Model(inputs, softmax_head(x, self.dense_units, seed))
        kernel, recurrent, _ = stack[0].get_weights()
        bias = chrono_bias(stack[0].units, n_steps, seed)
        stack[0].set_weights([kernel, recurrent, bias])
        return model

    def _scaled(self, summaries: Any) -> Any:
        """Scale summaries by what the training part says, which the file of the model holds."""
        scale = keras.layers.BatchNormalization(
            center=False, scale=False, epsilon=0.0, trainable=False, name=SUMMARY_SCALE
        )
        return keras.layers.Dropout(self.summary_dropout, seed=2000)(scale(summaries))


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

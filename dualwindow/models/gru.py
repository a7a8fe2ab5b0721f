"""The GRU: as the LSTM, with a state and no cell.

It is K. Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", 2014, with the
reset gate after the product, as Keras has it.
"""

from typing import Any

import keras
import numpy as np

from dualwindow.models.device import use_threads
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.recurrent import Place, RecurrentNetwork, memory_bias, recurrent_classifier
from dualwindow.settings import GruSettings

__all__ = ["make", "use_threads"]


def make(settings: GruSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    return recurrent_classifier(settings, settings.gru_units, remember, history, n_features)


def remember(x: Any, network: RecurrentNetwork, seed: int, *, fused: bool) -> list[Any]:
    """Put GRU layers on a window; TensorFlow has no operation that runs one as a whole."""
    return network.stack(network.in_steps(x), gru_layer, seed)


def gru_layer(x: Any, units: int, place: Place) -> tuple[Any, Any]:
    """Put one GRU layer on steps; the first of a stack begins with long memories."""
    layer = keras.layers.GRU(units, **place.options())
    x = layer(x)
    if place.is_first:
        kernel, recurrent, bias = layer.get_weights()
        bias[0, :units] = memory_bias(units, place.n_steps, place.seed)  # of the update gate
        layer.set_weights([kernel, recurrent, np.asarray(bias)])
    return x, place.last(x)

"""The bidirectional LSTM: one that goes from the oldest candle on, and one from the newest back.

It is A. Graves and J. Schmidhuber, "Framewise phoneme classification with bidirectional LSTM",
2005. Both see the candles of the window alone, and none of them is later than its last.
"""

from functools import partial
from typing import Any

import keras

from dualwindow.models.device import use_threads
from dualwindow.models.fused_lstm import FusedLstm
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.lstm_layer import lengthen_memory
from dualwindow.models.recurrent import Place, RecurrentNetwork, recurrent_classifier
from dualwindow.settings import BilstmSettings

__all__ = ["make", "use_threads"]

_BACKWARDS = 50  # its weights begin with other seeds


def make(settings: BilstmSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    return recurrent_classifier(settings, settings.lstm_units, remember, history, n_features)


def remember(x: Any, network: RecurrentNetwork, seed: int, *, fused: bool) -> list[Any]:
    """Put bidirectional LSTM layers on a window."""
    return network.stack(network.in_steps(x), partial(_layer, fused=fused), seed)


def _layer(x: Any, units: int, place: Place, *, fused: bool) -> tuple[Any, Any]:
    lstm = FusedLstm if fused else keras.layers.LSTM
    forth = lstm(units, **place.options())
    back = lstm(units, go_backwards=True, **place.options(_BACKWARDS))
    both = keras.layers.Bidirectional(forth, backward_layer=back)
    x = both(x)
    if place.is_first:
        for layer in (both.forward_layer, both.backward_layer):  # copies of those given
            lengthen_memory(layer, place)
    if place.is_last:
        return x, x
    # Going back, the last state is that of the oldest step.
    return x, keras.layers.Concatenate()([x[:, -1, :units], x[:, 0, units:]])

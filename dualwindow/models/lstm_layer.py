"""One LSTM layer of a stack, with memories of all lengths where it is the first."""

from typing import Any

import keras
import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.models.fused_lstm import FusedLstm
from dualwindow.models.recurrent import Place, memory_bias


def lstm_layer(x: Any, units: int, place: Place, *, fused: bool) -> tuple[Any, Any]:
    """Put one LSTM layer on steps; the first of a stack begins with long memories."""
    layer = (FusedLstm if fused else keras.layers.LSTM)(units, **place.options())
    x = layer(x)
    if place.is_first:
        lengthen_memory(layer, place)
    return x, place.last(x)


def lengthen_memory(layer: keras.layers.LSTM, place: Place) -> None:
    """Give a layer memories of all lengths."""
    kernel, recurrent, _ = layer.get_weights()
    layer.set_weights([kernel, recurrent, chrono_bias(layer.units, place.n_steps, place.seed)])


def chrono_bias(units: int, n_steps: int, seed: int) -> FloatArray:
    """Open the input gates as little as the forget gates forget: (4 * units,) in Keras' order.

    That is input, forget, cell, output; `memory_bias` has the source.
    """
    forget = memory_bias(units, n_steps, seed)
    return np.concatenate([-forget, forget, np.zeros(2 * units)])

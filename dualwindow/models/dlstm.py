"""The DLSTM: one stack of LSTM layers for the trend of a window, and one for what is left of it.

The idea is that of A. Zeng et al., "Are Transformers Effective for Time Series Forecasting?", AAAI
2023, with recurrent layers for its linear ones.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from dualwindow.models.device import use_threads
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.lstm_layer import lstm_layer
from dualwindow.models.recurrent import RecurrentNetwork, recurrent_classifier
from dualwindow.settings import DlstmSettings

__all__ = ["make", "use_threads"]

_REMAINDER = 50  # its weights begin with other seeds


def make(settings: DlstmSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    remember = _Parts(settings.trend_candles)
    return recurrent_classifier(settings, settings.lstm_units, remember, history, n_features)


def moving_average(x: Any, n_candles: int) -> Any:
    """Average each candle with those before it: (m, history, f) to the same.

    Before the oldest candle of a window stands itself. Where the published network is centred on a
    candle and puts the newest one after the window's end, no candle here looks at a later one.
    """
    if n_candles == 1:
        return x
    before = keras.layers.RepeatVector(n_candles - 1)(x[:, 0])
    padded = keras.layers.Concatenate(axis=1)([before, x])
    return keras.layers.AveragePooling1D(n_candles, strides=1)(padded)


@dataclass(frozen=True)
class _Parts:
    """Layers for each of the two parts; equal ones share a compiled network."""

    trend_candles: int

    def __call__(self, x: Any, network: RecurrentNetwork, seed: int, *, fused: bool) -> list[Any]:
        """Add up the last states of both stacks, layer by layer."""
        trend = moving_average(x, self.trend_candles)
        layer = partial(lstm_layer, fused=fused)
        stacks = [
            network.stack(network.in_steps(part), layer, seed, first)
            for part, first in ((trend, 0), (keras.layers.Subtract()([x, trend]), _REMAINDER))
        ]
        return [keras.layers.Add()(list(states)) for states in zip(*stacks, strict=True)]

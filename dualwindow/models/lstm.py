"""The LSTM: layer on layer, with memories spread over the window."""

from functools import partial
from typing import Any

from dualwindow.models.device import use_threads
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.lstm_layer import lstm_layer
from dualwindow.models.recurrent import RecurrentNetwork, recurrent_classifier
from dualwindow.settings import LstmSettings

__all__ = ["make", "use_threads"]


def make(settings: LstmSettings, history: int, n_features: int) -> KerasClassifier:
    """Make the classifier, which compiles nothing yet."""
    return recurrent_classifier(settings, settings.lstm_units, remember, history, n_features)


def remember(x: Any, network: RecurrentNetwork, seed: int, *, fused: bool) -> list[Any]:
    """Put LSTM layers on a window."""
    return network.stack(network.in_steps(x), partial(lstm_layer, fused=fused), seed)

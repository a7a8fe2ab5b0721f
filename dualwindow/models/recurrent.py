"""What all our recurrent networks share around the layers that remember."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.models.network import SUMMARY_SCALE, n_summaries, seeded, softmax_head
from dualwindow.outside import chance
from dualwindow.settings import RecurrentSettings, spans_of


class Place(NamedTuple):
    """Where in a stack a layer is."""

    n_steps: int
    seed: int
    offset: int
    is_first: bool
    is_last: bool

    def options(self, shift: int = 0) -> dict[str, Any]:
        """Say how Keras' layer begins, and whether the next one needs all of its steps."""
        kernel = seeded(keras.initializers.GlorotUniform, self.seed, self.offset + shift)
        recurrent = seeded(keras.initializers.Orthogonal, self.seed, self.offset + shift + 1)
        return {
            "kernel_initializer": kernel,
            "recurrent_initializer": recurrent,
            "return_sequences": not self.is_last,
        }

    def last(self, x: Any) -> Any:
        """Take the last step of what a layer gives, unless it gives nothing else."""
        return x if self.is_last else x[:, -1]


MakeLayer = Callable[[Any, int, Place], tuple[Any, Any]]
Remember = Callable[..., Sequence[Any]]  # x, network, seed, fused= -> last states


class RecurrentNetwork(NamedTuple):
    """What a compiled network depends on; everything else is set anew for each training.

    `remember` is the kind's own: it puts its layers on ``(m, history, n_features)``, and gives the
    last state of each.
    """

    history: int
    n_features: int
    remember: Remember
    units: tuple[int, ...]
    dense_units: tuple[int, ...]
    dropout: float
    feature_dropout: float
    candles_per_step: int = 1
    spans: tuple[int, ...] = ()
    summary_dropout: float = 0.0

    @property
    def n_steps(self) -> int:
        """How many steps a window has."""
        return self.history // self.candles_per_step

    def build(self, seed: int, *, fused: bool = False) -> keras.Model:
        """Build it with the weights that a training of this seed begins with."""
        layers = keras.layers
        windows = keras.Input((self.history, self.n_features))
        # Whole features are dropped, for all candles of a window: the slow ones, which tell one
        # week from another, would otherwise be learnt by heart.
        x = layers.SpatialDropout1D(self.feature_dropout, seed=1000)(windows)
        # The head sees the last state of every layer, not of the deepest alone, which learns
        # slowly and by heart (skip connections: A. Graves, "Generating Sequences With Recurrent
        # Neural Networks", 2013).
        states = self.remember(x, self, seed, fused=fused)
        x = layers.Concatenate()(states) if len(states) > 1 else states[0]
        x = layers.Dropout(self.dropout, seed=100)(x)
        inputs = windows
        if self.spans:
            inputs = [windows, keras.Input((n_summaries(self.spans),))]
            x = layers.Concatenate()([x, self._scaled(inputs[1])])
        return keras.Model(inputs, softmax_head(x, self.dense_units, seed))

    def in_steps(self, x: Any) -> Any:
        """Put several candles into each step; the oldest that do not fill one are left out."""
        n_over = self.history % self.candles_per_step
        if n_over:
            x = keras.layers.Cropping1D((n_over, 0))(x)
        if self.candles_per_step > 1:
            width = self.candles_per_step * self.n_features
            x = keras.layers.Reshape((self.n_steps, width))(x)
        return x

    def stack(self, x: Any, layer: MakeLayer, seed: int, first: int = 0) -> list[Any]:
        """Put layer on layer on the steps, with dropout between; give the last state of each.

        Parameters
        ----------
        x : (m, n_steps, n)
        layer : puts one layer on it; gives what the next one takes, and the last state
        seed : of the training
        first : offset of the seeds of its initial weights, where there are several stacks
        """
        states = []
        for i, units in enumerate(self.units):
            place = Place(self.n_steps, seed, first + 2 * i, i == 0, i + 1 == len(self.units))
            x, state = layer(x, units, place)
            states.append(state)
            if not place.is_last:
                x = keras.layers.Dropout(self.dropout, seed=first + i)(x)
        return states

    def _scaled(self, summaries: Any) -> Any:
        """Scale summaries by what the training part says, which the file of the model holds."""
        scale = keras.layers.BatchNormalization(
            center=False, scale=False, epsilon=0.0, trainable=False, name=SUMMARY_SCALE
        )
        return keras.layers.Dropout(self.summary_dropout, seed=2000)(scale(summaries))


def recurrent_classifier(
    settings: RecurrentSettings,
    units: tuple[int, ...],
    remember: Remember,
    history: int,
    n_features: int,
) -> KerasClassifier:
    """Make the classifier of a kind, which compiles nothing yet."""
    spans = spans_of(settings.spans, history)
    network = RecurrentNetwork(
        history,
        n_features,
        remember,
        units,
        settings.dense_units,
        settings.dropout,
        settings.feature_dropout,
        settings.candles_per_step,
        spans,
        settings.summary_dropout if spans else 0.0,
    )
    return KerasClassifier(network, settings)


def memory_bias(units: int, n_steps: int, seed: int) -> FloatArray:
    """Spread the memory of a layer from one step to the whole window: (units,) of its gates.

    A gate of bias b keeps a state for about exp(b) steps. With Keras' usual bias a layer forgets
    within four, so volatility, the mean of an hour or three, would have to be discovered first.

    Source: C. Tallec and Y. Ollivier, "Can recurrent neural networks warp time?", ICLR 2018.
    """
    return np.log(chance(seed).uniform(1, max(n_steps - 1, 2), units))

"""Say what a training would learn from and take, without doing it."""

from collections.abc import Sequence
from typing import NamedTuple

from dualwindow.learning.group import Prepared
from dualwindow.samples.balancing import class_counts
from dualwindow.settings import (
    BilstmSettings,
    ClassifierSettings,
    DlstmSettings,
    EnsembleSettings,
    GruSettings,
    LstmSettings,
    NetworkSettings,
    RecurrentSettings,
    Settings,
)

# Measured on two cores of an Intel Xeon: docs/benchmarks.md. The larger a network, the faster.
_OPERATIONS_PER_SECOND = 1.7e10
_LIBRARIES, _NETWORK = 0.25e9, 0.7e9  # bytes that are there before the first candle
_PER_CANDLE = 300  # bytes: of its prices, features, masks, and copies on the way


class Estimate(NamedTuple):
    """What a training takes at most, as far as it can be told before."""

    seconds: float
    memory: float


def estimate(settings: Settings, prepared: Prepared, n_features: int) -> Estimate:
    """Estimate seconds and bytes of a training."""
    n_candles = sum(len(part.data.candles) for part in prepared.parts)
    return estimate_of(settings, len(prepared.training.ends), n_candles, n_features)


def estimate_of(settings: Settings, n_windows: int, n_candles: int, n_features: int) -> Estimate:
    """Estimate seconds and bytes of a training on so many windows of so many candles."""
    members = _members(settings.model)
    networks = [m for m in members if isinstance(m, NetworkSettings)]
    operations = [m.epochs * _operations(m, settings.history, n_features) for m in networks]
    seconds = 2.0 * len(members) + n_windows * sum(operations) / _OPERATIONS_PER_SECOND
    return Estimate(seconds, _LIBRARIES + (_NETWORK if networks else 0) + _PER_CANDLE * n_candles)


def _members(model: ClassifierSettings) -> Sequence[ClassifierSettings]:
    return model.members if isinstance(model, EnsembleSettings) else [model]


def _operations(model: NetworkSettings, history: int, n_features: int) -> float:
    """Floating-point operations per window, forth and back, of the recurrent layers."""
    if not isinstance(model, RecurrentSettings):  # the published network
        return _of_layers((128, 64, 32), history, n_features, 4)
    steps, width = history // model.candles_per_step, model.candles_per_step * n_features
    if isinstance(model, GruSettings):
        # Three gates, but a loop of small operations, at about half the speed.
        return 2 * _of_layers(model.gru_units, steps, width, 3)
    assert isinstance(model, LstmSettings | BilstmSettings | DlstmSettings)
    n_stacks = 1 if isinstance(model, LstmSettings) else 2
    return n_stacks * _of_layers(model.lstm_units, steps, width, 4)


def _of_layers(units: Sequence[int], steps: int, width: int, gates: int) -> float:
    total = 0.0
    for n in units:
        total += 6 * steps * (width + n) * gates * n
        width = n
    return total


def windows_of(prepared: Prepared) -> list[tuple[str, list[int]]]:
    """Count the windows of each class, to learn from and to validate on."""
    parts = (("training", prepared.training), ("validation", prepared.validation))
    return [(name, class_counts(part.labels).tolist()) for name, part in parts]

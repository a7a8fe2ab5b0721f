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
_LIBRARIES, _NETWORK = 0.3e9, 0.7e9  # bytes that are there before the first candle
_PER_CANDLE = 300  # bytes: of its prices, features, masks, and copies on the way
# Bytes of a candle of a window while windows are summed up, and how many are at a time.
_PER_SUMMED, _SUMMED_AT_A_TIME = 40, 8192
# Bytes of a number that a network keeps of each step of each window of a batch; a fused LSTM keeps
# seven of each unit, and batches are at least as large as those that are predicted.
_PER_STATE, _STATES_PER_UNIT, _PREDICTED_AT_A_TIME = 6, 7, 256


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
    # Windows of validation are judged one and all.
    n_summed = max(n_windows, settings.validation_share * n_candles)
    at_a_time = min(n_summed, _SUMMED_AT_A_TIME) if settings.model.needs_prices else 0
    memory = (
        _LIBRARIES
        + _PER_CANDLE * n_candles
        + _PER_SUMMED * at_a_time * settings.history
        + max((_NETWORK + _states(m, settings.history, n_features) for m in networks), default=0)
    )
    return Estimate(seconds, memory)


def _members(model: ClassifierSettings) -> Sequence[ClassifierSettings]:
    return model.members if isinstance(model, EnsembleSettings) else [model]


class _Layers(NamedTuple):
    """The recurrent layers of a network: what the first takes, at how many steps, and how often."""

    units: tuple[int, ...]
    steps: int
    width: int
    gates: int
    stacks: int

    @classmethod
    def of(cls, model: NetworkSettings, history: int, n_features: int) -> "_Layers":
        if not isinstance(model, RecurrentSettings):  # the published network
            return cls((128, 64, 32), history, n_features, 4, 1)
        steps, width = history // model.candles_per_step, model.candles_per_step * n_features
        if isinstance(model, GruSettings):
            # Three gates, but a loop of small operations, as slow as if it were two of them.
            return cls(model.gru_units, steps, width, 3, 2)
        assert isinstance(model, LstmSettings | BilstmSettings | DlstmSettings)
        return cls(model.lstm_units, steps, width, 4, 1 if isinstance(model, LstmSettings) else 2)

    @property
    def widths(self) -> tuple[int, ...]:
        """What each of the layers takes."""
        return (self.width, *self.units[:-1])


def _operations(model: NetworkSettings, history: int, n_features: int) -> float:
    """Floating-point operations per window, forth and back, of the recurrent layers."""
    its = _Layers.of(model, history, n_features)
    per_step = sum(6 * (w + n) * its.gates * n for w, n in zip(its.widths, its.units, strict=True))
    return float(its.stacks * its.steps * per_step)


def _states(model: NetworkSettings, history: int, n_features: int) -> float:
    """Bytes that a batch takes on its way through the recurrent layers."""
    its = _Layers.of(model, history, n_features)
    per_step = _STATES_PER_UNIT * sum(its.units) + sum(its.widths)
    batch = max(model.batch_size, _PREDICTED_AT_A_TIME)
    return float(_PER_STATE * its.stacks * its.steps * per_step * batch)


def windows_of(prepared: Prepared) -> list[tuple[str, list[int]]]:
    """Count the windows of each class, to learn from and to validate on."""
    parts = (("training", prepared.training), ("validation", prepared.validation))
    return [(name, class_counts(part.labels).tolist()) for name, part in parts]

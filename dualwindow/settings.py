"""Read what the user asked for out of the `freqai` configuration block, and check it once."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from dualwindow.judging.decisions import MODES, Thresholds
from dualwindow.market.labels import CLASSES, RULES, Barriers, Labelling
from dualwindow_freqtrade.freqai_keys import FEATURE_KEYS, FREQAI_KEYS, SPLIT_KEYS, refused_keys


class _Frozen(BaseModel, frozen=True, extra="forbid"):
    pass


class WindowSettings(_Frozen):
    """FreqAI's own keys for the two windows and their division."""

    history: int = Field(180, ge=2, description="conv_width: candles the network looks back on")
    horizon: int = Field(
        120, ge=1, description="label_period_candles: candles in which a barrier must be touched"
    )
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="test_size: latest share of the training candles"
    )
    weight_factor: float = Field(
        0.0,
        ge=0,
        allow_inf_nan=False,
        description="weight_factor: recent samples weigh more; 0 weighs all alike",
    )


class LabelSettings(_Frozen):
    """What makes a candle LONG or SHORT."""

    rule: Literal["exclusive", "first_touch"] = Field(
        "exclusive", description="is a stop fatal anywhere in the horizon, or only before the win"
    )
    long_take_profit: float = Field(0.01, gt=0, lt=1, description="fraction of the close, above")
    long_stop_loss: float = Field(0.005, gt=0, lt=1, description="fraction of the close, below")
    short_take_profit: float = Field(0.01, gt=0, lt=1, description="fraction of the close, below")
    short_stop_loss: float = Field(0.005, gt=0, lt=1, description="fraction of the close, above")

    @property
    def barriers(self) -> Barriers:
        """The four distances as the label rules take them."""
        return Barriers(
            self.long_take_profit,
            self.long_stop_loss,
            self.short_take_profit,
            self.short_stop_loss,
        )


class BalancingSettings(_Frozen):
    """How the rarer classes are kept from drowning."""

    method: Literal["undersample", "class_weights", "none"] = Field(
        "none", description="thin the common classes, weight the rare ones, or neither"
    )
    floor: int = Field(
        1000, ge=1, description="undersample: windows that no class is thinned below"
    )
    class_weights: dict[str, float] | None = Field(
        None, description="class_weights: a weight for each class, or null to balance them"
    )

    @field_validator("class_weights")
    @classmethod
    def _weights_name_every_class(cls, weights: dict[str, float] | None) -> dict[str, float] | None:
        if weights is not None:
            if set(weights) != set(CLASSES):
                raise ValueError(f"must name exactly {', '.join(CLASSES)}")
            if any(not 0 < weight < float("inf") for weight in weights.values()):
                raise ValueError("must be positive numbers")
        return weights


class TrainingSettings(_Frozen):
    """FreqAI's model_training_parameters: the network and how it is trained."""

    lstm_units: tuple[int, ...] = Field(
        (128, 64, 32), min_length=1, description="units of each LSTM layer"
    )
    dense_units: tuple[int, ...] = Field((32, 16), description="units of each ReLU layer after")
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped after each LSTM layer")
    feature_dropout: float = Field(
        0.5, ge=0, lt=1, description="share of the features dropped, each for a whole window"
    )
    stride: int = Field(
        10, ge=1, description="train and validate on every n-th window; neighbours are alike"
    )
    learning_rate: float = Field(0.001, gt=0, le=1, description="Adam's first step size")
    batch_size: int = Field(32, ge=1, description="windows per step")
    epochs: int = Field(6, ge=1, description="at most so many passes over the windows")
    patience: int = Field(2, ge=1, description="epochs without a better validation loss to stop")
    lr_patience: int = Field(1, ge=1, description="epochs without one to lower the learning rate")
    lr_factor: float = Field(0.5, gt=0, lt=1, description="what the rate is then multiplied by")
    min_learning_rate: float = Field(1e-5, gt=0, le=1, description="the rate is not lowered below")
    seed: int = Field(42, ge=0, lt=2**31, description="same seed, same predictions")

    @model_validator(mode="after")
    def _values_agree(self) -> "TrainingSettings":
        if any(units < 1 for units in (*self.lstm_units, *self.dense_units)):
            raise ValueError("lstm_units and dense_units must be positive")
        if self.min_learning_rate > self.learning_rate:
            raise ValueError("min_learning_rate must not be above learning_rate")
        return self


class ConfidenceSettings(_Frozen):
    """How sure a strategy must be. Nothing here shapes a prediction."""

    mode: Literal["expected_value", "conservative", "balanced", "aggressive", "custom"] = Field(
        "expected_value", description="what an entry must exceed: its costs, or thresholds"
    )
    short: float | None = Field(None, gt=0, le=1, description="custom: threshold of SHORT")
    hold: float | None = Field(
        None, gt=0, le=1, description="custom with fallback argmax: threshold of HOLD"
    )
    long: float | None = Field(None, gt=0, le=1, description="custom: threshold of LONG")
    margin: float = Field(
        0.0, gt=-1, lt=1, description="expected_value: the least value, a fraction of the stake"
    )
    fallback: Literal["hold", "argmax"] = Field(
        "hold", description="what to decide where nothing passes"
    )

    @model_validator(mode="after")
    def _thresholds_belong_to_custom(self) -> "ConfidenceSettings":
        given = {n: getattr(self, n) for n in ("short", "hold", "long")}
        needed = given.keys() if self.fallback == "argmax" else ("short", "long")
        missing = [name for name in needed if given[name] is None]
        if self.mode == "custom" and missing:
            raise ValueError(f"mode 'custom' needs a threshold for each of {missing}")
        extra = [name for name, value in given.items() if value is not None]
        if self.mode != "custom" and extra:
            raise ValueError(f"{extra} would be ignored by mode '{self.mode}'; set mode 'custom'")
        if self.mode != "expected_value" and "margin" in self.model_fields_set:
            raise ValueError(f"margin would be ignored by mode '{self.mode}'; remove it")
        return self

    @property
    def thresholds(self) -> Thresholds:
        """Those of the mode; those of ``balanced`` where it has none and none is read."""
        if self.short is not None and self.long is not None:
            hold = MODES["balanced"].hold if self.hold is None else self.hold
            return Thresholds(self.short, hold, self.long)
        return MODES.get(self.mode, MODES["balanced"])


class GuardSettings(_Frozen):
    """What keeps a live bot from opening trades. Nothing here shapes a prediction."""

    max_candle_age: float = Field(
        1.0, gt=0, description="candles since the newest one closed; more is stale"
    )
    max_prediction_share: float = Field(
        0.5, gt=0, description="share of a candle that a prediction of one pair may take"
    )
    max_identical: int = Field(
        30, ge=1, description="predictions in a row with the very same scores"
    )


class DualWindowSettings(_Frozen):
    """The one block of our own, `freqai.dual_window`: what FreqAI has no key for."""

    labels: LabelSettings = LabelSettings()
    balancing: BalancingSettings = BalancingSettings()
    scaler: Literal["standard", "robust", "minmax"] = Field(
        "standard", description="how features are scaled; fitted on the training part only"
    )
    calibration: Literal["none", "prior", "temperature", "vector"] = Field(
        "temperature", description="how scores become probabilities; fitted on the validation part"
    )
    confidence: ConfidenceSettings = ConfidenceSettings()
    max_untraded_candles: int = Field(
        15, ge=0, description="a longer run of candles without volume counts as a gap"
    )
    guards: GuardSettings = GuardSettings()
    threads: int | None = Field(
        None, ge=1, description="of TensorFlow; unset, all cores, and live all but one"
    )


class Settings(_Frozen):
    """Everything that shapes a training and its predictions."""

    windows: WindowSettings
    training: TrainingSettings
    dual_window: DualWindowSettings

    @property
    def labelling(self) -> Labelling:
        """What a candle is labelled by."""
        labels, horizon = self.dual_window.labels, self.windows.horizon
        untraded = self.dual_window.max_untraded_candles
        return Labelling(RULES[labels.rule], labels.barriers, horizon, untraded)

    @classmethod
    def from_freqai(cls, freqai: Mapping[str, Any]) -> "Settings":
        """Read the configuration's `freqai` block without changing it.

        Raises
        ------
        SettingsError
            Once, with every problem found: unknown keys, values out of bounds, and FreqAI keys
            that would break the order of time or have no meaning for this model.
        """
        problems = refused_keys(freqai, _suggest)
        features = freqai.get("feature_parameters", {})
        split = freqai.get("data_split_parameters", {})
        native = {
            "history": (freqai, "conv_width"),
            "horizon": (features, "label_period_candles"),
            "validation_share": (split, "test_size"),
            "weight_factor": (features, "weight_factor"),
        }
        given = {field: block[key] for field, (block, key) in native.items() if key in block}
        blocks = {
            "windows": given,
            "training": freqai.get("model_training_parameters", {}),
            "dual_window": freqai.get("dual_window", {}),
        }
        try:
            settings = cls.model_validate(blocks)
        except ValidationError as error:
            problems += [_describe(e) for e in error.errors()]
        if problems:
            raise SettingsError(problems)
        return settings


class SettingsError(ValueError):
    """Every problem of a configuration at once."""

    def __init__(self, problems: list[str]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"DualWindowLSTM cannot run with this configuration:\n{lines}")
        self.problems = problems


_NATIVE_NAMES = {
    ("windows", "history"): "conv_width",
    ("windows", "horizon"): "feature_parameters.label_period_candles",
    ("windows", "validation_share"): "data_split_parameters.test_size",
    ("windows", "weight_factor"): "feature_parameters.weight_factor",
}
_HINTS = {
    ("windows", "history"): (
        "; it is the history window in candles, for example 180 (FreqAI puts 1 where it is missing)"
    ),
    ("windows", "validation_share"): "; early stopping needs a validation part",
}


def _describe(error: Any) -> str:
    place = tuple(error["loc"])
    name = _NATIVE_NAMES.get(place[:2], ".".join(str(part) for part in place))
    if place[0] == "training":
        name = ".".join(["model_training_parameters", *(str(part) for part in place[1:])])
    if error["type"] == "extra_forbidden":
        return f"freqai.{name} is unknown{_suggest(str(place[-1]), _siblings(place))}"
    message = error["msg"].removeprefix("Value error, ")
    return f"freqai.{name}: {message}. Received: {error['input']!r}{_HINTS.get(place[:2], '')}"


def _siblings(place: tuple[Any, ...]) -> set[str]:
    model: Any = Settings
    for part in place[:-1]:
        model = model.model_fields[part].annotation
    return set(model.model_fields)


def _suggest(key: str, known: set[str]) -> str:
    homes = {
        "freqai": FREQAI_KEYS,
        "freqai.feature_parameters": FEATURE_KEYS,
        "freqai.data_split_parameters": SPLIT_KEYS,
        "freqai.model_training_parameters": set(TrainingSettings.model_fields),
        "freqai.dual_window": set(DualWindowSettings.model_fields),
        "freqai.dual_window.labels": set(LabelSettings.model_fields),
        "freqai.dual_window.balancing": set(BalancingSettings.model_fields),
        "freqai.dual_window.confidence": set(ConfidenceSettings.model_fields),
        "freqai.dual_window.guards": set(GuardSettings.model_fields),
    }
    for block, keys in homes.items():
        if key in keys:
            return f"; it belongs in {block}"
    close = get_close_matches(key, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else "; remove it"

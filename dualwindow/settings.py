"""What shapes a training and its predictions, in the core's own words; read once, then frozen."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

ScalerKind = Literal["standard", "robust", "minmax"]
CalibrationMethod = Literal["none", "prior", "temperature", "vector"]
Fallback = Literal["hold", "argmax"]
Pooling = Literal["pair", "whitelist"]
Combine = Literal["soft", "hard", "stacked"]


def _distinct(spans: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(spans)) < len(spans):
        raise ValueError("must not hold a span twice")
    return spans


# Candles that are summed up; a single one has no return within it.
Spans = Annotated[tuple[Annotated[int, Field(ge=2)], ...], AfterValidator(_distinct)]
_SPANS = "candles that sums look back on; unset, a twelfth, a third and all of the history"


def spans_of(given: tuple[int, ...] | None, history: int) -> tuple[int, ...]:
    """Give the spans that are set, or those of a history.

    Examples
    --------
    >>> spans_of(None, 180)
    (15, 60, 180)
    """
    if given is not None:
        return given
    return tuple(sorted({max(history // 12, 2), max(history // 3, 2), max(history, 2)}))


class Frozen(BaseModel, frozen=True, extra="forbid"):
    """Settings that are checked once and never change."""


def _tag(value: Any, name: str, default: str) -> str:
    """Read by which word settings are told apart."""
    # What is neither a block nor settings goes to the default, which says that it is not.
    given = value.get(name, default) if isinstance(value, dict) else getattr(value, name, default)
    return given if isinstance(given, str) else repr(given)


class LabelSettings(Frozen):
    """Which barriers make a candle LONG or SHORT."""

    rule: Literal["exclusive", "first_touch"] = Field(
        "exclusive", description="is a stop fatal anywhere in the horizon, or only before the win"
    )
    long_take_profit: float = Field(0.01, gt=0, lt=1, description="fraction of the close, above")
    long_stop_loss: float = Field(0.005, gt=0, lt=1, description="fraction of the close, below")
    short_take_profit: float = Field(0.01, gt=0, lt=1, description="fraction of the close, below")
    short_stop_loss: float = Field(0.005, gt=0, lt=1, description="fraction of the close, above")


def _delta(value: Any) -> Any:
    # Not bounds of the number, which would be told beside those of the word.
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value == "auto" or (is_number and 0 < value < 1):
        return value
    raise ValueError("must be 'auto' or a number above 0 and below 1")


class SmoothedLabelSettings(Frozen):
    """How far the mean close must move to make a candle LONG or SHORT, and the stops of trades."""

    rule: Literal["smoothed"] = Field(
        "smoothed", description="the mean close of the horizon against that of as many before"
    )
    delta: Annotated[float | Literal["auto"], BeforeValidator(_delta)] = Field(
        "auto",
        description="share of the mean close before that it must rise or fall by more than; auto: "
        "the median move of the training part",
    )
    long_stop_loss: float = Field(0.005, gt=0, lt=1, description="fraction of the close, below")
    short_stop_loss: float = Field(0.005, gt=0, lt=1, description="fraction of the close, above")


DEFAULT_RULE = "exclusive"


def _rule(value: Any) -> str:
    return _tag(value, "rule", DEFAULT_RULE)


AnyLabelSettings = Annotated[
    Annotated[LabelSettings, Tag("exclusive")]
    | Annotated[LabelSettings, Tag("first_touch")]
    | Annotated[SmoothedLabelSettings, Tag("smoothed")],
    Discriminator(_rule),
]
LABEL_RULES: dict[str, type[Frozen]] = {
    "exclusive": LabelSettings,
    "first_touch": LabelSettings,
    "smoothed": SmoothedLabelSettings,
}


class ClassWeights(Frozen):
    """How much a sample of each class counts."""

    SHORT: float = Field(gt=0, allow_inf_nan=False)
    HOLD: float = Field(gt=0, allow_inf_nan=False)
    LONG: float = Field(gt=0, allow_inf_nan=False)


class BalancingSettings(Frozen):
    """How the rarer classes are kept from drowning."""

    method: Literal["undersample", "class_weights", "none"] = Field(
        "none", description="thin the common classes, weight the rare ones, or neither"
    )
    floor: int = Field(
        1000, ge=1, description="undersample: windows that no class is thinned below"
    )
    class_weights: ClassWeights | None = Field(
        None, description="class_weights: a weight for each class, or null to balance them"
    )


class ClassifierSettings(Frozen):
    """What the settings of every kind of classifier have."""

    kind: str
    stride: int = Field(
        10, ge=1, description="train and validate on every n-th window; neighbours are alike"
    )
    seed: int = Field(42, ge=0, lt=2**31, description="same seed, same predictions")

    @property
    def kinds(self) -> tuple[str, ...]:
        """All kinds that take part."""
        return (self.kind,)

    @property
    def least_history(self) -> int:
        """Candles that a window must have for this kind to see what it wants to."""
        return 1

    @property
    def needs_prices(self) -> bool:
        """Tell whether this kind looks at prices and volumes, not at features alone."""
        return False


class NetworkSettings(ClassifierSettings):
    """How a network is trained, whatever its layers."""

    learning_rate: float = Field(0.001, gt=0, le=1, description="Adam's first step size")
    batch_size: int = Field(64, ge=1, description="windows per step")
    epochs: int = Field(6, ge=1, description="at most so many passes over the windows")
    patience: int = Field(2, ge=1, description="epochs without a better validation loss to stop")
    lr_patience: int = Field(1, ge=1, description="epochs without one to lower the learning rate")
    lr_factor: float = Field(0.5, gt=0, lt=1, description="what the rate is then multiplied by")
    min_learning_rate: float = Field(1e-5, gt=0, le=1, description="the rate is not lowered below")

    @model_validator(mode="after")
    def _rates_agree(self) -> "NetworkSettings":
        if self.min_learning_rate > self.learning_rate:
            raise ValueError("min_learning_rate must not be above learning_rate")
        return self


Units = tuple[Annotated[int, Field(ge=1)], ...]


class RecurrentSettings(NetworkSettings):
    """Layers that remember, one on the other, and ReLU layers on the last states of all of them."""

    dense_units: Units = Field((32, 16), description="units of each ReLU layer after")
    dropout: float = Field(0.2, ge=0, lt=1, description="share dropped after each recurrent layer")
    feature_dropout: float = Field(
        0.3, ge=0, lt=1, description="share of the features dropped, each for a whole window"
    )
    candles_per_step: int = Field(
        6,
        ge=1,
        description="candles that the first layer takes at once; the oldest that do not fill a "
        "step are left out",
    )
    spans: Spans | None = Field(None, description=_SPANS)
    summary_dropout: float = Field(0.2, ge=0, lt=1, description="share of these sums dropped")

    @property
    def least_history(self) -> int:
        """The longest span, or a step."""
        return max((self.candles_per_step, *(self.spans or ())))

    @property
    def needs_prices(self) -> bool:
        """It sums prices up, unless it is told to sum up nothing."""
        return self.spans != ()


class LstmSettings(RecurrentSettings):
    """LSTM layers."""

    kind: Literal["lstm"] = Field("lstm", description="which classifier learns")
    lstm_units: Units = Field((32,), min_length=1, description="units of each LSTM layer")


class GruSettings(RecurrentSettings):
    """GRU layers."""

    kind: Literal["gru"] = Field("gru", description="which classifier learns")
    gru_units: Units = Field((32,), min_length=1, description="units of each GRU layer")


class BilstmSettings(RecurrentSettings):
    """LSTM layers in both directions of the window."""

    kind: Literal["bilstm"] = Field("bilstm", description="which classifier learns")
    lstm_units: Units = Field(
        (32,), min_length=1, description="units of each LSTM layer, in each direction"
    )


class DlstmSettings(RecurrentSettings):
    """LSTM layers for the trend of a window, and others for what is left of it."""

    kind: Literal["dlstm"] = Field("dlstm", description="which classifier learns")
    lstm_units: Units = Field(
        (32,), min_length=1, description="units of each LSTM layer, for each of the two parts"
    )
    trend_candles: int = Field(10, ge=1, description="candles of the trend's moving average")

    @property
    def least_history(self) -> int:
        """The longest span, a step, or the moving average."""
        return max(super().least_history, self.trend_candles)


class PublishedSettings(NetworkSettings):
    """The network and the training of a published pipeline, to compare with."""

    kind: Literal["published"] = Field("published", description="which classifier learns")
    batch_size: int = Field(256, ge=1, description="windows per step")
    epochs: int = Field(100, ge=1, description="at most so many passes over the windows")
    patience: int = Field(10, ge=1, description="epochs without a better validation loss to stop")
    lr_patience: int = Field(5, ge=1, description="epochs without one to lower the learning rate")
    min_learning_rate: float = Field(1e-7, gt=0, le=1, description="the rate is not lowered below")
    dropout: float = Field(0.3, ge=0, lt=1, description="share dropped after each ReLU layer")


class LineSettings(ClassifierSettings):
    """A logistic regression on a few numbers that sum a window up."""

    spans: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None, min_length=1, description=_SPANS
    )
    penalty: float = Field(
        100.0, gt=0, allow_inf_nan=False, description="how strongly coefficients are held near 0"
    )

    @property
    def least_history(self) -> int:
        """The longest span."""
        return max(self.spans or (1,))

    @property
    def needs_prices(self) -> bool:
        """It looks at nothing else."""
        return True


class RangesSettings(LineSettings):
    """How far candles have moved lately: the baseline of all kinds."""

    kind: Literal["ranges"] = Field("ranges", description="which classifier learns")


class TrendSettings(LineSettings):
    """How far and which way: the baseline of labels that know half of the answer already."""

    kind: Literal["trend"] = Field("trend", description="which classifier learns")


class TreesSettings(ClassifierSettings):
    """Small boosted trees (LightGBM) on numbers that sum a window up."""

    kind: Literal["trees"] = Field("trees", description="which classifier learns")
    spans: Spans | None = Field(None, min_length=1, description=_SPANS)
    rounds: int = Field(120, ge=1, description="trees of each class")
    shrinkage: float = Field(0.03, gt=0, le=1, description="how much each tree counts")
    leaves: int = Field(7, ge=2, description="of a tree, at most")
    least_windows: int = Field(200, ge=1, description="training windows of a leaf, at least")
    leaf_penalty: float = Field(
        10.0, ge=0, allow_inf_nan=False, description="how strongly leaves are held near 0"
    )
    column_share: float = Field(0.5, gt=0, le=1, description="of the numbers that a tree sees")
    row_share: float = Field(0.7, gt=0, le=1, description="of the windows that a tree sees")

    @property
    def least_history(self) -> int:
        """The longest span."""
        return max(self.spans or (1,))

    @property
    def needs_prices(self) -> bool:
        """It looks at nothing else."""
        return True


DEFAULT_KIND = "lstm"


def _kind(value: Any) -> str:
    return _tag(value, "kind", DEFAULT_KIND)


MemberSettings = Annotated[
    Annotated[LstmSettings, Tag("lstm")]
    | Annotated[GruSettings, Tag("gru")]
    | Annotated[BilstmSettings, Tag("bilstm")]
    | Annotated[DlstmSettings, Tag("dlstm")]
    | Annotated[PublishedSettings, Tag("published")]
    | Annotated[RangesSettings, Tag("ranges")]
    | Annotated[TrendSettings, Tag("trend")]
    | Annotated[TreesSettings, Tag("trees")],
    Discriminator(_kind),
]


class EnsembleSettings(ClassifierSettings):
    """Several classifiers that are asked together."""

    kind: Literal["ensemble"] = Field("ensemble", description="which classifier learns")
    combine: Combine = Field(
        "soft",
        description="their scores are averaged, or their votes counted (hard), or averaged with "
        "weights that fit the validation part best (stacked)",
    )
    members: tuple[MemberSettings, ...] = Field(
        (LstmSettings(), TreesSettings()),
        min_length=2,
        description="those that belong to it, each with its kind and its parameters",
    )

    @property
    def kinds(self) -> tuple[str, ...]:
        """Its own kind, and those of its members."""
        return (self.kind, *sorted({member.kind for member in self.members}))

    @property
    def least_history(self) -> int:
        """Of the member that wants the most."""
        return max(member.least_history for member in self.members)

    @property
    def needs_prices(self) -> bool:
        """Tell whether any member does."""
        return any(member.needs_prices for member in self.members)

    @model_validator(mode="after")
    def _hand_down(self) -> "EnsembleSettings":
        """Give members the stride, and a seed where they have none: another for each of a kind."""
        mine: list[Any] = []
        for member in self.members:
            own = {"stride": self.stride}
            if "stride" in member.model_fields_set and member.stride != self.stride:
                raise ValueError(
                    "a member's stride would be ignored, because all learn from the same windows; "
                    "set `model.stride`"
                )
            if "seed" not in member.model_fields_set:
                own["seed"] = self.seed + sum(other.kind == member.kind for other in mine)
            given = set(member.model_fields_set)
            member = member.model_copy(update=own)
            object.__setattr__(member, "__pydantic_fields_set__", given)  # not what it was handed
            mine.append(member)
        object.__setattr__(self, "members", tuple(mine))  # frozen from now on
        return self


AnyClassifierSettings = Annotated[
    Annotated[LstmSettings, Tag("lstm")]
    | Annotated[GruSettings, Tag("gru")]
    | Annotated[BilstmSettings, Tag("bilstm")]
    | Annotated[DlstmSettings, Tag("dlstm")]
    | Annotated[PublishedSettings, Tag("published")]
    | Annotated[RangesSettings, Tag("ranges")]
    | Annotated[TrendSettings, Tag("trend")]
    | Annotated[TreesSettings, Tag("trees")]
    | Annotated[EnsembleSettings, Tag("ensemble")],
    Discriminator(_kind),
]
KINDS: dict[str, type[ClassifierSettings]] = {
    "lstm": LstmSettings,
    "gru": GruSettings,
    "bilstm": BilstmSettings,
    "dlstm": DlstmSettings,
    "published": PublishedSettings,
    "ranges": RangesSettings,
    "trend": TrendSettings,
    "trees": TreesSettings,
    "ensemble": EnsembleSettings,
}


class Settings(Frozen):
    """Everything that shapes a training and its predictions."""

    history: int = Field(180, ge=2, description="candles that are looked back on")
    horizon: int = Field(120, ge=1, description="candles in which a barrier must be touched")
    validation_share: float = Field(
        0.2, gt=0, lt=1, description="latest share of the training candles"
    )
    weight_factor: float = Field(
        0.0, ge=0, allow_inf_nan=False, description="recent samples weigh more; 0 weighs all alike"
    )
    labels: AnyLabelSettings = LabelSettings()
    balancing: BalancingSettings = BalancingSettings()
    scaler: ScalerKind = Field(
        "standard", description="how features are scaled; fitted on the training part only"
    )
    calibration: CalibrationMethod = Field(
        "temperature", description="how scores become probabilities; fitted on the validation part"
    )
    max_untraded: int = Field(
        15, ge=0, description="a longer run of candles without volume counts as a gap"
    )
    pooling: Pooling = Field(
        "pair", description="one training for each pair, or one for all of the whitelist"
    )
    model: AnyClassifierSettings = LstmSettings()

    @property
    def has_open_delta(self) -> bool:
        """Whether the training is to find out which moves make a candle LONG or SHORT."""
        return isinstance(self.labels, SmoothedLabelSettings) and self.labels.delta == "auto"

    def with_delta(self, delta: float) -> "Settings":
        """Return the settings with what the training has found."""
        return self.model_copy(update={"labels": self.labels.model_copy(update={"delta": delta})})

    @model_validator(mode="after")
    def _history_is_long_enough(self) -> "Settings":
        if self.history < self.model.least_history:
            raise ValueError(
                f"`history` is {self.history} candles, but the kind '{self.model.kind}' looks back "
                f"on {self.model.least_history}; lengthen it, or let `model` look back less"
            )
        return self


class ConfidenceSettings(Frozen):
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
    fallback: Fallback = Field("hold", description="what to decide where nothing passes")

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

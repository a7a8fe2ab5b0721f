"""Read the `freqai` block of a freqtrade configuration into settings, and check it once."""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from dualwindow.samples.data import TrainingError
from dualwindow.settings import (
    DEFAULT_KIND,
    KINDS,
    LABEL_RULES,
    BalancingSettings,
    ConfidenceSettings,
    Frozen,
    Settings,
)
from dualwindow_freqtrade.freqai.keys import FEATURE_KEYS, FREQAI_KEYS, SPLIT_KEYS, refused_keys
from dualwindow_freqtrade.freqai.placement import broken_blocks

logger = logging.getLogger(__name__)


class GuardSettings(Frozen):
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


_PAUSE, _LONGEST_PAUSE = 60.0, 1e6  # minutes between two reports of a bot


class Configuration(Frozen):
    """All that the user has asked for; only `settings` shape predictions."""

    settings: Settings = Settings()
    confidence: ConfidenceSettings = ConfidenceSettings()
    guards: GuardSettings = GuardSettings()
    threads: int | None = Field(
        None, ge=1, description="of TensorFlow; unset, all cores, and live all but one"
    )
    report: bool | float = Field(
        default=False,
        description="write a report after a backtest, and live every so many minutes",
    )

    @field_validator("report", mode="before")
    @classmethod
    def _is_a_switch_or_minutes(cls, given: Any) -> Any:
        is_number = isinstance(given, int | float) and not isinstance(given, bool)
        if isinstance(given, bool) or (is_number and 1 <= given < _LONGEST_PAUSE):
            return given if isinstance(given, bool) else float(given)
        raise ValueError("must be true, false, or minutes from 1 on: how often live, at most")

    @property
    def report_minutes(self) -> float | None:
        """Minutes between two reports of a bot; None without any."""
        if isinstance(self.report, bool):
            return _PAUSE if self.report else None
        return self.report

    @model_validator(mode="after")
    def _value_needs_take_profits(self) -> "Configuration":
        if self.settings.labels.rule == "smoothed" and self.confidence.mode == "expected_value":
            raise ValueError(
                "freqai.dual_window.confidence.mode 'expected_value' needs take-profits, which the "
                "rule 'smoothed' has none of; set it to 'balanced', or 'custom' with thresholds"
            )
        return self


# Where each part of a configuration stands in the block `freqai`.
KEYS = {
    "settings.history": "conv_width",
    "settings.horizon": "feature_parameters.label_period_candles",
    "settings.validation_share": "data_split_parameters.test_size",
    "settings.weight_factor": "feature_parameters.weight_factor",
    "settings.model": "model_training_parameters",
    "settings.labels": "dual_window.labels",
    "settings.balancing": "dual_window.balancing",
    "settings.scaler": "dual_window.scaler",
    "settings.calibration": "dual_window.calibration",
    "settings.pooling": "dual_window.pooling",
    "settings.max_untraded": "dual_window.max_untraded_candles",
    "confidence": "dual_window.confidence",
    "guards": "dual_window.guards",
    "threads": "dual_window.threads",
    "report": "dual_window.report",
}
_LENGTHS = {"train_days": "train_period_days", "window_days": "backtest_period_days"}
_HINTS = {
    "settings.history": (
        "; it is the history window in candles, for example 180 (FreqAI puts 1 where it is missing)"
    ),
    "settings.validation_share": "; early stopping needs a validation part",
}
_OWN_KEYS = {
    key.removeprefix("dual_window.") for key in KEYS.values() if key.startswith("dual_window.")
}


# What only FreqAI's own pipeline and loop can do.
_FREQAIS_OWN = (
    "DI_threshold",
    "use_SVM_to_remove_outliers",
    "principal_component_analysis",
    "include_corr_pairlist",
    "include_shifted_candles",
    "continual_learning",
)
_ELSEWHERE = {"agent": " here: it needs --freqaimodel DualWindowAgent; leave it out otherwise"}
_MEMBER_KINDS = [kind for kind in KINDS if kind != "ensemble"]
_LABELS, _MODEL = ["settings", "labels"], ["settings", "model"]


class ConfigurationError(ValueError):
    """Every problem of a configuration at once."""

    def __init__(self, problems: list[str]) -> None:
        lines = "\n".join(f"  - {problem}" for problem in problems)
        super().__init__(f"freqai cannot run with this configuration:\n{lines}")
        self.problems = problems


def read_configuration(freqai: Mapping[str, Any], elsewhere: Sequence[str] = ()) -> Configuration:
    """Read the configuration's `freqai` block without changing it.

    Parameters of `model_training_parameters` that belong to another kind are left out, so that one
    word changes the kind whatever a preset says of the others; but not beside an ensemble, of
    which somebody may think that its members take them.

    Parameters
    ----------
    freqai : the block
    elsewhere : problems of the rest of the configuration, to be told with those of the block

    Raises
    ------
    ConfigurationError
        Once, with every problem found: unknown keys, values out of bounds, and FreqAI keys that
        would break the order of time or have no meaning for this model.
    """
    if broken := broken_blocks(freqai):
        raise ConfigurationError([*elsewhere, *broken])
    problems = [*elsewhere, *refused_keys(freqai, _suggest)]
    own = freqai.get("dual_window", {})
    problems += [
        f"freqai.dual_window.{key} is unknown{_ELSEWHERE.get(key) or _suggest(key, _OWN_KEYS)}"
        for key in own
        if key not in _OWN_KEYS
    ]
    found: dict[str, Any] = {"settings": {}}
    for place, key in KEYS.items():
        block, value = freqai, None
        *path, last = key.split(".")
        for part in path:
            block = block.get(part, {})
        if last in block:
            value = _of_its_kind(block[last]) if place == "settings.model" else block[last]
            home, _, name = place.rpartition(".")
            (found[home] if home else found)[name] = value
    configuration = None
    try:
        configuration = Configuration.model_validate(found)
    except ValidationError as error:
        errors = error.errors()
        problems += [_describe(e) for e in errors if not _only_follows(e, errors)]
    if problems or configuration is None:
        raise ConfigurationError(problems)
    return configuration


def freqais_own(freqai: Mapping[str, Any]) -> list[str]:
    """Name the keys that are set and that only FreqAI itself, no other host, can do."""
    block = {**freqai, **freqai.get("feature_parameters", {})}
    return [f"freqai.{key}" for key in _FREQAIS_OWN if block.get(key)]


def refuse_other_features(
    config: Mapping[str, Any], settings: Settings, whitelist: Sequence[str] | None = None
) -> None:
    """Refuse pairs with other features than the rest where all are learnt from together.

    FreqAI gives a pair no features of itself as a correlated one.

    Parameters
    ----------
    config : freqtrade's
    settings : of the model
    whitelist : pairs that are traded; None as long as only those are known that the configuration
        names, in which patterns may stand for others

    Raises
    ------
    ConfigurationError
        If a pair of the whitelist is a correlated one.
    """
    features = config.get("freqai", {}).get("feature_parameters", {})
    pairs = whitelist or config.get("exchange", {}).get("pair_whitelist", [])
    both = sorted({*features.get("include_corr_pairlist", [])} & {*pairs})
    if both and len(pairs) > 1 and settings.pooling == "whitelist":
        raise ConfigurationError(
            [
                f"freqai.feature_parameters.include_corr_pairlist: {', '.join(both)} would have "
                "other features than the rest of the whitelist, and all pairs that are learnt from "
                "together need the same; correlate with pairs that are not traded, or set "
                "freqai.dual_window.pooling to 'pair'"
            ]
        )


@contextmanager
def in_users_words() -> Iterator[None]:
    """Let errors of the core name settings as the configuration does."""
    try:
        yield
    except (TrainingError, FloatingPointError) as error:
        told = type(error)(translated(str(error)))
        raise told.with_traceback(error.__traceback__) from None


def translated(message: str) -> str:
    """Translate the settings that a message of the core names in backticks.

    Examples
    --------
    >>> translated("`history` is 9; raise `train_days` or lower `model.seed`")
    'freqai.conv_width is 9; raise train_period_days or lower model_training_parameters.seed'
    """

    def users_name(match: re.Match[str]) -> str:
        first, _, rest = match.group(1).partition(".")
        if first in _LENGTHS:
            return _LENGTHS[first]
        key = KEYS.get(f"settings.{first}")
        if key is None:
            return match.group(0)
        prefix = "" if key.startswith(("model_training", "data_split")) else "freqai."
        return f"{prefix}{key}.{rest}" if rest else f"{prefix}{key}"

    return re.sub(r"`([A-Za-z_.]+)`", users_name, message)


def _of_its_kind(given: Any) -> Any:
    """Leave out what is known, but to other kinds only; an ensemble has members to put it into."""
    if not isinstance(given, Mapping):
        return given
    kind = str(given.get("kind", DEFAULT_KIND))
    foreign = [] if kind == "ensemble" else foreign_parameters(kind, given)
    if foreign:
        logger.info("The kind '%s' does not use %s", kind, ", ".join(foreign))
    return {key: value for key, value in given.items() if key not in foreign}


def foreign_parameters(kind: str, names: Iterable[str]) -> list[str]:
    """Name those of some parameters that other kinds have, but not this one.

    Examples
    --------
    >>> foreign_parameters("ensemble", ["epochs", "stride", "epoch"])
    ['epochs']
    """
    if kind not in KINDS:
        return []
    others = {name for each in KINDS.values() for name in each.model_fields}
    return [name for name in names if name in others - KINDS[kind].model_fields.keys()]


def _only_follows(error: Any, errors: Sequence[Any]) -> bool:
    """Tell whether a list is called too short just because its items were refused."""
    place = error["loc"]
    items = (e for e in errors if len(e["loc"]) > len(place) and e["loc"][: len(place)] == place)
    return error["type"] == "too_short" and any(items)


def _describe(error: Any) -> str:
    where = error["loc"]
    place = _without_kinds(where)
    if error["type"] == "union_tag_invalid":
        return _describe_tag(error["input"], place)
    name = users_key(".".join(place))
    if error["type"] == "extra_forbidden":
        others = [kind for kind in _MEMBER_KINDS if place[-1] in KINDS[kind].model_fields]
        if others and "members" in place:
            return f"freqai.{name} is unknown; it belongs to a member of kind {' or '.join(others)}"
        if others and place[:2] == _MODEL:
            return (
                f"freqai.{name} would be ignored, because each member of an ensemble has its own; "
                f"write it into the blocks of freqai.{users_key('settings.model')}.members whose "
                f"kind has it ({', '.join(others)}), or remove it. Received: {error['input']!r}"
            )
        rules = [f"'{r}'" for r, block in LABEL_RULES.items() if place[-1] in block.model_fields]
        if rules and place[:2] == _LABELS:
            return f"freqai.{name} belongs to the rule {' or '.join(rules)}; remove it"
        return f"freqai.{name} is unknown{_suggest(place[-1], _siblings(place, where))}"
    message = translated(error["msg"].removeprefix("Value error, "))
    if not name:
        return message
    hint = _HINTS.get(".".join(place[:2]), "")
    return f"freqai.{name}: {message}. Received: {error['input']!r}{hint}"


def _describe_tag(given: Mapping[str, Any], place: list[str]) -> str:
    """Say which kinds or rules there are."""
    is_rule = place == _LABELS
    word, known = ("rule", list(LABEL_RULES)) if is_rule else ("kind", list(KINDS))
    names = ", ".join(repr(name) for name in (_MEMBER_KINDS if "members" in place else known))
    key = users_key(".".join(place))
    return f"freqai.{key}.{word} must be one of {names}. Received: {given.get(word)!r}"


def _without_kinds(where: Sequence[Any]) -> list[str]:
    """Leave out the rule after `labels`, and kinds after `model` and after a member's number."""
    place = [str(part) for part in where]
    if place[:2] == _LABELS:
        return place[:2] + place[3:]
    if place[:2] != _MODEL:
        return place
    rest = place[3:]
    if rest[:1] == ["members"]:
        rest = rest[:2] + rest[3:]
    return place[:2] + rest


def users_key(place: str) -> str:
    """Name a dotted field of `Configuration` as it stands in the block `freqai`."""
    for own, key in KEYS.items():
        if place == own or place.startswith(f"{own}."):
            return key + place.removeprefix(own)
    return ""


def _siblings(place: list[str], where: tuple[Any, ...]) -> set[str]:
    if place[:2] == _MODEL:
        kind = where[5] if "members" in place else where[2]
        return set(KINDS[str(kind)].model_fields)
    if place[:2] == _LABELS:
        return set(LABEL_RULES[where[2]].model_fields)
    model: Any = Configuration
    for part in place[:-1]:
        annotation = model.model_fields[part].annotation
        model = next((a for a in get_args(annotation) if a is not type(None)), annotation)
    return set(model.model_fields)


def _homes() -> Iterator[tuple[str, set[str]]]:
    blocks: dict[str, type[BaseModel]] = {
        "balancing": BalancingSettings,
        "confidence": ConfidenceSettings,
        "guards": GuardSettings,
    }
    yield "freqai", FREQAI_KEYS
    yield "freqai.feature_parameters", FEATURE_KEYS
    yield "freqai.data_split_parameters", SPLIT_KEYS
    for kind in KINDS.values():
        yield "freqai.model_training_parameters", set(kind.model_fields)
    yield "freqai.dual_window", _OWN_KEYS
    for rule in LABEL_RULES.values():
        yield "freqai.dual_window.labels", set(rule.model_fields)
    for name, block in blocks.items():
        yield f"freqai.dual_window.{name}", set(block.model_fields)


def _suggest(key: str, known: set[str]) -> str:
    for block, keys in _homes():
        if key in keys:
            return f"; it belongs in {block}"
    close = get_close_matches(key, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else "; remove it"

"""What a study may choose from: settings, each with a list of values or a range of numbers."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dualwindow.cli import CommandError
from dualwindow.settings import DEFAULT_KIND
from dualwindow_freqtrade.freqai.configuration import KEYS, foreign_parameters
from dualwindow_trainer.walk import TRAIN_DAYS

# What makes the labels, by which all are judged alike.
_LABELS = (
    "feature_parameters.label_period_candles",
    "dual_window.labels",
    "dual_window.max_untraded_candles",
)


@dataclass(frozen=True)
class Choice:
    """One setting of a study.

    Parameters
    ----------
    key : dotted, of the block freqai
    values : to choose from; empty where it is a range
    low, high : of a range, both included
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    def __str__(self) -> str:
        if not self.values:
            return f"{self.key}={self.low}..{self.high}"
        return f"{self.key}={'|'.join(json.dumps(value) for value in self.values)}"

    def ask(self, trial: Any) -> Any:
        """Let a trial of Optuna choose."""
        if self.values:
            # Optuna wants plain values: lists are told as JSON.
            words = [json.dumps(value) for value in self.values]
            return json.loads(trial.suggest_categorical(self.key, words))
        is_wide = self.low > 0 and self.high / self.low >= 10
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.key, self.low, self.high, log=is_wide)
        return trial.suggest_float(self.key, self.low, self.high, log=is_wide)


def choice(words: str) -> Choice:
    """Read ``KEY=VALUE|VALUE`` or ``KEY=LOW..HIGH``.

    A range of whole numbers has no point in it; one that spans a factor of ten is searched by its
    logarithm.

    Raises
    ------
    CommandError
        If it is neither.

    Examples
    --------
    >>> choice("conv_width=60|180")
    Choice(key='conv_width', values=(60, 180), low=0.0, high=0.0)
    >>> choice("model_training_parameters.learning_rate=0.0001..0.01").high
    0.01
    """
    key, is_one, text = words.partition("=")
    key = key.removeprefix("freqai.")
    if not is_one or not key or not text:
        raise CommandError(f"--try must be like conv_width=60|180. Received: {words}")
    low, is_range, high = text.partition("..")
    if is_range:
        numbers = [_value(low), _value(high)]
        is_number = all(type(n) in (int, float) and math.isfinite(n) for n in numbers)
        if not is_number or not numbers[0] < numbers[1]:
            raise CommandError(f"--try: a range must be like 0.1..0.5. Received: {words}")
        return Choice(key, (), *numbers)
    return Choice(key, tuple(_value(part) for part in text.split("|")))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def space_of(tries: Sequence[str]) -> list[Choice]:
    """Read all choices of a study.

    Raises
    ------
    CommandError
        If a key shapes no prediction, makes the labels, or is there twice.
    """
    space = [choice(words) for words in tries]
    keys = [each.key for each in space]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise CommandError(f"--try: named more than once: {', '.join(twice)}")
    shaping = [key for place, key in KEYS.items() if place.startswith("settings.")]
    for key in keys:
        if _is_of(key, _LABELS):
            raise CommandError(f"--try: {key} makes the labels that all are judged by; --set it")
        if key != TRAIN_DAYS and not _is_of(key, shaping):
            raise CommandError(f"--try: {key} shapes no prediction")
    return space


def kinds_of(space: Sequence[Choice], block: Mapping[str, Any]) -> tuple[Any, ...]:
    """List the kinds that trials may choose, or the one that is configured.

    Raises
    ------
    CommandError
        If a parameter is tried that an ensemble among them does not have: to try it would be to
        make the same trial again.
    """
    model = KEYS["settings.model"]
    tried = {each.key.removeprefix(f"{model}."): each.values for each in space}
    kinds = tried.get("kind", (block[model].get("kind", DEFAULT_KIND),))
    if "ensemble" in kinds and (foreign := foreign_parameters("ensemble", tried)):
        raise CommandError(
            f"--try: {model}.{foreign[0]} is not of the kind 'ensemble', whose members have their "
            f"own; try {model}.kind without it, or whole lists of {model}.members"
        )
    return kinds


def _is_of(key: str, blocks: Sequence[str]) -> bool:
    return any(key == block or key.startswith(f"{block}.") for block in blocks)


def assignments(chosen: Mapping[str, Any]) -> list[str]:
    """Write what was chosen as ``--set`` takes it."""
    return [f"{key}={json.dumps(value)}" for key, value in chosen.items()]

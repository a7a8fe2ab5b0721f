"""What a study may choose from: settings, each with a list of values or a range of numbers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dualwindow.cli import CommandError

TRAIN_DAYS = "train_days"  # no setting of the block freqai, but a length of the walk-forward
KIND = "model_training_parameters.kind"


@dataclass(frozen=True)
class Choice:
    """One setting of a study.

    Parameters
    ----------
    key : dotted, of the block freqai, or `train_days`
    values : to choose from; empty where it is a range
    low, high : of a range, both included
    """

    key: str
    values: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0

    def ask(self, trial: Any) -> Any:
        """Let a trial of Optuna choose."""
        if self.values:
            # Optuna wants plain values: lists are told as JSON.
            words = [json.dumps(value) for value in self.values]
            return json.loads(trial.suggest_categorical(self.key, words))
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.key, self.low, self.high)
        is_wide = self.low > 0 and self.high / self.low >= 10
        return trial.suggest_float(self.key, self.low, self.high, log=is_wide)


def choice(words: str) -> Choice:
    """Read ``KEY=VALUE|VALUE`` or ``KEY=LOW..HIGH``.

    A range of whole numbers has no point in it; one that spans a factor of ten is searched
    by its logarithm.

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
        if not all(type(n) in (int, float) for n in numbers) or not numbers[0] < numbers[1]:
            raise CommandError(f"--try: a range must be like 0.1..0.5. Received: {words}")
        return Choice(key, (), *numbers)
    return Choice(key, tuple(_value(part) for part in text.split("|")))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def assignments(chosen: Mapping[str, Any]) -> list[str]:
    """Write what was chosen as ``--set`` takes it."""
    return [f"{key}={json.dumps(value)}" for key, value in chosen.items() if key != TRAIN_DAYS]

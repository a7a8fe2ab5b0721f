"""Make the configured confidence the parameters of a strategy, and these a rule."""

import logging
from collections.abc import Mapping
from math import ceil, floor
from typing import Any, NamedTuple

from freqtrade.exceptions import OperationalException
from freqtrade.strategy import DecimalParameter, IStrategy

from dualwindow.judging.decisions import (
    ConfidenceError,
    ExpectedValue,
    Rule,
    Thresholds,
    thresholds,
)
from dualwindow.market.labels import Barriers
from dualwindow.settings import ConfidenceSettings, Fallback
from dualwindow_freqtrade.strategy.hyperopt_file import configured_parameter

logger = logging.getLogger(__name__)

_NAMES = ("mode", "margin", "entry_short", "entry_hold", "entry_long")
_EXITS = ("exit_at_horizon", "exit_on_opposite")


class Begun(NamedTuple):
    """A value before hyperopt's file is loaded, and where it comes from."""

    value: Any
    source: str

    def __str__(self) -> str:
        return f"{self.value} ({self.source})"

    @classmethod
    def of(cls, confidence: ConfidenceSettings, field: str, value: Any) -> "Begun":
        """Tell whether it is configured or a default, which also a mode may have."""
        is_given = field in confidence.model_fields_set
        return cls(value, "configuration" if is_given else "default")


def read_fees(config: Mapping[str, Any], mode: str) -> float:
    """Read what entry and exit cost together; each pays the fee of the configuration once."""
    fee = config.get("fee")
    if fee is None and mode == "expected_value":
        raise OperationalException(
            "dual_window.confidence.mode 'expected_value' needs to know the trading fee: set "
            "'fee' in the configuration (0.001 is 0.1 %) or choose another mode"
        )
    if fee is None:
        logger.warning("'fee' is not set; predictions are judged without fees")
    return 2 * (fee or 0.0)


def begin_parameters(strategy: IStrategy, confidence: ConfidenceSettings) -> dict[str, Begun]:
    """Let the parameters of a strategy begin with the configured values.

    Returns
    -------
    Those that are read with this confidence.
    """
    chosen, by_value = thresholds(confidence), confidence.mode == "expected_value"
    configured = {
        "mode": (confidence.mode, False),
        "margin": (confidence.margin, by_value),
        "entry_short": (chosen.short, not by_value),
        # Read only where nothing else passes.
        "entry_hold": (chosen.hold, not by_value and confidence.fallback == "argmax"),
        "entry_long": (chosen.long, not by_value),
    }
    begun = {}
    for name, (value, optimize) in configured.items():
        field = name.removeprefix("entry_")
        key = f"freqai.dual_window.confidence.{field}"
        parameter = getattr(type(strategy), name)
        setattr(strategy, name, configured_parameter(parameter, value, key, optimize=optimize))
        if optimize or name == "mode":
            begun[name] = Begun.of(confidence, field, value)
    return begun | {name: Begun(getattr(strategy, name).value, "default") for name in _EXITS}


def limit_margin(margin: DecimalParameter, barriers: Barriers, fees: float) -> None:
    """Let hyperopt search only margins that mean something, rounded to what it can hold.

    Above, not even a certain win is worth the margin. Below, the rule would enter on what a price
    without drift does by chance, so on the class frequencies.
    """
    if not barriers.has_take_profits:  # no rule of these labels has a margin
        return
    unit = 10**margin.decimals
    best = max(barriers.long_take_profit, barriers.short_take_profit) - fees
    margin.high = min(margin.high, floor(best * unit - 1) / unit)
    margin.low = max(margin.low, ceil(-fees * unit - 1e-6) / unit)


def rule_of(
    strategy: IStrategy, barriers: Barriers, fees: float, found: Mapping[str, Any] | None = None
) -> Rule:
    """Build the confidence rule from the parameters as they are, or as they were found."""
    now = {name: getattr(strategy, name).value for name in _NAMES} | dict(found or {})
    try:
        if now["mode"] == "expected_value":
            return ExpectedValue(barriers, fees, now["margin"])
        return Thresholds(now["entry_short"], now["entry_hold"], now["entry_long"])
    except ConfidenceError as error:
        raise OperationalException(str(error)) from None


def confidence_of(strategy: IStrategy, fallback: Fallback) -> ConfidenceSettings:
    """Say the rule of a strategy as settings, with its parameters as they are."""
    if strategy.mode.value == "expected_value":
        return ConfidenceSettings(
            mode="expected_value", margin=strategy.margin.value, fallback=fallback
        )
    return ConfidenceSettings(
        mode="custom",
        short=strategy.entry_short.value,
        hold=strategy.entry_hold.value,
        long=strategy.entry_long.value,
        fallback=fallback,
    )

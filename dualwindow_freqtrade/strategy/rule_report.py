"""Say by which rule a strategy trades, and where each of its values comes from."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from math import isinf
from typing import Any, NamedTuple

from freqtrade.enums import TRADE_MODES, RunMode
from freqtrade.persistence import Trade
from freqtrade.strategy import DecimalParameter, IStrategy

from dualwindow.judging.decisions import Rule, break_even
from dualwindow.market.labels import CLASSES, LONG, SHORT, Barriers
from dualwindow.settings import ConfidenceSettings
from dualwindow_freqtrade.strategy.hyperopt_file import hyperopt_path
from dualwindow_freqtrade.strategy.rule_parameters import Begun

logger = logging.getLogger(__name__)

_FILE = "hyperopt's file"


class Terms(NamedTuple):
    """What a rule is bound to beside its parameters; `fees` are of entry and exit together."""

    confidence: ConfidenceSettings
    barriers: Barriers
    horizon: timedelta
    fees: float


class _Value(NamedTuple):
    name: str
    now: Any  # None while hyperopt searches for it
    source: str
    begun: Begun

    def __str__(self) -> str:
        if self.now is None:
            return f"{self.name} {self.source}"
        return f"{self.name} {self.now} ({self.source})"


def log_rule(
    strategy: IStrategy,
    begun: Mapping[str, Begun],
    found: Collection[str],
    rule: Rule,
    terms: Terms,
) -> None:
    """Log the rule in effect once all parameters are loaded, and warn of what nobody may expect.

    Parameters
    ----------
    strategy : whose parameters are as they will be
    begun : name to value of the parameters that are read, as they were before the file
    found : names of the parameters in the file
    rule : made of the parameters
    terms : see there
    """
    values = [_in_effect(strategy, name, before, found) for name, before in begun.items()]
    fallback = Begun.of(terms.confidence, "fallback", terms.confidence.fallback)
    told = [*map(str, values), f"fallback {fallback}", *_ends(values, terms)]
    logger.info("Rule in effect: %s; fees %.2f %%", ", ".join(told), 100 * terms.fees)
    overridden = [v for v in values if v.source == _FILE and v.now != v.begun.value]
    if overridden and strategy.config["runmode"] in TRADE_MODES:
        logger.warning(
            "%s, which hyperopt wrote, overrides %s; delete it to trade by the configuration",
            hyperopt_path(strategy),
            ", ".join(f"{v.name}: {v.now} instead of {v.begun}" for v in overridden),
        )
    low = _below_break_even(rule, terms, (LONG, SHORT) if strategy.can_short else (LONG,))
    if low and strategy.config["runmode"] != RunMode.HYPEROPT:
        logger.warning(
            "The rule enters below break-even: %s. By the model's own reckoning such trades lose; "
            "raise the margin or the thresholds",
            ", ".join(low),
        )


def _in_effect(strategy: IStrategy, name: str, begun: Begun, found: Collection[str]) -> _Value:
    parameter = getattr(strategy, name)
    if parameter.in_space and parameter.optimize:
        is_number = isinstance(parameter, DecimalParameter)
        limits = f" from {parameter.low} to {parameter.high}" if is_number else ""
        return _Value(name, None, f"searched{limits}", begun)
    if name in found:
        return _Value(name, parameter.value, _FILE, begun)
    is_begun = parameter.value == begun.value
    return _Value(name, parameter.value, begun.source if is_begun else "strategy", begun)


def _ends(values: Sequence[_Value], terms: Terms) -> list[str]:
    b, now = terms.barriers, {value.name: value.now for value in values}
    ends = [
        f"a long ends at {_either('+', b.long_take_profit)}-{100 * b.long_stop_loss:g} %",
        f"a short at {_either('-', b.short_take_profit)}+{100 * b.short_stop_loss:g} %",
    ]
    if now["exit_at_horizon"]:
        ends.append(f"both after {terms.horizon}")
    if now["exit_on_opposite"]:
        ends.append("both on the opposite signal")
    return ends


def _either(sign: str, take_profit: float) -> str:
    return "" if isinf(take_profit) else f"{sign}{100 * take_profit:g} % or "


def _below_break_even(rule: Rule, terms: Terms, sides: Sequence[int]) -> list[str]:
    entered, even = rule.entered_from, break_even(terms.barriers, terms.fees)
    # Where nothing passes, the most probable of three may have little more than a third.
    least = 1 / 3 if terms.confidence.fallback == "argmax" else 1.0
    return [
        f"{CLASSES[side]} from {min(entered[side], least):.3f} instead of {even[side]:.3f}"
        for side in sides
        if min(entered[side], least) < even[side] - 1e-9
    ]


def warn_of_liquidation(trade: Trade, stop: float) -> None:
    """Warn of a trade that the exchange ends before its stop is touched."""
    liquidation = trade.liquidation_price
    if liquidation and (liquidation < stop if trade.is_short else liquidation > stop):
        logger.warning(
            "%s: with leverage %g it is liquidated at %s, before the stop at %s; take less of it",
            trade.pair,
            trade.leverage,
            liquidation,
            stop,
        )

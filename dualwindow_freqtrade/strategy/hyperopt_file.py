"""Vet the values of a strategy's parameters: those configured, and those in hyperopt's file."""

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from freqtrade.enums import RunMode
from freqtrade.exceptions import OperationalException
from freqtrade.strategy import CategoricalParameter, DecimalParameter, IStrategy
from freqtrade.strategy.hyper import detect_all_parameters
from freqtrade.strategy.parameters import BaseParameter

logger = logging.getLogger(__name__)

Allowed = Sequence[Any] | int | None


def configured_parameter(
    parameter: BaseParameter, value: Any, key: str, *, optimize: bool
) -> BaseParameter:
    """Copy a parameter, which the class shares with all instances, and let it begin at a value.

    Parameters
    ----------
    parameter : of the strategy's class
    value : as configured
    key : where it is configured, for the message if the parameter would round it
    optimize : whether hyperopt searches for a better one
    """
    begun = copy(parameter)
    begun.value, begun.optimize = value, optimize
    if begun.value != value:
        raise OperationalException(
            f"{key}: at most {begun.decimals} digits behind the point, as hyperopt has them. "
            f"Received: {value}"
        )
    return begun


def hyperopt_path(strategy: IStrategy) -> Path:
    """Name the file in which hyperopt leaves what it has found for a strategy."""
    return Path(strategy.__file__).with_suffix(".json")


def values_found(strategy: IStrategy, mode: str) -> dict[str, Any]:
    """Return what hyperopt's file beside the strategy holds; a new search starts without a bad one.

    freqtrade overwrites the parameters with it as soon as `bot_start` returns; it says nothing
    about names that it does not know or that are missing.

    Parameters
    ----------
    strategy : as `bot_start` leaves it
    mode : the configured confidence mode

    Raises
    ------
    OperationalException
        If it was found for something else.
    """
    file = strategy._ft_params_from_file
    if not file:
        return {}
    spaces = detect_all_parameters(type(strategy))
    allowed = {name: _allowed(p) for space in spaces.values() for name, p in space.items()}
    found = {name: value for space in spaces for name, value in file.get(space, {}).items()}
    problems = foreign_parameters(found, allowed, mode)
    path = hyperopt_path(strategy)
    if problems and strategy.config["runmode"] == RunMode.HYPEROPT:
        logger.warning("%s is not used, and will be replaced: %s", path, "; ".join(problems))
        strategy._ft_params_from_file = {}
        return {}
    if problems:
        raise OperationalException(
            f"{path}, which hyperopt wrote, does not fit: {'; '.join(problems)}. Delete it, or "
            "run hyperopt again"
        )
    return found


def _allowed(parameter: BaseParameter) -> Allowed:
    if isinstance(parameter, CategoricalParameter):
        return parameter.opt_range
    return parameter.decimals if isinstance(parameter, DecimalParameter) else None


def foreign_parameters(
    found: Mapping[str, Any], allowed: Mapping[str, Allowed], mode: str
) -> list[str]:
    """Describe what makes values found by hyperopt unfit for this strategy and configuration.

    Parameters
    ----------
    found : parameter name to value, `mode` among them
    allowed : parameter name to the options it has, or to the digits behind the point of a number,
        or to None where anything goes
    mode : the configured confidence mode

    Examples
    --------
    >>> foreign_parameters({"mode": "balanced", "x": 0.5}, {"mode": None, "x": 2}, "balanced")
    []
    >>> foreign_parameters({"mode": "custom", "x": 0.555}, {"mode": None, "x": 2}, "custom")
    ['x must be a number with at most 2 digits behind the point. Received: 0.555']
    """
    problems = []
    if unknown := sorted(found.keys() - allowed.keys()):
        problems.append(f"unknown parameters {unknown}")
    if missing := sorted(allowed.keys() - found.keys()):
        problems.append(f"no values for {missing}: it is from another version of the strategy")
    for name in sorted(found.keys() & allowed.keys()):
        value, options = found[name], allowed[name]
        if isinstance(options, int):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or round(value, options) != value:
                problems.append(
                    f"{name} must be a number with at most {options} digits behind the point. "
                    f"Received: {value!r}"
                )
        elif options is not None and not any(value is o or value == o for o in options):
            problems.append(f"{name} must be one of {list(options)}. Received: {value!r}")
    if "mode" in found and found["mode"] != mode:
        problems.append(
            f"it was found for confidence mode '{found['mode']}', the configuration says '{mode}'"
        )
    return problems

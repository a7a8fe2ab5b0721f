"""Check the parameters that a search has found before they are used."""

from collections.abc import Mapping, Sequence
from typing import Any

Allowed = Sequence[Any] | int | None


def foreign_parameters(
    found: Mapping[str, Any], known: Mapping[str, Allowed], mode: str
) -> list[str]:
    """Describe what makes values found by hyperopt unfit for this strategy and configuration.

    Parameters
    ----------
    found : parameter name to value, `mode` among them
    known : parameter name to the options it has, or to the digits behind the point of a number,
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
    if unknown := sorted(found.keys() - known.keys()):
        problems.append(f"unknown parameters {unknown}")
    if missing := sorted(known.keys() - found.keys()):
        problems.append(f"no values for {missing}: it is from another version of the strategy")
    for name in sorted(found.keys() & known.keys()):
        value, allowed = found[name], known[name]
        if isinstance(allowed, int):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or round(value, allowed) != value:
                problems.append(
                    f"{name} must be a number with at most {allowed} digits behind the point. "
                    f"Received: {value!r}"
                )
        elif allowed is not None and not any(value is o or value == o for o in allowed):
            problems.append(f"{name} must be one of {list(allowed)}. Received: {value!r}")
    if "mode" in found and found["mode"] != mode:
        problems.append(
            f"it was found for confidence mode '{found['mode']}', the configuration says '{mode}'"
        )
    return problems

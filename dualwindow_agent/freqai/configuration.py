"""Read the agent's block of a freqtrade configuration, and check it once."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from dualwindow.settings import Frozen
from dualwindow_agent.learning.training import missing_packages
from dualwindow_agent.settings import AgentSettings

BLOCK = "freqai.dual_window.agent"
# What the rest of the configuration says, or freqtrade cannot do.
_NOT_HERE = {
    "market.fee": "it is the configuration's 'fee'",
    "market.shorts": "it follows from 'trading_mode'",
    "market.leverage": "freqtrade's accounts begin with leverage 1 here",
    "learning.checkpoint_every": "a training in freqtrade keeps no checkpoints, it begins anew",
    "market.actions": "freqtrade can hold a pair or not; only 'positions' says that",
    "observation": (
        "'published' looks at cash, which freqtrade divides between pairs, and at models of other "
        "horizons, which FreqAI does not have"
    ),
}
_ALLOWED = {"market.leverage": 1, "market.actions": "positions", "observation": "default"}


class AgentBlock(Frozen):
    """All that is configured of an agent in freqtrade."""

    classifier_days: float = Field(
        gt=0, description="days of candles that each classifier learns from; by default half of all"
    )
    window_days: float = Field(
        1.0,
        gt=0,
        description="days a classifier predicts for the agent, before the next is trained",
    )
    agent: AgentSettings = AgentSettings()


def divided(freqai: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Divide the block `freqai` into what the classifier reads, and the agent's; both are copies.

    Examples
    --------
    >>> divided({"conv_width": 9, "dual_window": {"pooling": "pair", "agent": {"window_days": 2}}})
    ({'conv_width': 9, 'dual_window': {'pooling': 'pair'}}, {'window_days': 2})
    """
    own = dict(freqai.get("dual_window", {}))
    block = own.pop("agent", {})
    return {**freqai, "dual_window": own}, block


def read_agent(config: Mapping[str, Any], block: Any) -> tuple[AgentBlock | None, list[str]]:
    """Read the agent's block.

    Parameters
    ----------
    config : of freqtrade, which knows the fee and whether there are shorts; stays as it is
    block : what stands in ``freqai.dual_window.agent``

    Returns
    -------
    The settings, or None if there are problems; and every problem, in the words of the
    configuration.
    """
    if not isinstance(block, Mapping):
        return None, [f"{BLOCK} must be a block of settings. Received: {block!r}"]
    problems = [*_missing_libraries(), *_misplaced(block), *_unfit(config)]
    days = config["freqai"].get("train_period_days", 0)
    try:
        found = AgentBlock.model_validate(_completed(config, block, days))
    except ValidationError as error:
        return None, [*problems, *map(_described, error.errors())]
    if found.classifier_days + found.window_days > days:
        problems.append(
            f"{BLOCK}.classifier_days is {found.classifier_days:g} and window_days "
            f"{found.window_days:g}, together more than freqai.train_period_days, {days:g}: "
            "nothing is left for the agent to learn from; lower them or raise it"
        )
    return (None if problems else found), problems


def _unfit(config: Mapping[str, Any]) -> list[str]:
    """Name what the rest of the configuration must say otherwise."""
    problems = []
    if config.get("fee") is None:
        problems.append(
            "fee is missing: the agent must know what trading costs; set 'fee' to what an entry or "
            "an exit costs (0.001 is 0.1 %)"
        )
    if config["freqai"].get("continual_learning"):
        problems.append(
            "freqai.continual_learning must be false: the agent learns on classifiers that begin "
            "afresh, and would act on one that has seen more than they"
        )
    return problems


def _completed(config: Mapping[str, Any], block: Mapping[str, Any], days: float) -> dict[str, Any]:
    """Add what the rest of the configuration says to what stands in the block."""
    lengths = {k: block[k] for k in ("classifier_days", "window_days") if k in block}
    market = block.get("market", {})
    if isinstance(market, Mapping):
        shorts = str(config.get("trading_mode", "spot")) != "spot"
        market = {**market, "fee": config.get("fee") or 0.0, "shorts": shorts}
    rest = {**{k: v for k, v in block.items() if k not in lengths}, "market": market}
    return {"classifier_days": days / 2, **lengths, "agent": rest}


def _missing_libraries() -> list[str]:
    lacking = missing_packages()
    if not lacking:
        return []
    return [
        f"DualWindowAgent needs {', '.join(lacking)}: install PyTorch's CPU build first, as its "
        "site says, then pip install -e '.[agent]' (docs/agent.md)"
    ]


def _misplaced(block: Mapping[str, Any]) -> list[str]:
    problems = []
    for place, why in _NOT_HERE.items():
        *path, last = place.split(".")
        part: Any = block
        for name in path:
            part = part.get(name, {}) if isinstance(part, Mapping) else {}
        given = part.get(last) if isinstance(part, Mapping) else None
        if given is not None and given != _ALLOWED.get(place):
            problems.append(f"{BLOCK}.{place} must not be set: {why}. Received: {given!r}")
    return problems


def _described(error: Any) -> str:
    place = [str(part) for part in error["loc"]]
    if place[:1] == ["agent"]:
        place = place[1:]
    name = ".".join([BLOCK, *place])
    if error["type"] == "extra_forbidden":
        close = get_close_matches(place[-1], _siblings(place), n=1)
        return f"{name} is unknown{f'; did you mean {close[0]!r}?' if close else '; remove it'}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{name}: {message}. Received: {error['input']!r}"


def _siblings(place: list[str]) -> list[str]:
    model: Any = AgentSettings
    for part in place[:-1]:
        model = model.model_fields[part].annotation
    assert issubclass(model, BaseModel)
    more = ["classifier_days", "window_days"] if len(place) == 1 else []
    return [*model.model_fields, *more]

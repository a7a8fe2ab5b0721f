"""Read what an agent is asked to be: settings from a preset and flags, and its tapes."""

import argparse
import json
import math
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dualwindow.cli import CommandError
from dualwindow.learning.fingerprint import flatten
from dualwindow_agent.market.tables import Span, Told, read_tapes
from dualwindow_agent.market.tape import Tape, TapeError
from dualwindow_agent.market.walk_table import TableError
from dualwindow_agent.settings import PUBLISHED, AgentSettings

PRESETS = {"default": AgentSettings(), "published": PUBLISHED}
_DAY = 86400
_TEST_SHARE = 0.25


def settings_of(arguments: argparse.Namespace) -> AgentSettings:
    """Put a preset, ``--set`` and ``--fee`` together; the later ones win.

    Raises
    ------
    CommandError
        If a key or a value is wrong: with every problem at once. If spot pairs were to be short.
    """
    changes: dict[str, Any] = {}
    for words in arguments.set:
        _put(changes, words)
    if arguments.fee is not None:
        _put(changes, f"market.fee={arguments.fee}")
    spot = [pair for pair in arguments.pair if ":" not in pair]
    market = changes.get("market", {})
    if spot and isinstance(market, dict) and "shorts" not in market:
        print(
            f"note: {spot[0]} is a spot pair: there are no shorts (futures are like BTC/USDT:USDT)"
        )
        _put(changes, "market.shorts=false")
    base = PRESETS[arguments.preset].model_dump(mode="json")
    try:
        found = AgentSettings.model_validate(_merged(base, changes))
    except ValidationError as error:
        problems = [_problem(each) for each in error.errors()]
        raise CommandError(f"agent: {'; '.join(problems)}") from error
    if spot and found.market.shorts:
        raise CommandError(
            f"agent: market.shorts: {spot[0]} is a spot pair, which cannot be sold short; set "
            "market.shorts=false, or name futures pairs like BTC/USDT:USDT"
        )
    return found


def _problem(error: Any) -> str:
    """Put what pydantic has found into the words of the other commands."""
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = [*flatten(AgentSettings().model_dump(mode="json"))]
        by_end = [name for name in known if name.rpartition(".")[2] == key]
        close = by_end or get_close_matches(key, known, n=1)
        return f"{key} is unknown" + (f"; did you mean '{close[0]}'?" if close else "")
    message = error["msg"].removeprefix("Value error, ")
    return f"{key}: {message}. Received: {error['input']!r}"


def _put(changes: dict[str, Any], words: str) -> None:
    key, is_one, text = words.partition("=")
    *blocks, name = key.split(".")
    if not is_one or not all((*blocks, name)):
        raise CommandError(f"--set must be like learning.gamma=0.99. Received: {words}")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    for block in blocks:
        changes = changes.setdefault(block, {})
        if not isinstance(changes, dict):
            raise CommandError(f"--set {words}: {block} is no block of settings")
    changes[name] = value


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    both = {**base, **changes}
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(base.get(name), dict):
            both[name] = _merged(base[name], value)
    return both


def tapes_of(
    arguments: argparse.Namespace, walk: Path, labels: Any = None, further: Any = ()
) -> Told:
    """Read candles and a table, as `add_candles` of the trainer has the arguments.

    Raises
    ------
    CommandError
        If candles are missing, or the table cannot be believed or does not fit.
    """
    from dualwindow_trainer.pairs import candles_of
    from dualwindow_trainer.request import timerange_of

    span = Span(*timerange_of(arguments.timerange))
    try:
        return read_tapes(walk, dict(candles_of(arguments)), further, span, labels)
    except (TableError, TapeError) as error:
        raise CommandError(f"agent: {error}") from error


def boundary_of(tapes: tuple[Tape, ...], until: str | None, test_days: float | None) -> int:
    """Find the first moment of the part that nothing is learnt from, seconds since 1970 UTC.

    Without either, it is the last quarter of the time.

    Raises
    ------
    CommandError
        If nothing lies before it, or nothing after.
    """
    from dualwindow_trainer.request import timerange_of

    begin = min(int(tape.candles.date[tape.first]) for tape in tapes)
    end = max(int(tape.candles.date[-1]) + tape.candles.step for tape in tapes)
    if until is not None:
        found = timerange_of(f"-{until}", "--until")[1]
    elif test_days is not None:
        found = end - test_days * _DAY
    else:
        found = end - _TEST_SHARE * (end - begin)
    step = tapes[0].candles.step
    if not begin + step < found < end - step:
        raise CommandError(
            f"agent: the untouched part would begin {(found - begin) / _DAY:.1f} days after the "
            f"first prediction; there are {(end - begin) / _DAY:.1f} days of them, and both parts "
            "need some"
        )
    return math.floor(found / step) * step

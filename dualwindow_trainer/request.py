"""Read what a training is asked for: settings from files and flags, and a timerange."""

import argparse
import json
import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rapidjson

from dualwindow.cli import CommandError
from dualwindow.shipped import shipped
from dualwindow_freqtrade.freqai.configuration import (
    Configuration,
    ConfigurationError,
    foreign_parameters,
    freqais_own,
    read_configuration,
)
from dualwindow_freqtrade.freqai.placement import misplaced_blocks
from dualwindow_freqtrade.freqai.sources import others_beside

_FEE = 0.0005
_PARAMETERS = "model_training_parameters"
_BLOCKS = ("feature_parameters", "data_split_parameters", _PARAMETERS, "dual_window")
# Flags, and the parameter of a kind, or of each member of an ensemble, that they set.
_OF_MODEL = ("epochs", "batch_size", "learning_rate", "seed")


def configuration_of(arguments: argparse.Namespace) -> Configuration:
    """Read the configuration that `block_of` puts together.

    Raises
    ------
    CommandError
        If a file cannot be read, or a setting is wrong: with every problem at once.
    """
    try:
        return read_configuration(block_of(arguments), misplaced_blocks(_files_of(arguments)))
    except ConfigurationError as error:
        raise CommandError("; ".join(error.problems)) from error


def block_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Put configuration files, a preset, ``--set`` and flags together; the later ones win.

    Returns
    -------
    The block ``freqai`` of a configuration.

    Raises
    ------
    CommandError
        If a file cannot be read, or a key is one that only FreqAI can do.
    """
    freqai = _files_of(arguments).get("freqai", {})
    for words in arguments.set:
        freqai = merged(_block(freqai, "freqai"), _assignment(words))
    for name in _BLOCKS:
        _block(_block(freqai, "freqai").get(name, {}), f"freqai.{name}")
    if unused := freqais_own(freqai):
        raise CommandError(f"{', '.join(unused)} would be ignored: only FreqAI does it; remove it")
    parameters = dict(freqai.get(_PARAMETERS, {}))
    if arguments.kind is not None:
        parameters["kind"] = arguments.kind
    if parameters.get("kind") == "ensemble" and getattr(arguments, "tries_kinds", False):
        for name in foreign_parameters("ensemble", list(parameters)):
            del parameters[name]
    return {**freqai, _PARAMETERS: _with_flags(parameters, arguments)}


def try_kinds(arguments: argparse.Namespace, kinds: Collection[Any]) -> None:
    """Let what other kinds are to have stand beside an ensemble that is tried with them.

    Of one ensemble it would be refused, because its members have their own; here it is said.
    """
    if "ensemble" not in kinds or set(kinds) == {"ensemble"}:
        return
    arguments.tries_kinds = True
    given = block_of(argparse.Namespace(**{**vars(arguments), "tries_kinds": False}))
    parameters = given[_PARAMETERS]
    if foreign := foreign_parameters("ensemble", parameters):
        print(
            f"note: {', '.join(f'{_PARAMETERS}.{name}' for name in foreign)}: not of the ensemble, "
            f"whose members have their own, in {_PARAMETERS}.members"
        )


def fee_of(arguments: argparse.Namespace) -> float:
    """Read the fee of one side: the flag, or the configuration's, or that of Binance's futures.

    Raises
    ------
    CommandError
        If the configuration's is no share.
    """
    if arguments.fee is not None:
        return float(arguments.fee)
    found = _files_of(arguments).get("fee", _FEE)
    if type(found) not in (int, float) or not 0 <= found < 0.5:
        raise CommandError(f"--config: fee must be a share like 0.0005. Received: {found!r}")
    return float(found)


def exchange_of(arguments: argparse.Namespace) -> str | None:
    """Read the name of the exchange, which freqtrade's folder of candles has; None without one."""
    exchange = _files_of(arguments).get("exchange", {})
    name = exchange.get("name") if isinstance(exchange, Mapping) else None
    return name if isinstance(name, str) and name else None


def _files_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Read the configuration files and the preset, once in a command; copies of it keep them."""
    if "files" not in arguments:
        whole: dict[str, Any] = {}
        for path in [*arguments.config, *_preset(arguments.preset)]:
            whole = merged(whole, _load(path))
        arguments.files = whole
    return dict(arguments.files)


def _block(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise CommandError(f"{name} must be a block of settings. Received: {value!r}")
    return value


def _preset(name: str | None) -> list[Path]:
    if name is None:
        return []
    presets = shipped("config") / "presets"
    path = presets / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(p.stem for p in presets.glob("*.json")))
        raise CommandError(f"--preset {name}: there is no such preset; there are: {there}")
    return [path]


def _load(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a file as freqtrade does: comments are allowed, and it can name others to begin with."""
    if path.resolve() in above:
        raise CommandError(f"--config {path}: names itself in add_config_files")
    modes = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
    try:
        found = rapidjson.loads(path.read_text(), parse_mode=modes)
    except (OSError, ValueError) as error:
        there = others_beside(path)
        raise CommandError(f"--config {path}: {error}{there and f'; {there}'}") from error
    if not isinstance(found, dict):
        raise CommandError(f"--config {path}: must be a block of settings")
    before: dict[str, Any] = {}
    others = found.pop("add_config_files", [])
    if not isinstance(others, list) or not all(isinstance(name, str) for name in others):
        raise CommandError(f"--config {path}: add_config_files must be a list of files")
    for name in others:
        before = merged(before, _load(path.parent / name, (*above, path.resolve())))
    return merged(before, found)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Put changes on top of a configuration, block by block, as freqtrade does."""
    result = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if both else value
    return result


def _assignment(words: str) -> dict[str, Any]:
    """Read ``dual_window.labels.rule=first_touch``; what is no JSON is a word.

    Examples
    --------
    >>> _assignment("conv_width=60"), _assignment("dual_window.pooling=whitelist")
    ({'conv_width': 60}, {'dual_window': {'pooling': 'whitelist'}})
    """
    key, is_one, text = words.partition("=")
    if not is_one or not all(key.split(".")):
        raise CommandError(f"--set must be like conv_width=180. Received: {words}")
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    for part in reversed(key.removeprefix("freqai.").split(".")):
        value = {part: value}
    return dict(value)


def _with_flags(parameters: dict[str, Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """Set what flags say of a network, in an ensemble of each of its networks."""
    from dualwindow.settings import DEFAULT_KIND, KINDS, EnsembleSettings

    given = {n: getattr(arguments, n) for n in _OF_MODEL if getattr(arguments, n) is not None}
    if not given:
        return parameters
    blocks = [parameters]
    if parameters.get("kind") == "ensemble":
        members = parameters.get("members") or [
            member.model_dump(exclude={"stride", "seed"}) for member in EnsembleSettings().members
        ]
        if not isinstance(members, list):
            members = [members]
        blocks = [dict(_block(member, "a member of an ensemble")) for member in members]
        parameters = {**parameters, "members": blocks}
    for name, value in given.items():
        if name == "seed":  # an ensemble hands its own down
            parameters[name] = value
            continue
        fitting = [b for b in blocks if name in _fields(KINDS, b.get("kind", DEFAULT_KIND))]
        if not fitting:
            raise CommandError(
                f"--{name.replace('_', '-')}: the kind '{parameters.get('kind')}' has none"
            )
        for block in fitting:
            block[name] = value
    return parameters


def _fields(kinds: Mapping[str, Any], kind: Any) -> set[str]:
    is_known = isinstance(kind, str) and kind in kinds
    return set(kinds[kind].model_fields) if is_known else set(_OF_MODEL)


def timerange_of(words: str | None, flag: str = "--timerange") -> tuple[float, float]:
    """Read ``YYYYMMDD-YYYYMMDD``, of which either side may be missing: seconds since 1970, UTC.

    Raises
    ------
    CommandError
        If it is something else, or ends before it begins.

    Examples
    --------
    >>> timerange_of("19700102-"), timerange_of(None)
    ((86400.0, inf), (-inf, inf))
    """
    match = re.fullmatch(r"(\d{8})?-(\d{8})?", words or "-")
    if match is None or (words is not None and not any(match.groups())):
        raise CommandError(f"{flag} must be like 20240101-20240301. Received: {words}")
    try:
        days = [
            datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp() if day else other
            for day, other in zip(match.groups(), (float("-inf"), float("inf")), strict=True)
        ]
    except ValueError as error:
        raise CommandError(f"{flag} {words}: there is no such day") from error
    if days[0] >= days[1]:
        raise CommandError(f"{flag} must begin before it ends. Received: {words}")
    return days[0], days[1]


def predicted_of(words: str | None, flag: str = "--timerange") -> tuple[int, int]:
    """Read a timerange that has both sides, because it says what is predicted.

    Raises
    ------
    CommandError
        If it is something else.
    """
    start, stop = timerange_of(words, flag)
    if start == float("-inf") or stop == float("inf"):
        raise CommandError(
            f"{flag} must have a beginning and an end: what to predict. Received: {words}"
        )
    return int(start), int(stop)

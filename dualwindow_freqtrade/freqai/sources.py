"""Find out which file of a configuration, or which variable, has set the identifier."""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import rapidjson

logger = logging.getLogger(__name__)

_MODES = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS
_VARIABLE = "FREQTRADE__FREQAI__IDENTIFIER"
_INCLUDED = "add_config_files"


class _File(NamedTuple):
    path: Path
    content: Mapping[str, Any]
    is_included: bool = False  # by another one, not named by the user

    @property
    def identifier(self) -> Any:
        freqai = self.content.get("freqai")
        return freqai.get("identifier") if isinstance(freqai, Mapping) else None

    @property
    def trading_mode(self) -> Any:
        return self.content.get("trading_mode")


class IdentifierSource(NamedTuple):
    """Where the identifier comes from.

    Parameters
    ----------
    identifier : in effect
    source : the file, or the variable, that has set it; empty where nobody has
    shared : why markets would share the folder of this identifier; empty where they do not
    """

    identifier: str
    source: str
    shared: str

    def __str__(self) -> str:
        by = f", set by {self.source}" if self.source else ""
        return f"identifier '{self.identifier}'{by}"


def identifier_source(config: Mapping[str, Any]) -> IdentifierSource:
    """Say who has set the identifier of a configuration that freqtrade has read."""
    identifier = str(config.get("freqai", {}).get("identifier", ""))
    names = [name for name in os.environ if name.upper() == _VARIABLE]
    if names and os.environ[names[0]] == identifier:
        return IdentifierSource(identifier, names[0], "")
    files = list(in_order(config.get("config_files", [])))
    setter = next((file for file in files if file.identifier == identifier), None)
    if setter is None:
        return IdentifierSource(identifier, "", "")
    return IdentifierSource(identifier, shown(setter.path), _shared(files, setter))


def log_identifier(config: Mapping[str, Any]) -> None:
    """Log who has set the identifier, and warn where markets would share it."""
    source = identifier_source(config)
    if source.shared:
        logger.warning("%s; %s", source, source.shared)
    else:
        logger.info("%s", source)


def others_beside(path: Path) -> str:
    """Say which configuration files lie where one was looked for in vain; empty if it is there.

    Examples
    --------
    >>> others_beside(Path(__file__))
    ''
    """
    if path.is_file():
        return ""
    if not path.parent.is_dir():
        return f"there is no folder {path.parent}"
    names = sorted(other.name for other in path.parent.glob("*.json"))
    return f"there are {', '.join(names) or 'none'} in {path.parent}"


def _shared(files: Sequence[_File], setter: _File) -> str:
    """Say which file of a market has lost its identifier to one that is of no market.

    The same preset without that market's file would then use the same folder.
    """
    modes = [file for file in files if file.trading_mode is not None]
    if len({file.trading_mode for file in modes}) < 2 or setter.trading_mode is not None:
        return ""
    market = modes[0]
    if market.is_included or market.identifier is None or files.index(setter) > files.index(market):
        return ""
    return (
        f"{shown(setter.path)} has replaced '{market.identifier}' of {shown(market.path)}: "
        f"{market.trading_mode} would share the folder of {modes[-1].trading_mode}; set another "
        f"one, as {_VARIABLE}={market.identifier}-{setter.path.stem}, or name "
        f"{market.path.name} last"
    )


def in_order(paths: Sequence[str]) -> Iterator[_File]:
    """Read files of a configuration, the one that wins first.

    Parameters
    ----------
    paths : freqtrade's `config_files`, in which those that others include stand with them, the
        later ones of the command line first
    """
    files = {path: _read(Path(path)) for path in paths}
    included = Counter(inner.resolve() for file in files.values() for inner in _included(file))
    for path, file in files.items():
        if included[Path(path).resolve()] < _count(paths, path):
            yield from _with_included(file, 0)


def _count(paths: Sequence[str], path: str) -> int:
    return sum(Path(other).resolve() == Path(path).resolve() for other in paths)


def _with_included(file: _File, level: int) -> Iterator[_File]:
    yield file
    if level < 5:  # as deep as freqtrade goes
        for inner in reversed(_included(file)):
            yield from _with_included(_read(inner)._replace(is_included=True), level + 1)


def _included(file: _File) -> list[Path]:
    names = file.content.get(_INCLUDED, [])
    return [file.path.resolve().parent / name for name in names if isinstance(name, str)]


def _read(path: Path) -> _File:
    """Read a file; what cannot be read says nothing, and freqtrade has said so."""
    try:
        content = rapidjson.loads(path.read_text(), parse_mode=_MODES)
    except (OSError, ValueError):
        content = {}
    return _File(path, content if isinstance(content, Mapping) else {})


def shown(path: Path) -> str:
    """Name a file as a person in this folder would."""
    absolute = path.resolve()
    here = Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)

"""Say in small digests what predictions were made from, and what has changed since."""

import ast
import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import dualwindow
from dualwindow.arrays import FloatArray

_CORE = Path(dualwindow.__file__).parent
# Where the way from candles to predictions begins; what these import belongs to it.
_ROOTS = ("learning/training.py", "learning/artifact.py", "market/hours.py", "market/features.py")
# The values of the settings are compared themselves, so their descriptions may change.
_NOT_SHAPING = {"settings.py"}


def digest(parts: Iterable[bytes]) -> str:
    """Digest bytes, one part after the other, to 16 hexadecimal digits."""
    made = hashlib.blake2b(digest_size=8)
    for part in parts:
        made.update(part)
    return made.hexdigest()


def digest_arrays(arrays: Iterable[FloatArray]) -> str:
    """Digest the values of arrays, whatever their layout in memory."""
    return digest(np.ascontiguousarray(array).tobytes() for array in arrays)


@cache
def digest_code(*kinds: str) -> str:
    """Digest the core's code that shapes the predictions of kinds, as it is when first asked for.

    It is the code of these kinds and all that they share with others: an edit of another kind
    leaves it as it is.
    """
    return digest(path.read_bytes() for path in shaping_files(*kinds))


def shaping_files(*kinds: str) -> list[Path]:
    """Find the modules of the core through which the predictions of kinds come about.

    These are the roots, the kinds' own modules, and whatever they import from the core, directly or
    not, wherever the import stands. So a new file cannot be forgotten.
    """
    found: set[Path] = set()
    waiting = [_CORE / root for root in (*_ROOTS, *(f"models/{kind}.py" for kind in kinds))]
    while waiting:
        path = waiting.pop()
        if path not in found and path.relative_to(_CORE).as_posix() not in _NOT_SHAPING:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def _imported(path: Path) -> list[Path]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    places = [
        _CORE.parent / name.replace(".", "/") for name in names if name.startswith("dualwindow.")
    ]
    files = [place.with_suffix(".py") for place in places] + [p / "__init__.py" for p in places]
    return [file for file in files if file.is_file()]


def flatten(facts: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name nested values by dotted keys; lists are kept as JSON text.

    Examples
    --------
    >>> flatten({"a": {"b": 1}, "c": [1, 2]})
    {'a.b': 1, 'c': '[1, 2]'}
    """
    flat: dict[str, Any] = {}
    for key, value in facts.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{key}.")
        elif isinstance(value, list | tuple):
            flat[prefix + key] = json.dumps(value)
        else:
            flat[prefix + key] = value
    return flat


def all_differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Say which values have changed; one that is new or gone differs, too.

    Examples
    --------
    >>> all_differences({"seed": 1}, {"stride": 5})
    ['seed: 1 -> not set', 'stride: not set -> 5']
    """
    return differences(recorded, found, sorted(recorded.keys() | found.keys()))


def differences(
    recorded: Mapping[str, Any], found: Mapping[str, Any], names: Iterable[str]
) -> list[str]:
    """Say which of the named values have changed, with both of them.

    Examples
    --------
    >>> differences({"seed": 1, "stride": 5}, {"seed": 2, "stride": 5}, ["seed", "stride", "x"])
    ['seed: 1 -> 2']
    """
    return [
        f"{name}: {recorded.get(name, 'not set')} -> {found.get(name, 'not set')}"
        for name in names
        if recorded.get(name) != found.get(name)
    ]

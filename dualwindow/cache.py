"""Remember what cached predictions were made from, so that stale ones are refused.

FreqAI reuses the files under an identifier whenever their row count matches. The record beside
them holds everything that shaped them: settings, code, features, and the candles of each window.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import dualwindow

_FILE = "dualwindow_cache.json"
_SHAPING = (
    "artifact",
    "balancing",
    "candles",
    "features",
    "labels",
    "network",
    "scaling",
    "splits",
    "training",
    "windows",
)


class CacheError(ValueError):
    """What is cached was made from something else."""


class CacheRecord:
    """The record in the folder of one FreqAI identifier; written anew and renamed at each change.

    Raises
    ------
    CacheError
        If the record cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _FILE
        self._facts: dict[str, dict[str, Any]] = {}
        if self._path.is_file():
            try:
                self._facts = json.loads(self._path.read_text())
            except ValueError as error:
                raise CacheError(f"{self._path} is damaged ({error}); {self._remedy}") from error

    @property
    def _remedy(self) -> str:
        return f"set another freqai.identifier, or delete {self._folder}"

    def check(self, part: str, facts: Mapping[str, Any]) -> None:
        """Compare facts with those recorded under the same names; new names are no conflict.

        Raises
        ------
        CacheError
            If any differs, naming it with both values.
        """
        recorded = self._facts.get(part, {})
        changed = [
            f"{name}: {recorded[name]} -> {value}"
            for name, value in flatten(facts).items()
            if name in recorded and recorded[name] != value
        ]
        if changed:
            raise CacheError(
                f"the models and predictions in {self._folder} were made with other {part} "
                f"({'; '.join(changed)}); {self._remedy}"
            )

    def knows(self, part: str, name: str) -> bool:
        """Tell whether a fact is recorded."""
        return name in self._facts.get(part, {})

    def add(self, part: str, facts: Mapping[str, Any]) -> None:
        """Record facts, beside those already there."""
        self._facts.setdefault(part, {}).update(flatten(facts))
        aside = self._path.with_suffix(".tmp")
        aside.write_text(json.dumps(self._facts, indent=1, sort_keys=True))
        aside.replace(self._path)


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


def digest_candles(frames: Iterable[pd.DataFrame]) -> str:
    """Digest the dates, prices and volumes of candles."""
    digest = hashlib.blake2b(digest_size=8)
    for frame in frames:
        digest.update(frame["date"].to_numpy("datetime64[s]").tobytes())
        columns = frame[["open", "high", "low", "close", "volume"]]
        digest.update(np.ascontiguousarray(columns.to_numpy(np.float64)).tobytes())
    return digest.hexdigest()


def digest_sources(functions: Iterable[Callable[..., Any]]) -> str:
    """Digest the source text of functions."""
    text = "\n".join(inspect.getsource(function) for function in functions)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@cache
def digest_core() -> str:
    """Digest the core's modules that shape a prediction, as they are when first asked for."""
    folder = Path(dualwindow.__file__).parent
    text = b"".join((folder / f"{module}.py").read_bytes() for module in _SHAPING)
    return hashlib.blake2b(text, digest_size=8).hexdigest()

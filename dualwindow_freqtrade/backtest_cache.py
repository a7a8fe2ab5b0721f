"""Remember what cached predictions were made from, so that stale ones are refused.

FreqAI reuses the files under an identifier whenever their row count matches. The record beside
them holds everything that shaped them: settings, code, features, and the candles of each window.
"""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import dualwindow
from dualwindow.market.files import write_aside

_FILE = "dualwindow_cache.json"
_SHAPING = (
    "judging/decisions",
    "learning/artifact",
    "learning/calibration",
    "learning/metrics",
    "learning/training",
    "market/candles",
    "market/features",
    "market/hours",
    "market/labels",
    "models/network",
    "samples/balancing",
    "samples/scaling",
    "samples/splits",
    "samples/windows",
)


class CacheError(ValueError):
    """What is cached was made from something else."""


class CacheRecord:
    """The record in the folder of one FreqAI identifier.

    It is read anew at every use, because a live bot and a backtest may share the folder, and
    written aside and renamed. An empty folder has an empty record: everything agrees with it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / _FILE

    def check(self, part: str, facts: Mapping[str, Any]) -> None:
        """Compare facts with those recorded; one that is new or gone differs, too.

        Raises
        ------
        CacheError
            If any differs, naming it with both values, or if the record cannot be read.
        """
        recorded, found = self._read().get(part), flatten(facts)
        if recorded is not None:
            self._compare(part, recorded, found, sorted(recorded.keys() | found.keys()))

    def check_known(self, part: str, facts: Mapping[str, Any]) -> bool:
        """Compare only facts recorded under the same names; tell whether all of them are.

        Raises
        ------
        CacheError
            As for `check`.
        """
        recorded, found = self._read().get(part, {}), flatten(facts)
        self._compare(part, recorded, found, [name for name in found if name in recorded])
        return found.keys() <= recorded.keys()

    def add(self, part: str, facts: Mapping[str, Any]) -> None:
        """Record facts, beside those already there."""
        everything = self._read()
        before = everything.get(part, {})
        everything[part] = before | flatten(facts)
        if everything[part] == before:
            return
        write_aside(self._path, json.dumps(everything, indent=1, sort_keys=True).encode())

    def _read(self) -> dict[str, dict[str, Any]]:
        if not self._path.is_file():
            return {}
        try:
            return dict(json.loads(self._path.read_text()))
        except ValueError as error:
            raise CacheError(f"{self._path} is damaged ({error}); {self._remedy}") from error

    def _compare(
        self, part: str, recorded: dict[str, Any], found: dict[str, Any], names: Iterable[str]
    ) -> None:
        if changed := differences(recorded, found, names):
            raise CacheError(
                f"the models and predictions in {self._folder} were made with other {part} "
                f"({'; '.join(changed)}); {self._remedy}"
            )

    @property
    def _remedy(self) -> str:
        return f"set another freqai.identifier, or delete {self._folder}"


@dataclass(frozen=True)
class CachedWindow:
    """The files of one backtest window, and what they must have been made from.

    Parameters
    ----------
    trained_on, tested_on : pair and digest of the candles
    n_tested : candles to predict, by which FreqAI decides whether it reuses the predictions
    prediction, metadata, model : FreqAI's files, which may exist or not
    """

    trained_on: str
    tested_on: str
    n_tested: int
    prediction: Path
    metadata: Path
    model: Path

    @property
    def facts(self) -> dict[str, str]:
        """What is recorded of the window, under names of its own."""
        name = self.prediction.stem
        return {
            f"{name} trained": self.trained_on,
            f"{name} tested on {self.n_tested} candles": self.tested_on,
        }

    def is_reused(self, record: CacheRecord) -> bool:
        """Tell whether FreqAI will reuse the predictions, after making sure that it may.

        Predictions whose metadata live purging has taken away are deleted: FreqAI would stop.

        Raises
        ------
        CacheError
            If predictions or a model would be reused that are damaged or made from other candles.
        """
        reused = False
        if self.prediction.is_file() and self.metadata.is_file():
            try:
                json.loads(self.metadata.read_text())
                reused = len(pd.read_feather(self.prediction)) == self.n_tested
            except (OSError, ValueError) as error:
                raise CacheError(
                    f"{self.prediction} or {self.metadata} is damaged ({error}); delete both and "
                    "run again"
                ) from error
        elif self.prediction.is_file():
            self.prediction.unlink()
        if not reused and not self.model.is_file():
            return False  # what an interrupted run has recorded binds nobody
        if not record.check_known("candles", self.facts) and reused:
            raise CacheError(
                f"{self.prediction} was not made by this model; set another freqai.identifier"
            )
        return reused


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

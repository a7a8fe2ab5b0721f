"""Digest what shapes a prediction, so that two models, or a model and a cache, can be compared."""

import hashlib
import inspect
import json
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy

import dualwindow
from dualwindow.settings import Settings
from dualwindow_freqtrade import freqai_frames

_SHAPING = (
    "judging/decisions",
    "learning/artifact",
    "learning/calibration",
    "learning/training",
    "market/candles",
    "market/features",
    "market/labels",
    "models/network",
    "samples/balancing",
    "samples/scaling",
    "samples/splits",
    "samples/windows",
)
_FEATURE_METHODS = (
    "feature_engineering_expand_all",
    "feature_engineering_expand_basic",
    "feature_engineering_standard",
    "set_freqai_targets",
)
_NOT_SHAPING = {"confidence", "guards", "threads"}
_MODEL_METHODS = ("set_targets", "define_data_pipeline", "fit", "train", "predict")


class Fingerprint:
    """Everything that shapes a prediction but the candles.

    Parameters
    ----------
    model : as FreqAI has set it up
    settings : what it reads in the configuration
    """

    def __init__(self, model: IFreqaiModel, settings: Settings) -> None:
        self._model, self._settings = model, settings
        self._code: dict[str, str] = {}

    def digest_code(self, strategy: IStrategy) -> None:
        """Digest core, features and model once: files may be edited while the first pair trains."""
        if not self._code:
            methods = [getattr(self._model, name) for name in _MODEL_METHODS]
            self._code = {
                "core": digest_core(),
                "features": digest_sources(getattr(strategy, name) for name in _FEATURE_METHODS),
                "model": digest_sources([*methods, freqai_frames]),
            }

    @property
    def code(self) -> Mapping[str, str]:
        """The digests of the code, as it was when it was first asked for."""
        return self._code

    def facts(self) -> dict[str, Any]:
        """Name settings and code by dotted keys: two models with the same can be exchanged."""
        return flatten({**self.settings(), "code": self._code})

    def settings(self) -> dict[str, Any]:
        """Collect everything in the configuration that shapes a prediction."""
        model, freqai = self._model, self._model.freqai_info
        shaping = self._settings.model_dump(mode="json", exclude={"dual_window": _NOT_SHAPING})
        return {
            **shaping,
            "model": type(model).__name__,
            "train_period_days": freqai.get("train_period_days"),
            "continual_learning": model.continual_learning,
            "extra_returns_per_train": freqai.get("extra_returns_per_train", {}),
            "timeframe": model.config["timeframe"],
            "trading_mode": str(model.config.get("trading_mode", "spot")),
            "reduce_df_footprint": bool(model.config.get("reduce_df_footprint")),
            # What is unset and what is switched off are the same.
            "feature_parameters": {k: v for k, v in model.ft_params.items() if v},
        }


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


def all_differences(recorded: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Say which values have changed; one that is new or gone differs, too.

    Examples
    --------
    >>> all_differences({"seed": 1}, {"stride": 5})
    ['seed: 1 -> not set', 'stride: not set -> 5']
    """
    return differences(recorded, found, sorted(recorded.keys() | found.keys()))


def digest_candles(frames: Iterable[pd.DataFrame]) -> str:
    """Digest the dates, prices and volumes of candles."""
    digest = hashlib.blake2b(digest_size=8)
    for frame in frames:
        digest.update(frame["date"].to_numpy("datetime64[s]").tobytes())
        columns = frame[["open", "high", "low", "close", "volume"]]
        digest.update(np.ascontiguousarray(columns.to_numpy(np.float64)).tobytes())
    return digest.hexdigest()


def digest_sources(code: Iterable[Callable[..., Any] | ModuleType]) -> str:
    """Digest the source text of functions and modules."""
    text = "\n".join(inspect.getsource(part) for part in code)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


@cache
def digest_core() -> str:
    """Digest the core's modules that shape a prediction, as they are when first asked for."""
    folder = Path(dualwindow.__file__).parent
    text = b"".join((folder / f"{module}.py").read_bytes() for module in _SHAPING)
    return hashlib.blake2b(text, digest_size=8).hexdigest()

"""Digest what shapes a prediction, so that two models, or a model and a cache, can be compared."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy

from dualwindow.judging import decisions
from dualwindow.learning.fingerprint import digest, digest_code, flatten
from dualwindow.settings import Settings
from dualwindow_freqtrade import feature_pipeline, freqai_frames
from dualwindow_freqtrade.configuration import users_key

_FEATURE_METHODS = (
    "feature_engineering_expand_all",
    "feature_engineering_expand_basic",
    "feature_engineering_standard",
    "set_freqai_targets",
)
# Through which features and scores pass on their way between FreqAI and the core.
_MODEL_MODULES = (freqai_frames, feature_pipeline, decisions)
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
                "core": digest_code(self._settings.model.kind),
                "features": digest_sources(getattr(strategy, name) for name in _FEATURE_METHODS),
                "model": digest_sources([*methods, *_MODEL_MODULES]),
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
        flat = flatten(self._settings.model_dump(mode="json"))
        return {
            **{users_key(f"settings.{name}"): value for name, value in flat.items()},
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


def digest_candles(frames: Iterable[pd.DataFrame]) -> str:
    """Digest the dates, prices and volumes of candles."""
    parts = []
    for frame in frames:
        parts.append(frame["date"].to_numpy("datetime64[s]").tobytes())
        columns = frame[["open", "high", "low", "close", "volume"]]
        parts.append(np.ascontiguousarray(columns.to_numpy(np.float64)).tobytes())
    return digest(parts)


def digest_sources(code: Iterable[Callable[..., Any] | ModuleType]) -> str:
    """Digest the source text of functions and modules."""
    return digest(["\n".join(inspect.getsource(part) for part in code).encode()])

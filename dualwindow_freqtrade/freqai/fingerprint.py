"""Digest what shapes a prediction, so that two models, or a model and a cache, can be compared."""

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from freqtrade.freqai.freqai_interface import IFreqaiModel
from freqtrade.strategy import IStrategy

from dualwindow.judging import decisions
from dualwindow.learning.fingerprint import digest, digest_code, flatten
from dualwindow.learning.record import versions
from dualwindow.settings import ClassifierSettings, NetworkSettings, Settings, TreesSettings
from dualwindow_freqtrade.freqai import feature_pipeline
from dualwindow_freqtrade.freqai import frames as freqai_frames
from dualwindow_freqtrade.freqai.configuration import users_key
from dualwindow_freqtrade.freqai.feature_digest import digest_features

# Through which features and scores pass on their way between FreqAI and the core.
_MODEL_MODULES = (freqai_frames, feature_pipeline, decisions)
# Of the adapter, which is much else: a change of how a bot is looked after costs no training.
_MODEL_METHODS = ("set_targets", "define_data_pipeline", "fit", "learn", "train", "predict")
# Packages of bases that are nobody's own code.
_NOT_OURS = {"freqtrade", *sys.stdlib_module_names}
# Libraries that shape only what these kinds predict, and ensembles that they belong to.
_ONLY_OF = {NetworkSettings: {"tensorflow", "keras"}, TreesSettings: {"lightgbm"}}


class Beside(NamedTuple):
    """What shapes predictions beside the classifier.

    Parameters
    ----------
    code : texts of modules
    settings : by the user's dotted keys
    libraries : with their versions
    """

    code: Sequence[str]
    settings: Mapping[str, Any]
    libraries: Mapping[str, str]


class Fingerprint:
    """Everything that shapes a prediction but the candles.

    Core and model are digested at once, because files may be edited while what was loaded runs on.

    Parameters
    ----------
    model : as FreqAI has set it up
    adapter : the class that it is of, or inherits from; modules of all others count wholly, because
        nobody knows what of a user's model shapes predictions
    settings : what it reads in the configuration
    modules : of the hosts, which gather what is learnt from
    beside : what else counts
    """

    def __init__(
        self,
        model: IFreqaiModel,
        adapter: type[IFreqaiModel],
        settings: Settings,
        modules: Sequence[ModuleType],
        beside: Beside | None = None,
    ) -> None:
        self._model, self._settings = model, settings
        self._beside = beside or Beside((), {}, {})
        methods = [inspect.getsource(getattr(adapter, name)) for name in _MODEL_METHODS]
        own = sources_of(each for each in type(model).__mro__ if each is not adapter)
        texts = map(source_of, (*_MODEL_MODULES, *modules))
        self._code = {
            "core": digest_code(*settings.model.kinds),
            "model": digest_texts([*methods, *own, *texts, *self._beside.code]),
        }
        self._libraries: dict[str, str] = {}

    def digest_code(self, strategy: IStrategy) -> None:
        """Digest the strategy once, and what it computes, before anything is trained or reused.

        FreqAI makes the model without it. Its whole module counts, exits and all: a training too
        many costs less than a model of other features.
        """
        if self._libraries:
            return
        sources = sources_of(type(strategy).__mro__)
        self._code["strategy"] = digest_texts(sources)
        self._code["features"] = digest_features(strategy, self._model.config)
        of_kind = library_versions(self._settings.model, sources)
        self._libraries = of_kind | dict(self._beside.libraries)

    def facts(self) -> dict[str, Any]:
        """Name all of it by dotted keys: two models with the same can be exchanged."""
        return flatten({**self.settings(), "code": self._code, "libraries": self._libraries})

    def parts(self) -> dict[str, Mapping[str, Any]]:
        """Return the same under the words by which they are refused."""
        return {"settings": self.settings(), "code": self._code, "libraries": self._libraries}

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
            "exchange": model.config["exchange"]["name"],
            "timeframe": model.config["timeframe"],
            "trading_mode": str(model.config.get("trading_mode", "spot")),
            "reduce_df_footprint": bool(model.config.get("reduce_df_footprint")),
            # What is unset and what is switched off are the same.
            "feature_parameters": {k: v for k, v in model.ft_params.items() if v},
            **self._beside.settings,
        }


def digest_candles(frames: Iterable[pd.DataFrame]) -> str:
    """Digest the dates, prices and volumes of candles."""
    parts = []
    for frame in frames:
        parts.append(frame["date"].to_numpy("datetime64[s]").tobytes())
        columns = frame[["open", "high", "low", "close", "volume"]]
        parts.append(np.ascontiguousarray(columns.to_numpy(np.float64)).tobytes())
    return digest(parts)


def digest_texts(texts: Iterable[str]) -> str:
    """Digest texts, one after the other."""
    return digest(text.encode() for text in texts)


@cache
def source_of(module: ModuleType) -> str:
    """Return a module's text as it was when first asked for; after an edit, the old one runs on.

    A bot that reloads its configuration makes a new model, and imports no module again.
    """
    return inspect.getsource(module)


def sources_of(classes: Iterable[type]) -> list[str]:
    """Collect the texts of the modules of classes, in their order, each once.

    Classes of freqtrade and of the standard library count nowhere.
    """
    sources: dict[str, str] = {}
    for base in classes:
        name = base.__module__
        if name not in sources and name.partition(".")[0] not in _NOT_OURS:
            sources[name] = _as_loaded(base) or source_of(sys.modules[name])
    return list(sources.values())


def _as_loaded(base: type) -> str:
    """Return the text of what freqtrade has loaded by its name; empty for what was imported.

    Python does not know such a module afterwards. Of a strategy, freqtrade keeps the text, whatever
    has become of the file since; of a model, which asks when it is made, it keeps the place.
    """
    text, path = vars(base).get("__source__", ""), vars(base).get("__file__")
    return text or (Path(path).read_text(encoding="utf-8") if path else "")


def library_versions(model: ClassifierSettings, sources: Iterable[str]) -> dict[str, str]:
    """Name the libraries through which a prediction of this kind comes about, with their versions.

    Parameters
    ----------
    model : its kind; only networks run in TensorFlow
    sources : of the strategy, of whose libraries only TA-Lib is known by name: whatever others
        compute, the values of the features tell
    """
    found = {**versions(), "pandas": version("pandas")}
    unused = {"dualwindow"}  # whose code is compared itself
    kinds = (model, *getattr(model, "members", ()))
    for kind, libraries in _ONLY_OF.items():
        if not any(isinstance(each, kind) for each in kinds):
            unused |= libraries
    if any("talib" in source for source in sources):
        found["TA-Lib"] = version("TA-Lib")
    return {name: number for name, number in found.items() if name not in unused}

"""Know which of FreqAI's own keys work with this model; none is ignored."""

from collections.abc import Callable, Mapping
from pathlib import PureWindowsPath
from typing import Any

Suggest = Callable[[str, set[str]], str]

# FreqAI's keys that this model uses or leaves to FreqAI itself.
FREQAI_KEYS = {
    "enabled",
    "identifier",
    "purge_old_models",
    "conv_width",
    "train_period_days",
    "backtest_period_days",
    "live_retrain_hours",
    "expiration_hours",
    "save_backtest_models",
    "write_metrics_to_disk",
    "fit_live_predictions_candles",
    "data_kitchen_thread_count",
    "activate_tensorboard",
    "wait_for_training_iteration_on_reload",
    "continual_learning",
    "override_exchange_check",
    "feature_parameters",
    "data_split_parameters",
    "model_training_parameters",
    "extra_returns_per_train",
    "dual_window",
    # refused by name when set, see _REFUSED
    "keras",
    "model_save_type",
    "rl_config",
}
FEATURE_KEYS = {
    "include_corr_pairlist",
    "include_timeframes",
    "include_shifted_candles",
    "indicator_periods_candles",
    "label_period_candles",
    "weight_factor",
    "DI_threshold",
    "principal_component_analysis",
    "use_SVM_to_remove_outliers",
    "svm_params",
    "shuffle_after_split",
    "reverse_train_test_order",
    "buffer_train_data_candles",
    "plot_feature_importances",
    "use_DBSCAN_to_remove_outliers",
    "noise_standard_deviation",
}
SPLIT_KEYS = {"test_size", "shuffle", "random_state"}

_ORDER = "it destroys the order of time, so training would see the future; remove it"
_REFUSED = {
    "data_split_parameters.shuffle": _ORDER,
    "data_split_parameters.random_state": (
        "nothing is drawn at random in the split; set model_training_parameters.seed instead"
    ),
    "feature_parameters.shuffle_after_split": _ORDER,
    "feature_parameters.reverse_train_test_order": _ORDER,
    "feature_parameters.buffer_train_data_candles": (
        "it would tear the context of the first windows after training; labels without a whole "
        "future are left out anyway; remove it"
    ),
    "feature_parameters.plot_feature_importances": (
        "no kind has feature importances as FreqAI plots them; remove it"
    ),
    "feature_parameters.use_DBSCAN_to_remove_outliers": (
        "it clusters all training rows anew at every prediction; use DI_threshold or "
        "use_SVM_to_remove_outliers"
    ),
    "feature_parameters.noise_standard_deviation": (
        "its noise has no seed; a network has a dropout of its own"
    ),
    "keras": "it switches FreqAI to a save format it cannot load; remove it",
    "rl_config": "this is a classifier, not a reinforcement learner; remove it",
}


def refused_keys(freqai: Mapping[str, Any], suggest: Suggest) -> list[str]:
    """Describe every key of FreqAI's own blocks that is unknown or cannot work here.

    Parameters
    ----------
    freqai : the configuration's block of that name
    suggest : (unknown key, keys known in its block) to what may have been meant
    """
    problems = []
    for path, allowed in (
        ("", FREQAI_KEYS),
        ("feature_parameters.", FEATURE_KEYS),
        ("data_split_parameters.", SPLIT_KEYS),
    ):
        block = freqai.get(path[:-1], {}) if path else freqai
        for key, value in block.items():
            if key not in allowed:
                problems.append(f"freqai.{path}{key} is unknown{suggest(key, allowed)}")
            elif path + key in _REFUSED and (value or path + key == "rl_config"):
                problems.append(
                    f"freqai.{path}{key} must not be set: {_REFUSED[path + key]}. "
                    f"Received: {value!r}"
                )
    if freqai.get("feature_parameters", {}).get("svm_params", {}).get("shuffle"):
        problems.append(
            "freqai.feature_parameters.svm_params.shuffle must not be set: its order is drawn "
            "anew in every run; remove it. Received: True"
        )
    if "identifier" in freqai and not is_folder_name(freqai["identifier"]):
        problems.append(
            "freqai.identifier must be a plain name without '/', '\\' or '..': it is a folder in "
            f"user_data/models. Received: {freqai['identifier']!r}"
        )
    if freqai.get("model_save_type", "joblib") != "joblib":
        problems.append(
            "freqai.model_save_type must be 'joblib', the only form FreqAI can load again. "
            f"Received: {freqai['model_save_type']!r}"
        )
    return problems


def is_folder_name(name: Any) -> bool:
    """Tell whether it is the name of a folder, and no path to another one, on any system."""
    return isinstance(name, str) and name not in ("", "..") and PureWindowsPath(name).name == name

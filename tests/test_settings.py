import re

import pytest
from examples import ROOT
from freqtrade.configuration.load_config import load_from_files
from pydantic import BaseModel

from dualwindow.judging.decisions import Thresholds
from dualwindow.settings import Settings, SettingsError
from dualwindow_freqtrade.model_fingerprint import flatten


def freqai(**changes) -> dict:
    """A configuration with dotted keys changed."""
    config: dict = {
        "enabled": True,
        "conv_width": 180,
        "feature_parameters": {},
        "data_split_parameters": {},
        "model_training_parameters": {},
        "dual_window": {},
    }
    for key, value in changes.items():
        block = config
        *path, last = key.split("__")
        for part in path:
            block = block.setdefault(part, {})
        block[last] = value
    return config


def problems_of(**changes) -> list[str]:
    with pytest.raises(SettingsError) as error:
        Settings.from_freqai(freqai(**changes))
    return error.value.problems


def test_defaults_are_the_designs():
    settings = Settings.from_freqai(freqai())
    training, labels = settings.training, settings.dual_window.labels
    assert (settings.windows.history, settings.windows.horizon) == (180, 120)
    assert (training.lstm_units, training.dense_units) == ((128, 64, 32), (32, 16))
    assert (training.dropout, training.learning_rate, training.batch_size) == (0.2, 0.001, 32)
    assert (training.epochs, training.patience) == (6, 2)
    assert (labels.rule, labels.long_take_profit, labels.short_stop_loss) == (
        "exclusive",
        0.01,
        0.005,
    )


def test_native_keys_reach_the_settings():
    settings = Settings.from_freqai(
        freqai(
            conv_width=60,
            feature_parameters__label_period_candles=30,
            feature_parameters__weight_factor=0.9,
            data_split_parameters__test_size=0.25,
        )
    )
    windows = settings.windows
    assert (windows.history, windows.horizon) == (60, 30)
    assert (windows.weight_factor, windows.validation_share) == (0.9, 0.25)


BOUNDS = [  # setting, smallest or largest allowed, first refused
    ("conv_width", 2, 1),
    ("feature_parameters__label_period_candles", 1, 0),
    ("feature_parameters__weight_factor", 0, -0.1),
    ("data_split_parameters__test_size", 0.01, 0),
    ("data_split_parameters__test_size", 0.99, 1),
    ("dual_window__labels__long_take_profit", 0.0001, 0),
    ("dual_window__labels__long_stop_loss", 0.0001, -0.01),
    ("dual_window__labels__short_take_profit", 0.99, 1),
    ("dual_window__labels__short_stop_loss", 0.0001, 0),
    ("dual_window__balancing__floor", 1, 0),
    ("dual_window__max_untraded_candles", 0, -1),
    ("dual_window__calibration", "vector", "isotonic"),
    ("dual_window__confidence__mode", "conservative", "reckless"),
    ("dual_window__confidence__fallback", "argmax", "long"),
    ("dual_window__confidence__margin", 0.99, 1),
    ("dual_window__confidence__margin", -0.99, -1),
    ("model_training_parameters__feature_dropout", 0, -0.1),
    ("model_training_parameters__feature_dropout", 0.99, 1),
    ("model_training_parameters__stride", 1, 0),
    ("model_training_parameters__lstm_units", [1], []),
    ("model_training_parameters__lstm_units", [1], [0]),
    ("model_training_parameters__dense_units", [], [0]),
    ("model_training_parameters__dropout", 0, -0.1),
    ("model_training_parameters__dropout", 0.99, 1),
    ("model_training_parameters__learning_rate", 1, 0),
    ("model_training_parameters__learning_rate", 1e-5, 1.1),
    ("model_training_parameters__batch_size", 1, 0),
    ("model_training_parameters__epochs", 1, 0),
    ("model_training_parameters__patience", 1, 0),
    ("model_training_parameters__lr_patience", 1, 0),
    ("model_training_parameters__lr_factor", 0.99, 1),
    ("model_training_parameters__lr_factor", 0.01, 0),
    ("model_training_parameters__min_learning_rate", 1e-9, 0),
    ("model_training_parameters__seed", 0, -1),
    ("model_training_parameters__seed", 2**31 - 1, 2**31),
]


@pytest.mark.parametrize(("setting", "allowed", "refused"), BOUNDS)
def test_each_bound_on_both_sides(setting, allowed, refused):
    Settings.from_freqai(freqai(**{setting: allowed}))
    (problem,) = problems_of(**{setting: refused})
    assert setting.rpartition("__")[2] in problem


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("data_split_parameters__shuffle", True),
        ("data_split_parameters__random_state", 1),
        ("feature_parameters__shuffle_after_split", True),
        ("feature_parameters__reverse_train_test_order", True),
        ("feature_parameters__buffer_train_data_candles", 10),
        ("feature_parameters__plot_feature_importances", 5),
        ("feature_parameters__use_DBSCAN_to_remove_outliers", True),
        ("feature_parameters__noise_standard_deviation", 0.1),
        ("feature_parameters__svm_params__shuffle", True),
        ("keras", True),
        ("model_save_type", "keras"),
        ("rl_config", {}),
    ],
)
def test_keys_that_cannot_work_are_refused_by_name(key, value):
    (problem,) = problems_of(**{key: value})
    assert f"freqai.{key.replace('__', '.')} must" in problem
    assert repr(value) in problem


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("conv_widht", "conv_width"),
        ("feature_parameters__label_period_candels", "label_period_candles"),
        ("data_split_parameters__testsize", "test_size"),
        ("model_training_parameters__epocs", "epochs"),
        ("dual_window__scalar", "scaler"),
        ("dual_window__labels__take_profit", "long_take_profit"),
        ("dual_window__balancing__flor", "floor"),
    ],
)
def test_mistyped_keys_are_refused_with_what_was_meant(key, meant):
    (problem,) = problems_of(**{key: 1})
    assert f"freqai.{key.replace('__', '.')} is unknown; did you mean '{meant}'?" == problem


@pytest.mark.parametrize(
    ("key", "home"),
    [
        ("weight_factor", "freqai.feature_parameters"),
        ("epochs", "freqai.model_training_parameters"),
        ("dual_window__rule", "freqai.dual_window.labels"),
        ("model_training_parameters__test_size", "freqai.data_split_parameters"),
    ],
)
def test_keys_in_the_wrong_block_are_sent_home(key, home):
    (problem,) = problems_of(**{key: 1})
    assert problem.endswith(f"is unknown; it belongs in {home}")


def test_all_problems_are_told_at_once():
    assert len(problems_of(conv_width=0, keras=True, dual_window__scaler="l2")) == 3


def test_a_missing_conv_width_is_explained():
    (problem,) = problems_of(conv_width=1)  # what freqtrade's schema puts in its place
    assert "FreqAI puts 1 where it is missing" in problem


def test_class_weights_need_every_class():
    weights = {"SHORT": 1.0, "HOLD": 0.5, "LONG": 2.0}
    Settings.from_freqai(freqai(dual_window__balancing__class_weights=weights))
    for wrong in ({"SHORT": 1.0}, weights | {"HOLD": 0.0}, weights | {"FLAT": 1.0}):
        (problem,) = problems_of(dual_window__balancing__class_weights=wrong)
        assert "class_weights: must" in problem


THRESHOLDS = {"short": 0.5, "hold": 0.4, "long": 0.6}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_bounds_of_custom_thresholds(name):
    for allowed in (1, 1e-6):
        block = {"mode": "custom", **THRESHOLDS, name: allowed}
        chosen = Settings.from_freqai(freqai(dual_window__confidence=block)).dual_window.confidence
        assert getattr(chosen.thresholds, name) == allowed
    for refused in (0, 1.01):
        (problem,) = problems_of(
            dual_window__confidence={"mode": "custom", **THRESHOLDS, name: refused}
        )
        assert f"confidence.{name}: Input should be" in problem


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (
            {"mode": "custom", "short": 0.5},
            "'custom' needs a threshold for each of ['long']",
        ),
        (
            {"mode": "custom", "short": 0.5, "fallback": "argmax"},
            "'custom' needs a threshold for each of ['hold', 'long']",
        ),
        ({"mode": "balanced", "long": 0.6}, "['long'] would be ignored by mode 'balanced'"),
        ({"long": 0.6}, "['long'] would be ignored by mode 'expected_value'"),
        ({"mode": "aggressive", "margin": 0.001}, "margin would be ignored by mode 'aggressive'"),
    ],
)
def test_confidence_that_contradicts_itself_is_refused(block, message):
    (problem,) = problems_of(dual_window__confidence=block)
    assert message in problem


def test_modes_have_thresholds():
    def thresholds(**block):
        chosen = Settings.from_freqai(freqai(dual_window__confidence=block)).dual_window
        return chosen.confidence.thresholds

    assert thresholds(mode="aggressive") == Thresholds(short=0.45, hold=0.40, long=0.45)
    assert thresholds(mode="custom", **THRESHOLDS) == Thresholds(**THRESHOLDS)
    assert thresholds(mode="custom", short=0.6, long=0.7) == Thresholds(0.6, 0.45, 0.7)
    assert thresholds() == Thresholds(short=0.55, hold=0.45, long=0.55)


def test_presets_set_the_same_keys_so_that_one_replaces_another():
    presets = [load_from_files([str(path)]) for path in (ROOT / "config/presets").glob("*.json")]
    assert len(presets) == 4
    assert len({str(flatten(preset).keys()) for preset in presets}) == 1


def test_the_configuration_is_not_changed():
    config = freqai(feature_parameters__label_period_candles=30)
    before = repr(config)
    Settings.from_freqai(config)
    assert repr(config) == before


def test_every_setting_is_described():
    def fields(model: type[BaseModel], path: str):
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from fields(field.annotation, f"{path}{name}.")
            else:
                yield f"{path}{name}", field.description

    described = dict(fields(Settings, ""))
    assert len(described) == 38
    assert all(described.values())


def test_readme_settings_table_is_complete():
    names = {
        "windows.history": "conv_width",
        "windows.horizon": "feature_parameters.label_period_candles",
        "windows.validation_share": "data_split_parameters.test_size",
        "windows.weight_factor": "feature_parameters.weight_factor",
    }

    def defaults(model: BaseModel, path: str):
        for name, value in model:
            if isinstance(value, BaseModel):
                yield from defaults(value, f"{path}{name}.")
            else:
                key = names.get(f"{path}{name}", f"{path}{name}")
                value = list(value) if isinstance(value, tuple) else value
                yield key.replace("training.", "model_training_parameters."), str(value)

    rows = re.findall(
        r"^\| `([\w.]+)` \| ([^|]+) \| [^|]*\| [^|]+ \|$",
        (ROOT / "README.md").read_text().partition("## Settings")[2],
        re.MULTILINE,
    )
    documented = {name: default.strip() for name, default in rows}
    assert documented == dict(defaults(Settings.from_freqai(freqai()), ""))

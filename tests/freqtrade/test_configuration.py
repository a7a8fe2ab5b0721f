import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples import as_in_readme, documented_default, leaves, readme_settings
from freqtrade.configuration.load_config import load_from_files
from pydantic import BaseModel

from dualwindow.judging.decisions import Thresholds, thresholds
from dualwindow.learning.fingerprint import flatten
from dualwindow.samples.data import TrainingError
from dualwindow.settings import (
    KINDS,
    LABEL_RULES,
    EnsembleSettings,
    RangesSettings,
    SmoothedLabelSettings,
)
from dualwindow_freqtrade.freqai.configuration import (
    KEYS,
    Configuration,
    ConfigurationError,
    in_users_words,
    read_configuration,
    translated,
    users_key,
)
from harness.places import ROOT


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
    with pytest.raises(ConfigurationError) as error:
        read_configuration(freqai(**changes))
    return error.value.problems


def test_every_key_reaches_the_setting_that_is_named_after_it():
    """A value of its own in every place, written where the README says."""
    written: dict = {"model_training_parameters": {"kind": "ranges"}}
    config = read_configuration(freqai(**written))
    assert config.settings.model == RangesSettings()
    values = {
        "conv_width": (300, "settings.history"),
        "feature_parameters__label_period_candles": (30, "settings.horizon"),
        "feature_parameters__weight_factor": (0.9, "settings.weight_factor"),
        "data_split_parameters__test_size": (0.25, "settings.validation_share"),
        "model_training_parameters__seed": (7, "settings.model.seed"),
        "model_training_parameters__spans": ((2, 3), "settings.model.spans"),
        "dual_window__labels__rule": ("first_touch", "settings.labels.rule"),
        "dual_window__balancing__floor": (9, "settings.balancing.floor"),
        "dual_window__scaler": ("robust", "settings.scaler"),
        "dual_window__calibration": ("vector", "settings.calibration"),
        "dual_window__pooling": ("whitelist", "settings.pooling"),
        "dual_window__max_untraded_candles": (4, "settings.max_untraded"),
        "dual_window__confidence__margin": (0.002, "confidence.margin"),
        "dual_window__guards__max_identical": (5, "guards.max_identical"),
        "dual_window__threads": (3, "threads"),
        "dual_window__report": (15.0, "report"),
    }
    written |= {key: value for key, (value, _) in values.items()}
    got = dict(leaves(read_configuration(freqai(**written))))
    default = dict(leaves(config))
    assert {place for place in got if got[place] != default[place]} == {
        place for _, place in values.values()
    }
    for key, (value, place) in values.items():
        assert got[place] == value
        assert users_key(place) == key.replace("__", ".")
    homes = {place for place in KEYS if any(p.startswith(place) for _, p in values.values())}
    assert homes == KEYS.keys()


def test_what_belongs_to_another_kind_is_left_out(caplog):
    model = {"kind": "ranges", "epochs": 3, "lstm_units": [1], "stride": 5, "penalty": 2.0}
    with caplog.at_level("INFO"):
        settings = read_configuration(freqai(model_training_parameters=model)).settings
    assert settings.model == RangesSettings(stride=5, penalty=2.0)
    assert "The kind 'ranges' does not use epochs, lstm_units" in caplog.text
    (problem,) = problems_of(model_training_parameters={"kind": "ranges", "penalti": 2.0})
    assert problem.endswith("penalti is unknown; did you mean 'penalty'?")


@pytest.mark.parametrize("kind", ["forest", None, ["lstm"]])
def test_an_unknown_kind_is_refused_with_those_there_are(kind):
    (problem,) = problems_of(model_training_parameters__kind=kind)
    assert problem.startswith("freqai.model_training_parameters.kind must be one of 'lstm', 'gr")
    assert problem.endswith(f"Received: {kind!r}")


@pytest.mark.parametrize("rule", ["last_touch", None, ["exclusive"]])
def test_an_unknown_rule_is_refused_with_those_there_are(rule):
    (problem,) = problems_of(dual_window__labels__rule=rule)
    assert problem == (
        "freqai.dual_window.labels.rule must be one of 'exclusive', 'first_touch', 'smoothed'. "
        f"Received: {rule!r}"
    )


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (
            {"rule": "smoothed", "long_take_profit": 0.01},
            "long_take_profit belongs to the rule 'exclusive' or 'first_touch'; remove it",
        ),
        ({"delta": 0.01}, "delta belongs to the rule 'smoothed'; remove it"),
        ({"rule": "smoothed", "delte": 0.01}, "delte is unknown; did you mean 'delta'?"),
        ({"rule": "smoothed", "floor": 9}, "floor is unknown; it belongs in freqai.dual_window.ba"),
    ],
)
def test_settings_of_labels_are_told_by_their_rule(labels, told):
    block = {"labels": labels, "confidence": {"mode": "balanced"}}
    (problem,) = problems_of(dual_window=block)
    assert problem.startswith(f"freqai.dual_window.labels.{told}")


def test_labels_without_take_profits_want_thresholds():
    labels = {"rule": "smoothed"}
    (problem,) = problems_of(dual_window={"labels": labels})
    assert problem.startswith("freqai.dual_window.confidence.mode 'expected_value' needs take-prof")
    confidence = {"mode": "custom", "short": 0.6, "long": 0.6}
    block = {"labels": labels, "confidence": confidence}
    assert read_configuration(freqai(dual_window=block)).settings.has_open_delta


@pytest.mark.parametrize(
    ("given", "minutes"), [(False, None), (True, 60.0), (1, 1.0), (90.5, 90.5)]
)
def test_a_report_is_a_switch_or_minutes(given, minutes):
    assert read_configuration(freqai(dual_window={"report": given})).report_minutes == minutes


def test_what_is_no_switch_and_no_minutes_is_refused():
    (problem,) = problems_of(dual_window={"report": "hourly"})
    assert problem == (
        "freqai.dual_window.report: must be true, false, or minutes from 1 on: how often live, at "
        "most. Received: 'hourly'"
    )


@pytest.mark.parametrize("block", ["model_training_parameters", "dual_window__labels"])
@pytest.mark.parametrize("value", ["lstm", None, 3])
def test_what_is_no_block_is_refused_by_name(block, value):
    (problem,) = problems_of(**{block: value})
    assert problem.startswith(f"freqai.{block.replace('__', '.')}: Input should be a valid dict")
    assert problem.endswith(f"Received: {value!r}")


BOUNDS = [  # setting, smallest or largest allowed, first refused
    ("conv_width", 6, 1),
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
    ("dual_window__scaler", "minmax", "l2"),
    ("dual_window__pooling", "whitelist", "all"),
    ("dual_window__threads", 1, 0),
    ("dual_window__report", 1, 0),
    ("dual_window__report", True, "yes"),
    ("dual_window__report", False, None),
    ("dual_window__report", 999_999, 1_000_000),
    ("dual_window__guards__max_candle_age", 0.01, 0),
    ("dual_window__guards__max_prediction_share", 0.01, 0),
    ("dual_window__guards__max_identical", 1, 0),
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
    ("model_training_parameters__candles_per_step", 1, 0),
    ("model_training_parameters__spans", [2], [1]),
    ("model_training_parameters__summary_dropout", 0.99, 1),
    ("model_training_parameters__seed", 0, -1),
    ("model_training_parameters__seed", 2**31 - 1, 2**31),
]


@pytest.mark.parametrize(
    ("key", "value", "kinds"),
    [
        ("epochs", 12, "lstm, gru, bilstm, dlstm, published"),
        ("batch_size", 32, "lstm, gru, bilstm, dlstm, published"),
        ("learning_rate", 0.01, "lstm, gru, bilstm, dlstm, published"),
        ("lstm_units", [8], "lstm, bilstm, dlstm"),
        ("rounds", 9, "trees"),
        ("penalty", 5.0, "ranges, trend"),
    ],
)
def test_what_an_ensemble_does_not_use_is_refused_beside_its_members(key, value, kinds):
    (problem,) = problems_of(model_training_parameters={"kind": "ensemble", key: value})
    assert problem == (
        f"freqai.model_training_parameters.{key} would be ignored, because each member of an "
        "ensemble has its own; write it into the blocks of freqai.model_training_parameters."
        f"members whose kind has it ({kinds}), or remove it. Received: {value!r}"
    )


def test_all_that_an_ensemble_does_not_use_is_refused_at_once():
    others = set().union(*(kind.model_fields for kind in KINDS.values()))
    foreign = others - EnsembleSettings.model_fields.keys()
    given = {"kind": "ensemble", **dict.fromkeys(foreign)}
    problems = problems_of(model_training_parameters=given)
    assert len(problems) == len(foreign) > 20
    assert all("would be ignored" in problem for problem in problems)


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (
            {"kind": "ensemble"},
            "0.kind must be one of 'lstm', 'gru', 'bilstm', 'dlstm', 'published', 'r",
        ),
        (
            {"kind": "lstm", "rounds": 3},
            "0.rounds is unknown; it belongs to a member of kind trees",
        ),
        ({"kind": "lstm", "dropuot": 0.3}, "0.dropuot is unknown; did you mean 'dropout'?"),
        ({"kind": "trees", "leaves": 1}, "0.leaves: Input should be greater than or equal to 2"),
    ],
)
def test_a_mistake_in_a_member_is_told_where_it_stands(member, said):
    members = [member, {"kind": "trees"}]
    (problem,) = problems_of(model_training_parameters={"kind": "ensemble", "members": members})
    assert problem.startswith(f"freqai.model_training_parameters.members.{said}")


@pytest.mark.parametrize(("setting", "allowed", "refused"), BOUNDS)
def test_each_bound_on_both_sides(setting, allowed, refused):
    read_configuration(freqai(**{setting: allowed}))
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
        *(("identifier", path) for path in ("", "..", ".", "/", "a/b", "../../x", "a\\b", "C:x")),
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
        ("dual_window__guards__max_identicals", "max_identical"),
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


WEIGHTS = {"SHORT": 1.0, "HOLD": 0.5, "LONG": 2.0}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"SHORT": 1.0, "LONG": 1.0}, "HOLD: Field required"),
        (WEIGHTS | {"HOLD": 0.0}, "HOLD: Input should be greater than 0"),
        (WEIGHTS | {"HOLD": float("inf")}, "HOLD: Input should be a finite number"),
        (WEIGHTS | {"FLAT": 1.0}, "FLAT is unknown; remove it"),
        (WEIGHTS | {"SHROT": 1.0}, "SHROT is unknown; did you mean 'SHORT'?"),
    ],
)
def test_class_weights_need_every_class(wrong, told):
    balancing = read_configuration(freqai(dual_window__balancing__class_weights=WEIGHTS))
    assert balancing.settings.balancing.class_weights.model_dump() == WEIGHTS
    (problem,) = problems_of(dual_window__balancing__class_weights=wrong)
    assert problem.startswith(f"freqai.dual_window.balancing.class_weights.{told}")


THRESHOLDS = {"short": 0.5, "hold": 0.4, "long": 0.6}


@pytest.mark.parametrize("name", THRESHOLDS)
def test_bounds_of_custom_thresholds(name):
    for allowed in (1, 1e-6):
        block = {"mode": "custom", **THRESHOLDS, name: allowed}
        chosen = read_configuration(freqai(dual_window__confidence=block)).confidence
        assert getattr(thresholds(chosen), name) == allowed
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
    def of(**block):
        return thresholds(read_configuration(freqai(dual_window__confidence=block)).confidence)

    assert of(mode="aggressive") == Thresholds(short=0.45, hold=0.40, long=0.45)
    assert of(mode="custom", **THRESHOLDS) == Thresholds(**THRESHOLDS)
    assert of(mode="custom", short=0.6, long=0.7) == Thresholds(0.6, 0.45, 0.7)
    assert of() == Thresholds(short=0.55, hold=0.45, long=0.55)


def test_presets_set_the_same_keys_so_that_one_replaces_another():
    presets = [load_from_files([str(path)]) for path in (ROOT / "config/presets").glob("*.json")]
    assert len(presets) == 5
    assert len({str(flatten(preset).keys()) for preset in presets}) == 1


def test_the_configuration_is_not_changed():
    config = freqai(feature_parameters__label_period_candles=30)
    before = repr(config)
    read_configuration(config)
    assert repr(config) == before


def test_a_window_shorter_than_the_longest_span_is_told_in_the_users_words():
    (problem,) = problems_of(
        conv_width=60, model_training_parameters={"kind": "ranges", "spans": [15, 180]}
    )
    assert problem == (
        "freqai.conv_width is 60 candles, but the kind 'ranges' looks back on 180; lengthen it, or "
        "let model_training_parameters look back less"
    )


def test_every_setting_beside_the_core_is_described():
    described = {
        f"{name}.{field}": facts.description
        for name in ("confidence", "guards")
        for field, facts in type(getattr(Configuration(), name)).model_fields.items()
    }
    assert len(described) == 9
    assert all(described.values())


def test_readme_settings_table_is_complete():
    documented = readme_settings()
    defaults = {users_key(place): value for place, value in leaves(Configuration())}
    told = {key: documented_default(text, "lstm") for key, text in documented.items()}
    assert {key: told[key] for key in defaults} == {k: as_in_readme(v) for k, v in defaults.items()}
    for kind, settings in KINDS.items():
        for name, value in settings():
            if name != "kind":
                key = users_key(f"settings.model.{name}")
                assert documented_default(documented[key], kind) == as_in_readme(value)
                defaults[key] = value
    delta = users_key("settings.labels.delta")
    assert documented[delta] == SmoothedLabelSettings().delta
    assert documented.keys() - {delta} == defaults.keys()
    assert len(documented) == 57


# Names that messages fill in, and all that they can be.
FILLED_IN = {"{name}": ["history", "horizon"]}


def in_backticks(path: Path) -> Iterator[str]:
    """Find what the error messages of a module name in backticks."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and node.exc is not None:
            for name in re.findall(r"`([^`]+)`", _literal_text(node.exc)):
                yield from FILLED_IN.get(name, [name])


def _literal_text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.FormattedValue):
        return f"{{{ast.unparse(node.value)}}}"
    return "".join(_literal_text(child) for child in ast.iter_child_nodes(node))


def field_of(model: type[BaseModel], path: list[str]) -> bool:
    if path[0] == "model" and len(path) > 1:
        return any(field_of(kind, path[1:]) for kind in KINDS.values())
    if path[0] == "labels" and len(path) > 1:
        return any(field_of(rule, path[1:]) for rule in LABEL_RULES.values())
    field = model.model_fields.get(path[0])
    return field is not None and (len(path) == 1 or field_of(field.annotation, path[1:]))


def test_all_settings_that_the_core_names_in_errors_can_be_translated():
    core = sorted((ROOT / "dualwindow").rglob("*.py"))
    named = {name for path in core for name in in_backticks(path)}
    settings = type(Configuration().settings)
    for name in named:
        assert name == "train_days" or field_of(settings, name.split(".")), name
        told = translated(f"lower `{name}` now")
        assert "`" not in told
        key = told.removeprefix("lower ").removesuffix(" now").removeprefix("freqai.")
        place = f"settings.{name}"
        assert key == ("train_period_days" if name == "train_days" else users_key(place))
    assert {"history", "horizon", "train_days", "labels", "model.learning_rate"} <= named
    assert len(named) >= 7


def test_other_words_in_backticks_stay_as_they_are():
    assert translated("`pair` and `History`") == "`pair` and `History`"


@pytest.mark.parametrize("kind", [TrainingError, FloatingPointError])
def test_errors_of_the_core_are_told_in_the_users_words(kind):
    with pytest.raises(kind, match=r"^raise freqai\.conv_width$") as error, in_users_words():
        raise kind("raise `history`")
    assert error.value.__suppress_context__
    with pytest.raises(KeyError, match="`history`"), in_users_words():
        raise KeyError("`history`")  # not one that the core means

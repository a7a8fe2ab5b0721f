from collections.abc import Iterator
from typing import Any, get_args

import pytest
from examples import as_in_readme, documented_default, leaves, readme_settings
from pydantic import BaseModel, ValidationError

from dualwindow.models.line import LineClassifier
from dualwindow.models.ranges import make
from dualwindow.settings import (
    KINDS,
    LABEL_RULES,
    AnyClassifierSettings,
    ClassifierSettings,
    ConfidenceSettings,
    LstmSettings,
    RangesSettings,
    Settings,
    TreesSettings,
    spans_of,
)

# How the README calls what the core calls otherwise: a table of its own, so that neither can drift.
README_KEYS = {
    "history": "conv_width",
    "horizon": "feature_parameters.label_period_candles",
    "validation_share": "data_split_parameters.test_size",
    "weight_factor": "feature_parameters.weight_factor",
    "max_untraded": "dual_window.max_untraded_candles",
}


def readme_key(place: str) -> str:
    if place.startswith("model."):
        return place.replace("model.", "model_training_parameters.")
    return README_KEYS.get(place, f"dual_window.{place}")


def defaults_of_all_kinds() -> list[tuple[str, str, Any]]:
    default = [("", place, value) for place, value in leaves(Settings())]
    others = [
        (kind, f"model.{name}", value)
        for kind, settings in KINDS.items()
        for name, value in leaves(settings())
        if name != "kind"
    ]
    rules = [
        (rule, f"labels.{name}", value)
        for rule, settings in LABEL_RULES.items()
        for name, value in leaves(settings())
        if name != "rule"
    ]
    return default + others + rules


def test_defaults_are_the_designs():
    documented, checked = readme_settings(), set()
    for kind, place, default in defaults_of_all_kinds():
        told = documented_default(documented[readme_key(place)], kind)
        assert (kind, place, told) == (kind, place, as_in_readme(default))
        checked.add(place)
    assert len(checked) == 46


def test_every_kind_can_be_chosen_by_its_name():
    union, _ = get_args(AnyClassifierSettings)
    assert {get_args(kind)[0] for kind in get_args(union)} == set(KINDS.values())
    for name, kind in KINDS.items():
        assert isinstance(kind().kind, str)
        assert kind().kind == name
        assert issubclass(kind, ClassifierSettings)
        assert type(Settings.model_validate({"model": {"kind": name}}).model) is kind
    assert type(Settings().model) is type(Settings.model_validate({"model": {}}).model)


def test_every_rule_can_be_chosen_by_its_name():
    for name, rule in LABEL_RULES.items():
        labels = Settings.model_validate({"labels": {"rule": name}}).labels
        assert type(labels) is rule
        assert labels.rule == name
    assert Settings().labels == Settings.model_validate({"labels": {}}).labels


@pytest.mark.parametrize("value", ["exclusive", None, 7, {"rule": "last_touch"}, {"rule": None}])
def test_what_are_no_labels_is_a_problem_like_any_other(value):
    with pytest.raises(ValidationError) as error:
        Settings.model_validate({"labels": value})
    (problem,) = error.value.errors()
    assert problem["loc"][0] == "labels"
    assert problem["type"] in ("model_type", "union_tag_invalid")


@pytest.mark.parametrize(
    ("rule", "foreign"), [("smoothed", "long_take_profit"), ("exclusive", "delta")]
)
def test_what_belongs_to_another_rule_is_refused(rule, foreign):
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Settings.model_validate({"labels": {"rule": rule, foreign: 0.01}})


def nested(place: str, value: Any) -> dict[str, Any]:
    *path, last = place.split(".")
    found: dict[str, Any] = {last: value}
    if path == ["model"]:
        found["kind"] = next(name for name, kind in KINDS.items() if last in kind.model_fields)
    if place == "labels.delta":
        found["rule"] = "smoothed"
    for name in reversed(path):
        found = {name: found}
    return found


BOUNDS = [  # setting, smallest or largest allowed, first refused
    ("history", 6, 1),  # a step of six candles
    ("horizon", 1, 0),
    ("weight_factor", 0, -0.1),
    ("weight_factor", 1e9, float("inf")),
    ("validation_share", 0.01, 0),
    ("validation_share", 0.99, 1),
    ("labels.delta", 0.0001, 0),
    ("labels.delta", 0.99, 1),
    ("labels.delta", "auto", "median"),
    ("labels.long_take_profit", 0.0001, 0),
    ("labels.long_take_profit", 0.99, 1),
    ("labels.long_stop_loss", 0.0001, -0.01),
    ("labels.long_stop_loss", 0.99, 1),
    ("labels.short_take_profit", 0.0001, 0),
    ("labels.short_take_profit", 0.99, 1),
    ("labels.short_stop_loss", 0.0001, 0),
    ("labels.short_stop_loss", 0.99, 1),
    ("balancing.method", "undersample", "oversample"),
    ("balancing.floor", 1, 0),
    ("balancing.class_weights", None, 1),
    ("scaler", "minmax", "l2"),
    ("pooling", "whitelist", "all"),
    ("calibration", "vector", "isotonic"),
    ("max_untraded", 0, -1),
    ("model.stride", 1, 0),
    ("model.seed", 0, -1),
    ("model.seed", 2**31 - 1, 2**31),
    ("model.lstm_units", [1], []),
    ("model.lstm_units", [1], [0]),
    ("model.gru_units", [1], []),
    ("model.gru_units", [1], [0]),
    ("model.trend_candles", 1, 0),
    ("model.dense_units", [], [0]),
    ("model.dropout", 0, -0.1),
    ("model.dropout", 0.99, 1),
    ("model.feature_dropout", 0, -0.1),
    ("model.feature_dropout", 0.99, 1),
    ("model.learning_rate", 1, 0),
    ("model.learning_rate", 1e-5, 1.1),
    ("model.batch_size", 1, 0),
    ("model.epochs", 1, 0),
    ("model.patience", 1, 0),
    ("model.lr_patience", 1, 0),
    ("model.lr_factor", 0.99, 1),
    ("model.lr_factor", 0.01, 0),
    ("model.min_learning_rate", 1e-9, 0),
    ("model.spans", [2], [1]),
    ("model.spans", [180], [0, 15]),
    ("model.candles_per_step", 1, 0),
    ("model.summary_dropout", 0, -0.1),
    ("model.summary_dropout", 0.99, 1),
    ("model.rounds", 1, 0),
    ("model.shrinkage", 1, 0),
    ("model.shrinkage", 1e-9, 1.1),
    ("model.leaves", 2, 1),
    ("model.least_windows", 1, 0),
    ("model.leaf_penalty", 0, -0.1),
    ("model.leaf_penalty", 1e9, float("inf")),
    ("model.column_share", 1, 0),
    ("model.column_share", 1e-9, 1.1),
    ("model.row_share", 1, 0),
    ("model.row_share", 1e-9, 1.1),
    ("model.members", [TreesSettings(), RangesSettings()], [TreesSettings()]),
    ("model.combine", "stacked", "mean"),
    ("model.penalty", 1e-9, 0),
    ("model.penalty", 1e9, float("inf")),
]


@pytest.mark.parametrize(("place", "allowed", "refused"), BOUNDS)
def test_each_bound_on_both_sides(place, allowed, refused):
    got = dict(leaves(Settings.model_validate(nested(place, allowed))))
    assert got[place] == (tuple(allowed) if isinstance(allowed, list) else allowed)
    with pytest.raises(ValidationError) as error:
        Settings.model_validate(nested(place, refused))
    name = place.rpartition(".")[2]
    assert all(name in problem["loc"] for problem in error.value.errors())


@pytest.mark.parametrize(
    ("history", "spans"),
    [(180, (15, 60, 180)), (240, (20, 80, 240)), (20, (2, 6, 20)), (6, (2, 6)), (2, (2,))],
)
def test_spans_that_are_not_set_follow_the_history(history, spans):
    assert spans_of(None, history) == spans
    assert spans_of((3, 9), history) == (3, 9)
    assert spans_of((), history) == ()


@pytest.mark.parametrize(
    ("kind", "allowed", "refused"),
    [
        ("lstm", [], [1]),
        ("ranges", [1], [0]),
        ("ranges", [180], []),
        ("trees", [2], [1]),
        ("trees", [180], []),
    ],
)
def test_each_kind_bounds_its_spans_on_both_sides(kind, allowed, refused):
    assert KINDS[kind](spans=allowed).spans == tuple(allowed)
    with pytest.raises(ValidationError) as error:
        KINDS[kind](spans=refused)
    assert {problem["loc"][0] for problem in error.value.errors()} == {"spans"}


def test_no_setting_is_without_a_bound():
    by_name = {"model.kind", "labels.rule"}
    assert {place for _, place, _ in defaults_of_all_kinds()} - by_name == {
        place for place, _, _ in BOUNDS
    }


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"SHORT": 1.0, "LONG": 1.0}, id="missing"),
        pytest.param({"SHORT": 1.0, "HOLD": 0.0, "LONG": 1.0}, id="zero"),
        pytest.param({"SHORT": 1.0, "HOLD": float("inf"), "LONG": 1.0}, id="infinite"),
        pytest.param({"SHORT": 1.0, "HOLD": 1.0, "LONG": 1.0, "FLAT": 1.0}, id="unknown"),
    ],
)
def test_class_weights_need_every_class(wrong):
    given = {"SHORT": 1.0, "HOLD": 0.5, "LONG": 2.0}
    settings = Settings.model_validate(nested("balancing.class_weights", given))
    assert settings.balancing.class_weights.model_dump() == given
    with pytest.raises(ValidationError) as error:
        Settings.model_validate(nested("balancing.class_weights", wrong))
    (problem,) = error.value.errors()
    assert problem["loc"][:2] == ("balancing", "class_weights")


@pytest.mark.parametrize("value", ["lstm", None, 7, ["lstm"], {"kind": "forest"}, {"kind": None}])
def test_what_is_no_classifier_is_a_problem_like_any_other(value):
    with pytest.raises(ValidationError) as error:
        Settings.model_validate({"model": value})
    (problem,) = error.value.errors()
    assert problem["loc"][0] == "model"
    assert problem["type"] in ("model_type", "union_tag_invalid")


@pytest.mark.parametrize(
    "block", [Settings, *KINDS.values(), *LABEL_RULES.values(), ConfidenceSettings]
)
def test_settings_are_frozen_and_unknown_ones_are_refused(block):
    made, name = block(), next(iter(block.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(made, name, getattr(made, name))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        block.model_validate({"histori": 3})


def test_spans_that_reach_behind_the_window_are_refused_by_name():
    model = RangesSettings(spans=(3, 12))
    assert isinstance(make(Settings(history=12, model=model).model, 12, 8), LineClassifier)
    with pytest.raises(ValidationError, match=r"`history` is 11 candles.*'ranges'.* on 12;.*`mod"):
        Settings(history=11, model=model)


def test_a_learning_rate_below_its_least_is_refused():
    assert LstmSettings(learning_rate=0.1, min_learning_rate=0.1).learning_rate == 0.1
    with pytest.raises(ValidationError, match="min_learning_rate must not be above learning_rate"):
        LstmSettings(learning_rate=0.1, min_learning_rate=0.11)


def test_every_setting_is_described():
    def fields(model: type[BaseModel], path: str) -> Iterator[tuple[str, str | None]]:
        for name, field in model.model_fields.items():
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
                yield from fields(field.annotation, f"{path}{name}.")
            elif path + name not in ("model", "labels"):
                yield f"{path}{name}", field.description

    described = dict(fields(Settings, ""))
    for kind in KINDS.values():
        described |= fields(kind, "model.")
    for rule in LABEL_RULES.values():
        described |= fields(rule, "labels.")
    assert described.keys() == {place for _, place, _ in defaults_of_all_kinds()}
    assert all(described.values())


def test_an_ensemble_hands_stride_and_seeds_down():
    given = {"kind": "ensemble", "seed": 7, "stride": 3}
    given["members"] = [
        {"kind": "lstm"},
        {"kind": "lstm"},
        {"kind": "trees"},
        {"kind": "lstm", "seed": 1},
    ]
    model = Settings.model_validate({"model": given}).model
    assert [member.seed for member in model.members] == [7, 8, 7, 1]
    assert {member.stride for member in model.members} == {3}
    again = type(model).model_validate_json(model.model_dump_json())
    assert again == model
    other = type(model).model_validate({**dict(model), "seed": 20, "stride": 5})
    assert [member.seed for member in other.members] == [20, 21, 20, 1]
    assert {member.stride for member in other.members} == {5}
    given["members"][0] = {"kind": "lstm", "stride": 4}
    with pytest.raises(ValidationError, match="a member's stride would be ignored"):
        Settings.model_validate({"model": given})


@pytest.mark.parametrize("kind", ["lstm", "trees"])
def test_no_span_stands_there_twice(kind):
    with pytest.raises(ValidationError, match="must not hold a span twice"):
        Settings.model_validate({"model": {"kind": kind, "spans": [20, 20]}})

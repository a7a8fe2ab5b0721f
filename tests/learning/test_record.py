"""The facts of a training are the same in memory as in JSON."""

import json

import pytest
from examples import part_of, random_training_data, small_settings
from pydantic import ValidationError

from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.learning.training import train
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import KINDS, ClassWeights


@pytest.fixture(scope="module", params=KINDS)
def record(request) -> TrainingRecord:
    data = part_of(random_training_data(700, seed=0), slice(650))
    weights = {"SHORT": 1.0, "HOLD": 0.1, "LONG": 3.0}
    settings = small_settings(
        history=12,
        horizon=12,
        kind=request.param,
        whole={"balancing": {"method": "class_weights", "class_weights": weights}},
    )
    made = train(data, settings, FeatureScaler("standard"))
    return made.made_from({"code": "0123", "settings.seed": 42}).record


def test_json_in_and_out_is_the_same(record):
    text = record.to_json()
    again = TrainingRecord.from_json(text)
    assert again == record
    assert again.to_json() == text
    assert type(again.settings.model) is type(record.settings.model)
    assert again.settings.balancing.class_weights == ClassWeights(SHORT=1.0, HOLD=0.1, LONG=3.0)
    assert again.epochs == record.epochs
    assert [type(e) for e in again.epochs] == [type(e) for e in record.epochs]
    facts = json.loads(text)
    assert facts["format"] == 3
    assert facts.keys() == TrainingRecord.model_fields.keys()


def test_everything_that_is_counted_is_one_of_the_candles(record):
    windows = record.training_windows.total + record.validation_windows.total
    assert windows + sum(record.rejected.values()) == record.candles == 650
    assert record.labels.total + record.unknown_labels == 650
    assert record.training_labels.total == 650 - 130 - 12  # the training part is purged
    assert (record.first_candle, record.last_candle) == ("1970-01-01T00:00Z", "1970-01-01T10:49Z")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"format": 2}, ("format",)),
        ({"format": 4}, ("format",)),
        ({"format": "3"}, ("format",)),
        ({"speed": 3}, ("speed",)),
        ({"pair": None}, ("pair",)),
        ({"labels": {"SHORT": 1, "HOLD": 2}}, ("labels", "LONG")),
    ],
)
def test_another_format_is_refused_with_the_place(record, change, place):
    facts = json.loads(record.to_json()) | change
    with pytest.raises(ValidationError) as error:
        TrainingRecord.from_json(json.dumps(facts))
    (problem,) = error.value.errors()
    assert problem["loc"] == place
    assert place[-1] in str(error.value)


def test_damaged_text_is_refused(record):
    for damaged in (record.to_json()[:-9], "", "[]", "null"):
        with pytest.raises(ValidationError):
            TrainingRecord.from_json(damaged)


def test_records_are_frozen(record):
    for block, name in (
        (record, "pair"),
        (record.labels, "HOLD"),
        (record.calibration, "method"),
        (record.validation, "log_loss"),
        (record.settings, "history"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(block, name, getattr(block, name))


def test_counts_read_well():
    counts = ClassCounts(SHORT=1, HOLD=20, LONG=3)
    assert (counts.total, str(counts)) == (24, "1 SHORT + 20 HOLD + 3 LONG")

from dataclasses import replace

import numpy as np
import pytest
import walks
from examples import make_candles
from examples_evidence import evidence, walked

from dualwindow.judging.finding import find
from dualwindow.judging.three_numbers import ThreeNumbers, baseline_settings
from dualwindow.learning import walk_forward
from dualwindow.learning.fold_store import read_table
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.market.summaries import (
    closes_to_means,
    mean_log_ranges,
    running_closes_to_means,
    running_log_ranges,
)
from dualwindow.samples.data import TrainingError
from dualwindow.samples.scaling import known_rows
from dualwindow.settings import Settings, SmoothedLabelSettings

KINDS = ["ranges", "trend"]


def torn_pair():
    """Some features are unknown, some candles untraded, and some are not there."""
    (pair,) = walks.pairs(names=("A/USDT",))
    features, volume = pair.features.copy(), pair.candles.volume.copy()
    features[300:303], volume[500:540] = np.nan, 0
    kept = np.delete(np.arange(1500), np.arange(610, 640))
    candles = replace(pair.candles, volume=volume)
    return replace(pair, candles=candles[np.isin(np.arange(1500), kept)], features=features[kept])


def settings_of(kind):
    settings = walks.settings(kind)
    if kind == "trend":
        labels = SmoothedLabelSettings(delta=0.001)
        settings = settings.model_copy(update={"labels": labels})
    return settings


def rows_of(candles, fold):
    a, b, c = np.searchsorted(candles.date, [fold.train_from, fold.start, fold.stop]).tolist()
    return slice(a, b), slice(b, c)


@pytest.mark.parametrize("kind", KINDS)
def test_foresees_what_the_kind_does_in_a_walk_forward(kind):
    pair, settings = torn_pair(), settings_of(kind)
    asked = ThreeNumbers(pair.candles, settings, known_rows(pair.features))
    labels = Labelling.of(settings).label(pair.candles)
    n_predicted = 0
    for task in walk_forward.tasks([pair], walks.SCHEDULE, settings)[0]:
        table = read_table(walk_forward.run_fold(task)[0].table)
        found = asked.foresee(labels, *rows_of(pair.candles, task.members[0].fold))
        np.testing.assert_allclose(found, table[list(CLASSES)].to_numpy(), atol=1e-6)
        n_predicted += int(np.isfinite(found).all(axis=1).sum())
    assert n_predicted > 400


def test_other_labels_of_the_same_candles_need_no_other_sums():
    (pair,) = walks.pairs(names=("A/USDT",))
    settings = walks.settings()
    asked = ThreeNumbers(pair.candles, settings, known_rows(pair.features))
    train, predict = slice(0, 720), slice(720, 864)
    barriers = settings.labels.model_copy(update={"long_take_profit": 0.004})
    other = settings.model_copy(update={"labels": barriers})
    first, second = (Labelling.of(each).label(pair.candles) for each in (settings, other))
    before = asked.foresee(first, train, predict)
    fresh = ThreeNumbers(pair.candles, other, known_rows(pair.features))
    moved = asked.foresee(second, train, predict)
    np.testing.assert_array_equal(moved, fresh.foresee(second, train, predict))
    np.testing.assert_array_equal(before, asked.foresee(first, train, predict))
    assert np.abs(moved - before).max() > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_later_changes_what_is_foreseen_and_inputs_are_untouched(kind):
    pair, settings = torn_pair(), settings_of(kind)
    labels = Labelling.of(settings).label(pair.candles)
    labels.setflags(write=False)
    train, predict = slice(0, 700), slice(700, 850)
    before = ThreeNumbers(pair.candles, settings).foresee(labels, train, predict)
    changed, candles = labels.copy(), pair.candles
    changed[700 - walks.HORIZON :] = 2
    later = {
        name: np.where(np.arange(len(candles)) < 800, getattr(candles, name), 77.0)
        for name in ("high", "low", "close", "volume")
    }
    after = ThreeNumbers(replace(candles, **later), settings).foresee(changed, train, predict)
    np.testing.assert_array_equal(before[:100], after[:100])
    assert not np.array_equal(before[100:], after[100:])


@pytest.mark.parametrize("spans", [(1,), (2, 5, 12)])
def test_running_sums_are_those_of_each_window(spans):
    candles = make_candles(np.linspace(90, 110, 60), np.linspace(91, 115, 60))
    broken = replace(candles, low=np.where(np.arange(60) == 30, np.nan, candles.low - 1))
    ends = np.arange(max(spans) - 1, 60)
    for running, anew in (
        (running_log_ranges, mean_log_ranges),
        (running_closes_to_means, closes_to_means),
    ):
        found = running(broken, spans)
        np.testing.assert_allclose(found[ends], anew(broken, ends, spans), rtol=1e-9, atol=1e-12)
        assert np.isnan(found[30]).all()
        for column, span in enumerate(spans):
            assert np.isnan(found[: span - 1, column]).all()


def test_a_baseline_of_smoothed_labels_sees_the_half_that_has_happened():
    settings = walks.settings("lstm")
    assert baseline_settings(settings).model.kind == "ranges"
    smoothed = settings.model_copy(update={"labels": SmoothedLabelSettings()})
    assert baseline_settings(smoothed).model.kind == "trend"
    assert baseline_settings(smoothed).history == settings.history


def test_three_numbers_foresee_the_same_whatever_is_set_for_the_model():
    poor = Settings.model_validate(
        walks.settings().model_dump()
        | {
            "balancing": {"method": "class_weights"},
            "calibration": "none",
            "weight_factor": 0.05,
        }
    )
    plain = find(evidence(), 0.0).skill.rows
    rows = find(evidence(walked(poor)), 0.0).skill.rows
    for row, same in zip(rows, plain, strict=True):
        assert row.skill != pytest.approx(same.skill, abs=0.01)
        assert row.baseline_skill == same.baseline_skill is not None


def test_says_what_it_cannot_learn_from():
    (pair,) = walks.pairs(names=("A/USDT",))
    settings = walks.settings()
    asked = ThreeNumbers(pair.candles, settings)
    with pytest.raises(TrainingError, match="no whole window"):
        asked.foresee(np.full(1500, UNKNOWN), slice(0, 700), slice(700, 800))
    with pytest.raises(TrainingError, match="so there is nothing to tell apart"):
        asked.foresee(np.ones(1500, dtype=np.int8), slice(0, 700), slice(700, 800))

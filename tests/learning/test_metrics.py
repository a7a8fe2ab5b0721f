"""Metrics of probabilities, by pencil and by laws."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dualwindow.learning.metrics import (
    auc,
    beats_reference,
    calibration_errors,
    log_loss,
    skill,
    split_loss,
)
from dualwindow.market.labels import HOLD, LONG, SHORT


def test_log_loss_by_pencil():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1]])
    assert log_loss(probabilities, np.array([0, 1])) == pytest.approx(-np.log(0.5 * 0.8) / 2)


def test_split_loss_by_pencil():
    """Of 0.5 + 0.25 for a move and 0.25 for none: SHORT is two thirds of a move."""
    probabilities = np.tile([0.5, 0.25, 0.25], (3, 1))
    touch, direction = split_loss(probabilities, np.array([SHORT, HOLD, LONG]))
    assert touch == pytest.approx(-np.log(0.75 * 0.25 * 0.75) / 3)
    assert direction == pytest.approx(-(np.log(2 / 3) + np.log(1 / 3)) / 3)


def test_split_losses_add_up_to_the_whole(seed):
    rng = np.random.default_rng(seed)
    probabilities, labels = rng.dirichlet([1, 2, 1], 500), rng.integers(0, 3, 500)
    split = split_loss(probabilities, labels)
    assert sum(split) == pytest.approx(log_loss(probabilities, labels))
    # Which of the two is asked of those that moved alone; how likely a move was is no part of it.
    other = probabilities * np.where(np.arange(3) == HOLD, 0.5, 1)
    other /= other.sum(axis=1, keepdims=True)
    again = split_loss(other, labels)
    assert again.direction == pytest.approx(split.direction)
    assert again.touch != pytest.approx(split.touch, rel=1e-3)
    assert np.isfinite(split_loss(np.array([[0.0, 1.0, 0.0]]), np.array([LONG]))).all()


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 0.0), (0.1, 0.1)])
def test_calibration_error_finds_a_shift(shift, expected):
    rng = np.random.default_rng(0)
    p = rng.uniform(0.2, 0.6, 60000)
    labels = np.where(rng.random(60000) < p, LONG, HOLD)
    told = np.stack([np.zeros_like(p), 1 - p - shift, p + shift], axis=1)
    short, hold, long = calibration_errors(told, labels)
    assert short == 0
    assert long == pytest.approx(expected, abs=0.01)
    assert hold == pytest.approx(expected, abs=0.01)


def test_skill_and_auc():
    assert skill(0.4, 0.5) == pytest.approx(0.2)
    p = np.array([[0.1, 0.2, 0.7], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]])
    assert auc(p, np.array([HOLD, HOLD, LONG]), LONG) == 1
    assert auc(p, np.array([HOLD, HOLD, HOLD]), LONG) is None


def test_auc_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([2, 3, 2], 400).round(1)  # with many ties
    labels = rng.integers(0, 3, 400)
    for code in (SHORT, HOLD, LONG):
        assert auc(p, labels, code) == pytest.approx(roc_auc_score(labels == code, p[:, code]))


def test_calibration_error_table():
    """Four rows in two bins: of LONG, 0.1 and 0.2 come true half the time, 0.6 and 0.8 always."""
    long = np.array([0.1, 0.8, 0.2, 0.6])
    p = np.stack([np.zeros(4), 1 - long, long], axis=1)
    labels = np.array([HOLD, LONG, LONG, LONG])
    # |0.15 - 0.5| and |0.7 - 1|, for two of four rows each
    assert calibration_errors(p, labels, bins=2)[LONG] == pytest.approx((0.35 + 0.3) / 2)
    assert calibration_errors(p, labels, bins=1)[LONG] == pytest.approx(abs(0.425 - 0.75))
    # one row in each bin, also where there are more bins than rows
    alone = pytest.approx((0.1 + 0.8 + 0.4 + 0.2) / 4)
    assert calibration_errors(p, labels, bins=4)[LONG] == alone
    assert calibration_errors(p, labels)[LONG] == alone


def test_a_constant_that_comes_true_as_often_as_it_says_has_no_error(seed):
    labels = np.random.default_rng(seed).permutation([SHORT] * 20 + [HOLD] * 50 + [LONG] * 30)
    errors = calibration_errors(np.tile([0.2, 0.5, 0.3], (100, 1)), labels)
    assert errors == pytest.approx((0, 0, 0), abs=1e-12)


def test_the_order_of_rows_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), 400).round(1)  # many ties
    labels = rng.integers(0, 3, 400)
    expected, different = calibration_errors(p, labels), 0
    for _ in range(10):
        order = rng.permutation(400)
        assert calibration_errors(p[order], labels[order]) == expected
        different += (order != np.arange(400)).any()
    assert different == 10


def test_fifteen_bins_unless_said(seed):
    rng = np.random.default_rng(seed)
    p, labels = rng.dirichlet(np.ones(3), 400), rng.integers(0, 3, 400)
    assert calibration_errors(p, labels) == calibration_errors(p, labels, bins=15)
    assert calibration_errors(p, labels) != calibration_errors(p, labels, bins=16)


def test_without_rows_nothing_is_known():
    nothing = np.empty(0, dtype=np.int64)
    assert all(math.isnan(e) for e in calibration_errors(np.empty((0, 3)), nothing))


@pytest.mark.parametrize(
    ("skill", "beats"), [(0.0, False), (3.3e-16, False), (-0.1, False), (1e-6, True), (0.5, True)]
)
def test_equal_predictions_do_not_beat_the_reference_by_rounding(skill, beats):
    assert beats_reference(skill) == beats

"""Scores become probabilities that mean what they say."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from dualwindow.learning.calibration import (
    Calibration,
    Evidence,
    by_prior,
    by_temperature,
    by_vector,
    calibrate,
    frequencies_only,
    uncalibrated,
)
from dualwindow.learning.metrics import log_loss

FREQUENCIES = np.array([0.1, 0.8, 0.1])
EVEN = np.full(3, 1 / 3)


def world(seed: int, n: int = 4000, frequencies=FREQUENCIES) -> tuple[np.ndarray, np.ndarray]:
    """True probabilities whose classes come with the given frequencies, and labels drawn so."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, n, p=frequencies)
    seen = rng.normal(size=(n, 2)) + np.array([[1.5, 0], [0, 0], [0, 1.5]])[labels]
    # Bayes: log odds of a shifted unit Gaussian are linear in what is seen.
    odds = 1.5 * seen - 1.125
    logits = np.stack([odds[:, 0], np.zeros(n), odds[:, 1]], axis=1) + np.log(frequencies)
    return softmax(logits, axis=1), labels


def balanced(true: np.ndarray, frequencies=FREQUENCIES, mixture=EVEN) -> np.ndarray:
    """What a perfect classifier says after training on another mixture of the classes."""
    scores = true / frequencies * mixture
    return scores / scores.sum(axis=1, keepdims=True)


def evidence(scores, labels, overlap=1, mixture=EVEN) -> Evidence:
    return Evidence(scores, labels, FREQUENCIES, mixture, overlap)


def test_prior_gives_the_true_probabilities_back(seed):
    true, labels = world(seed)
    scores = balanced(true)
    fitted = by_prior(evidence(scores, labels))
    np.testing.assert_allclose(fitted.apply(scores), true, atol=1e-6)
    assert np.abs(scores - true).max() > 0.3


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_temperature_finds_the_one_that_was_applied(seed, temperature):
    true, labels = world(seed, n=20000)
    sharpened = softmax(np.log(balanced(true)) / temperature, axis=1)
    fitted = by_temperature(evidence(sharpened, labels))
    np.testing.assert_allclose(fitted.scale, temperature, rtol=0.1)
    np.testing.assert_allclose(fitted.apply(sharpened), true, atol=0.03)


def test_vector_matches_logistic_regression_on_each_direction(seed):
    """Oracle: with plenty of windows, vector scaling of one direction is a logistic regression."""
    true, labels = world(seed, n=20000, frequencies=np.array([0.02, 0.58, 0.4]))
    odds = np.log(true[:, 2] / true[:, 1]) * 0.4 + 0.7
    scores = softmax(
        np.stack([np.full_like(odds, -9.0), np.zeros_like(odds), odds], axis=1), axis=1
    )
    pair = labels != 0
    one_direction = Evidence(
        scores[pair], labels[pair], np.array([1e-6, 0.59, 0.41]), np.array([1e-6, 0.5, 0.5]), 1
    )
    fitted = by_vector(one_direction)
    reference = LogisticRegression(C=np.inf).fit(odds[pair, None], labels[pair] == 2)
    assert fitted.scale[1] == pytest.approx(reference.coef_[0, 0], rel=0.02)
    assert fitted.shift[1] == pytest.approx(reference.intercept_[0], abs=0.05)


def test_a_method_never_does_worse_than_the_frequencies_on_validation(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, 500, p=FREQUENCIES)
    misleading = softmax(3 * rng.normal(size=(500, 3)), axis=1)
    checked = 0
    for method in ("prior", "temperature", "vector"):
        for scores in (misleading, 1 - misleading / 2, np.roll(misleading, 1, axis=1)):
            found = evidence(scores / scores.sum(axis=1, keepdims=True), labels, overlap=12)
            fitted, _ = calibrate(method, found)
            assert found.log_loss(fitted) <= found.log_loss(frequencies_only(found)) + 1e-12
            checked += 1
    assert checked == 9


def test_scores_that_say_the_opposite_leave_the_frequencies(seed):
    true, labels = world(seed)
    opposite = balanced(true)[:, ::-1]
    fitted, remarks = calibrate("prior", evidence(opposite, labels))
    assert fitted.method == "frequencies"
    assert remarks[0].endswith("so it counts by 0 %: all candles get the same probabilities")
    np.testing.assert_allclose(fitted.apply(opposite), np.tile(FREQUENCIES, (4000, 1)))


@pytest.mark.parametrize("method", ["prior", "temperature"])
def test_boastful_scores_count_as_far_as_they_are_not_worse_than_the_frequencies(seed, method):
    """Half a day of validation windows: too little for the belief in the scores to give way."""
    true, labels = world(seed, n=600)
    boastful = softmax(6 * np.log(balanced(true)), axis=1)
    found = evidence(boastful, labels, overlap=600)
    bound = found.log_loss(frequencies_only(found))
    assert found.log_loss(by_prior(found)) > bound
    fitted, remarks = calibrate(method, found)
    assert 0 < fitted.scale[0] < 1
    assert bound - 1e-4 < found.log_loss(fitted) <= bound
    more = Calibration(method, fitted.scale * 1.01, fitted.shift)
    assert found.log_loss(more) > bound
    assert "counts by" in remarks[-1]


@pytest.mark.parametrize(
    ("overlap", "method"),
    [(1, "vector"), (60, "temperature"), (10000, "prior")],
    ids=["enough", "few", "none"],
)
def test_too_few_independent_windows_fall_back_and_say_so(overlap, method):
    true, labels = world(seed=3, n=1200)
    fitted, reasons = calibrate("vector", evidence(balanced(true), labels, overlap))
    assert fitted.method == method
    assert len(reasons) == ["vector", "temperature", "prior"].index(method)
    assert all("independent" in reason for reason in reasons)


def test_none_leaves_scores_alone():
    true, labels = world(seed=0)
    fitted, reasons = calibrate("none", evidence(true, labels))
    assert (fitted.method, reasons) == ("none", [])
    np.testing.assert_allclose(fitted.apply(true), true, atol=1e-6)


def test_rows_sum_to_one_order_is_kept_and_unknown_stays_unknown(seed):
    true, labels = world(seed, n=500)
    scores = balanced(true)
    scores[7] = np.nan
    for fit in (by_prior, by_temperature, by_vector, frequencies_only):
        fitted = fit(evidence(balanced(true), labels))
        probabilities = fitted.apply(scores)
        assert np.isnan(probabilities[7]).all()
        np.testing.assert_allclose(np.delete(probabilities, 7, axis=0).sum(axis=1), 1)
    even = by_temperature(evidence(balanced(true), labels)).apply(scores)
    odds, before = even[:, 2] / even[:, 1], scores[:, 2] / scores[:, 1]
    assert (np.diff(odds[np.argsort(before)][:-1]) >= 0).all()


def test_a_score_of_zero_is_not_minus_infinity():
    scores = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert np.isfinite(uncalibrated().apply(scores)).all()
    assert np.isfinite(log_loss(scores, np.array([2, 2])))


def test_calibration_is_a_line_of_log_odds():
    line = Calibration("vector", np.array([1.0, 2.0]), np.array([0.0, np.log(2)]))
    p = line.apply(np.array([[0.25, 0.5, 0.25]]))[0]
    assert p[0] / p[1] == pytest.approx(0.5)
    assert p[2] / p[1] == pytest.approx(0.5)  # 2 * (1/2) ** 2

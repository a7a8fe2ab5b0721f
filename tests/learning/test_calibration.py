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


@pytest.mark.parametrize("fit", [by_prior, by_temperature, by_vector])
def test_a_balanced_training_is_undone_whatever_its_mixture(seed, fit):
    true, labels = world(seed, n=20000)
    mixture = np.array([0.5, 0.2, 0.3])
    scores = balanced(true, mixture=mixture)
    fitted = fit(evidence(scores, labels, mixture=mixture))
    np.testing.assert_allclose(fitted.apply(scores), true, atol=0.03)
    # what says no more than the mixture means no more than the frequencies
    if fit is not by_vector:
        np.testing.assert_allclose(fitted.apply(mixture[None])[0], FREQUENCIES, rtol=1e-6)


def test_noise_leads_to_the_frequencies_not_to_thirds(seed):
    """A large temperature, found where labels have nothing to do with the scores."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(3, 20000, p=FREQUENCIES)
    mixture = np.array([0.25, 0.5, 0.25])
    noise = softmax(np.log(mixture) + 2 * rng.normal(size=(20000, 3)), axis=1)
    fitted = by_temperature(evidence(noise, labels, mixture=mixture))
    assert (fitted.scale < 0.1).all()
    np.testing.assert_allclose(fitted.apply(noise).mean(axis=0), FREQUENCIES, atol=0.02)


@pytest.mark.parametrize("fit", [by_temperature, by_vector])
def test_windows_that_overlap_count_once(seed, fit):
    """Five copies of every window, whose labels overlap by five, are worth the windows alone."""
    true, labels = world(seed, n=60)
    scores = softmax(2 * np.log(balanced(true)), axis=1)
    alone = fit(evidence(scores, labels))
    copied = fit(evidence(np.tile(scores, (5, 1)), np.tile(labels, 5), overlap=5))
    np.testing.assert_allclose(copied.scale, alone.scale, rtol=1e-3)
    np.testing.assert_allclose(copied.shift, alone.shift, atol=1e-3)
    bold = fit(evidence(np.tile(scores, (5, 1)), np.tile(labels, 5)))
    assert np.abs(bold.scale / alone.scale - 1).max() > 0.01


@pytest.mark.parametrize("overlap", [1, 4])
def test_vector_weighs_likelihood_against_belief(seed, overlap):
    """Oracle: where the fit is best, the pull of the windows is that of the belief.

    A scale is believed to be 1 within a factor of e, a shift to be 0 within 0.3: what is fitted
    lies off by the pull of the windows times the square of that.
    """
    true, labels = world(seed, n=80)
    scores = softmax(0.5 * np.log(balanced(true)) + np.array([0.8, 0.0, -0.8]), axis=1)
    found = evidence(scores, labels, overlap)
    fitted = by_vector(found)
    odds = np.log(FREQUENCIES[[0, 2]] / FREQUENCIES[1])  # the mixture is even
    theta = np.concatenate([np.log(fitted.scale), fitted.shift - odds])

    def loss(theta):
        line = Calibration("", np.exp(theta[:2]), odds + theta[2:])
        return found.log_loss(line) * len(labels) / overlap

    for i, spread in enumerate((1.0, 1.0, 0.3, 0.3)):
        step = 1e-4 * np.eye(4)[i]
        pull = (loss(theta - step) - loss(theta + step)) / 2e-4
        assert theta[i] == pytest.approx(pull * spread**2, abs=1e-3)
    assert (np.abs(theta) > 0.01).all()


def test_vector_finds_a_shift_for_each_direction(seed):
    true, labels = world(seed, n=20000)
    bent = softmax(np.log(balanced(true)) + np.array([0.7, 0.0, -0.7]), axis=1)
    fitted = by_vector(evidence(bent, labels))
    undone = by_prior(evidence(bent, labels)).shift + np.array([-0.7, 0.7])
    np.testing.assert_allclose(fitted.shift, undone, atol=0.15)
    np.testing.assert_allclose(fitted.apply(bent), true, atol=0.05)


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


def boastful(true: np.ndarray, seed: int) -> np.ndarray:
    """Right in what they say, and far too sure of it."""
    return softmax(6 * np.log(balanced(true)), axis=1)


def faint(true: np.ndarray, seed: int) -> np.ndarray:
    """A little right, under a lot of noise."""
    noise = np.random.default_rng(seed).normal(size=true.shape)
    return softmax(0.2 * np.log(balanced(true)) + 1.5 * noise, axis=1)


@pytest.mark.parametrize(
    ("method", "made", "overlap"), [("prior", boastful, 600), ("temperature", faint, 45)]
)
def test_scores_count_as_far_as_they_are_not_worse_than_the_frequencies(
    seed, method, made, overlap
):
    """Half a day of validation windows: too little for the belief in the scores to give way."""
    true, labels = world(seed, n=600)
    found = evidence(made(true, seed), labels, overlap)
    bound = found.log_loss(frequencies_only(found))
    assert found.log_loss(by_prior(found)) > bound
    fitted, remarks = calibrate(method, found)
    assert 0 < fitted.scale[0] < 1
    assert bound - 1e-4 < found.log_loss(fitted) <= bound
    more = Calibration(method, fitted.scale * 1.01, fitted.shift)
    assert found.log_loss(more) > bound
    # it lies on the way from the frequencies to what was fitted
    plain = {"prior": by_prior, "temperature": by_temperature}[method](found)
    share, odds = fitted.scale[0] / plain.scale[0], frequencies_only(found).shift
    assert (fitted.method, plain.method) == (method, method)
    np.testing.assert_allclose(fitted.shift, share * plain.shift + (1 - share) * odds)
    assert remarks[-1].endswith(
        f"{method} does worse on validation (log loss {found.log_loss(plain):.4f}) than the class "
        f"frequencies ({bound:.4f}), so it counts by {100 * share:.0f} %"
    )
    assert len(remarks) == 1


def test_scores_that_are_as_good_as_the_frequencies_are_taken_whole():
    """They say nothing at all, so undoing the mixture leaves exactly the frequencies."""
    _, labels = world(seed=0, n=300)
    fitted, remarks = calibrate("prior", evidence(np.full((300, 3), 1 / 3), labels))
    assert (fitted.method, fitted.scale.tolist(), remarks) == ("prior", [1, 1], [])


def test_scores_that_are_barely_better_are_taken_whole(seed):
    """Twice as bold they would be worse than the frequencies, but nobody asked for that."""
    true, labels = world(seed)
    bold = softmax(1.5 * np.log(balanced(true)), axis=1)
    found = evidence(bold, labels)
    bound, twice = found.log_loss(frequencies_only(found)), by_prior(found)
    twice = Calibration("prior", 2 * twice.scale, 2 * twice.shift - frequencies_only(found).shift)
    assert found.log_loss(by_prior(found)) < bound < found.log_loss(twice)
    fitted, remarks = calibrate("prior", found)
    assert (fitted.scale.tolist(), remarks) == ([1, 1], [])


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


@pytest.mark.parametrize(
    ("n_rarest", "method"), [(5, "vector"), (4, "temperature"), (1, "temperature"), (0, "prior")]
)
def test_the_least_number_of_windows_is_enough(n_rarest, method):
    """Of LONG, the last class: also where there are none at all."""
    true, labels = world(seed=1, n=300)
    keep = np.concatenate([np.flatnonzero(labels != 2), np.flatnonzero(labels == 2)[:n_rarest]])
    fitted, reasons = calibrate("vector", evidence(balanced(true)[keep], labels[keep]))
    assert fitted.method == method
    if method != "vector":
        assert f"only {n_rarest}.0 independent LONG windows, it needs 5" in reasons[0]


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

"""How an ensemble makes one answer of several, and where its weights come from."""

from dataclasses import dataclass

import numpy as np
import pytest
from examples import separable
from scipy.optimize import minimize

from dualwindow.market.labels import HOLD, LONG, SHORT
from dualwindow.models.classifier import Hooks
from dualwindow.models.ensemble import (
    EnsembleClassifier,
    FittedEnsemble,
    best_weights,
    make,
)
from dualwindow.settings import EnsembleSettings

SURE_LONG, SURE_HOLD, TORN = [0.1, 0.1, 0.8], [0.0, 1.0, 0.0], [0.4, 0.2, 0.4]
MEMBERS = [{"kind": "ranges", "spans": [2]}, {"kind": "ranges", "spans": [5], "penalty": 1.0}]


@dataclass
class Quoting:
    """A member that always says the same."""

    said: list[float]

    def scores(self, rows, ends):
        return np.tile(np.array(self.said), (len(ends), 1))


def combined(how: str, *said: list[float], weights: tuple[float, ...] | None = None):
    members = tuple(Quoting(each) for each in said)
    even = tuple(1 / len(members) for _ in members)
    return FittedEnsemble(members, how, weights or even).scores(None, np.arange(2))[1]


def random_scores(seed: int, n: int = 400, k: int = 3) -> tuple[list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    return list(rng.dirichlet(np.ones(3), (k, n))), rng.integers(0, 3, n)


def test_soft_is_the_mean_of_the_scores():
    np.testing.assert_allclose(combined("soft", SURE_LONG, SURE_HOLD), [0.05, 0.55, 0.4])


def test_hard_counts_votes_and_says_what_share_each_class_has():
    np.testing.assert_allclose(combined("hard", SURE_LONG, SURE_HOLD, SURE_LONG), [0, 1 / 3, 2 / 3])
    np.testing.assert_allclose(combined("hard", TORN, SURE_LONG), [0.5, 0, 0.5])


def test_stacked_weighs_the_scores():
    found = combined("stacked", SURE_LONG, SURE_HOLD, weights=(0.75, 0.25))
    np.testing.assert_allclose(found, [0.075, 0.325, 0.6])


@pytest.mark.parametrize("how", ["soft", "hard", "stacked"])
def test_where_a_member_fails_there_is_no_score(how):
    assert np.isnan(combined(how, SURE_LONG, [np.nan] * 3)).all()


def test_weights_are_those_of_the_least_log_loss(seed):
    """Oracle: a general optimiser on the simplex."""
    scores, labels = random_scores(seed)
    labels = np.where(np.arange(400) % 3 > 0, scores[0].argmax(axis=1), labels)
    counts = np.random.default_rng(seed).uniform(0.5, 2, 400)
    chosen = np.stack([s[np.arange(400), labels] for s in scores], axis=1)

    def loss(weights: np.ndarray) -> float:
        return -float(np.average(np.log(chosen @ weights), weights=counts))

    found = best_weights(scores, labels, counts)
    assert sum(found) == pytest.approx(1)
    assert min(found) >= 0
    sums_to_one = {"type": "eq", "fun": lambda w: w.sum() - 1}
    best = minimize(loss, [1 / 3] * 3, bounds=[(0, 1)] * 3, constraints=sums_to_one, tol=1e-12)
    assert loss(np.array(found)) == pytest.approx(best.fun, abs=1e-5)
    assert loss(np.array(found)) < loss(np.ones(3) / 3)


def test_alike_members_share_the_weight_and_failing_ones_change_nothing():
    (one, *_), labels = random_scores(0)
    np.testing.assert_allclose(best_weights([one, one], labels, np.ones(400)), [0.5, 0.5])
    assert best_weights([one, one * np.nan], labels, np.ones(400)) == [0.5, 0.5]
    never = np.tile(np.array([0.0, 1.0, 0.0]), (400, 1))  # impossible for two of three windows
    assert best_weights([one, never], np.full(400, SHORT), np.ones(400))[0] > 0.999


def test_weights_come_from_validation_and_never_from_training():
    training, validation = separable(1500)
    stacked = make(EnsembleSettings(combine="stacked", members=MEMBERS), 5, 2)
    first = stacked.fit(training, validation, None, Hooks())
    scores = [m.scores(validation.rows, validation.ends) for m in first.members]
    expected = best_weights(scores, validation.labels, validation.weights)
    assert first.weights == tuple(expected)
    turned = {SHORT: LONG, HOLD: HOLD, LONG: SHORT}
    other = validation._replace(labels=np.array([turned[k] for k in validation.labels.tolist()]))
    second = stacked.fit(training, other, None, Hooks())
    assert second.weights != first.weights
    for a, b in zip(first.members, second.members, strict=True):
        assert a.to_bytes() == b.to_bytes()


def test_an_archive_with_the_weights_of_others_is_refused():
    samples = separable(600)
    stacked = make(EnsembleSettings(combine="stacked", members=MEMBERS), 5, 2)
    fitted = stacked.fit(*samples, None, Hooks())
    fewer = FittedEnsemble(fitted.members, "stacked", (1.0,)).to_bytes()
    with pytest.raises(ValueError, match="weights of another number"):
        stacked.from_bytes(fewer)
    without = FittedEnsemble(fitted.members, "soft", (0.5, 0.5)).to_bytes()
    with pytest.raises(KeyError):
        stacked.from_bytes(without)
    three = EnsembleClassifier((*stacked.members, stacked.members[0]), "stacked")
    with pytest.raises(ValueError, match="another number of members"):
        three.from_bytes(fitted.to_bytes())

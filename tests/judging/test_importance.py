"""Shuffled features: what a model looks at is missed, what it does not look at is not."""

from dataclasses import replace

import numpy as np
import pytest
import walks
from examples import random_candles, small_settings
from scipy.stats import sem
from sklearn.metrics import log_loss

from dualwindow.judging.importance import CANDLES, _Part, _Shuffles, importances
from dualwindow.learning.group import boundary_of
from dualwindow.learning.training import train, train_together
from dualwindow.market.labels import HOLD, LONG, SHORT, Labelling
from dualwindow.samples.data import TrainingData, TrainingError
from dualwindow.samples.scaling import FeatureScaler


def of_one_feature(seed=0):
    """LONG follows where the third feature is high, SHORT where it is low; others are noise."""
    rng = np.random.default_rng(seed)
    n = 1500
    features = rng.normal(size=(n, 4))
    features[:, 3] = features[:, 2] + rng.normal(0, 3, n)  # which tells little of it
    labels = HOLD + (features[:, 2] > 0.5).astype(int) - (features[:, 2] < -0.5)
    names = ("a_1", "a_2", "cause", "echo")
    return TrainingData("A/USDT", random_candles(n, seed), features, names, labels)


@pytest.fixture(scope="module")
def network():
    whole = {"balancing": {"method": "none"}, "calibration": "none"}
    settings = small_settings(
        3, 2, "gru", whole, gru_units=[4], spans=[], epochs=12, learning_rate=0.02
    )
    data = of_one_feature()
    return data, train(data, settings, FeatureScaler("standard"))


def test_the_cause_is_missed_and_noise_is_not(network):
    data, artifact = network
    found = importances(artifact, [data])
    rows = {row.name: row for row in found.rows}
    assert next(iter(rows)) == "cause"
    assert set(rows) == {"a_1", "a_2", "cause", "echo", "a"}  # without prices it looks at none
    assert rows["a"].is_group
    assert rows["cause"].loss > 0.3
    assert all(abs(rows[name].loss) < 0.05 for name in ("a_1", "a_2", "a"))
    assert all(rows["cause"].of_class[name] > 0.1 for name in ("SHORT", "HOLD", "LONG"))
    assert rows["cause"].error < 0.1 * rows["cause"].loss


def test_it_is_on_the_validation_part(network):
    data, artifact = network
    found = importances(artifact, [data])
    record = artifact.record
    assert found.windows == record.validation_windows.total
    assert found.log_loss == pytest.approx(record.validation.log_loss, abs=1e-5)
    assert np.sum(found.confusion, axis=1).tolist() == list(
        record.validation_windows.model_dump().values()
    )
    assert found.trained_until == data.candles.date[-1] + 60


def part_of(network):
    data, artifact = network
    return _Part.of(artifact, data, boundary_of([data], artifact.record.settings))


def test_no_window_sees_its_own_rows_again(network):
    """The rows are their own numbers; turned by one less than allowed, a window meets itself."""
    part, history = part_of(network), network[1].record.settings.history
    low, stop = part.turnable
    numbers = np.arange(len(part.features))
    n_met = {}
    for by in (low - 1, low, low + 1, stop - 1):
        turned = part.turned(numbers, by)
        spans = [slice(end - history + 1, end + 1) for end in part.ends]
        n_met[by] = sum(bool(np.isin(turned[span], numbers[span]).any()) for span in spans)
    assert n_met == {low - 1: len(part.ends), low: 0, low + 1: 0, stop - 1: 0}
    assert stop - low > 0.9 * len(part.ends)


def test_the_error_is_that_of_a_mean_over_the_shuffles(network):
    part = part_of(network)
    base, turns = part.losses(part.features, part.candles), [10, 50, 90]
    alone = [_Shuffles(part, base, [by]).row("cause", [2]).loss for by in turns]
    found = _Shuffles(part, base, turns).row("cause", [2])
    assert len(set(alone)) == 3
    assert found.loss == pytest.approx(np.mean(alone))
    assert found.error == pytest.approx(sem(alone))


def test_groups_are_shuffled_together(network):
    data, artifact = network
    rows = importances(artifact, [data], groups={"both": ["cause", "echo"]}).rows
    both = next(row for row in rows if row.name == "both")
    alone = next(row for row in rows if row.name == "cause")
    assert both.loss > 0.8 * alone.loss


def test_same_seed_same_numbers_and_inputs_are_untouched(network):
    data, artifact = network
    data.features.setflags(write=False)
    data.labels.setflags(write=False)
    first = importances(artifact, [data], repeats=2, seed=3)
    assert importances(artifact, [data], repeats=2, seed=3) == first
    assert importances(artifact, [data], repeats=2, seed=4) != first
    assert {row.error for row in importances(artifact, [data], repeats=1).rows} == {None}


def test_a_kind_that_looks_at_candles_alone_misses_them_alone():
    (pair, other) = walks.pairs()
    settings = walks.settings()
    group = [each.between(0, 86400, Labelling.of(settings)) for each in (pair, other)]
    artifacts = train_together(group, settings, FeatureScaler("standard"))
    for artifact in artifacts:
        rows = {row.name: row for row in importances(artifact, group).rows}
        assert rows.pop(CANDLES).loss > 0.01
        assert len(rows) > 8
        assert all(row.loss == 0 for row in rows.values())


def test_the_loss_of_a_class_is_that_of_scikit_learn():
    (pair,) = walks.pairs(names=("A/USDT",))
    settings = walks.settings()
    data = pair.between(0, 86400, Labelling.of(settings))
    artifact = train(data, settings, FeatureScaler("standard"))
    part = _Part.of(artifact, data, boundary_of([data], settings))
    told = part.probabilities(part.features, part.candles)
    losses = part.losses(part.features, part.candles)
    assert losses[0] == pytest.approx(log_loss(part.labels, told, labels=[0, 1, 2]))
    for code in (SHORT, HOLD, LONG):
        p = told[:, code]
        expected = log_loss(part.labels == code, np.stack([1 - p, p], axis=1), labels=[0, 1])
        assert losses[1 + code] == pytest.approx(expected)


def test_a_validation_part_that_is_too_short_is_told():
    (pair,) = walks.pairs(names=("A/USDT",))
    settings = walks.settings().model_copy(update={"validation_share": 0.02})
    data = pair.between(0, 86400, Labelling.of(settings))
    artifact = train(data, settings, FeatureScaler("standard"))
    long = replace(
        artifact,
        record=artifact.record.model_copy(
            update={"settings": settings.model_copy(update={"validation_share": 0.017})}
        ),
    )
    with pytest.raises(TrainingError, match="too short to shuffle"):
        importances(long, [data])

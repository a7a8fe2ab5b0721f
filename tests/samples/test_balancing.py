import numpy as np
import pytest

from dualwindow.market.labels import UNKNOWN
from dualwindow.samples.balancing import (
    class_counts,
    class_frequencies,
    recency_weights,
    sample_weights,
    thin_evenly,
)


def test_counts_name_every_class():
    assert class_counts(np.array([0])).tolist() == [1, 0, 0]
    assert class_counts(np.array([2, 1, 2])).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [  # by Laplace's rule: one more of each class than was seen
        pytest.param([0, 1, 1, 1, 1, 2, 2], [2 / 10, 5 / 10, 3 / 10], id="counted"),
        pytest.param([1, UNKNOWN, 1, UNKNOWN], [1 / 5, 3 / 5, 1 / 5], id="unknown-left-out"),
        pytest.param([], [1 / 3] * 3, id="nothing-known"),
    ],
)
def test_frequencies_by_pencil(labels, expected):
    np.testing.assert_allclose(class_frequencies(np.array(labels, dtype=np.int8)), expected)


def test_thinning_reaches_the_smallest_class_evenly_in_time():
    labels = np.ones(1000, dtype=np.int8)
    labels[::100] = 0
    labels[25::50] = 2
    kept = thin_evenly(labels, floor=1)
    assert class_counts(labels[kept]).tolist() == [10, 10, 10]
    assert (np.diff(kept) > 0).all()
    holds = kept[labels[kept] == 1]
    assert holds[0] == 1
    assert holds[-1] == 999
    assert np.diff(holds).max() < 1.1 * np.diff(holds).min()


def test_the_floor_keeps_a_rare_class_from_starving_the_rest():
    labels = np.array([0] * 3 + [1] * 50 + [2] * 20)
    assert class_counts(labels[thin_evenly(labels, floor=10)]).tolist() == [3, 10, 10]
    assert class_counts(labels[thin_evenly(labels, floor=30)]).tolist() == [3, 30, 20]


def test_an_absent_class_is_not_the_smallest():
    labels = np.array([1] * 50 + [2] * 20)
    assert class_counts(labels[thin_evenly(labels, floor=1)]).tolist() == [0, 20, 20]


def test_a_class_that_is_there_once_is_the_smallest():
    assert thin_evenly(np.array([1, 1, 0, 1]), floor=1).tolist() == [0, 2]


def test_nothing_is_thinned_to_nothing():
    assert thin_evenly(np.empty(0, dtype=np.int8), floor=5).tolist() == []


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param([0, 1, 1, 1], [2, 2 / 3, 2 / 3, 2 / 3], id="one-of-a-class"),
        pytest.param([1, 1, 1], [1, 1, 1], id="one-class"),
        pytest.param([0, 1, 2, 2], [4 / 3, 4 / 3, 2 / 3, 2 / 3], id="all-classes"),
    ],
)
def test_balanced_weights_by_pencil(labels, expected):
    np.testing.assert_allclose(sample_weights(np.array(labels), None), expected)


def test_balanced_weights_give_every_present_class_the_same_total():
    labels = np.array([0] * 5 + [1] * 80 + [2] * 15)
    weights = sample_weights(labels, None)
    totals = [weights[labels == code].sum() for code in range(3)]
    assert totals == pytest.approx([100 / 3] * 3)
    two = sample_weights(labels[5:], None)
    assert two.sum() == pytest.approx(95)


def test_given_weights_are_taken_by_name():
    given = {"LONG": 3.0, "SHORT": 1.0, "HOLD": 0.5}
    assert sample_weights(np.array([2, 0, 1]), given).tolist() == [3.0, 1.0, 0.5]
    whole = sample_weights(np.array([2]), {"LONG": 3, "SHORT": 1, "HOLD": 1})
    assert whole.dtype == np.float64


def test_recency_weights_are_freqais():
    n, factor = 50, 0.9
    freqai = np.exp(-np.arange(n) / (factor * n))[::-1]
    np.testing.assert_allclose(recency_weights(n, factor), freqai)
    assert recency_weights(3, 0).tolist() == [1, 1, 1]

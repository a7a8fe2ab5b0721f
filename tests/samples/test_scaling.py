"""Rows come out of a scaler as numbers that a classifier can take, or marked."""

import pickle

import numpy as np
import pytest
from datasieve.pipeline import Pipeline
from datasieve.transforms import SKLearnWrapper
from sklearn.preprocessing import MinMaxScaler

from dualwindow.samples.scaling import FeatureScaler, RowScaler, known_rows
from dualwindow_freqtrade.freqai.feature_pipeline import PipelineScaler, prepared


def freqais(kind: str = "standard") -> PipelineScaler:
    """The pipeline that FreqAI hands over when nothing but the scaler is wanted."""
    return PipelineScaler(
        prepared(Pipeline([("scaler", SKLearnWrapper(MinMaxScaler()))]), kind, seed=0)
    )


def ours(kind: str = "standard") -> FeatureScaler:
    return FeatureScaler(kind)


both = pytest.mark.parametrize("make", [ours, freqais])


def fitted(scaler: RowScaler, width: float = 1.0) -> RowScaler:
    scaler.fit(np.linspace(-width, width, 50)[:, None] * [1.0, 1.0])
    return scaler


LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("value", "known"), [(LARGEST, True), (-LARGEST, True), (LARGEST * (1 + 1e-7), False)]
)
def test_the_largest_float32_is_known(value, known):
    assert known_rows(np.array([[0.0, value]])).tolist() == [known]


@both
@pytest.mark.parametrize(
    ("value", "known"),
    [(0.5, True), (-1e38, True), (1e308, False), (-1e39, False), (np.nan, False), (np.inf, False)],
)
def test_a_row_is_known_if_every_feature_is_a_finite_float32(make, value, known):
    rows = np.array([[0.0, 0.0], [0.0, value], [1.0, 1.0]])
    scaled = fitted(make()).apply(rows)
    assert known_rows(rows).tolist() == [True, known, True]
    assert scaled.known.tolist() == scaled.inliers.tolist() == [True, known, True]
    assert np.isfinite(scaled.rows).all()
    assert scaled.rows.dtype == np.float32
    assert (scaled.rows[1] != 0).any() == (known and value != 0)
    assert scaled.rows[2].tolist() == pytest.approx([1 / np.linspace(-1, 1, 50).std()] * 2)


@both
def test_a_row_that_scaling_makes_infinite_is_not_known(make):
    rows = np.array([[1e-9, 0.0], [1e35, 0.0]])  # finite, but a billion of deviations
    scaled = fitted(make(), 1e-9).apply(rows)
    assert known_rows(rows).all()
    assert scaled.known.tolist() == scaled.inliers.tolist() == [True, False]
    assert (scaled.rows[1] == 0).all()


@both
def test_rows_that_are_all_unknown_are_zeros(make):
    scaled = fitted(make()).apply(np.full((3, 2), np.nan))
    assert not scaled.known.any()
    assert not scaled.inliers.any()
    assert scaled.rows.tolist() == [[0, 0]] * 3
    assert scaled.dissimilarity.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "expected"),  # of -3, 0, 6, worked out by hand for the training rows -6 -1 0 1 6
    [
        ("standard", [-3 / 14.8**0.5, 0, 6 / 14.8**0.5]),
        ("robust", [-1.5, 0, 3]),
        ("minmax", [-0.5, 0, 1]),
    ],
)
def test_every_kind_scales_as_its_name_says(kind, expected):
    for scaler in (ours(kind), freqais(kind)):
        scaler.fit(np.array([[-6.0], [-1.0], [0.0], [1.0], [6.0]]))
        scaled = scaler.apply(np.array([[-3.0], [0.0], [6.0]]))
        assert scaled.rows[:, 0].tolist() == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["standard", "robust", "minmax"])
def test_the_core_scales_as_freqais_pipeline_does(kind, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(200, 3)) * [1.0, 100.0, 0.0]  # the last is constant
    rows[rng.random((200, 3)) < 0.05] = np.nan
    train = rows[:100][known_rows(rows[:100])]
    mine, theirs = ours(kind), freqais(kind)
    mine.fit(train)
    theirs.fit(train)
    for a, b in zip(mine.apply(rows), theirs.apply(rows), strict=True):
        np.testing.assert_array_equal(a, b)
    assert 0 < mine.apply(rows).known.sum() < 200


@both
def test_inputs_are_untouched_and_a_scaler_can_be_pickled(make, seed):
    rows = np.random.default_rng(seed).normal(size=(50, 2))
    before = rows.copy()
    scaler = make()
    scaler.fit(rows)
    scaled = scaler.apply(rows)
    np.testing.assert_array_equal(rows, before)
    again = pickle.loads(pickle.dumps(scaler)).apply(rows)
    np.testing.assert_array_equal(scaled.rows, again.rows)

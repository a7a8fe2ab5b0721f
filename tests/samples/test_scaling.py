"""Rows come out of the pipeline as numbers that a network can take, or marked."""

import numpy as np
import pytest
from datasieve.pipeline import Pipeline
from datasieve.transforms import (
    DissimilarityIndex,
    SKLearnWrapper,
    SVMOutlierExtractor,
    VarianceThreshold,
)
from examples import pipeline
from sklearn.preprocessing import MinMaxScaler

from dualwindow.samples import scaling
from dualwindow.samples.scaling import apply_pipeline, fit_pipeline, known_rows, prepared


def fitted(width: float = 1.0):
    made = pipeline()
    fit_pipeline(made, np.linspace(-width, width, 50)[:, None] * [1.0, 1.0])
    return made


LARGEST = float(np.finfo(np.float32).max)


@pytest.mark.parametrize(
    ("value", "known"), [(LARGEST, True), (-LARGEST, True), (LARGEST * (1 + 1e-7), False)]
)
def test_the_largest_float32_is_known(value, known):
    assert known_rows(np.array([[0.0, value]])).tolist() == [known]


@pytest.mark.parametrize(
    ("value", "known"),
    [(0.5, True), (-1e38, True), (1e308, False), (-1e39, False), (np.nan, False), (np.inf, False)],
)
def test_a_row_is_known_if_every_feature_is_a_finite_float32(value, known):
    rows = np.array([[0.0, 0.0], [0.0, value], [1.0, 1.0]])
    scaled = apply_pipeline(fitted(), rows)
    assert known_rows(rows).tolist() == [True, known, True]
    assert scaled.known.tolist() == scaled.inliers.tolist() == [True, known, True]
    assert np.isfinite(scaled.rows).all()
    assert scaled.rows.dtype == np.float32
    assert (scaled.rows[1] != 0).any() == (known and value != 0)
    assert scaled.rows[2].tolist() == pytest.approx([1 / np.linspace(-1, 1, 50).std()] * 2)


def test_a_row_that_scaling_makes_infinite_is_not_known():
    rows = np.array([[1e-9, 0.0], [1e35, 0.0]])  # finite, but a billion of deviations
    scaled = apply_pipeline(fitted(1e-9), rows)
    assert known_rows(rows).all()
    assert scaled.known.tolist() == scaled.inliers.tolist() == [True, False]
    assert (scaled.rows[1] == 0).all()


def test_rows_that_are_all_unknown_are_zeros():
    scaled = apply_pipeline(fitted(), np.full((3, 2), np.nan))
    assert not scaled.known.any()
    assert not scaled.inliers.any()
    assert scaled.rows.tolist() == [[0, 0]] * 3
    assert scaled.rows.dtype == np.float32
    assert scaled.dissimilarity.tolist() == [0] * 3


def test_there_is_no_dissimilarity_without_its_index():
    assert apply_pipeline(fitted(), np.zeros((2, 2))).dissimilarity.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("scaler", "expected"),
    [
        pytest.param("standard", [-2, -1, 0, 3], id="mean-and-deviation"),
        pytest.param("robust", [-1, 0, 1, 4], id="median-and-quartiles"),
        pytest.param("minmax", [-1, -0.6, -0.2, 1], id="from-minus-one-to-one"),
    ],
)
def test_scalers_by_pencil(scaler, expected):
    """Of 0, 2, 4, 10: scikit-learn's own formulas, on numbers that make them easy."""
    fit_on = {
        "standard": [2, 6, 2, 6],  # mean 4, deviation 2
        "robust": [0, 1, 2, 3, 4],  # median 2, quartiles 1 and 3
        "minmax": [0, 3, 7, 10],
    }
    made = prepared(Pipeline([("scaler", SKLearnWrapper(MinMaxScaler()))]), scaler, seed=0)
    fit_pipeline(made, np.array(fit_on[scaler], dtype=np.float64)[:, None])
    rows = apply_pipeline(made, np.array([[0.0], [2.0], [4.0], [10.0]])).rows
    assert rows[:, 0].tolist() == pytest.approx(expected)


def freqais() -> Pipeline:
    """What FreqAI hands over with all that it can find outliers with."""
    return Pipeline(
        [
            ("const", VarianceThreshold(threshold=0)),
            ("scaler", SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
            ("svm", SVMOutlierExtractor(nu=0.1)),
            ("di", DissimilarityIndex(di_threshold=3, n_jobs=1)),
        ]
    )


def test_a_pipeline_is_prepared_in_place_of_chance():
    before = freqais()
    made = prepared(before, "standard", seed=7)
    assert [name for name, _ in made.steps] == ["scaler", "svm", "di"]
    assert [step for _, step in made.steps][1:] == [step for _, step in before.steps][2:]
    chance = made["svm"]._skl.get_params()
    assert chance["shuffle"] is False
    assert chance["random_state"] == 7


def test_outliers_are_marked_where_they_stand_and_no_row_is_removed(seed):
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.normal(size=(300, 2)), np.full(300, 4.0)])
    before, made = rows.copy(), prepared(freqais(), "standard", seed=0)
    rows.setflags(write=False)
    fit_pipeline(made, rows)
    asked = rows[:6].copy()
    asked[1, 0], asked[4, 0] = np.nan, 100.0
    scaled = apply_pipeline(made, asked)
    assert scaled.rows.shape == (6, 3)
    assert (scaled.rows[:, 2] == 0).all()  # a constant is kept
    assert scaled.known.tolist() == [True, False, True, True, True, True]
    assert not scaled.inliers[[1, 4]].any()
    assert scaled.inliers[[0, 2, 3, 5]].sum() >= 3
    assert scaled.dissimilarity[1] == 0
    assert scaled.dissimilarity[4] > 3 > scaled.dissimilarity[[0, 2, 3, 5]].max() > 0
    np.testing.assert_array_equal(rows, before)


@pytest.mark.parametrize(("free", "fits"), [(1700, True), (1699, False)])
def test_dissimilarity_is_refused_where_memory_is_short(monkeypatch, free, fits):
    """Ten rows have a hundred distances: eight bytes twice, and one for a mask."""
    monkeypatch.setattr(scaling, "_free_memory", lambda: free)
    rows = np.random.default_rng(0).normal(size=(10, 2))
    fit_pipeline(pipeline(), rows)  # asks for no distances
    made = prepared(freqais(), "standard", seed=0)
    if fits:
        fit_pipeline(made, rows)
        return
    with pytest.raises(MemoryError, match="compares all pairs of 10 training candles"):
        fit_pipeline(made, rows)


def test_the_refusal_says_how_much_it_takes_and_what_to_do(monkeypatch):
    monkeypatch.setattr(scaling, "_free_memory", lambda: 12_000_000_000)
    with pytest.raises(MemoryError) as error:
        scaling._refuse_large_dissimilarity(100_000)
    assert str(error.value) == (
        "feature_parameters.DI_threshold compares all pairs of 100000 training candles, which "
        "takes about 170 GB; 12 GB are free. Shorten train_period_days, or use "
        "use_SVM_to_remove_outliers instead"
    )

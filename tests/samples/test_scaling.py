"""Rows come out of the pipeline as numbers that a network can take, or marked."""

import numpy as np
import pytest
from examples import pipeline

from dualwindow.samples.scaling import apply_pipeline, fit_pipeline, known_rows


def fitted(width: float = 1.0):
    made = pipeline()
    fit_pipeline(made, np.linspace(-width, width, 50)[:, None] * [1.0, 1.0])
    return made


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

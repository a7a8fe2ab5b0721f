import numpy as np

from dualwindow.learning.artifact import Prediction


def test_without_its_newest_row_a_prediction_is_another_one():
    rows = np.arange(9.0).reshape(3, 3)
    valid, failed = np.array([False, True, True]), np.array([True, False, False])
    before = Prediction(rows, rows + 10, valid, failed, np.arange(3.0))
    after = before.without_newest()
    np.testing.assert_array_equal(after.probabilities, [*rows[:2], [np.nan] * 3])
    np.testing.assert_array_equal(after.scores, [*(rows[:2] + 10), [np.nan] * 3])
    assert after.valid.tolist() == [False, True, False]
    assert after.failed.tolist() == [True, False, False]
    assert after.dissimilarity.tolist() == [0, 1, 2]
    assert before.valid.tolist() == [False, True, True]
    assert np.isfinite(before.probabilities).all()
    assert np.isfinite(before.scores).all()

"""The LightGBM peers predict the candles that are wanted, and learn from selected windows."""

from dataclasses import replace

import numpy as np
import pytest
from examples import make_candles, small_settings

from benchmarks.skill_peers import CANDLE, WINDOW, Asked, peer_probabilities
from dualwindow.learning.folds import Fold
from dualwindow.learning.walk_forward import Task
from dualwindow.samples.data import TrainingData

N, N_LATER, HISTORY = 1500, 300, 5
UNDONE = {"balancing": {"method": "none"}, "calibration": "none"}


@pytest.fixture
def task() -> Task:
    """A fold whose labels the first feature of the candle tells."""
    features = np.random.default_rng(0).normal(size=(N + N_LATER, 2))
    labels = 1 + (features[:, 0] > 0.4).astype(int) - (features[:, 0] < -0.4)
    candles = make_candles(np.ones(N + N_LATER))
    names = ("telling", "idle")
    data = TrainingData("A/B", candles[:N], features[:N], names, labels[:N])
    return Task(
        Fold("A/B", 0, 0, N * 60, (N + N_LATER) * 60),
        data,
        candles[N:],
        features[N:],
        labels[N:],
        small_settings(HISTORY, 3, "ranges", UNDONE, spans=[3]),
        "",
        1,
    )


def test_they_predict_the_candles_that_are_wanted(task):
    wanted = np.arange(N_LATER) % 3 > 0
    found = peer_probabilities(Asked(task, wanted))
    assert list(found) == [CANDLE, WINDOW]
    for probabilities in found.values():
        assert probabilities.shape == (N_LATER, 3)
        assert np.isnan(probabilities[~wanted]).all()
        assert probabilities[wanted].sum(axis=1) == pytest.approx(1)
        assert (probabilities[wanted].argmax(axis=1) == task.labels[wanted]).mean() > 0.95


def test_they_learn_from_selected_windows_only(task):
    """Labels of rows between the strides are of no account; those of selected rows are."""
    wanted = np.ones(N_LATER, dtype=bool)
    model = task.settings.model.model_copy(update={"stride": 2})
    settings = task.settings.model_copy(update={"model": model})
    selected = np.zeros(N, dtype=bool)
    selected[HISTORY - 1 :: 2] = True

    def predicted(spoilt: np.ndarray) -> np.ndarray:
        labels = np.where(spoilt, 2 - task.data.labels, task.data.labels)
        changed = replace(task, data=replace(task.data, labels=labels), settings=settings)
        return peer_probabilities(Asked(changed, wanted))[CANDLE]

    part = np.arange(N) < N // 2  # not the validation part, whose first row depends on the split
    honest = predicted(np.zeros(N, dtype=bool))
    assert np.array_equal(predicted(part & ~selected), honest)
    assert not np.array_equal(predicted(part & selected), honest)


def test_nothing_is_asked_of_a_fold_without_a_valid_candle(task):
    found = peer_probabilities(Asked(task, np.zeros(N_LATER, dtype=bool)))
    assert all(np.isnan(probabilities).all() for probabilities in found.values())

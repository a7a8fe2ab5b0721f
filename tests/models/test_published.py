"""The published network is the published one."""

import keras
import numpy as np

from dualwindow.models.published import PublishedNetwork, make
from dualwindow.settings import PublishedSettings


def test_it_has_the_published_layers_and_weights():
    model = make(PublishedSettings(), 120, 8).network.build(0)
    assert model.count_params() == 133_603
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds == ["LSTM", "LSTM", "LSTM", "Dense", "Dropout", "Dense", "Dropout", "Dense"]
    units = [layer.units for layer in model.layers if hasattr(layer, "units")]
    assert units == [128, 64, 32, 32, 16, 3]
    assert [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)] == [
        0.3,
        0.3,
    ]
    assert model.input_shape == (None, 120, 8)


def test_its_training_is_the_published_one():
    settings = PublishedSettings()
    assert (settings.epochs, settings.batch_size, settings.learning_rate) == (100, 256, 0.001)
    assert (settings.patience, settings.lr_patience, settings.lr_factor) == (10, 5, 0.5)
    assert settings.min_learning_rate == 1e-7


def test_fused_layers_score_as_those_of_keras():
    network = PublishedNetwork(12, 3, 0.3)
    plain, fused = network.build(1), network.build(1, fused=True)
    windows = np.random.default_rng(0).normal(size=(5, 12, 3)).astype(np.float32)
    np.testing.assert_allclose(plain(windows), fused(windows), atol=1e-6)
    assert not np.allclose(plain(windows), network.build(2)(windows), atol=1e-3)

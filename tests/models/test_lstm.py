"""The layers of the LSTM, and what they begin with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dualwindow.models.fused_lstm import run_lstm
from dualwindow.models.lstm import make, remember
from dualwindow.models.lstm_layer import chrono_bias
from dualwindow.models.recurrent import RecurrentNetwork
from dualwindow.settings import LstmSettings


def network(**changes) -> RecurrentNetwork:
    return RecurrentNetwork(6, 2, remember, (4, 3), (5,), 0.2, 0.3)._replace(**changes)


def test_settings_become_the_network():
    settings = LstmSettings(
        lstm_units=(4, 3),
        dense_units=(5,),
        dropout=0.2,
        feature_dropout=0.3,
        candles_per_step=2,
        spans=(3, 6),
        summary_dropout=0.1,
    )
    classifier = make(settings, history=6, n_features=2)
    expected = network(candles_per_step=2, spans=(3, 6), summary_dropout=0.1)
    assert classifier.network == expected
    assert classifier.settings is settings


def test_the_head_sees_the_last_state_of_every_layer():
    model = network().build(0)
    shapes = [w.shape for w in model.get_weights()]
    assert shapes == [
        *((2, 16), (4, 16), (16,)),  # four gates of four units, from two features
        *((4, 12), (3, 12), (12,)),
        *((4 + 3, 5), (5,)),  # skip connections
        *((5, 3), (3,)),
    ]
    assert model.input_shape == (None, 6, 2)
    assert model.output_shape == (None, 3)


@pytest.mark.parametrize("layer", [0, 1])
def test_every_layer_speaks_to_the_head_by_itself(layer):
    """With the other layer's rows of the first dense kernel at 0, windows still score apart."""
    model = network(dropout=0.0, feature_dropout=0.0).build(1)
    weights = model.get_weights()
    kernel = weights[6]
    kernel[slice(4, None) if layer == 0 else slice(4)] = 0
    model.set_weights(weights)
    windows = np.random.default_rng(0).normal(size=(8, 6, 2)).astype(np.float32)
    assert np.ptp(np.asarray(model(windows)), axis=0).max() > 1e-3
    kernel[:] = 0
    model.set_weights(weights)
    assert np.ptp(np.asarray(model(windows)), axis=0).max() == 0


def test_one_layer_and_no_head_are_enough():
    shapes = [w.shape for w in network(units=(4,), dense_units=()).build(0).get_weights()]
    assert shapes == [(2, 16), (4, 16), (16,), (4, 3), (3,)]


def test_dropout_is_where_and_as_strong_as_the_settings_say():
    layers = network(dropout=0.2, feature_dropout=0.3).build(0).layers
    rates = [
        (type(layer).__name__, layer.rate)
        for layer in layers
        if isinstance(layer, keras.layers.Dropout)
    ]
    assert rates == [
        ("SpatialDropout1D", 0.3),
        *[("Dropout", 0.2)] * 2,
    ]  # between, and before the head


def test_feature_dropout_drops_a_feature_for_the_whole_window():
    (drop,) = (
        layer
        for layer in network(n_features=50).build(0).layers
        if isinstance(layer, keras.layers.SpatialDropout1D)
    )
    seen = np.asarray(drop(np.ones((40, 6, 50), dtype=np.float32), training=True))
    assert (np.ptp(seen, axis=1) == 0).all()
    assert (seen[:, 0] == 0).mean() == pytest.approx(0.3, abs=0.05)
    assert seen.max() == pytest.approx(1 / 0.7)


def test_weights_to_begin_with_come_from_the_seed():
    first, same, other = (network().build(seed).get_weights() for seed in (3, 3, 4))
    assert all((a == b).all() for a, b in zip(first, same, strict=True))
    for one, another in zip(first, other, strict=True):
        assert (one != another).any() or one.ndim == 1
    assert (first[0].shape, first[3].shape) == ((2, 16), (4, 12))


def test_equal_networks_are_one_key():
    assert len({network(), network(), network(history=7), network(dropout=0.1)}) == 3


def test_memories_of_the_first_layer_span_the_window():
    wide = RecurrentNetwork(180, 8, remember, (64, 4), (4,), 0.0, 0.0)
    biases = [w for w in wide.build(3).get_weights() if w.shape in ((256,), (16,))]
    first, second = biases[:2]
    forget = first[64:128]
    memory = 1 + np.exp(forget)  # candles until 1/e is left, sigmoid(b) = 1 - 1 / memory
    assert 2 <= memory.min() < 20
    assert 160 < memory.max() <= 180
    np.testing.assert_array_equal(first[:64], -forget)
    assert (first[128:] == 0).all()
    assert (second[4:8] == 1).all()  # as Keras has it


@pytest.mark.parametrize("history", [2, 3])
def test_the_shortest_windows_have_memories_too(history):
    bias = chrono_bias(8, history, seed=0)
    assert bias.shape == (32,)
    assert np.isfinite(bias).all()
    assert (np.exp(bias[8:16]) <= 2).all()


def of_both(seed: int, **changes) -> tuple[keras.Model, keras.Model]:
    """The same network in Keras' layers and in fused ones."""
    still = network(dropout=0.0, feature_dropout=0.0, **changes)
    return still.build(seed), still.build(seed, fused=True)


def test_fused_layers_have_the_weights_of_keras_own(seed):
    plain, fused = of_both(seed, candles_per_step=2, spans=(2, 6))
    assert [w.shape for w in plain.get_weights()] == [w.shape for w in fused.get_weights()]
    for ours, theirs in zip(fused.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    names = {type(layer).__name__ for layer in plain.layers}
    assert "FusedLstm" not in names
    assert "FusedLstm" in {type(layer).__name__ for layer in fused.layers}


def test_the_fused_gradient_is_the_slope():
    """Oracle: finite differences, of the inputs too."""
    rng = np.random.default_rng(0)
    shapes = [(4, 3, 2), (2 + 5, 20), (20,)]
    given = [tf.constant(rng.normal(size=shape) * 0.5, tf.float32) for shape in shapes]
    towards = [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes]
    aim = tf.constant(rng.normal(size=(4, 3, 5)), tf.float32)

    def value(step: float) -> float:
        moved = [a + step * b for a, b in zip(given, towards, strict=True)]
        return float(tf.reduce_sum(aim * run_lstm(*moved)))

    with tf.GradientTape() as tape:
        tape.watch(given)
        total = tf.reduce_sum(aim * run_lstm(*given))
    slopes = tape.gradient(total, given)
    slope = sum(float(tf.reduce_sum(a * b)) for a, b in zip(slopes, towards, strict=True))
    assert slope == pytest.approx((value(1e-2) - value(-1e-2)) / 2e-2, rel=1e-2)


def test_a_step_takes_several_candles_in_their_order():
    """A step of two candles is one of half as many steps with twice the features."""
    by_two = network(candles_per_step=2, dropout=0.0, feature_dropout=0.0).build(0)
    wide = network(history=3, n_features=4, dropout=0.0, feature_dropout=0.0).build(0)
    windows = np.random.default_rng(0).normal(size=(5, 6, 2)).astype(np.float32)
    assert by_two.get_weights()[0].shape == (4, 16)
    np.testing.assert_allclose(by_two(windows), wide(windows.reshape(5, 3, 4)), atol=1e-6)


def test_the_oldest_candles_that_fill_no_step_are_left_out():
    by_four = network(candles_per_step=4, dropout=0.0, feature_dropout=0.0).build(0)
    windows = np.random.default_rng(0).normal(size=(5, 6, 2)).astype(np.float32)
    changed = [windows.copy(), windows.copy()]
    changed[0][:, :2] = 7.0
    changed[1][:, 2] = 7.0
    given, older, newer = (np.asarray(by_four(w)) for w in (windows, *changed))
    np.testing.assert_array_equal(older, given)
    assert (np.abs(newer - given).max(axis=1) > 1e-4).all()

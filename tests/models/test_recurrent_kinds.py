"""What tells the recurrent kinds apart: two directions, two parts, another gate."""

import io
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

from dualwindow.models.bilstm import make as make_bilstm
from dualwindow.models.classifier import make_classifier
from dualwindow.models.dlstm import moving_average
from dualwindow.models.keras_classifier import FittedNetwork
from dualwindow.models.recurrent import RecurrentNetwork
from dualwindow.settings import KINDS, BilstmSettings, RecurrentSettings

RECURRENT = [kind for kind, settings in KINDS.items() if issubclass(settings, RecurrentSettings)]
HISTORY, N_FEATURES = 12, 2


def network(kind: str, units: tuple[int, ...] = (4, 3), **changes) -> RecurrentNetwork:
    """Without any dropout, two candles to a step."""
    name = "gru_units" if kind == "gru" else "lstm_units"
    still = {"dropout": 0.0, "feature_dropout": 0.0, "summary_dropout": 0.0}
    given = {name: units, "dense_units": (5,), "candles_per_step": 2, "spans": (), **still}
    settings = KINDS[kind](**given | changes)
    return make_classifier(settings, HISTORY, N_FEATURES).network


@pytest.fixture
def windows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(7, HISTORY, N_FEATURES)).astype(np.float32)


@pytest.mark.parametrize("kind", RECURRENT)
def test_the_head_sees_the_last_states_of_all_layers(kind):
    n_states = 14 if kind == "bilstm" else 7
    head = network(kind).build(0).layers[-2]
    assert head.get_weights()[0].shape == (n_states, 5)


@pytest.mark.parametrize("kind", RECURRENT)
def test_fused_layers_compute_and_learn_what_keras_own_do(kind, seed):
    """TensorFlow's own gradient of the fused operation is another one, and wrong."""
    rng, losses, gradients = np.random.default_rng(seed), [], []
    windows = rng.normal(size=(7, HISTORY, N_FEATURES)).astype(np.float32)
    labels = rng.integers(0, 3, 7)
    both = [network(kind).build(seed), network(kind).build(seed, fused=True)]
    for ours, theirs in zip(both[1].get_weights(), both[0].get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for model in both:
        with tf.GradientTape() as tape:
            given = model(windows, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, given))
        losses.append(float(loss))
        gradients.append(tape.gradient(loss, [v.value for v in model.trainable_variables]))
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)
    for theirs, ours in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
        assert np.abs(theirs).max() > 1e-5


@pytest.mark.parametrize("kind", RECURRENT)
def test_equal_settings_share_a_compiled_network(kind):
    assert network(kind) == network(kind)
    assert len({network(kind), network(kind), network(kind, units=(4,))}) == 2


@pytest.mark.parametrize("kind", RECURRENT)
def test_no_two_kernels_begin_alike(kind):
    """A second direction, or a second part, that begins as the first would learn the same."""
    kernels = [w for w in network(kind, units=(4, 4)).build(0).get_weights() if w.ndim == 2]
    kernels = [w for w in kernels if len(w) > 2]  # not the biases of a GRU
    n_checked = 0
    for i, one in enumerate(kernels):
        for other in kernels[i + 1 :]:
            if one.shape == other.shape:
                assert (one != other).mean() > 0.9
                n_checked += 1
    assert n_checked


@pytest.mark.parametrize("kind", RECURRENT)
def test_a_plain_keras_loads_the_file(kind, windows, tmp_path):
    """In a process of its own, in which nothing of ours is imported."""
    import subprocess
    import sys

    net = network(kind)
    fitted = FittedNetwork(net, net.build(1).get_weights())
    assert zipfile.is_zipfile(io.BytesIO(fitted.to_bytes()))
    (tmp_path / "model.keras").write_bytes(fitted.to_bytes())
    np.save(tmp_path / "windows.npy", windows)
    script = (
        "import sys, keras, numpy as np; folder = sys.argv[1]\n"
        "model = keras.models.load_model(folder + '/model.keras')\n"
        "assert not any(name.startswith('dualwindow') for name in sys.modules)\n"
        "np.save(folder + '/found.npy', model.predict(np.load(folder + '/windows.npy'), verbose=0))"
    )
    command = [sys.executable, "-W", "ignore", "-P", "-c", script, str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    expected = np.asarray(net.build(1)(windows))
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), expected, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
def test_going_back_is_going_forth_on_the_window_turned_round(fused, windows):
    """With the weights of both directions exchanged, and the rows that read their outputs."""
    settings = BilstmSettings(
        lstm_units=(4, 3),
        dense_units=(),
        dropout=0.0,
        feature_dropout=0.0,
        candles_per_step=1,
        spans=(),
    )
    model = make_bilstm(settings, HISTORY, N_FEATURES).network.build(0, fused=fused)
    given, weights = np.asarray(model(windows)), model.get_weights()
    first, (forth, back), head = (weights[:3], weights[3:6]), (weights[6:9], weights[9:12]), 12
    turned = [[np.roll(each[0], 4, axis=0), *each[1:]] for each in (back, forth)]
    rows = [*range(4, 8), *range(4), *range(11, 14), *range(8, 11)]  # of the head
    exchanged = [*first[1], *first[0], *turned[0], *turned[1], weights[head][rows], *weights[13:]]
    model.set_weights(exchanged)
    np.testing.assert_allclose(np.asarray(model(windows[:, ::-1])), given, atol=1e-6)
    assert np.ptp(given, axis=0).min() > 1e-3


def test_the_trend_is_the_mean_of_a_candle_and_those_before_it(windows):
    """Oracle: a plain loop. The window's oldest candle stands for those before it."""
    found = np.asarray(moving_average(keras.ops.convert_to_tensor(windows), 4))
    for t in range(HISTORY):
        rows = [max(row, 0) for row in range(t - 3, t + 1)]
        np.testing.assert_allclose(found[:, t], windows[:, rows].mean(axis=1), atol=1e-6)
    later = windows.copy()
    later[:, 6:] += 9
    changed = np.asarray(moving_average(keras.ops.convert_to_tensor(later), 4))
    np.testing.assert_array_equal(changed[:, :6], found[:, :6])
    alone = keras.ops.convert_to_tensor(windows)
    assert moving_average(alone, 1) is alone


def test_trend_and_remainder_have_layers_of_their_own(windows):
    """A shift of the whole window is trend, and nothing else."""
    model = network("dlstm", units=(4,), trend_candles=4).build(0)
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.LSTM)]
    trend, rest = layers
    before = np.asarray(model(windows + 3)), np.asarray(model(windows))
    for layer, is_deaf in ((trend, True), (rest, False)):
        kernel, recurrent, bias = layer.get_weights()
        layer.set_weights([kernel * 0, recurrent, bias])
        same = np.allclose(model(windows + 3), model(windows), atol=1e-5)
        assert same == is_deaf
        layer.set_weights([kernel, recurrent, bias])
    assert not np.allclose(*before, atol=1e-3)


def test_memories_of_the_first_gru_layer_span_the_window():
    wide = KINDS["gru"](gru_units=(64, 4), candles_per_step=1, spans=())
    weights = make_classifier(wide, 180, 8).network.build(3).get_weights()
    first, second = (w for w in weights if w.ndim == 2 and w.shape[0] == 2)
    memory = 1 + np.exp(first[0, :64])  # steps until 1/e of the state is left
    assert 2 <= memory.min() < 20
    assert 160 < memory.max() <= 180
    assert (first[1] == 0).all()
    assert (first[0, 64:] == 0).all()
    assert (second == 0).all()

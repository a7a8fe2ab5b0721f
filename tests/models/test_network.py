import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dualwindow.models import network
from dualwindow.settings import TrainingSettings

OPTIONS = TrainingSettings(
    lstm_units=(4, 3), dense_units=(4,), dropout=0.2, epochs=3, batch_size=32, learning_rate=0.02
)
SHAPE = network.Shape(5, 2, OPTIONS.lstm_units, OPTIONS.dense_units, OPTIONS.dropout, 0.2)


def separable(n: int = 400, seed: int = 0) -> tuple[network.Samples, network.Samples]:
    """Windows whose class is the sign of their last three values."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, 2)).astype(np.float32)
    ends = np.arange(4, n)
    mean = np.convolve(rows[:, 0], np.ones(3) / 3)[:n]
    labels = (1 + (mean[ends] > 0.3).astype(int) - (mean[ends] < -0.3)).astype(np.int8)
    cut = len(ends) * 3 // 4
    return tuple(
        network.Samples(rows, ends[part], labels[part], np.ones(len(ends[part])))
        for part in (slice(cut), slice(cut, None))
    )


def test_loss_falls_on_a_separable_toy():
    training, validation = separable(1500)
    options = OPTIONS.model_copy(update={"epochs": 12})
    fitted = network.fit(SHAPE, training, validation, options)
    assert fitted.epochs[-1].validation_loss < 0.75 * fitted.epochs[0].validation_loss
    probabilities = network.predict(SHAPE, fitted.weights, training.rows, validation.ends)
    assert (probabilities.argmax(axis=1) == validation.labels).mean() > 0.75
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_same_seed_same_weights_whatever_was_trained_before():
    first = network.fit(SHAPE, *separable(), OPTIONS)
    network.fit(SHAPE, *separable(seed=5), OPTIONS.model_copy(update={"seed": 7}))
    second = network.fit(SHAPE, *separable(), OPTIONS)
    other = network.fit(SHAPE, *separable(), OPTIONS.model_copy(update={"seed": 7}))
    assert all((a == b).all() for a, b in zip(first.weights, second.weights, strict=True))
    assert any((a != b).any() for a, b in zip(first.weights, other.weights, strict=True))


def test_same_seed_same_bits_in_another_process():
    script = (
        "import sys; sys.path[:0] = ['tests', 'tests/models']\n"
        "from test_network import *\n"
        "import hashlib\n"
        "weights = network.fit(SHAPE, *separable(), OPTIONS).weights\n"
        "print(hashlib.sha256(b''.join(w.tobytes() for w in weights)).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for _ in range(2)
    }
    assert len(digests) == 1
    assert len(digests.pop()) == 65


def test_the_best_epoch_is_kept_and_training_stops_early():
    training, validation = separable(200)
    options = OPTIONS.model_copy(update={"epochs": 60, "learning_rate": 0.2, "patience": 2})
    fitted = network.fit(SHAPE, training, validation, options)
    losses = [epoch.validation_loss for epoch in fitted.epochs]
    assert len(losses) == np.argmin(losses) + 1 + 2 < 60
    probabilities = network.predict(SHAPE, fitted.weights, training.rows, validation.ends)
    hit = probabilities[np.arange(len(validation.ends)), validation.labels]
    assert -np.log(hit).mean() == pytest.approx(min(losses), rel=1e-3)


def test_the_learning_rate_falls_on_a_plateau():
    training, validation = separable(200)
    options = OPTIONS.model_copy(
        update={"epochs": 12, "learning_rate": 0.2, "patience": 12, "lr_patience": 1}
    )
    rates = [e.learning_rate for e in network.fit(SHAPE, training, validation, options).epochs]
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.1) or rates[-1] < 0.1


def test_warm_start_begins_where_it_was_left():
    training, validation = separable(1500)
    options = OPTIONS.model_copy(update={"epochs": 8})
    cold = network.fit(SHAPE, training, validation, options)
    assert cold.start_loss == np.inf
    assert cold.best_epoch > 1
    warm = network.fit(SHAPE, training, validation, options, start=cold.weights)
    assert warm.start_loss == pytest.approx(min(e.validation_loss for e in cold.epochs), abs=1e-6)
    assert warm.epochs[0].validation_loss < cold.epochs[1].validation_loss


def test_warm_start_keeps_the_weights_before_unless_an_epoch_is_better():
    training, validation = separable(1500)
    good = network.fit(SHAPE, training, validation, OPTIONS.model_copy(update={"epochs": 12}))
    ruin = OPTIONS.model_copy(update={"epochs": 12, "learning_rate": 1.0, "patience": 3})
    kept = network.fit(SHAPE, training, validation, ruin, start=good.weights)
    assert min(e.validation_loss for e in kept.epochs) > kept.start_loss
    assert kept.best_epoch == 0
    assert len(kept.epochs) < 12
    for before, after in zip(good.weights, kept.weights, strict=True):
        np.testing.assert_array_equal(after, before)
    poor = network.fit(SHAPE, training, validation, OPTIONS.model_copy(update={"epochs": 1}))
    better = network.fit(SHAPE, training, validation, OPTIONS, start=poor.weights)
    losses = [e.validation_loss for e in better.epochs]
    assert min(losses) < better.start_loss
    assert better.best_epoch == 1 + int(np.argmin(losses))
    again = network.predict(SHAPE, better.weights, validation.rows, validation.ends)
    found = -np.log(again[np.arange(len(again)), validation.labels]).mean()
    assert found == pytest.approx(min(losses), abs=1e-5)


def test_weights_survive_the_keras_format():
    fitted = network.fit(SHAPE, *separable(), OPTIONS)
    packed = network.to_keras(SHAPE, fitted.weights)
    unpacked = network.from_keras(SHAPE, packed)
    assert all((a == b).all() for a, b in zip(fitted.weights, unpacked, strict=True))


def test_plain_keras_can_load_the_file(tmp_path):
    import keras

    training, validation = separable()
    fitted = network.fit(SHAPE, training, validation, OPTIONS)
    path = tmp_path / "model.keras"
    path.write_bytes(network.to_keras(SHAPE, fitted.weights))
    windows = np.stack([training.rows[e - 4 : e + 1] for e in validation.ends])
    ours = network.predict(SHAPE, fitted.weights, training.rows, validation.ends)
    np.testing.assert_allclose(keras.models.load_model(path)(windows), ours, atol=1e-6)


def test_one_window_is_predicted_as_in_a_batch():
    training, validation = separable()
    weights = network.fit(SHAPE, training, validation, OPTIONS).weights
    batch = network.predict(SHAPE, weights, training.rows, validation.ends)
    for i in (0, 17, len(validation.ends) - 1):
        end = validation.ends[i]
        tail = training.rows[end - 4 : end + 1]
        one = network.predict(SHAPE, weights, tail, np.array([4]))
        np.testing.assert_allclose(one[0], batch[i], atol=1e-6)


@pytest.mark.parametrize("n", [1, 200], ids=["one-compiled-window", "many"])
def test_training_and_prediction_in_two_threads_do_not_disturb_each_other(n):
    training, validation = separable()
    ends = validation.ends[:n]
    fitted = network.fit(SHAPE, training, validation, OPTIONS)
    before = network.predict(SHAPE, fitted.weights, training.rows, ends)
    options = OPTIONS.model_copy(update={"epochs": 30, "patience": 30})
    alone = network.fit(SHAPE, *separable(seed=3), options)
    forward = network._forward(SHAPE, compiled=n == 1)
    traces = forward.experimental_get_tracing_count()
    assert traces
    with ThreadPoolExecutor(1) as background:
        beside = background.submit(network.fit, SHAPE, *separable(seed=3), options)
        during = []
        while not beside.done():
            during.append(network.predict(SHAPE, fitted.weights, training.rows, ends))
    assert len(during) >= 5
    assert all((p == before).all() for p in during)
    weights = zip(alone.weights, beside.result().weights, strict=True)
    assert all((a == b).all() for a, b in weights)
    assert forward.experimental_get_tracing_count() == traces


def test_one_window_is_predicted_as_among_many():
    training, validation = separable()
    weights = network.fit(SHAPE, training, validation, OPTIONS).weights
    many = network.predict(SHAPE, weights, training.rows, validation.ends[:20])
    for end, expected in zip(validation.ends[:20], many, strict=True):
        one = network.predict(SHAPE, weights, training.rows, np.array([end]))
        np.testing.assert_allclose(one[0], expected, atol=1e-6)


def test_a_diverging_training_stops():
    training, validation = separable()
    weights = np.full_like(training.weights, np.nan)
    with pytest.raises(FloatingPointError, match=r"lower model_training_parameters\.learning_rate"):
        network.fit(SHAPE, training._replace(weights=weights), validation, OPTIONS)


def test_tensorboard_is_written_only_when_asked(tmp_path):
    network.fit(SHAPE, *separable(), OPTIONS)
    assert list(tmp_path.rglob("*")) == []
    network.fit(SHAPE, *separable(), OPTIONS, tensorboard=tmp_path)
    assert len(list(tmp_path.rglob("events*"))) == 2


def test_the_core_and_the_adapter_do_not_import_tensorflow():
    script = (
        "import sys; sys.path.insert(0, 'freqaimodels')\n"
        "import dualwindow.learning.training, dualwindow.learning.artifact\n"
        "import dualwindow.settings, DualWindowLSTM\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_what_is_kept_is_the_average_of_the_weights_over_an_epoch():
    """Oracle: plain Keras without averaging, its weights noted after every batch."""
    import keras

    shape = SHAPE._replace(dropout=0.0, feature_dropout=0.0)
    training, validation = separable()
    options = OPTIONS.model_copy(update={"epochs": 1})
    kept = network.fit(shape, training, validation, options).weights
    model = network._build(shape, options.seed)
    model.set_weights(network._initial_weights(shape, options.seed))
    model.compile(keras.optimizers.Adam(options.learning_rate), "sparse_categorical_crossentropy")
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append([w.copy() for w in model.get_weights()])
    )
    rng = np.random.default_rng(options.seed)
    batches = network._Batches(training, shape.history, options.batch_size, rng)
    model.fit(batches, shuffle=False, verbose=0, callbacks=[note])
    average = seen[0]
    for weights in seen[1:]:
        share = 1 / len(seen)
        average = [(1 - share) * a + share * w for a, w in zip(average, weights, strict=True)]
    assert len(seen) == 10
    for ours, theirs in zip(kept, average, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    moved = [np.abs(a - w).max() for a, w in zip(kept, seen[-1], strict=True)]
    assert max(moved) > 0.01


def test_memories_of_the_first_layer_span_the_window():
    shape = network.Shape(180, 8, (64, 4), (4,), 0.0, 0.0)
    biases = [w for w in network._initial_weights(shape, 3) if w.shape in ((256,), (16,))]
    first, second = biases[:2]
    forget = first[64:128]
    memory = 1 + np.exp(forget)  # candles until 1/e is left, sigmoid(b) = 1 - 1 / memory
    assert 2 <= memory.min() < 20
    assert 160 < memory.max() <= 180
    np.testing.assert_array_equal(first[:64], -forget)
    assert (first[128:] == 0).all()
    assert (second[4:8] == 1).all()  # as Keras has it
    assert (network._initial_weights(shape, 4)[0] != network._initial_weights(shape, 3)[0]).any()

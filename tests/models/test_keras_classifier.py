"""What all networks share: how they are trained, kept and run."""

import dataclasses
import gc
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from examples import separable

from dualwindow.models import keras_classifier, keras_training
from dualwindow.models.classifier import Hooks
from dualwindow.models.keras_classifier import FittedNetwork, KerasClassifier
from dualwindow.models.lstm import LstmNetwork, make
from dualwindow.models.ranges import FittedRanges
from dualwindow.settings import LstmSettings

OPTIONS = LstmSettings(
    lstm_units=(4, 3),
    dense_units=(4,),
    dropout=0.2,
    feature_dropout=0.2,
    epochs=3,
    batch_size=32,
    learning_rate=0.02,
)
NETWORK = LstmNetwork(5, 2, OPTIONS.lstm_units, OPTIONS.dense_units, OPTIONS.dropout, 0.2)


def options(**changes) -> LstmSettings:
    return OPTIONS.model_copy(update=changes)


def fit(
    samples, settings: LstmSettings = OPTIONS, start=None, hooks: Hooks | None = None
) -> FittedNetwork:
    return make(settings, 5, 2).fit(*samples, start, hooks or Hooks())


def same_weights(one: FittedNetwork, other: FittedNetwork) -> bool:
    return all((a == b).all() for a, b in zip(one.weights, other.weights, strict=True))


def test_loss_falls_on_a_separable_toy():
    training, validation = separable(1500)
    fitted = fit((training, validation), options(epochs=12))
    assert fitted.epochs[-1].validation_loss < 0.75 * fitted.epochs[0].validation_loss
    probabilities = fitted.scores(training.rows, validation.ends)
    assert (probabilities.argmax(axis=1) == validation.labels).mean() > 0.75
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_same_seed_same_weights_whatever_was_trained_before():
    first = fit(separable())
    fit(separable(seed=5), options(seed=7))
    second, other = fit(separable()), fit(separable(), options(seed=7))
    assert same_weights(first, second)
    assert not same_weights(first, other)


def test_the_best_epoch_is_kept_and_training_stops_early():
    training, validation = separable(200)
    fitted = fit((training, validation), options(epochs=60, learning_rate=0.2, patience=2))
    losses = [epoch.validation_loss for epoch in fitted.epochs]
    assert len(losses) == np.argmin(losses) + 1 + 2 < 60
    probabilities = fitted.scores(training.rows, validation.ends)
    hit = probabilities[np.arange(len(validation.ends)), validation.labels]
    assert -np.log(hit).mean() == pytest.approx(min(losses), rel=1e-3)


def test_the_learning_rate_falls_on_a_plateau():
    settings = options(epochs=12, learning_rate=0.2, patience=12, lr_patience=1)
    rates = [e.learning_rate for e in fit(separable(200), settings).epochs]
    assert rates[0] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.1) or rates[-1] < 0.1


def test_warm_start_begins_where_it_was_left():
    samples = separable(1500)
    cold = fit(samples, options(epochs=8))
    assert cold.start_loss is None
    assert cold.best_epoch > 1
    warm = fit(samples, options(epochs=8), start=cold)
    assert warm.start_loss == pytest.approx(min(e.validation_loss for e in cold.epochs), abs=1e-6)
    assert warm.epochs[0].validation_loss < cold.epochs[1].validation_loss


def test_warm_start_keeps_the_weights_before_unless_an_epoch_is_better():
    samples = separable(1500)
    good = fit(samples, options(epochs=12))
    ruin = options(epochs=12, learning_rate=1.0, patience=3)
    kept = fit(samples, ruin, start=good)
    assert min(e.validation_loss for e in kept.epochs) > kept.start_loss
    assert kept.best_epoch == 0
    assert len(kept.epochs) < 12
    assert same_weights(good, kept)
    poor = fit(samples, options(epochs=1))
    better = fit(samples, start=poor)
    losses = [e.validation_loss for e in better.epochs]
    assert min(losses) < better.start_loss
    assert better.best_epoch == 1 + int(np.argmin(losses))
    _, validation = samples
    again = better.scores(validation.rows, validation.ends)
    found = -np.log(again[np.arange(len(again)), validation.labels]).mean()
    assert found == pytest.approx(min(losses), abs=1e-5)


def test_warm_start_is_taken_only_from_the_same_network():
    samples = separable()
    cold = fit(samples)
    other_network = fit(samples, options(feature_dropout=0.0, epochs=1))
    other_kind = FittedRanges((1,), *np.zeros((4, 1)))
    for other in (other_network, other_kind):
        begun_anew = fit(samples, start=other)
        assert begun_anew.start_loss is None
        assert same_weights(begun_anew, cold)
    # The rest of the settings may change from one training to the next.
    assert fit(samples, start=fit(samples, options(seed=3, epochs=1))).start_loss is not None


def test_weights_survive_the_keras_format():
    fitted = fit(separable())
    assert same_weights(fitted, make(OPTIONS, 5, 2).from_bytes(fitted.to_bytes()))


def test_plain_keras_can_load_the_file(tmp_path):
    training, validation = separable()
    fitted = fit((training, validation))
    path = tmp_path / "model.keras"
    path.write_bytes(fitted.to_bytes())
    windows = np.stack([training.rows.features[e - 4 : e + 1] for e in validation.ends])
    ours = fitted.scores(training.rows, validation.ends)
    np.testing.assert_allclose(keras.models.load_model(path)(windows), ours, atol=1e-6)


@pytest.mark.parametrize("n", [1, 200], ids=["one-compiled-window", "many"])
def test_training_and_prediction_in_two_threads_do_not_disturb_each_other(n):
    training, validation = separable()
    ends = validation.ends[:n]
    fitted = fit((training, validation))
    before = fitted.scores(training.rows, ends)
    longer = options(epochs=30, patience=30)
    alone = fit(separable(seed=3), longer)
    forward = keras_classifier._forward(NETWORK, compiled=n == 1)
    traces = forward.experimental_get_tracing_count()
    assert traces
    with ThreadPoolExecutor(1) as background:
        beside = background.submit(fit, separable(seed=3), longer)
        during = []
        while not beside.done():
            during.append(fitted.scores(training.rows, ends))
    assert len(during) >= 5
    assert all((p == before).all() for p in during)
    assert same_weights(alone, beside.result())
    assert forward.experimental_get_tracing_count() == traces


@pytest.mark.parametrize("n", [255, 256, 257, 600])
def test_windows_beyond_one_pass_are_scored_in_their_order(n):
    training, _ = separable(700)
    fitted = fit(separable())
    ends = np.random.default_rng(0).permutation(np.arange(4, 700))[:n]
    many = fitted.scores(training.rows, ends)
    assert many.shape == (n, 3)
    for i in (0, 254, n - 1):
        np.testing.assert_allclose(many[i], fitted.scores(training.rows, ends[[i]])[0], atol=1e-6)


def test_a_diverging_training_stops():
    training, validation = separable()
    weights = np.full_like(training.weights, np.nan)
    with pytest.raises(FloatingPointError, match=r"lower `model\.learning_rate`"):
        fit((training._replace(weights=weights), validation))


def test_weights_that_are_no_numbers_are_not_sound():
    good = fit(separable())
    assert good.is_sound()
    for i in range(len(good.weights)):
        weights = [w.copy() for w in good.weights]
        weights[i].flat[-1] = np.inf
        assert not dataclasses.replace(good, weights=weights).is_sound()


def test_tensorboard_is_written_only_when_asked(tmp_path):
    fit(separable())
    assert list(tmp_path.rglob("*")) == []
    fit(separable(), hooks=Hooks(tensorboard=tmp_path))
    assert len(list(tmp_path.rglob("events*"))) == 2


def test_every_epoch_is_reported_as_it_is_kept():
    reported = []
    fitted = fit(separable(), hooks=Hooks(report=reported.append))
    assert tuple(reported) == fitted.epochs
    assert [(e.number, e.most) for e in reported] == [(1, 3), (2, 3), (3, 3)]
    assert all(e.seconds > 0 for e in reported)


@pytest.mark.parametrize("n_calls", [1, 5, 15])  # 10 batches, then one to validate on
def test_an_interrupt_ends_a_training_at_the_next_batch(n_calls):
    calls = iter(range(1, n_calls))

    def interrupt() -> None:
        if next(calls, None) is None:
            raise InterruptedError

    undisturbed = fit(separable())
    with pytest.raises(InterruptedError):
        fit(separable(), hooks=Hooks(interrupt=interrupt))
    assert next(calls, None) is None
    assert same_weights(undisturbed, fit(separable()))


def test_every_epoch_draws_another_order_of_the_windows(monkeypatch):
    """Rows hold their own index, so what comes in is known by its values."""
    orders = {False: [], True: []}

    def gather(rows, ends, history):
        orders[ends[0] >= 300].append(ends)
        return real(rows, ends, history)

    real = keras_training.gather
    monkeypatch.setattr(keras_training, "gather", gather)
    training, validation = separable(400)
    assert validation.ends[0] == 301
    fit((training, validation._replace(ends=np.arange(300, 399))), options(patience=3))
    monkeypatch.undo()
    n_batches, n_looks = 10, 2  # Keras looks at the first batch beforehand, to see its shape
    assert len(orders[False]) == n_looks + 3 * n_batches
    epochs = np.concatenate(orders[False][n_looks:]).reshape(3, len(training.ends))
    for order in epochs:
        assert sorted(order) == training.ends.tolist()
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert (epochs[one] == epochs[other]).mean() < 0.1
    assert (epochs[0] == training.ends).mean() < 0.1
    assert all(order.tolist() == list(range(300, 399)) for order in orders[True])
    assert len(orders[True]) >= 3


def test_the_core_and_the_adapter_do_not_import_tensorflow():
    script = (
        "import sys; sys.path.insert(0, 'freqaimodels')\n"
        "import dualwindow.learning.training, dualwindow.learning.artifact\n"
        "import dualwindow.settings, dualwindow.models.ranges, DualWindowLSTM\n"
        "print('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"


def test_what_is_kept_is_the_average_of_the_weights_over_an_epoch():
    """Oracle: plain Keras without averaging, its weights noted after every batch."""
    plain = NETWORK._replace(dropout=0.0, feature_dropout=0.0)
    training, validation = separable()
    settings = options(epochs=1)
    kept = KerasClassifier(plain, settings).fit(training, validation, None, Hooks()).weights
    model = plain.build(settings.seed)
    model.compile(keras.optimizers.Adam(settings.learning_rate), "sparse_categorical_crossentropy")
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append([w.copy() for w in model.get_weights()])
    )
    rng = np.random.default_rng(settings.seed)
    batches = keras_training._Batches(training, plain.history, settings.batch_size, rng)
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


def test_a_training_leaves_none_of_its_samples_behind():
    # TensorFlow keeps every generator, and with it whatever that refers to.
    samples = separable()
    gone = [weakref.ref(part.rows.features) for part in samples]
    fit(samples)
    with pytest.raises(KeyboardInterrupt):
        fit(samples, hooks=Hooks(interrupt=stop))
    del samples
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def stop() -> None:
    raise KeyboardInterrupt

"""What all networks share: how they are trained, kept and run."""

import dataclasses
import gc
import subprocess
import sys
import weakref
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import keras
import numpy as np
import pytest
from examples import random_candles, separable

from dualwindow.market.summaries import mean_log_ranges, summaries
from dualwindow.models import keras_classifier, keras_steps
from dualwindow.models.classifier import Hooks
from dualwindow.models.keras_classifier import FittedNetwork, KerasClassifier
from dualwindow.models.line import FittedLine
from dualwindow.models.lstm import make
from dualwindow.samples.data import Rows
from dualwindow.samples.windows import gather
from dualwindow.settings import LstmSettings

OPTIONS = LstmSettings(
    lstm_units=(4, 3),
    dense_units=(4,),
    dropout=0.2,
    feature_dropout=0.2,
    epochs=3,
    batch_size=32,
    learning_rate=0.02,
    candles_per_step=1,
    spans=(),
)
NETWORK = make(OPTIONS, 5, 2).network


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
    other_kind = FittedLine(mean_log_ranges, (1,), *np.zeros((4, 1)))
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
    assert b"dualwindow" not in zipfile.ZipFile(path).read("config.json")
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


def noting(orders, real, rows, ends, *others):
    orders.append(ends)
    return real(rows, ends, *others)


def test_every_epoch_draws_another_order_of_the_windows(monkeypatch):
    orders = {"step": [], "losses": []}
    trainer = keras_steps.trainer_of(NETWORK)
    for name, real in [(name, getattr(trainer, name)) for name in orders]:
        monkeypatch.setattr(trainer, name, partial(noting, orders[name], real))
    training, validation = separable(400)
    fit((training, validation), options(patience=3))
    n_batches = 10
    assert len(orders["step"]) == 3 * n_batches
    epochs = np.concatenate(orders["step"]).reshape(3, len(training.ends))
    for order in epochs:
        assert sorted(order) == training.ends.tolist()
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert (epochs[one] == epochs[other]).mean() < 0.1
    assert (epochs[0] == training.ends).mean() < 0.1
    assert len(orders["losses"]) == 3
    assert all(order.tolist() == validation.ends.tolist() for order in orders["losses"])


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
    seen, order = [], np.arange(len(training.ends))
    np.random.default_rng(settings.seed).shuffle(order)
    for first in range(0, len(order), settings.batch_size):
        picked = order[first : first + settings.batch_size]
        windows = gather(training.rows.features, training.ends[picked], plain.history)
        model.train_on_batch(windows, training.labels[picked])
        seen.append([w.copy() for w in model.get_weights()])
    average = [np.mean(weights, axis=0) for weights in zip(*seen, strict=True)]
    assert len(seen) == 10
    for ours, theirs in zip(kept, average, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    moved = [np.abs(a - w).max() for a, w in zip(kept, seen[-1], strict=True)]
    assert max(moved) > 0.01


def test_later_the_average_forgets_what_is_an_epoch_old():
    """Oracle: the recursion, on the weights noted after every batch."""
    plain = NETWORK._replace(dropout=0.0, feature_dropout=0.0)
    seen, trainer = [], keras_steps.trainer_of(plain)
    real = trainer.step

    def noted(*arguments):
        total = real(*arguments)
        seen.append([np.asarray(v) for v in trainer.model.trainable_variables])
        return total

    trainer.step = noted
    try:
        kept = KerasClassifier(plain, options(epochs=3, patience=3)).fit(
            *separable(), None, Hooks()
        )
    finally:
        trainer.step = real
    assert (kept.best_epoch, len(seen)) == (3, 30)
    average = seen[0]
    for n, weights in enumerate(seen[1:], start=2):
        share = 1 / min(n, 10)
        average = [(1 - share) * a + share * w for a, w in zip(average, weights, strict=True)]
    for ours, theirs in zip(kept.weights, average, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_the_loss_that_is_kept_is_that_of_its_scores():
    training, validation = separable()
    fitted = fit((training, validation))
    given = fitted.scores(validation.rows, validation.ends)
    loss = -np.log(given[np.arange(len(given)), validation.labels]).mean()
    assert fitted.epochs[fitted.best_epoch - 1].validation_loss == pytest.approx(loss, rel=1e-5)


def test_validation_may_have_rows_of_its_own():
    training, validation = separable()
    features = validation.rows.features
    moved = Rows(np.concatenate([features[:7], features]), random_candles(7 + len(features), 0))
    apart = validation._replace(rows=moved, ends=validation.ends + 7)
    assert same_weights(fit((training, validation)), fit((training, apart)))


def test_summaries_are_scaled_by_those_of_training_and_the_file_holds_the_scale(tmp_path):
    training, validation = separable()
    classifier = make(options(spans=(2, 5), summary_dropout=0.0), 5, 2)
    volume = np.random.default_rng(1).gamma(1.0, 1.0, len(training.rows.candles))
    candles = replace(training.rows.candles, volume=volume)
    training, validation = (
        part._replace(rows=part.rows._replace(candles=candles)) for part in (training, validation)
    )
    fitted = classifier.fit(training, validation, None, Hooks())
    inputs = summaries(candles, training.ends, (2, 5))
    path = tmp_path / "model.keras"
    path.write_bytes(fitted.to_bytes())
    plain = keras.models.load_model(path)
    scale = plain.get_layer("summary_scale")
    np.testing.assert_allclose(scale.get_weights()[0], inputs.mean(axis=0), atol=1e-5)
    variance = inputs.var(axis=0)
    variance[variance < 1e-6] = 1  # of ranges of 0, for example
    np.testing.assert_allclose(scale.get_weights()[1], variance, rtol=1e-4)
    windows = gather(training.rows.features, validation.ends, 5)
    theirs = plain([windows, summaries(candles, validation.ends, (2, 5)).astype(np.float32)])
    ours = fitted.scores(validation.rows, validation.ends)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)
    one = fitted.scores(validation.rows, validation.ends[3:4])  # compiled otherwise
    np.testing.assert_allclose(one, ours[3:4], atol=1e-5)
    again = classifier.from_bytes(fitted.to_bytes())
    np.testing.assert_array_equal(again.scores(validation.rows, validation.ends), ours)
    # Going on keeps the scale: with another one, the weights would mean something else.
    shifted = training._replace(ends=training.ends[:50], labels=training.labels[:50])
    shifted = shifted._replace(weights=training.weights[:50])
    later = classifier.fit(shifted, validation, fitted, Hooks())
    assert later.start_loss == pytest.approx(fitted.epochs[fitted.best_epoch - 1].validation_loss)
    np.testing.assert_array_equal(later.weights[6], fitted.weights[6])


def test_a_training_leaves_none_of_its_samples_behind():
    # TensorFlow keeps whatever a compiled function has once been told of by reference.
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

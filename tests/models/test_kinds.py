"""Laws for every kind of classifier: one that is added to the settings is tested by them, too."""

import dataclasses
import hashlib
import pickle
import subprocess
import sys
from collections.abc import Iterable
from functools import cache

import numpy as np
import pytest
from examples import market_training_data, part_of, random_training_data, small_settings

from dualwindow.learning.artifact import Artifact
from dualwindow.learning.metrics import log_loss, skill
from dualwindow.learning.training import train
from dualwindow.market.labels import HOLD, LONG, SHORT, UNKNOWN
from dualwindow.models.classifier import Classifier, Fitted, Hooks, make_classifier, use_threads
from dualwindow.samples.balancing import class_frequencies
from dualwindow.samples.data import Rows, Samples, TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import KINDS, Settings

HISTORY = 24


# Ways of combining count as kinds here.
ALL = [*KINDS, "ensemble/stacked"]


def settings_of(kind: str, **model) -> Settings:
    kind, _, combine = kind.partition("/")
    if combine:
        model = {"combine": combine, **model}
    small = {"epochs": 6, "batch_size": 32, "learning_rate": 0.01}
    given = {name: value for name, value in small.items() if name in KINDS[kind].model_fields}
    whole = {"balancing": {"method": "none"}}
    if kind == "ensemble":
        members = [settings_of(each).model for each in ("lstm", "trees")]
        given["members"] = [member.model_dump(exclude={"stride"}) for member in members]
    return small_settings(HISTORY, 24, kind, whole, **given, **model)


def planted() -> TrainingData:
    return market_training_data("planted", days=16, seed=1)


def samples_of(data: TrainingData) -> tuple[Samples, Samples]:
    """Every third window, the last quarter to validate on; scaled by what is known of all."""
    scaler = FeatureScaler("standard")
    scaler.fit(data.features[np.isfinite(data.features).all(axis=1)])
    scaled = scaler.apply(data.features)
    rows = Rows(scaled.rows, data.candles)
    ends = np.arange(HISTORY, len(data.labels) - 24, 3)
    parts = np.split(ends, [len(ends) * 3 // 4])
    return tuple(Samples(rows, p, data.labels[p], np.ones(len(p))) for p in parts)


def every(n: int, samples: Iterable[Samples]) -> list[Samples]:
    """Leave only each n-th window."""
    return [Samples(part.rows, *(each[::n] for each in part[1:])) for part in samples]


def classifier_of(kind: str, **model) -> Classifier:
    return make_classifier(settings_of(kind, **model).model, HISTORY, 8)


def digest_of_scores(kind: str, training: Samples, validation: Samples) -> str:
    """What a training of a kind comes to, to the last bit."""
    fitted = classifier_of(kind).fit(training, validation, None, Hooks())
    return hashlib.sha256(fitted.scores(validation.rows, validation.ends).tobytes()).hexdigest()


@cache
def digests_of_another_process() -> dict[str, str]:
    """Train all kinds in a process that begins with the last of them."""
    script = (
        "import sys; sys.path[:0] = ['tests', 'tests/models']\n"
        "from test_kinds import digest_of_scores, planted, samples_of\n"
        "samples = samples_of(planted())\n"
        "for kind in sys.argv[1:]: print(digest_of_scores(kind, *samples))"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, *reversed(ALL)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(zip(reversed(ALL), told.split(), strict=True))


@pytest.fixture(scope="module", params=ALL)
def kind(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return planted()


@pytest.fixture(scope="module")
def samples(data) -> tuple[Samples, Samples]:
    return samples_of(data)


@cache
def fitted_as(kind: str) -> Fitted:
    return classifier_of(kind).fit(*samples_of(planted()), None, Hooks())


@pytest.fixture(scope="module")
def fitted(kind) -> Fitted:
    return fitted_as(kind)


@pytest.fixture(scope="module")
def scores(fitted, samples) -> np.ndarray:
    _, validation = samples
    return fitted.scores(validation.rows, validation.ends)


def test_scores_are_probabilities_of_three_classes(scores, samples):
    assert scores.shape == (len(samples[1].ends), 3)
    assert scores.dtype == np.float64
    assert (scores >= 0).all()
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)
    assert np.ptp(scores, axis=0).min() > 0.01


def test_same_seed_same_bytes_whatever_was_trained_before(kind, samples, scores):
    other = Samples(samples[0].rows, *(part[::2] for part in samples[0][1:]))
    classifier_of(kind, seed=7).fit(other, samples[1], None, Hooks())
    again = classifier_of(kind).fit(*samples, None, Hooks())
    assert again.scores(samples[1].rows, samples[1].ends).tobytes() == scores.tobytes()


def test_same_seed_same_bytes_in_another_process(kind, scores):
    assert digests_of_another_process()[kind] == hashlib.sha256(scores.tobytes()).hexdigest()


def test_bytes_keep_every_bit_of_the_scores(kind, fitted, samples, scores):
    content = fitted.to_bytes()
    assert isinstance(content, bytes)
    again = classifier_of(kind).from_bytes(content)
    assert again.scores(samples[1].rows, samples[1].ends).tobytes() == scores.tobytes()
    assert again.is_sound()
    assert (again.epochs, again.start_loss) == ((), None)


def test_bytes_that_are_damaged_are_refused(kind, fitted):
    for damaged in (fitted.to_bytes()[:-40], b"", b"nothing"):
        with pytest.raises(Exception):  # noqa: B017, PT011 - of whatever kind
            classifier_of(kind).from_bytes(damaged)


def test_it_says_what_it_has_done(fitted):
    assert fitted.is_sound()
    assert fitted.start_loss is None
    assert 0 <= fitted.best_epoch <= len(fitted.epochs)
    assert isinstance(fitted.device, str)
    assert fitted.device
    assert all(np.isfinite(dataclasses.astuple(epoch)).all() for epoch in fitted.epochs)


def changed_outside(rows: Rows, inside: slice) -> Rows:
    """Other features and other prices everywhere but in a slice."""
    features, candles = rows.features[::-1] * 7 + 1, rows.candles
    features[inside] = rows.features[inside]
    prices = {}
    for name, factor in (("high", 3.0), ("low", 0.5), ("close", 1.5), ("volume", 9.0)):
        prices[name] = getattr(candles, name) * factor
        prices[name][inside] = getattr(candles, name)[inside]
    return Rows(features, dataclasses.replace(candles, **prices))


def test_windows_ignore_everything_later_to_the_last_bit(fitted, samples, scores):
    rows, ends = samples[1].rows, samples[1].ends
    middle = len(ends) // 2
    changed = changed_outside(rows, slice(0, ends[middle] + 1))
    found = fitted.scores(changed, ends)
    assert found[: middle + 1].tobytes() == scores[: middle + 1].tobytes()
    assert (found[middle + HISTORY :] != scores[middle + HISTORY :]).any()


def test_windows_ignore_everything_before_them(fitted, samples, scores):
    rows, ends = samples[1].rows, samples[1].ends
    changed = changed_outside(rows, slice(ends[5] - HISTORY + 1, None))
    np.testing.assert_array_equal(fitted.scores(changed, ends)[5:], scores[5:])


def test_one_window_is_scored_alone_as_among_many(fitted, samples, scores):
    rows, ends = samples[1].rows, samples[1].ends
    n_checked = 0
    for i in (0, 7, len(ends) // 2, len(ends) - 1):
        one = fitted.scores(rows, ends[[i]])
        np.testing.assert_allclose(one, scores[[i]], atol=1e-6)
        window = slice(ends[i] - HISTORY + 1, ends[i] + 1)
        alone = Rows(rows.features[window].copy(), rows.candles[window])
        np.testing.assert_allclose(
            fitted.scores(alone, np.array([HISTORY - 1])), scores[[i]], atol=1e-6
        )
        n_checked += 1
    assert n_checked == 4


def test_windows_are_scored_in_the_order_they_are_asked_for(fitted, samples, scores):
    order = np.random.default_rng(0).permutation(len(scores))
    found = fitted.scores(samples[1].rows, samples[1].ends[order])
    np.testing.assert_allclose(found, scores[order], atol=1e-6)


def test_no_window_has_no_scores(fitted, samples):
    found = fitted.scores(samples[1].rows, np.empty(0, dtype=np.int64))
    assert found.shape == (0, 3)
    assert found.dtype == np.float64


@pytest.mark.parametrize("missing", [SHORT, HOLD, LONG])
def test_a_missing_class_still_gives_three_columns(kind, samples, missing):
    few = every(2, samples)
    without = [np.where(p.labels == missing, (missing + 1) % 3, p.labels) for p in few]
    parts = [part._replace(labels=labels) for part, labels in zip(few, without, strict=True)]
    fitted = classifier_of(kind).fit(*parts, None, Hooks())
    validation = parts[1]
    found = fitted.scores(validation.rows, validation.ends)
    assert found.shape == (len(validation.ends), 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert found[:, missing].mean() < 0.1
    assert fitted.is_sound()


def test_weights_change_what_is_learnt(kind, samples, scores):
    training, validation = samples
    heavy = training._replace(weights=np.where(training.labels == LONG, 9.0, 1.0))
    fitted = classifier_of(kind).fit(heavy, validation, None, Hooks())
    found = fitted.scores(validation.rows, validation.ends)
    assert found[:, LONG].mean() > 1.2 * scores[:, LONG].mean()


def test_inputs_are_untouched(kind, samples):
    arrays = []
    for part in samples:
        candles = part.rows.candles
        arrays += [part.rows.features, part.ends, part.labels, part.weights]
        arrays += [candles.high, candles.low, candles.close, candles.volume, candles.date]
    before = [a.copy() for a in arrays]
    fitted = classifier_of(kind).fit(*every(4, samples), None, Hooks())
    fitted.scores(samples[1].rows, samples[1].ends)
    assert all((a == b).all() for a, b in zip(arrays, before, strict=True))
    assert len(arrays) == 18


def test_an_interrupt_ends_a_training_and_leaves_nothing_behind(kind, samples, scores):
    def interrupt() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        classifier_of(kind).fit(*samples, None, Hooks(interrupt=interrupt))
    again = classifier_of(kind).fit(*samples, None, Hooks())
    assert again.scores(samples[1].rows, samples[1].ends).tobytes() == scores.tobytes()


def test_what_another_kind_has_learnt_is_nothing_to_go_on_from(kind, samples, scores):
    training, validation = samples
    place = list(KINDS).index(kind.partition("/")[0])
    for other in (list(KINDS)[place - 1], list(KINDS)[(place + 1) % len(KINDS)]):
        again = classifier_of(kind).fit(training, validation, fitted_as(other), Hooks())
        assert again.start_loss is None
        assert again.scores(validation.rows, validation.ends).tobytes() == scores.tobytes()


def test_threads_can_be_capped_at_any_time(kind):
    use_threads(settings_of(kind).model, 2)


@pytest.fixture(scope="module")
def trained(kind) -> tuple[Artifact, TrainingData, int]:
    """Taught on a random walk whose steps are large and small by turns, which every kind can see.

    What is planted in the synthetic market is a direction, which ranges of candles do not tell.
    """
    n = 6000
    is_calm = np.arange(n + 2000) // 300 % 2 == 0
    steps = np.where(is_calm, 0.0005, 0.0015)
    data = random_training_data(n + 2000, seed=1, step_volatility=steps)
    settings = settings_of(kind, stride=3)
    return train(part_of(data, slice(n)), settings, FeatureScaler("standard")), data, n


def test_what_can_be_foreseen_beats_the_frequencies_out_of_sample(trained):
    artifact, data, n = trained
    rows = slice(n, None)
    prediction = artifact.predict(data.candles[rows], data.features[rows])
    known = prediction.valid & (data.labels[rows] != UNKNOWN)
    truth = data.labels[rows][known]
    assert known.sum() == 2000 - 12
    frequencies = np.broadcast_to(class_frequencies(data.labels[:n]), (len(truth), 3))
    reference = log_loss(frequencies, truth)
    assert skill(log_loss(prediction.probabilities[known], truth), reference) > 0.05
    scored = artifact.record.validation
    assert skill(scored.log_loss, scored.log_loss_of_frequencies) > 0.05


def test_the_planted_market_is_predicted_no_worse_than_by_the_frequencies(data, kind):
    settings = settings_of(kind, stride=3)
    scored = train(data, settings, FeatureScaler("standard")).record.validation
    assert scored.log_loss <= scored.log_loss_of_frequencies


def test_artifacts_are_picklable_and_predict_the_same(trained):
    artifact, data, n = trained
    again = pickle.loads(pickle.dumps(artifact))
    rows = slice(n, n + 200)
    one, other = (a.predict(data.candles[rows], data.features[rows]) for a in (artifact, again))
    for a, b in zip(vars(one).values(), vars(other).values(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert one.valid.all()


def test_predictions_ignore_everything_later(trained):
    artifact, data, n = trained
    rows = slice(n, n + 300)
    before = artifact.predict(data.candles[rows], data.features[rows])
    seen = Rows(data.features[rows], data.candles[rows])
    changed = changed_outside(seen, slice(0, 200))
    after = artifact.predict(changed.candles, changed.features)
    for name in ("probabilities", "scores", "valid", "failed", "dissimilarity"):
        np.testing.assert_array_equal(getattr(before, name)[:200], getattr(after, name)[:200])
    assert (before.scores[200:] != after.scores[200:]).any()


def test_an_unknown_volume_spoils_the_windows_with_it_and_nothing_else(kind):
    """Where no feature tells: in the training part, in validation, and in what is predicted."""
    n, bad = 3000, [500, 2900, 3100]
    data = random_training_data(n + 300, seed=1)
    candles = dataclasses.replace(data.candles, volume=data.candles.volume.copy())
    candles.volume[bad] = np.nan
    data = dataclasses.replace(data, candles=candles)
    settings = settings_of(kind, stride=3)
    learnt = train(part_of(data, slice(n)), settings, FeatureScaler("standard"))
    assert np.isfinite(learnt.record.validation.log_loss)
    assert learnt.fitted.is_sound()
    prediction = learnt.predict(data.candles[slice(n, None)], data.features[n:])
    spoilt = (np.arange(n, n + 300) >= 3100) & (np.arange(n, n + 300) < 3100 + HISTORY)
    np.testing.assert_array_equal(prediction.valid, ~spoilt)
    assert not prediction.failed.any()
    assert np.isfinite(prediction.probabilities[~spoilt]).all()

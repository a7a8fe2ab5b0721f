import dataclasses
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from examples import market_training_data, part_of, random_training_data, small_settings
from sklearn.metrics import roc_auc_score

from dualwindow.learning.artifact import Artifact
from dualwindow.learning.calibration import Evidence, calibrate
from dualwindow.learning.metrics import calibration_errors, log_loss
from dualwindow.learning.training import train
from dualwindow.market.labels import HOLD, LONG, SHORT, UNKNOWN
from dualwindow.models.classifier import Hooks
from dualwindow.models.keras_classifier import KerasClassifier
from dualwindow.samples.balancing import class_frequencies
from dualwindow.samples.data import TrainingError
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings

SETTINGS = small_settings(history=12, horizon=12)


def scaler() -> FeatureScaler:
    return FeatureScaler("standard")


def tiny_settings(**whole) -> Settings:
    """One epoch of two units."""
    return small_settings(12, 12, whole=whole, lstm_units=[2], epochs=1)


@pytest.fixture(scope="module")
def data():
    return random_training_data(3000, seed=0)


@pytest.fixture(scope="module")
def trained(data) -> Artifact:
    return train(part_of(data, slice(2000)), SETTINGS, scaler())


def auc_with_error(hit: np.ndarray, score: np.ndarray, horizon: int) -> tuple[float, float]:
    """AUC and its standard error (Hanley & McNeil 1982), with overlapping labels counted once."""
    area = roc_auc_score(hit, score)
    positive, negative = hit.sum() / horizon, (~hit).sum() / horizon
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (positive - 1) * (q1 - area**2) + (negative - 1) * (q2 - area**2)
    return area, math.sqrt(variance / (positive * negative))


def test_nothing_is_found_in_a_random_walk():
    data = random_training_data(40_000, seed=3)
    artifact = train(part_of(data, slice(8000)), SETTINGS, scaler())
    rows = slice(8000, None)
    prediction = artifact.predict(data.candles[rows], data.features[rows])
    truth = data.labels[rows]
    judged = prediction.valid & (truth != UNKNOWN)
    assert judged.sum() == 32_000 - 12
    for code in (SHORT, LONG):
        score = prediction.scores[judged, code]  # calibrated ones may be constant
        area, error = auc_with_error(truth[judged] == code, score, horizon=12)
        assert error < 0.03
        assert abs(area - 0.5) < 3 * error


def test_the_planted_signal_is_found():
    data = market_training_data("planted", days=60, seed=1)
    settings = small_settings(history=24, horizon=24, epochs=8, learning_rate=0.01)
    scores = train(data, settings, scaler()).record.validation
    assert scores.auc_long > 0.7
    assert scores.auc_short > 0.7


def test_probabilities_of_a_planted_signal_beat_the_frequencies_out_of_sample():
    data = market_training_data("planted", days=80, seed=1)
    settings = small_settings(history=24, horizon=24, epochs=8, learning_rate=0.01)
    n = len(data.candles) * 3 // 4
    artifact = train(part_of(data, slice(n)), settings, scaler())
    rows = slice(n, None)
    prediction = artifact.predict(data.candles[rows], data.features[rows])
    judged = prediction.valid & (data.labels[rows] != UNKNOWN)
    truth = data.labels[rows][judged]
    frequencies = np.broadcast_to(class_frequencies(data.labels[:n]), (len(truth), 3))
    reference = log_loss(frequencies, truth)
    loss = log_loss(prediction.probabilities[judged], truth)
    assert loss < 0.95 * reference
    assert loss < log_loss(prediction.scores[judged], truth)  # of a balanced training
    assert max(calibration_errors(prediction.probabilities[judged], truth, bins=5)) < 0.06


@pytest.mark.parametrize("balancing", ["undersample", "class_weights"])
@pytest.mark.parametrize("method", ["none", "prior", "temperature", "vector"])
def test_the_calibration_is_fitted_on_exactly_the_validation_windows(method, balancing):
    data = market_training_data("planted", days=30, seed=1)
    whole = {"calibration": method, "balancing": {"method": balancing, "floor": 100}}
    settings = small_settings(24, 24, whole=whole, stride=5)
    artifact = train(data, settings, scaler())
    facts = artifact.record
    known = np.arange(len(data.labels)) >= round(0.8 * len(data.labels))
    ends = np.flatnonzero(known & (data.labels != UNKNOWN))[::5]
    assert len(ends) == facts.validation_windows.total
    rows = slice(ends[0] - 100, None)
    context = dataclasses.replace(artifact, context=artifact.context[slice(0)])
    scores = context.predict(data.candles[rows], data.features[rows]).scores[ends - ends[0] + 100]
    mixture = np.array(list(facts.training_windows.model_dump().values())) + 1
    if balancing == "class_weights":  # every class carries the same total
        mixture = np.full(3, facts.training_windows.total / 3 + 1)
    frequencies = class_frequencies(data.labels)
    evidence = Evidence(scores, data.labels[ends], frequencies, mixture / mixture.sum(), 24 // 5)
    fitted, reasons = calibrate(method, evidence)
    assert facts.calibration.method == fitted.method
    assert facts.calibration.remarks == tuple(reasons)
    np.testing.assert_allclose(artifact.calibration.scale, fitted.scale, rtol=1e-3)
    np.testing.assert_allclose(artifact.calibration.shift, fitted.shift, atol=1e-3)
    assert facts.calibration.scale == tuple(artifact.calibration.scale)
    assert facts.calibration.shift == tuple(artifact.calibration.shift)
    assert facts.validation.log_loss == pytest.approx(evidence.log_loss(fitted), rel=1e-4)
    if method != "none":
        assert facts.validation.log_loss <= facts.validation.log_loss_of_frequencies
    if fitted.method == method in ("temperature", "vector"):  # how much they differ otherwise
        alone, _ = calibrate(method, dataclasses.replace(evidence, overlap=1))
        assert (np.abs(alone.scale / fitted.scale - 1) > 5e-3).any()


def test_stride_takes_every_nth_window_of_both_parts(data):
    part = part_of(data, slice(2000))
    counts = {}
    for stride in (1, 7):
        settings = small_settings(12, 12, whole={"balancing": {"method": "none"}}, stride=stride)
        facts = train(part, settings, scaler()).record
        sizes = [facts.training_windows.total, facts.validation_windows.total]
        counts[stride] = (sizes, facts.rejected["between strides"])
        assert sum(sizes) + sum(facts.rejected.values()) == 2000
    (every, none), (seventh, between) = counts[1], counts[7]
    assert none == 0
    assert seventh == [-(-n // 7) for n in every]
    assert between == sum(every) - sum(seventh)


def test_a_leak_would_be_found():
    data = random_training_data(8000, seed=3)
    features = data.features.copy()
    features[:-6, 2] = data.features[6:, 2]  # each candle sees a return of its own future
    leaking = dataclasses.replace(data, features=features)
    settings = small_settings(history=12, horizon=12, epochs=12, learning_rate=0.01)
    assert train(leaking, settings, scaler()).record.validation.auc_long > 0.6


def test_every_candle_after_training_is_predicted_from_the_first_on(data, trained):
    rows = slice(2000, None)
    prediction = trained.predict(data.candles[rows], data.features[rows])
    assert prediction.valid.all()
    assert prediction.probabilities.sum(axis=1) == pytest.approx(1)


def test_live_tails_agree_with_the_backtest(data, trained):
    whole = trained.predict(data.candles[slice(2000, 2300)], data.features[2000:2300])
    for t in (2000, 2001, 2005, 2011, 2012, 2299):
        tail = slice(t - 11, t + 1)
        live = trained.predict(data.candles[tail], data.features[tail])
        for one, many in ((live.probabilities, whole.probabilities), (live.scores, whole.scores)):
            np.testing.assert_allclose(one[-1], many[t - 2000], atol=1e-6)


def test_predictions_ignore_everything_later(data, trained):
    rows = slice(2000, 2400)
    before = trained.predict(data.candles[rows], data.features[rows])
    features = data.features[rows].copy()
    features[200:] = np.random.default_rng(0).normal(size=features[200:].shape)
    features[300] = np.nan
    after = trained.predict(data.candles[rows], features)
    np.testing.assert_array_equal(before.probabilities[:200], after.probabilities[:200])
    np.testing.assert_array_equal(before.scores[:200], after.scores[:200])
    assert (before.scores[200:300] != after.scores[200:300]).any()


def test_a_bad_row_spoils_every_window_that_holds_it(data, trained):
    features = data.features[2000:2100].copy()
    features[50, 3] = np.nan
    prediction = trained.predict(data.candles[slice(2000, 2100)], features)
    assert np.flatnonzero(~prediction.valid).tolist() == list(range(50, 62))
    assert np.isnan(prediction.probabilities[50:62]).all()


def test_context_is_not_used_across_a_gap(data, trained):
    rows = slice(2003, 2050)  # three candles are missing after training
    prediction = trained.predict(data.candles[rows], data.features[rows])
    assert prediction.valid.tolist() == [False] * 11 + [True] * 36


def test_the_scaler_sees_the_training_part_only(data):
    part = part_of(data, slice(2000))
    first, second = scaler(), scaler()
    train(part, SETTINGS, first)
    split = 1600
    features = part.features.copy()
    features[split - 12 :] *= 100
    train(dataclasses.replace(part, features=features), SETTINGS, second)
    fitted, again = first._scaler, second._scaler
    np.testing.assert_array_equal(fitted.mean_, again.mean_)
    np.testing.assert_allclose(
        fitted.mean_, part.features[1 : split - 12].mean(axis=0), rtol=1e-9, atol=1e-12
    )


def test_counts_add_up(trained):
    facts = trained.record
    used = facts.training_windows.total + facts.validation_windows.total
    assert sum(facts.rejected.values()) + used == facts.candles == 2000
    assert facts.rejected["too few candles before"] == 11
    assert facts.rejected["candle or feature unknown in the window"] == 1
    assert facts.rejected["future unknown"] == 0  # part_of() knows the labels of its end
    assert facts.rejected["purged between training and validation"] == 12
    windows = facts.training_windows.model_dump().values()
    assert max(windows) == min(windows) > 50


def test_a_new_process_reloads_the_artifact_and_predicts_the_same(data, trained, tmp_path):
    rows = slice(2000, 2100)
    inputs = (trained, data.candles[rows], data.features[rows])
    (tmp_path / "artifact.pkl").write_bytes(pickle.dumps(inputs))
    script = (
        "import pickle, sys, numpy as np\n"
        "artifact, candles, features = pickle.load(open(sys.argv[1], 'rb'))\n"
        "np.save(sys.argv[2], artifact.predict(candles, features).probabilities)"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    command += [str(tmp_path / "artifact.pkl"), str(tmp_path / "p.npy")]
    subprocess.run(command, check=True, capture_output=True)
    here = trained.predict(data.candles[rows], data.features[rows]).probabilities
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), here)


def test_inputs_are_untouched(data):
    part = part_of(data, slice(2000))
    arrays = [part.features, part.labels, part.candles.close]
    before = [a.copy() for a in arrays]
    train(part, SETTINGS, scaler()).predict(part.candles, part.features)
    assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(arrays, before, strict=True))


def test_a_missing_class_still_gives_three_columns(data):
    labels = data.labels.copy()
    labels[labels == SHORT] = HOLD
    part = part_of(dataclasses.replace(data, labels=labels), slice(2000))
    artifact = train(part, SETTINGS, scaler())
    assert artifact.record.training_windows.SHORT == 0
    probabilities = artifact.predict(part.candles, part.features).probabilities[100:]
    assert probabilities.shape == (1900, 3)
    assert probabilities[:, SHORT].mean() < 0.33


def test_unknown_labels_are_never_learnt(data):
    labels = data.labels.copy()
    labels[500:900] = UNKNOWN
    part = part_of(dataclasses.replace(data, labels=labels), slice(2000))
    assert train(part, SETTINGS, scaler()).record.rejected["future unknown"] == 400


@pytest.mark.parametrize("method", ["undersample", "class_weights", "none"])
def test_balancing_methods_choose_different_windows_or_weights(data, method):
    settings = tiny_settings(weight_factor=0.5, balancing={"method": method, "floor": 10})
    facts = train(part_of(data, slice(2000)), settings, scaler()).record
    thinned = facts.rejected["thinned by balancing"]
    assert thinned > 100 if method == "undersample" else thinned == 0


def test_weights_change_what_is_learnt(data):
    def loss(weight_factor: float = 0, **balancing) -> float:
        balancing = {"method": "class_weights", **balancing}
        settings = tiny_settings(weight_factor=weight_factor, balancing=balancing)
        return train(part_of(data, slice(2000)), settings, scaler()).record.epochs[0].loss

    given = {"SHORT": 1.0, "HOLD": 1.0, "LONG": 9.0}
    assert len({loss(), loss(class_weights=given), loss(weight_factor=0.1)}) == 3


@pytest.mark.parametrize("method", ["undersample", "class_weights"])
def test_validation_weighs_its_classes_as_training_does(data, method, monkeypatch):
    seen = {}

    def fit(self, training, validation, *rest):
        seen.update(training=training, validation=validation)
        return real(self, training, validation, *rest)

    real = KerasClassifier.fit
    monkeypatch.setattr(KerasClassifier, "fit", fit)
    settings = tiny_settings(weight_factor=0.3, balancing={"method": method, "floor": 10})
    train(part_of(data, slice(2000)), settings, scaler())
    mass = {}
    for part, (_, ends, labels, weights) in seen.items():
        assert weights.mean() == pytest.approx(1)
        mass[part] = np.bincount(labels, weights, minlength=3) / len(ends)
    np.testing.assert_allclose(mass["training"], mass["validation"])
    training = seen["training"]
    for code in (SHORT, HOLD, LONG):  # the newer, the heavier
        assert (np.diff(training.weights[training.labels == code]) > 0).all()


def test_warm_start_is_taken_only_from_a_network_of_the_same_shape(data, trained):
    part = part_of(data, slice(2000))
    facts = train(part, SETTINGS, scaler(), previous=trained).record
    losses = [facts.start_loss, *(e.validation_loss for e in facts.epochs)]
    assert facts.best_epoch == np.argmin(losses)
    for other in (
        small_settings(history=12, horizon=12, lstm_units=[3]),
        small_settings(history=12, horizon=12, kind="ranges"),
    ):
        assert train(part, other, scaler(), previous=trained).record.start_loss is None


def test_a_host_follows_a_training_and_can_end_it(data):
    part = part_of(data, slice(2000))
    reported, calls = [], []
    hooks = Hooks(report=reported.append, interrupt=lambda: calls.append(1))
    facts = train(part, SETTINGS, scaler(), hooks=hooks).record
    assert tuple(reported) == facts.epochs
    assert len(calls) > len(facts.epochs)

    def stop() -> None:
        raise InterruptedError

    fitted = []
    unfitted = FeatureScaler("standard")
    with pytest.raises(InterruptedError):
        train(part, SETTINGS, unfitted, hooks=Hooks(report=fitted.append, interrupt=stop))
    assert fitted == []


def changed(data, **arrays):
    candles = dataclasses.replace(data.candles, **arrays.pop("candles", {}))
    return dataclasses.replace(data, candles=candles, **arrays)


def broken_close(data, value):
    close = data.candles.close.copy()
    close[7] = value
    return changed(data, candles={"close": close})


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_broken_prices_are_named(data, value):
    with pytest.raises(TrainingError, match=r"1 candles have a price .*1970-01-01T00:07Z"):
        train(broken_close(part_of(data, slice(2000)), value), SETTINGS, scaler())


def test_a_short_history_says_how_many_days_are_missing(data):
    features = data.features.copy()
    features[:2160, 5] = np.nan  # a day and a half of minutes
    with pytest.raises(TrainingError, match=r"price_to_ma43200 unknown for the first 1\.5 days.*2"):
        train(changed(data, features=features), SETTINGS, scaler())


def test_one_class_alone_cannot_be_learnt(data):
    labels = np.where(data.labels == UNKNOWN, UNKNOWN, HOLD).astype(np.int8)
    with pytest.raises(TrainingError, match=r"all \d+ training windows are HOLD"):
        train(changed(data, labels=labels), SETTINGS, scaler())


@pytest.mark.parametrize(
    ("history", "horizon", "name"), [(300, 12, "history"), (12, 300, "horizon")]
)
def test_windows_longer_than_the_data_are_refused(data, history, horizon, name):
    with pytest.raises(TrainingError, match=rf"`{name}` is 300 candles.* only 250; .*`train_days`"):
        train(part_of(data, slice(250)), small_settings(history, horizon), scaler())


def test_an_empty_validation_part_is_explained(data):
    labels = data.labels.copy()
    labels[1590:] = UNKNOWN
    with pytest.raises(TrainingError, match=r"no whole window is left in the validation part"):
        train(part_of(changed(data, labels=labels), slice(2000)), SETTINGS, scaler())


@pytest.mark.parametrize(("penalty", "is_constant"), [(1e15, True), (1.0, False)])
def test_a_model_that_tells_no_two_windows_apart_is_marked(data, penalty, is_constant):
    whole = {"calibration": "none", "balancing": {"method": "none"}}
    settings = small_settings(12, 12, kind="ranges", whole=whole, penalty=penalty)
    artifact = train(part_of(data, slice(2000)), settings, scaler())
    assert artifact.record.is_constant is is_constant
    found = artifact.predict(data.candles[2000:2100], data.features[2000:2100])
    assert found.valid.all()
    assert (np.ptp(found.probabilities, axis=0) < 1e-9).all() == is_constant


def test_quoted_frequencies_are_constant():
    """On a random walk nothing is left of the calibration, whatever the network says."""
    data = random_training_data(3000, seed=3)
    record = train(data, tiny_settings(calibration="temperature"), scaler()).record
    assert record.calibration.method == "frequencies"
    assert record.is_constant

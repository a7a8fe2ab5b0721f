"""What a training leaves behind predicts alike, and says when it is not ours to read."""

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
from examples import part_of, random_training_data, small_settings

from dualwindow.learning import artifact as artifacts
from dualwindow.learning.artifact import FORMAT, Artifact, FormatError, Prediction, format_trouble
from dualwindow.learning.training import train
from dualwindow.models.classifier import make_classifier
from dualwindow.samples.data import TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import KINDS, Settings

OLD = Path(__file__).with_name("artifact-d932cb6.joblib")  # written before there were formats
HISTORY, END = 12, 700


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return random_training_data(1000, seed=0)


def settings_of(kind: str) -> Settings:
    return small_settings(history=HISTORY, horizon=12, kind=kind)


@pytest.fixture(scope="module", params=KINDS)
def trained(request, data) -> Artifact:
    part = part_of(data, slice(END))
    return train(part, settings_of(request.param), FeatureScaler("standard"))


def predicted(artifact: Artifact, data: TrainingData, rows: slice, **asked) -> Prediction:
    return artifact.predict(data.candles[rows], data.features[rows], **asked)


def same(one: Prediction, other: Prediction, rows: slice, theirs: slice) -> None:
    for a, b in zip(vars(one).values(), vars(other).values(), strict=True):
        assert len(a[rows]) == len(b[theirs]) > 0
        np.testing.assert_allclose(a[rows], b[theirs], atol=1e-6)


@pytest.mark.parametrize("overlap", [1, 2, 5, 10, 11, 12, 40])
def test_candles_may_begin_before_the_training_ends(data, trained, overlap):
    """Live, the strategy also hands over candles that the model was trained on."""
    expected = predicted(trained, data, slice(END, END + 50))
    assert expected.valid.all()
    found = predicted(trained, data, slice(END - overlap, END + 50))
    same(found, expected, slice(overlap, None), slice(None))
    # What lies before END can be predicted where eleven candles are before it.
    first = min(overlap, HISTORY - 1)
    assert np.flatnonzero(found.valid).tolist() == list(range(first, 50 + overlap))
    more = predicted(trained, data, slice(END - 100, END + 50))
    same(found, more, slice(first, None), slice(100 - overlap + first, None))


def test_the_context_is_the_end_of_the_training_data(data, trained):
    rows = slice(END - HISTORY + 1, END)
    assert trained.context.date.tolist() == data.candles.date[rows].tolist()
    np.testing.assert_array_equal(trained.context_features, data.features[rows])
    assert not np.shares_memory(trained.context_features, data.features)


@pytest.mark.parametrize("n", [1, 3, 50, 60, 1000])
def test_only_so_many_of_the_newest_candles_are_predicted(data, trained, n):
    everything = predicted(trained, data, slice(END, END + 60))
    found = predicted(trained, data, slice(END, END + 60), n_newest=n)
    assert np.flatnonzero(found.valid).tolist() == list(range(max(60 - n, 0), 60))
    assert np.isnan(found.probabilities[: max(60 - n, 0)]).all()
    assert not found.failed.any()
    same(found, everything, slice(-min(n, 60), None), slice(-min(n, 60), None))


def test_none_of_the_newest_is_none(data, trained):
    assert not predicted(trained, data, slice(END, END + 60), n_newest=0).valid.any()


def test_no_candles_are_no_predictions(data, trained):
    found = predicted(trained, data, slice(END, END))
    assert found.probabilities.shape == found.scores.shape == (0, 3)
    assert len(found.valid) == len(found.failed) == len(found.dissimilarity) == 0


class _Failing:
    """Gives numbers for every other window only."""

    def __init__(self, fitted) -> None:
        self._fitted = fitted

    def scores(self, rows, ends):
        scores = self._fitted.scores(rows, ends)
        scores[::4, 1] = np.nan
        scores[2::4] = np.inf
        return scores


def test_scores_that_are_no_numbers_are_no_predictions(data, trained):
    rows = slice(END, END + 20)
    failing = dataclasses.replace(trained)
    failing.__dict__["fitted"] = _Failing(trained.fitted)
    features = data.features[rows].copy()
    features[19] = np.nan
    found = failing.predict(data.candles[rows], features)
    odd = np.arange(20) % 2 == 1
    assert found.failed.tolist() == [*~odd[:19], False]
    assert found.valid.tolist() == [*odd[:19], False]
    assert np.isnan(found.scores[~found.valid]).all()
    assert np.isnan(found.probabilities[~found.valid]).all()
    expected = trained.predict(data.candles[rows], features)
    assert not expected.failed.any()
    same(found, expected, slice(1, 19, 2), slice(1, 19, 2))


def test_outliers_end_no_window_but_may_be_inside(data, trained):
    class Wary(FeatureScaler):
        def apply(self, rows):
            scaled = super().apply(rows)
            inliers = scaled.inliers & (rows[:, 0] < 1e3)
            return scaled._replace(inliers=inliers, dissimilarity=np.arange(len(rows)) / 1.0)

    wary = Wary("standard")
    wary.fit(data.features[1:END])
    rows = slice(END, END + 20)
    features = data.features[rows].copy()
    features[7, 0] = 1e4
    found = dataclasses.replace(trained, scaler=wary).predict(data.candles[rows], features)
    assert np.flatnonzero(~found.valid).tolist() == [7]
    assert not found.failed.any()
    assert found.dissimilarity.tolist() == list(range(11, 31))  # of the candles asked for


def test_pickles_keep_every_bit_and_hold_no_unpacked_classifier(data, trained):
    expected = predicted(trained, data, slice(END, END + 20))
    assert "fitted" in vars(trained)
    again = pickle.loads(pickle.dumps(trained))
    assert "fitted" not in vars(again)
    found = predicted(again, data, slice(END, END + 20))
    for a, b in zip(vars(expected).values(), vars(found).values(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert again.record == trained.record
    assert again.content == trained.content


def test_other_facts_change_nothing_else(data, trained):
    other = trained.made_from({"code": "0123"})
    assert (other.record.made_from, trained.record.made_from) == ({"code": "0123"}, {})
    assert other.content is trained.content
    assert other.record.model_copy(update={"made_from": {}}) == trained.record


def test_a_record_from_before_it_had_a_field_gets_its_default(trained):
    """pydantic restores what was pickled, without defaults."""
    record = trained.record.model_copy()
    del record.__dict__["is_constant"]
    again = pickle.loads(pickle.dumps(dataclasses.replace(trained, record=record)))
    assert again.record.is_constant is False
    assert again.record == trained.record.model_copy(update={"is_constant": False})


def test_an_artifact_from_before_there_were_formats_is_told():
    """The file is what FreqAI has kept of such a training: class names of that time, pickled."""
    with pytest.raises(ModuleNotFoundError) as error:
        pickle.loads(OLD.read_bytes())
    assert str(format_trouble(error.value)) == (
        f"it was written by another version of DualWindowLSTM (format 1, this one has {FORMAT})"
    )


@pytest.mark.parametrize("other", [FORMAT + 1, FORMAT - 1, "3", None])
def test_another_format_is_refused(trained, monkeypatch, other):
    monkeypatch.setattr(artifacts, "FORMAT", other)
    content = pickle.dumps(trained)
    monkeypatch.undo()
    with pytest.raises(FormatError, match=rf"\(format {other}, this one has {FORMAT}\)") as error:
        pickle.loads(content)
    assert format_trouble(error.value) is error.value


def test_a_damaged_pickle_is_not_called_another_format(trained):
    content = pickle.dumps(trained)
    cuts = range(1, len(content) - 1, len(content) // 50)
    misread = [content[:cut] for cut in cuts]
    misread += [
        content.replace(b"dualwindow.learning.artifact", b"dualwindow.learning.artifacT"),
        content.replace(b"dualwindow.samples.scaling", b"dualwindow_sampleS.scaling"),
        content.replace(b"_restore", b"_resTore"),
        b"",
    ]
    for damaged in misread:
        with pytest.raises(Exception) as error:  # noqa: PT011 - whatever pickle says
            pickle.loads(damaged)
        assert format_trouble(error.value) is None
    assert len(misread) > 50


def test_what_the_classifier_has_learnt_is_bound_to_its_settings(trained):
    record = trained.record
    classifier = make_classifier(record.settings.model, HISTORY, trained.n_features)
    assert classifier.from_bytes(trained.content).to_bytes()
    with pytest.raises(Exception):  # noqa: B017, PT011 - of whatever kind
        dataclasses.replace(trained, content=trained.content[: len(trained.content) // 2]).fitted  # noqa: B018


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

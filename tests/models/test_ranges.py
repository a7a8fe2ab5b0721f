"""The baseline of all kinds, against plain loops and scikit-learn."""

import dataclasses
import json

import numpy as np
import pytest
from examples import make_candles
from sklearn.linear_model import LogisticRegression

from dualwindow.market.labels import HOLD, LONG, SHORT
from dualwindow.market.summaries import mean_log_ranges
from dualwindow.models.classifier import Hooks
from dualwindow.models.ranges import make
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import RangesSettings

SPANS = (1, 3, 20)


def moved(seed: int, classes: tuple[int, ...], n: int = 600) -> Samples:
    """Windows that end in a larger range the later their class is in `classes`."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(classes, n).astype(np.int8)
    rank = np.searchsorted(classes, labels)
    ranges = np.exp(rng.normal(size=n) + rank - 6)
    candles = make_candles(np.ones(n), high=np.exp(ranges))
    rows = Rows(np.zeros((n, 1), dtype=np.float32), candles)
    ends = np.arange(19, n)
    return Samples(rows, ends, labels[ends], rng.uniform(0.5, 1.5, len(ends)))


def fitted(training: Samples, **settings):
    classifier = make(RangesSettings(spans=SPANS, **settings), history=20, n_features=1)
    return classifier.fit(training, training, None, Hooks())


@pytest.mark.parametrize(
    "classes", [(SHORT, HOLD, LONG), (HOLD, LONG), (SHORT, HOLD), (SHORT, LONG)]
)
def test_gives_what_scikit_learn_gives(seed, classes):
    """Oracle: predict_proba of the same regression, in its own columns."""
    training = moved(seed, classes)
    inputs = mean_log_ranges(training.rows.candles, training.ends, SPANS)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    reference = LogisticRegression(C=1 / 2, max_iter=1000, tol=1e-8)
    reference.fit(inputs, training.labels, sample_weight=training.weights)
    scores = fitted(training, penalty=2.0).scores(training.rows, training.ends)
    assert scores.shape == (len(training.ends), 3)
    np.testing.assert_allclose(scores[:, classes], reference.predict_proba(inputs), atol=1e-9)
    absent = [code for code in range(3) if code not in classes]
    assert (scores[:, absent] < 1e-9).all()
    assert np.ptp(scores[:, classes[-1]]) > 0.5


def test_a_strong_penalty_leads_to_the_weighted_frequencies(seed):
    training = moved(seed, (SHORT, HOLD, LONG))
    masses = np.bincount(training.labels, training.weights)
    spread = []
    for penalty in (1.0, 1e3, 1e9):
        scores = fitted(training, penalty=penalty).scores(training.rows, training.ends)
        spread.append(np.ptp(scores, axis=0).max())
    assert spread[0] > 2 * spread[1] > 100 * spread[2]
    np.testing.assert_allclose(scores, np.tile(masses / masses.sum(), (len(scores), 1)), atol=1e-4)


def test_weights_count(seed):
    training = moved(seed, (SHORT, HOLD, LONG))
    heavy = training._replace(weights=np.where(training.labels == LONG, 9.0, 1.0))
    twice = Samples(
        training.rows,
        np.concatenate([training.ends, np.repeat(training.ends[training.labels == LONG], 8)]),
        np.concatenate([training.labels, np.full(8 * (training.labels == LONG).sum(), LONG)]),
        np.ones(len(training.ends) + 8 * (training.labels == LONG).sum()),
    )
    scores = fitted(training).scores(training.rows, training.ends)
    by_weight = fitted(heavy).scores(training.rows, training.ends)
    assert (by_weight[:, LONG] > scores[:, LONG] + 0.05).mean() > 0.9
    # The same but for how the inputs are scaled, which weights do not enter.
    by_number = fitted(twice, penalty=1e-6).scores(training.rows, training.ends)
    by_weight = fitted(heavy, penalty=1e-6).scores(training.rows, training.ends)
    np.testing.assert_allclose(by_number, by_weight, atol=1e-5)


def test_it_learns_from_the_training_part_alone(seed):
    training, other = moved(seed, (SHORT, HOLD, LONG)), moved(seed + 10, (HOLD, LONG))
    classifier = make(RangesSettings(spans=SPANS), history=20, n_features=1)
    first = classifier.fit(training, training, None, Hooks())
    second = classifier.fit(training, other, first, Hooks())
    assert first.to_bytes() == second.to_bytes()
    assert (second.epochs, second.best_epoch, second.start_loss) == ((), 0, None)
    assert second.device == "CPU"


def test_what_is_no_number_is_not_sound(seed):
    good = fitted(moved(seed, (SHORT, HOLD, LONG)))
    assert good.is_sound()
    for name in ("mean", "deviation", "slopes", "levels"):
        bad = getattr(good, name).copy()
        bad.flat[-1] = np.nan
        assert not dataclasses.replace(good, **{name: bad}).is_sound()


def test_one_window_is_scored_as_among_others_and_none_gives_none(seed):
    training = moved(seed, (SHORT, HOLD, LONG))
    learnt = fitted(training)
    scores = learnt.scores(training.rows, training.ends)
    alone = learnt.scores(training.rows, training.ends[7:8])
    np.testing.assert_allclose(alone, scores[7:8], rtol=1e-12)
    assert learnt.scores(training.rows, training.ends[:0]).shape == (0, 3)


def test_many_overlapping_spans_are_fitted_to_the_end(seed):
    """Oracle: another solver. More than a hundred steps are needed, scikit-learn's default."""
    training, spans = moved(seed, (SHORT, HOLD, LONG)), tuple(range(1, 21))
    inputs = mean_log_ranges(training.rows.candles, training.ends, spans)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)
    reference = LogisticRegression(C=1e3, solver="newton-cholesky", tol=1e-10)
    reference.fit(inputs, training.labels, sample_weight=training.weights)
    classifier = make(RangesSettings(spans=spans, penalty=1e-3), history=20, n_features=1)
    scores = classifier.fit(training, training, None, Hooks()).scores(training.rows, training.ends)
    np.testing.assert_allclose(scores, reference.predict_proba(inputs), atol=1e-5)


@pytest.mark.parametrize("classes", [(SHORT, HOLD, LONG), (HOLD, LONG)])
def test_candles_that_never_move_lead_to_the_frequencies(classes):
    labels = np.resize(classes, 100).astype(np.int8)
    rows = Rows(np.zeros((100, 1), dtype=np.float32), make_candles(np.full(100, 7.0)))
    ends = np.arange(19, 100)
    learnt = fitted(Samples(rows, ends, labels[ends], np.ones(81)))
    assert learnt.is_sound()
    expected = np.bincount(labels[ends], minlength=3) / 81
    np.testing.assert_allclose(learnt.scores(rows, ends), np.tile(expected, (81, 1)), atol=1e-6)


def test_a_slope_of_0_is_a_number_also_of_two_classes():
    rows = Rows(np.zeros((21, 1), dtype=np.float32), make_candles(np.full(21, 7.0)))
    ends = np.array([19, 20])  # two, so that the mean of their inputs is exact
    learnt = fitted(Samples(rows, ends, np.array([HOLD, LONG]), np.ones(2)))
    assert (learnt.slopes == 0).all()
    np.testing.assert_allclose(learnt.scores(rows, ends), [[0, 0.5, 0.5]] * 2, atol=1e-6)


def test_what_is_read_back_is_what_was_learnt(seed):
    training = moved(seed, (SHORT, HOLD, LONG))
    classifier = make(RangesSettings(spans=SPANS), history=20, n_features=1)
    learnt = fitted(training)
    again = classifier.from_bytes(learnt.to_bytes())
    assert again.spans == learnt.spans == SPANS
    for name in ("mean", "deviation", "slopes", "levels"):
        np.testing.assert_array_equal(getattr(again, name), getattr(learnt, name))
    scores = [each.scores(training.rows, training.ends) for each in (learnt, again)]
    np.testing.assert_array_equal(*scores)


def test_its_bytes_are_json_and_damaged_ones_are_refused(seed):
    classifier = make(RangesSettings(spans=SPANS), history=20, n_features=1)
    content = fitted(moved(seed, (SHORT, HOLD, LONG))).to_bytes()
    assert set(json.loads(content)) == {"mean", "deviation", "slopes", "levels"}
    for damaged in (content[:-5], b"", b"{}", b"\x80" + content):
        with pytest.raises((ValueError, KeyError)):
            classifier.from_bytes(damaged)

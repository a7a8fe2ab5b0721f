"""Boosted trees, against LightGBM asked directly."""

import dataclasses
import json

import lightgbm
import numpy as np
import pytest
from examples import random_candles

from dualwindow.market.labels import HOLD, LONG, SHORT
from dualwindow.market.summaries import summaries
from dualwindow.models.classifier import Hooks
from dualwindow.models.trees import FittedTrees, make
from dualwindow.samples.data import Rows, Samples
from dualwindow.settings import TreesSettings

SPANS = (3, 20)
SETTINGS = TreesSettings(spans=SPANS, rounds=20, least_windows=20)


def wild_and_calm(seed: int, n: int = 1500) -> Samples:
    """LONG where the last candles were wild, HOLD where they were calm, now and then the other."""
    rng = np.random.default_rng(seed)
    is_wild = np.arange(n) // 100 % 2 == 0
    candles = random_candles(n, seed, np.where(is_wild, 0.004, 0.0005))
    labels = np.where(is_wild ^ (rng.random(n) < 0.1), LONG, HOLD).astype(np.int8)
    ends = np.arange(19, n)
    rows = Rows(np.zeros((n, 1), dtype=np.float32), candles)
    return Samples(rows, ends, labels[ends], rng.uniform(0.5, 1.5, len(ends)))


def fitted(samples: Samples, **changes) -> FittedTrees:
    classifier = make(SETTINGS.model_copy(update=changes), history=20, n_features=1)
    return classifier.fit(samples, samples, None, Hooks())


def test_gives_what_lightgbm_gives(seed):
    samples = wild_and_calm(seed)
    x = summaries(samples.rows.candles, samples.ends, SPANS)
    reference = lightgbm.LGBMClassifier(
        objective="multiclass",
        n_estimators=20,
        learning_rate=0.03,
        num_leaves=7,
        min_child_samples=20,
        reg_lambda=10.0,
        colsample_bytree=0.5,
        subsample=0.7,
        subsample_freq=1,
        seed=42,
        force_row_wise=True,
        n_jobs=1,
        verbosity=-1,
    )
    labels = samples.labels.copy()
    labels[:5] = 0  # scikit-learn's form counts the classes itself
    reference.fit(x, labels, sample_weight=samples.weights)
    found = fitted(samples._replace(labels=labels)).scores(samples.rows, samples.ends)
    np.testing.assert_allclose(found, reference.predict_proba(x), atol=1e-12)
    right = found[:, LONG] > found[:, HOLD]
    assert (right == (samples.labels == LONG)).mean() > 0.8


def test_every_setting_changes_what_is_learnt():
    samples = wild_and_calm(1)
    before = fitted(samples).scores(samples.rows, samples.ends)
    changes = {
        "spans": (3, 18),
        "rounds": 21,
        "shrinkage": 0.1,
        "leaves": 3,
        "least_windows": 200,
        "leaf_penalty": 1000.0,
        "column_share": 1.0,
        "row_share": 1.0,
        "seed": 7,
    }
    assert changes.keys() == TreesSettings.model_fields.keys() - {"kind", "stride"}
    for name, value in changes.items():
        other = fitted(samples, **{name: value}).scores(samples.rows, samples.ends)
        assert not np.array_equal(other, before), name


def test_spans_that_are_not_set_are_parts_of_the_history():
    assert fitted(wild_and_calm(1), spans=None).spans == (2, 6, 20)


def test_windows_that_fill_no_two_leaves_lead_to_the_weighted_frequencies(seed):
    """By pencil: trees without a split leave what they start from."""
    samples = wild_and_calm(seed)
    masses = np.bincount(samples.labels, samples.weights, minlength=3)
    found = fitted(samples, least_windows=1400).scores(samples.rows, samples.ends)
    np.testing.assert_allclose(found, np.tile(masses / masses.sum(), (1481, 1)), atol=1e-6)


@pytest.mark.parametrize(
    "classes", [(SHORT,), (LONG,), (SHORT, HOLD), (SHORT, LONG), (HOLD, LONG)], ids=str
)
def test_a_class_that_was_never_seen_gets_next_to_nothing(classes):
    samples = wild_and_calm(1)
    labels = np.where(samples.labels == LONG, classes[-1], classes[0]).astype(np.int8)
    learnt = fitted(samples._replace(labels=labels))
    found = learnt.scores(samples.rows, samples.ends)
    assert learnt.is_sound()
    assert (np.delete(found, classes, axis=1) < 1e-9).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-12)
    assert (found.argmax(axis=1) == labels).mean() > 0.8


def test_the_same_seed_grows_the_same_trees():
    samples = wild_and_calm(1)
    assert fitted(samples).to_bytes() == fitted(samples).to_bytes()


def test_it_learns_from_the_training_part_alone():
    samples, other = wild_and_calm(1), wild_and_calm(2)
    classifier = make(SETTINGS, history=20, n_features=1)
    first = classifier.fit(samples, samples, None, Hooks())
    second = classifier.fit(samples, other, first, Hooks())
    assert first.to_bytes() == second.to_bytes()
    assert (second.epochs, second.best_epoch, second.start_loss) == ((), 0, None)


def test_what_is_read_back_gives_the_same_to_the_last_bit():
    samples = wild_and_calm(1)
    learnt = fitted(samples)
    again = make(SETTINGS, history=20, n_features=1).from_bytes(learnt.to_bytes())
    scores = [each.scores(samples.rows, samples.ends) for each in (learnt, again)]
    np.testing.assert_array_equal(*scores)
    assert learnt.scores(samples.rows, samples.ends[:0]).shape == (0, 3)


def test_damaged_or_foreign_content_is_refused():
    """LightGBM ends the whole process where its text is damaged, so it must never see it."""
    content = fitted(wild_and_calm(1)).to_bytes()
    told = json.loads(content)
    cut = json.dumps({**told, "trees": told["trees"][:-400]}).encode()
    of_other_spans = fitted(wild_and_calm(1), spans=(3, 10, 20)).to_bytes()
    classifier = make(SETTINGS, history=20, n_features=1)
    for damaged in (content[:-5], b"", b"{}", b"\x80" + content, cut, of_other_spans):
        with pytest.raises((ValueError, KeyError)):
            classifier.from_bytes(damaged)


def test_what_is_changed_anywhere_in_the_text_is_noticed():
    """By one digit or letter; LightGBM would read most of that, and predict something else."""
    told = json.loads(fitted(wild_and_calm(1), rounds=1).to_bytes())
    places = range(0, len(told["trees"]), 97)
    for place in places:
        other = "7" if told["trees"][place] != "7" else "8"
        text = told["trees"][:place] + other + told["trees"][place + 1 :]
        with pytest.raises(ValueError, match="damaged"):
            make(SETTINGS, history=20, n_features=1).from_bytes(
                json.dumps(told | {"trees": text}).encode()
            )
    assert len(places) > 40


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_a_leaf_that_is_no_number_is_not_sound(value):
    learnt = fitted(wild_and_calm(1))
    assert learnt.is_sound()
    first = learnt.text.index("leaf_value=") + len("leaf_value=")
    rest = learnt.text[first:].split(" ", 1)[1]
    assert not dataclasses.replace(learnt, text=f"{learnt.text[:first]}{value} {rest}").is_sound()


def test_the_host_is_asked_at_least_once_per_round():
    calls, samples = [], wild_and_calm(1)
    classifier = make(SETTINGS, history=20, n_features=1)
    classifier.fit(samples, samples, None, Hooks(interrupt=lambda: calls.append(1)))
    assert len(calls) >= SETTINGS.rounds == 20


def test_it_can_be_ended_before_every_round():
    calls = []

    def interrupt() -> None:
        calls.append(1)
        if len(calls) == 5:
            raise InterruptedError

    classifier = make(SETTINGS, history=20, n_features=1)
    with pytest.raises(InterruptedError):
        classifier.fit(wild_and_calm(1), wild_and_calm(1), None, Hooks(interrupt=interrupt))
    assert len(calls) == 5

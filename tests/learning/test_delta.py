"""Smoothed labels whose delta a training finds: in its own training part, and nowhere else."""

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
import walks
from examples import random_candles

from dualwindow.learning import walk_forward
from dualwindow.learning.group import boundary_of, prepare
from dualwindow.learning.training import train, train_together
from dualwindow.market.labels import UNKNOWN, Labelling, Smoothed
from dualwindow.market.moves import smoothed_moves
from dualwindow.samples.data import TrainingData
from dualwindow.samples.pair_data import PairData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings


def settings(delta: float | str = "auto", pooling: str = "pair") -> Settings:
    plain = walks.settings().model_dump()
    return Settings(**plain | {"labels": {"rule": "smoothed", "delta": delta}, "pooling": pooling})


def tasks(given: list[PairData] | None = None, **changes) -> list[walk_forward.Task]:
    return walk_forward.tasks(given or walks.pairs(), walks.SCHEDULE, settings(**changes))[0]


def group(**changes) -> list[TrainingData]:
    return [member.data for member in tasks(pooling="whitelist", **changes)[0].members]


def delta_of(group: list[TrainingData]) -> float:
    return prepare(group, settings(), FeatureScaler("standard")).settings.labels.delta


def moved(pair: PairData, rows: slice) -> PairData:
    """Other prices in some rows."""
    columns = {n: getattr(pair.candles, n).copy() for n in ("high", "low", "close")}
    other = random_candles(len(pair.candles), seed=99, volatility=0.01)
    for name, values in columns.items():
        values[rows] = getattr(other, name)[rows]
    return dataclasses.replace(pair, candles=dataclasses.replace(pair.candles, **columns))


@pytest.mark.parametrize("n_pairs", [1, 2])
def test_delta_is_the_median_move_of_the_training_parts(n_pairs):
    """Oracle: moves of the rows whose future ends before validation begins, by hand."""
    some = group()[:n_pairs]
    boundary = boundary_of(some, settings())
    sizes = []
    for data in some:
        moves = np.abs(smoothed_moves(data.candles, walks.HORIZON))
        ends = data.candles.date + walks.HORIZON * walks.MINUTE
        sizes += moves[(ends < boundary) & np.isfinite(moves)].tolist()
    assert len(sizes) > 400 * n_pairs
    assert delta_of(some) == np.median(sizes)


def test_what_validates_does_not_move_delta_and_what_teaches_does():
    some = group()
    boundary = int(np.searchsorted(some[0].candles.date, boundary_of(some, settings())))
    as_pairs = [PairData(d.pair, d.candles, d.features, d.feature_names) for d in some]

    def with_other_prices(rows: slice) -> float:
        changed = [moved(as_pairs[0], rows), as_pairs[1]]
        labelling = Labelling.of(settings())
        return delta_of([pair.between(-np.inf, np.inf, labelling) for pair in changed])

    assert with_other_prices(slice(boundary, None)) == delta_of(some)
    assert with_other_prices(slice(boundary - 200, boundary)) != delta_of(some)


def test_the_order_of_pairs_changes_no_delta():
    assert delta_of(group()) == delta_of(group()[::-1])


def test_a_training_that_finds_delta_is_one_that_was_given_it():
    data = group()[0]
    found = train(data, settings(), FeatureScaler("standard"))
    delta = found.record.settings.labels.delta
    labelled = dataclasses.replace(data, labels=Labelling.of(settings(delta)).label(data.candles))
    given = train(labelled, settings(delta), FeatureScaler("standard"))
    assert found.content == given.content
    assert found.record.settings == given.record.settings
    assert found.record.labels == given.record.labels
    assert found.record.training_labels == given.record.training_labels
    counts = found.record.training_labels
    assert abs(counts.HOLD - counts.total / 2) <= 1  # the median splits it


@pytest.mark.parametrize("unknown", [slice(None), slice(None, None, 5)], ids=["all", "every-5th"])
def test_who_is_left_out_has_no_part_in_delta(unknown):
    """A wild pair without any features, and one of which not a window is whole."""
    calm, other = group()
    wild = dataclasses.replace(random_candles(len(other.candles), 7, 0.02), date=calm.candles.date)
    features = other.features.copy()
    features[unknown] = np.nan
    left_out = dataclasses.replace(other, pair="Z/USDT", candles=wild, features=features)
    prepared = prepare([calm, left_out], settings(), FeatureScaler("standard"))
    assert list(prepared.left_out) == ["Z/USDT"]
    assert prepared.settings.labels.delta == delta_of([calm])
    together = delta_of([calm, dataclasses.replace(left_out, features=other.features)])
    assert together > 2 * delta_of([calm])


@pytest.mark.parametrize("delta", ["auto", 0.002])
def test_labels_are_of_the_candles_of_the_training_whatever_a_host_has_given(delta):
    """FreqAI labels before it cuts, so it knows what lies before the first candle."""
    data = group()[0]
    rng = np.random.default_rng(0)
    given = dataclasses.replace(data, labels=rng.integers(0, 3, len(data.labels)).astype(np.int8))
    mine, theirs = (
        prepare([each], settings(delta), FeatureScaler("standard")) for each in (data, given)
    )
    assert mine.settings == theirs.settings
    np.testing.assert_array_equal(mine.parts[0].data.labels, theirs.parts[0].data.labels)
    np.testing.assert_array_equal(mine.training.ends, theirs.training.ends)
    assert (mine.parts[0].data.labels[: walks.HORIZON] == UNKNOWN).all()


def test_an_outage_just_before_a_fold_spoils_the_same_labels_as_in_the_whole_market():
    (pair,) = walks.pairs(names=("A/USDT",))
    first = int(np.searchsorted(pair.candles.date, walks.START))
    volume = pair.candles.volume.copy()
    volume[first - walks.HORIZON - 10 : first - walks.HORIZON + 8] = 0
    pair = dataclasses.replace(pair, candles=dataclasses.replace(pair.candles, volume=volume))
    (member,) = tasks([pair], delta=0.002)[0].members
    whole = Labelling.of(settings(0.002)).label(pair.candles)
    n = len(member.labels)
    np.testing.assert_array_equal(member.labels, whole[first : first + n])
    assert (member.labels[:7] == UNKNOWN).all()
    assert (member.labels[20:100] != UNKNOWN).any()


def test_inputs_are_untouched():
    some = group()
    before = [data.labels.copy() for data in some]
    train_together(some, settings(pooling="whitelist"), FeatureScaler("standard"))
    for data, labels in zip(some, before, strict=True):
        assert (data.labels == labels).all()


@pytest.mark.parametrize("pooling", ["pair", "whitelist"])
def test_every_fold_is_judged_by_the_labels_of_its_own_training(pooling):
    """Oracle: labels of the whole market by the delta of each record."""
    deltas, n = set(), 0
    whole = {pair.pair: pair for pair in walks.pairs()}
    for task in tasks(pooling=pooling):
        for member, done in zip(task.members, walk_forward.run_fold(task), strict=True):
            delta = done.record.settings.labels.delta
            candles = whole[member.fold.pair].candles
            expected = Smoothed(delta).label(Labelling.of(settings(delta)).moves(candles))
            here = slice(*np.searchsorted(candles.date, [member.fold.start, member.fold.stop]))
            labels = pd.read_parquet(io.BytesIO(done.table))["label"].to_numpy()
            np.testing.assert_array_equal(labels, expected[here])
            assert (labels != UNKNOWN).any()
            deltas.add(delta)
            n += len(labels)
    assert n == 2 * (walks.STOP - walks.START) // walks.MINUTE
    assert len(deltas) == walks.N_WINDOWS * (2 if pooling == "pair" else 1)


def test_a_given_delta_labels_alike_what_is_taught_and_what_is_predicted():
    (member,) = tasks(delta=0.002)[0].members
    whole = Labelling.of(settings(0.002)).label(walks.pairs()[0].candles)
    here = slice(
        *np.searchsorted(walks.pairs()[0].candles.date, [member.fold.start, member.fold.stop])
    )
    np.testing.assert_array_equal(member.labels, whole[here])
    assert member.moves is None
    known = member.data.labels != UNKNOWN
    assert known.sum() == walks.TRAIN - 2 * walks.HORIZON


def test_moves_that_are_predicted_belong_to_the_digest():
    later = [moved(pair, slice(1255, None)) for pair in walks.pairs()]
    ours, theirs = tasks(), tasks(later)
    same = [a.made_by == b.made_by for a, b in zip(ours, theirs, strict=True)]
    assert same[0]
    assert not same[-1]

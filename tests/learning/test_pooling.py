"""One training over several pairs: what it is made of, and what it never sees."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import walks
from examples import random_candles

from dualwindow.learning import training, walk_forward
from dualwindow.learning.fold_store import Store, WalkForwardError
from dualwindow.learning.group import prepare
from dualwindow.learning.parallel import Workers
from dualwindow.learning.training import train, train_together
from dualwindow.learning.walk_forward import RAW, run_fold
from dualwindow.market.candles import joined
from dualwindow.market.labels import CLASSES, HOLD, UNKNOWN
from dualwindow.models.classifier import Hooks, make_classifier
from dualwindow.samples.data import Rows, Samples, TrainingData, TrainingError, pooled
from dualwindow.samples.pair_data import PairData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import Settings

KINDS = ["ranges", "trees", "lstm"]
PROBABILITIES = [*CLASSES, *RAW, "valid"]


def settings(kind: str = "ranges") -> Settings:
    return walks.settings(kind).model_copy(update={"pooling": "whitelist"})


def tasks(kind: str = "ranges", given: list[PairData] | None = None) -> list[walk_forward.Task]:
    return walk_forward.tasks(given or walks.pairs(), walks.SCHEDULE, settings(kind))[0]


def group() -> list[TrainingData]:
    return [member.data for member in tasks()[0].members]


def part_of(data: TrainingData, rows: slice) -> TrainingData:
    return dataclasses.replace(
        data, candles=data.candles[rows], features=data.features[rows], labels=data.labels[rows]
    )


def table_of(done) -> pd.DataFrame:
    return pd.read_parquet(pd.io.common.BytesIO(done.table))


def changed(pair: PairData, rows: slice) -> PairData:
    """Other prices and features in some rows."""
    other = random_candles(len(pair.candles), seed=99)
    columns = {}
    for name in ("high", "low", "close", "volume"):
        columns[name] = getattr(pair.candles, name).copy()
        columns[name][rows] = getattr(other, name)[rows]
    features = pair.features.copy()
    features[rows] += 1
    return dataclasses.replace(
        pair, candles=dataclasses.replace(pair.candles, **columns), features=features
    )


def test_samples_of_several_pairs_keep_their_windows():
    """Rows hold their own index and their pair's number, so a wrong place shows."""
    of_pairs = []
    for number, n in enumerate((30, 50)):
        features = np.stack([np.full(n, number), np.arange(n)], axis=1).astype(np.float32)
        rows = Rows(features, random_candles(n, number))
        every = [np.arange(9, n, 7), np.arange(11, n, 5)]
        of_pairs.append(tuple(Samples(rows, ends, ends % 3, ends / 10) for ends in every))
    found = pooled(of_pairs)
    assert len(found) == 2
    for i, samples in enumerate(found):
        assert samples.rows is found[0].rows  # each row is held once
        expected = [(number, end) for number, own in enumerate(of_pairs) for end in own[i].ends]
        assert [tuple(row) for row in samples.rows.features[samples.ends]] == expected
        assert samples.labels.tolist() == [end % 3 for _, end in expected]
        assert samples.weights.tolist() == [end / 10 for _, end in expected]
    assert len(found[0].rows.features) == len(found[0].rows.candles) == 80
    for name in ("date", "high", "low", "close", "volume"):
        both = np.concatenate([getattr(own[0].rows.candles, name) for own in of_pairs])
        np.testing.assert_array_equal(getattr(found[0].rows.candles, name), both)
    assert pooled(of_pairs[:1]) is of_pairs[0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_pair_together_is_that_pair_alone(kind):
    data, scalers = group()[0], [FeatureScaler("standard") for _ in range(2)]
    alone = train(data, walks.settings(kind), scalers[0])
    (together,) = train_together([data], walks.settings(kind), scalers[1])
    np.testing.assert_array_equal(
        *(a.predict(data.candles, data.features).scores for a in (alone, together))
    )
    assert together.record.learnt_from == alone.record.learnt_from == ()


def test_it_is_a_training_on_all_windows_of_both():
    """Oracle: the classifier itself, on samples that are put together by hand."""
    both = group()
    scaler = FeatureScaler("standard")
    artifacts = train_together(both, settings(), scaler)
    assert [a.record.pair for a in artifacts] == [data.pair for data in both]
    assert artifacts[0].content == artifacts[1].content
    assert {a.record.learnt_from for a in artifacts} == {("A/USDT", "B/USDT")}
    alone = [train(data, settings(), FeatureScaler("standard")).record for data in both]
    for artifact, own, data in zip(artifacts, alone, both, strict=True):
        record = artifact.record
        assert record.labels == own.labels
        assert record.rejected == own.rejected
        assert record.training_windows.total == sum(r.training_windows.total for r in alone)
        assert record.validation_windows.total == sum(r.validation_windows.total for r in alone)
        np.testing.assert_array_equal(artifact.context.date, data.candles.date[-11:])
        np.testing.assert_array_equal(artifact.context_features, data.features[-11:])
    # The very same windows in one long series whose pairs lie far apart.
    later = dataclasses.replace(both[1].candles, date=both[1].candles.date + 10**7)
    series = joined([both[0].candles, later])
    labels = np.concatenate([data.labels for data in both])
    parts = [train_windows(data, settings()) for data in both]
    ends = np.concatenate([parts[0][0], parts[1][0] + len(both[0].candles)])
    rows = Rows(np.zeros((len(labels), 8), dtype=np.float32), series)
    weights = np.concatenate([parts[0][1], parts[1][1]])
    by_hand = make_classifier(settings().model, 12, 8).fit(
        Samples(rows, ends, labels[ends], weights),
        Samples(rows, ends, labels[ends], weights),
        None,
        Hooks(),
    )
    assert by_hand.to_bytes() == artifacts[0].content


def train_windows(data: TrainingData, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """The ends and weights that a training of one pair selects."""
    from dualwindow.samples.selection import select
    from dualwindow.samples.splits import split_of, validation_start

    scaler = FeatureScaler("standard")
    boundary = validation_start(data.candles.date, settings.validation_share)
    split = split_of(data.candles, settings, boundary)
    scaler.fit(data.features[np.isfinite(data.features).all(axis=1) & split.train])
    selection = select(data, settings, split, scaler.apply(data.features))
    return selection.train, selection.weights


def test_the_scaler_learns_from_the_training_parts_of_all():
    both, scaler = group(), FeatureScaler("standard")
    train_together(both, settings(), scaler)
    taught = []
    for data in both:
        first = len(data.candles) - round(0.2 * len(data.candles))
        rows = data.features[: first - 12]
        taught.append(rows[np.isfinite(rows).all(axis=1)])
    expected = np.concatenate(taught)
    row = both[0].features[100:101]
    scaled = (row - expected.mean(axis=0)) / expected.std(axis=0)
    np.testing.assert_allclose(scaler.apply(row).rows, scaled, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_pairs_changes_nothing(kind):
    both = group()
    first = train_together(both, settings(kind), FeatureScaler("standard"))
    other = train_together(both[::-1], settings(kind), FeatureScaler("standard"))[::-1]
    for one, two, data in zip(first, other, both, strict=True):
        assert one.record.pair == two.record.pair == data.pair
        np.testing.assert_array_equal(
            *(a.predict(data.candles, data.features).probabilities for a in (one, two))
        )


def test_a_walk_forward_trains_once_for_all_pairs():
    wanted = tasks()
    assert len(wanted) == walks.N_WINDOWS
    for number, task in enumerate(wanted):
        assert [m.fold.pair for m in task.members] == ["A/USDT", "B/USDT"]
        assert {m.fold.number for m in task.members} == {number}
        assert len(set(task.made_by)) == 2
    done = run_fold(wanted[0])
    assert [d.record.pair for d in done] == ["A/USDT", "B/USDT"]
    for member, each, made_by in zip(wanted[0].members, done, wanted[0].made_by, strict=True):
        found = table_of(each)
        assert set(found["pair"]) == {member.fold.pair}
        assert set(found["made_by"]) == {each.record.made_from["fold"]} == {made_by}
        np.testing.assert_array_equal(found["label"], member.labels)


def test_nothing_of_any_pair_after_the_start_of_a_fold_is_seen():
    a, b = walks.pairs()
    task = tasks()[1]
    start = task.members[0].fold.start // 60
    before = [table_of(done) for done in run_fold(task)]
    # The other pair's candles from the start on: nothing changes.
    later = run_fold(tasks(given=[a, changed(b, slice(start, None))])[1])
    pd.testing.assert_frame_equal(table_of(later[0])[PROBABILITIES], before[0][PROBABILITIES])
    # Those just before it do change what is learnt, for this pair, too.
    earlier = run_fold(tasks(given=[a, changed(b, slice(start - 400, start - 300))])[1])
    assert not table_of(earlier[0])["LONG"].equals(before[0]["LONG"])


def test_it_learns_something_else_than_each_pair_alone():
    together = run_fold(tasks()[0])
    alone = [run_fold(task)[0] for task in walks.tasks()[:2]]
    for one, other in zip(together, alone, strict=True):
        assert not table_of(one)["LONG"].equals(table_of(other)["LONG"])


def test_a_run_that_was_ended_makes_whole_trainings_again(tmp_path):
    store = Store(tmp_path)
    store.begin(settings(), walks.SCHEDULE)
    whole = walk_forward.run(tasks(), store, Workers())
    lost = sorted((tmp_path / "folds").glob("B_USDT-*.parquet"))[1]
    lost.unlink()
    steps = []
    again = walk_forward.run(tasks(), store, Workers(), steps.append)
    assert [(s.fold.pair, s.fold.number) for s in steps if s.is_new] == [
        ("A/USDT", 1),
        ("B/USDT", 1),
    ]
    assert len(steps) == 2 * walks.N_WINDOWS
    assert {s.n_left for s in steps} == set(range(2 * walks.N_WINDOWS))
    pd.testing.assert_frame_equal(again.table, whole.table)


def test_a_pair_that_began_later_joins_when_it_can(tmp_path):
    """Its folds are left out until its candles reach back far enough."""
    a, b = walks.pairs()
    n = walks.WINDOW + 5
    young = dataclasses.replace(b, candles=b.candles[n:], features=b.features[n:])
    wanted, remarks = walk_forward.tasks([a, young], walks.SCHEDULE, settings())
    assert [[m.fold.pair[0] for m in task.members] for task in wanted] == [
        ["A"],
        ["A"],
        ["A", "B"],
        ["A", "B"],
    ]
    assert len(remarks) == 1
    assert "B/USDT: 2 of 4 folds are left out" in remarks[0]


def test_another_pairs_candles_are_part_of_what_made_it():
    a, b = walks.pairs()
    before = tasks()[0].made_by
    after = tasks(given=[a, changed(b, slice(100, 101))])[0].made_by
    assert all(one != other for one, other in zip(before, after, strict=True))


def broken_price(data: TrainingData) -> TrainingData:
    candles = dataclasses.replace(data.candles, close=data.candles.close.copy())
    candles.close[7] = np.nan
    return dataclasses.replace(data, candles=candles)


def torn(data: TrainingData) -> TrainingData:
    is_torn = np.arange(len(data.candles))[:, None] % 5 == 0
    return dataclasses.replace(data, features=np.where(is_torn, np.nan, data.features))


def young(data: TrainingData) -> TrainingData:
    return part_of(data, slice(len(data.candles) - 30, None))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (broken_price, "1 candles have a price"),
        (torn, "no whole window is left"),
        (young, "no candle of the training part"),
    ],
)
def test_a_pair_that_cannot_be_learnt_from_gets_the_model_of_the_others(spoil, why):
    a, b = group()
    c = dataclasses.replace(a, pair="C/USDT")
    bad = spoil(b)
    found = train_together([bad, c, a], settings(), FeatureScaler("standard"))
    assert [artifact.record.pair for artifact in found] == ["B/USDT", "C/USDT", "A/USDT"]
    assert [artifact.record.left_out.startswith(why) for artifact in found] == [True, False, False]
    without = train_together([a, c], settings(), FeatureScaler("standard"))[0]
    assert {artifact.content for artifact in found} == {without.content}
    assert {artifact.record.learnt_from for artifact in found} == {("A/USDT", "C/USDT")}
    record = found[0].record
    assert (record.candles, record.labels.total, record.training_labels.total) == (0, 0, 0)
    np.testing.assert_array_equal(found[0].context.date, bad.candles.date[-len(without.context) :])
    later = tasks()[0].members[1]
    own = found[0].predict(later.candles, later.features)
    expected = dataclasses.replace(
        without, context=found[0].context, context_features=found[0].context_features
    ).predict(later.candles, later.features)
    np.testing.assert_array_equal(own.probabilities, expected.probabilities)
    assert own.valid.sum() > 10


def test_the_scaler_is_not_fitted_to_a_pair_that_is_left_out():
    a, b = group()
    wild = torn(dataclasses.replace(b, features=b.features * 1000))
    seen = []

    class Watched(FeatureScaler):
        def fit(self, rows):
            seen.append(rows)
            super().fit(rows)

    prepared = prepare([a, wild], settings("lstm"), Watched("standard"))
    prepare([a], settings("lstm"), Watched("standard"))
    assert list(prepared.left_out) == ["B/USDT"]
    np.testing.assert_array_equal(*seen)


def test_where_no_pair_can_be_learnt_from_the_first_says_why():
    spoilt = [broken_price(data) for data in group()]
    with pytest.raises(TrainingError, match=r"^A/USDT: 1 candles have a price"):
        train_together(spoilt[::-1], settings(), FeatureScaler("standard"))


def test_one_pair_of_two_that_is_left_is_trained_on_alone_and_says_so():
    a, b = group()
    found = train_together([broken_price(b), a], settings(), FeatureScaler("standard"))
    assert found[1].content == train(a, settings(), FeatureScaler("standard")).content
    assert found[1].record.learnt_from == ("A/USDT",)


def test_a_model_is_handed_to_a_pair_that_joins():
    model = train_together(group(), settings(), FeatureScaler("standard"))[0]
    other = model.handed_to("C/USDT", ("c",) * len(model.record.features), "it has joined")
    assert (other.record.pair, other.record.left_out) == ("C/USDT", "it has joined")
    assert other.record.features == ("c",) * len(model.record.features)
    assert len(other.context) == len(other.context_features) == 0
    later = tasks()[0].members[0]
    n = settings().history
    own = other.predict(later.candles, later.features)
    assert not own.valid[: n - 1].any()
    expected = model.predict(later.candles, later.features).probabilities[n - 1 :]
    np.testing.assert_array_equal(own.probabilities[n - 1 :], expected)


def test_pairs_with_another_number_of_features_are_refused():
    a, b = group()
    less = dataclasses.replace(b, features=b.features[:, 1:], feature_names=b.feature_names[1:])
    with pytest.raises(TrainingError, match=r"A/USDT has (\d+), B/USDT has "):
        train_together([a, less], settings(), FeatureScaler("standard"))


def test_a_pair_that_never_moves_takes_part():
    """All of its windows are HOLD; of all pairs together they are not."""
    moving, calm = group()
    still = dataclasses.replace(
        calm.candles,
        high=np.full(len(calm.candles), 7.0),
        low=np.full(len(calm.candles), 7.0),
        close=np.full(len(calm.candles), 7.0),
    )
    labels = np.where(calm.labels == UNKNOWN, UNKNOWN, HOLD).astype(np.int8)
    quiet = dataclasses.replace(calm, candles=still, labels=labels)
    with pytest.raises(TrainingError, match=r"^B/USDT: all .* are HOLD"):
        train(quiet, settings(), FeatureScaler("standard"))
    artifacts = train_together([moving, quiet], settings(), FeatureScaler("standard"))
    assert artifacts[1].record.labels.SHORT == 0
    assert artifacts[1].record.training_windows.SHORT > 0


def test_pairs_at_the_same_time_are_one_piece_of_evidence(monkeypatch):
    seen = []
    real = training.calibrate
    monkeypatch.setattr(
        training,
        "calibrate",
        lambda method, evidence: seen.append(evidence) or real(method, evidence),
    )
    train(group()[0], settings(), FeatureScaler("standard"))
    train_together(group(), settings(), FeatureScaler("standard"))
    assert seen[1].overlap == 2 * seen[0].overlap
    assert len(seen[1].labels) == 2 * len(seen[0].labels)


@pytest.mark.parametrize("kept", [slice(300, None), slice(0, -60)])
def test_pairs_of_other_times_are_split_at_the_same_moment(kept):
    """At a date of its own, one would be taught what the other is validated on."""
    a, b = group()
    prepared = prepare([a, part_of(b, kept)], settings(), FeatureScaler("standard"))
    alone = prepare([a], settings(), FeatureScaler("standard"))
    boundary = a.candles.date[alone.parts[0].split.validation][0]
    reach = settings().horizon * a.candles.step
    seen = 0
    for part in prepared.parts:
        date = part.data.candles.date
        assert date[part.selection.train].max() + reach < boundary
        assert date[part.selection.validation].min() >= boundary
        assert date[part.split.train].max() + reach + a.candles.step == boundary
        seen += len(part.selection.train)
    assert seen == len(prepared.training.ends) > len(alone.training.ends)
    assert prepared.left_out == {}


def test_a_training_of_several_pairs_that_fails_names_the_one_that_its_cause_names(tmp_path):
    a, b = walks.pairs()
    still = dataclasses.replace(
        b.candles, **{name: np.full(len(b.candles), 7.0) for name in ("high", "low", "close")}
    )
    quiet = dataclasses.replace(b, candles=still)
    is_torn = np.arange(len(b.candles))[:, None] % 5 == 0
    torn = dataclasses.replace(b, features=np.where(is_torn, np.nan, b.features))
    for given, said in (
        (
            [quiet, dataclasses.replace(quiet, pair="C/USDT")],
            "fold from 1970-01-01: B/USDT, C/USDT: all",
        ),
        ([a, torn], "fold from 1970-01-01: B/USDT: no whole window"),
    ):
        store = Store(tmp_path / given[1].pair[0])
        store.begin(settings(), walks.SCHEDULE)
        with pytest.raises(WalkForwardError, match=f"^{said}"):
            walk_forward.run(tasks(given=given), store, Workers())

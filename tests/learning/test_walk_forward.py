"""Folds become one table, the same whoever computes it, and whatever happens on the way."""

import contextlib
import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import walks
from examples import small_settings
from processes import PATHS
from walks import (
    HORIZON,
    N_WINDOWS,
    SCHEDULE,
    START,
    STOP,
    TRAIN,
    WINDOW,
    pairs,
    pairs_of,
    tasks,
    walk,
)

from dualwindow.learning import fold_store, walk_forward
from dualwindow.learning.fold_store import PLAN, TABLE, Store, WalkForwardError
from dualwindow.learning.folds import FoldError, Schedule
from dualwindow.learning.parallel import Workers
from dualwindow.learning.training import train
from dualwindow.learning.walk_forward import RAW, run_fold
from dualwindow.market import files
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.samples.data import TrainingData, TrainingError
from dualwindow.samples.pair_data import PairData
from dualwindow.samples.scaling import FeatureScaler
from harness.places import ROOT

KINDS = ["ranges", "lstm"]
N_FOLDS = 2 * N_WINDOWS


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, tuple[walk_forward.WalkForward, bytes]]:
    """By kind: one worker, which is this process, and the bytes of the table."""
    found = {}
    for kind in KINDS:
        folder = tmp_path_factory.mktemp(kind)
        found[kind] = walk(folder, kind), (folder / TABLE).read_bytes()
    return found


@pytest.fixture
def computed(monkeypatch) -> list[walk_forward.Fold]:
    """The folds that are computed in this process, one after the other."""
    seen = []

    def noted(task):
        seen.extend(member.fold for member in task.members)
        return run_fold(task)

    monkeypatch.setattr(walk_forward, "run_fold", noted)
    return seen


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def changed(pair: PairData, rows: slice | np.ndarray, factor: float = 1.5) -> PairData:
    """The pair, with wider candles, more volume and other features in some rows."""

    def moved(values: np.ndarray, factor: float = factor) -> np.ndarray:
        values = values.copy()
        values[rows] *= factor
        return values

    old = pair.candles
    candles = dataclasses.replace(
        old, high=moved(old.high), low=moved(old.low, 1 / factor), volume=moved(old.volume)
    )
    return dataclasses.replace(pair, candles=candles, features=moved(pair.features))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("backend", ["loky", "dask"])
def test_two_workers_give_the_same_bytes_as_one(kind, backend, undisturbed, tmp_path, request):
    workers = Workers(n=2) if backend == "loky" else request.getfixturevalue("dask")
    found = walk(tmp_path, kind, workers)

    assert (tmp_path / TABLE).read_bytes() == undisturbed[kind][1]
    assert found.folds == undisturbed[kind][0].folds
    pd.testing.assert_frame_equal(found.table, undisturbed[kind][0].table, check_exact=True)


@pytest.mark.parametrize("kind", KINDS)
def test_table_is_that_of_a_plain_loop(kind, undisturbed):
    table, settings = undisturbed[kind][0].table, walks.settings(kind)
    labelling, done = Labelling.of(settings), 0
    for start in range(START, STOP, WINDOW * 60):
        for pair in pairs_of(kind):
            date = pair.candles.date
            past = (date >= start - TRAIN * 60) & (date < start)
            window = (date >= start) & (date < min(start + WINDOW * 60, STOP))
            before = pair.candles[past]
            data = TrainingData(
                pair.pair, before, pair.features[past], pair.feature_names, labelling.label(before)
            )
            artifact = train(data, settings, FeatureScaler(settings.scaler))
            expected = artifact.predict(pair.candles[window], pair.features[window])

            rows = table.iloc[done : done + window.sum()]
            assert set(rows["pair"]) == {pair.pair}
            assert set(rows["fold"]) == {(start - START) // (WINDOW * 60)}
            opened = rows["date"].to_numpy("datetime64[s]").astype(np.int64)
            np.testing.assert_array_equal(opened, date[window])
            np.testing.assert_array_equal(rows[list(CLASSES)], expected.probabilities)
            np.testing.assert_array_equal(rows[list(RAW)], expected.scores)
            np.testing.assert_array_equal(rows["valid"], expected.valid)
            done += window.sum()
    assert done == len(table) == len(pairs_of(kind)) * (N_WINDOWS * WINDOW - 44)


def test_every_candle_is_predicted_once_by_a_model_that_has_not_seen_it(undisturbed):
    walked = undisturbed["ranges"][0]
    table, n_rows = walked.table, 0
    assert not table.duplicated(["pair", "date"]).any()
    assert table["valid"].all()
    assert table["LONG"].nunique() > 900  # or equal bytes would not mean much
    assert list(table.columns) == [
        *("date", "pair", "fold", *CLASSES, *RAW, "label", "valid", "made_by")
    ]
    for fold, record in zip(walked.folds, walked.records, strict=True):
        rows = table[(table["pair"] == fold.pair) & (table["fold"] == fold.number)]
        last = pd.Timestamp(record.last_candle)
        assert last == pd.Timestamp(fold.start - 60, unit="s", tz="UTC")
        assert (rows["date"] > last).all()
        assert set(rows["made_by"]) == {record.made_from["fold"]}
        n_rows += len(rows)
    assert n_rows == len(table)
    assert table["made_by"].nunique() == N_FOLDS


def test_labels_are_those_of_the_whole_series(undisturbed):
    table, n_known = undisturbed["ranges"][0].table, 0
    labelling = Labelling.of(walks.settings())
    for pair in pairs():
        inside = (pair.candles.date >= START) & (pair.candles.date < STOP)
        rows = table[table["pair"] == pair.pair].sort_values("date")
        expected = labelling.label(pair.candles)[inside]
        np.testing.assert_array_equal(rows["label"], expected)
        n_known += (expected != UNKNOWN).sum()
    assert n_known == len(table)


def test_labels_at_the_end_of_the_candles_are_unknown():
    n = (STOP // 60) - 10
    last = tasks(given=pairs(n))[-1].members[0]
    assert (last.labels[-HORIZON:] == UNKNOWN).all()
    assert (last.labels[:-HORIZON] != UNKNOWN).all()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_after_the_start_of_a_fold_changes_its_model(kind):
    def facts(task):
        record = run_fold(task)[0].record
        epochs = tuple(dataclasses.replace(epoch, seconds=0.0) for epoch in record.epochs)
        unlike = {"seconds": 0.0, "memory": None, "made_from": {}, "epochs": epochs}
        return record.model_copy(update=unlike)

    (pair,) = pairs(names=("A/USDT",))
    wanted = tasks(kind, [pair])[:2]
    for i, task in enumerate(wanted):
        start = task.members[0].fold.start
        other = changed(pair, pair.candles.date >= start)
        again = tasks(kind, [other])[i]
        assert facts(again) == facts(task)
        assert again.made_by != task.made_by
        earlier = changed(pair, pair.candles.date >= start - 3600)
        assert facts(tasks(kind, [earlier])[i]) != facts(task)
    assert len(wanted) == 2


def test_nothing_after_a_candle_changes_what_is_predicted_for_it():
    (pair,) = pairs(names=("A/USDT",))
    row, compared = 720 + WINDOW + 50, 0
    first, other = (
        [
            pd.read_parquet(pd.io.common.BytesIO(run_fold(task)[0].table))
            for task in tasks(given=[given])[:2]
        ]
        for given in (pair, changed(pair, slice(row, None)))
    )
    for one, two in zip(first, other, strict=True):
        before = one["date"] < pd.Timestamp(row * 60, unit="s", tz="UTC")
        columns = [*CLASSES, *RAW, "valid"]
        pd.testing.assert_frame_equal(one.loc[before, columns], two.loc[before, columns])
        compared += before.sum()
    assert compared == WINDOW + 50
    assert (one.loc[~before, "LONG"] != two.loc[~before, "LONG"]).all()


def test_inputs_are_untouched():
    given = pairs()
    for pair in given:
        candles = pair.candles
        for values in (pair.features, candles.date, candles.high, candles.low, candles.close):
            values.flags.writeable = False
    wanted = tasks(given=given)
    for task in wanted:
        (member,) = task.members
        member.labels.flags.writeable = member.data.labels.flags.writeable = False
        run_fold(task)
    assert len(wanted) == N_FOLDS


def test_finished_folds_are_not_computed_again(undisturbed, computed, tmp_path):
    steps = []
    walk(tmp_path)
    assert len(computed) == N_FOLDS
    computed.clear()
    walk(tmp_path, report=steps.append)

    assert computed == []
    assert [(s.n_left, s.is_new) for s in steps] == [(n, False) for n in range(N_FOLDS)][::-1]
    assert (tmp_path / TABLE).read_bytes() == undisturbed["ranges"][1]


def test_only_folds_whose_candles_have_changed_are_computed_again(computed, tmp_path):
    given = pairs()
    walk(tmp_path, given=given)
    computed.clear()
    row = 720 + 2 * WINDOW - 1  # the last one of the second window: later trainings hold it
    other = [changed(given[0], slice(row, row + 1), 1.01), given[1]]
    walk(tmp_path, given=other)
    assert [(f.pair, f.number) for f in computed] == [("A/USDT", n) for n in (1, 2, 3)]
    again = content(tmp_path)

    computed.clear()
    walk(tmp_path, given=other)
    assert computed == []
    assert content(tmp_path) == again


def test_labels_that_have_become_known_are_filled_in(computed, tmp_path):
    walk(tmp_path, given=pairs((STOP // 60) + 5))
    computed.clear()
    longer = walk(tmp_path, given=pairs())
    assert [f.number for f in computed] == [N_WINDOWS - 1] * 2
    assert (longer.table["label"] != UNKNOWN).all()


def test_a_run_that_is_killed_goes_on_where_it_was(undisturbed, computed, tmp_path):
    with subprocess.Popen(
        [sys.executable, ROOT / "tests" / "walks.py", tmp_path, "2"],
        env=os.environ | {"PYTHONPATH": PATHS},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "three\n"
        os.killpg(process.pid, signal.SIGKILL)
    before = content(tmp_path)
    n_kept = sum(name.endswith(".json") for name in before) - 1  # without the plan
    assert n_kept >= 3
    assert TABLE not in before

    steps = []
    walk(tmp_path, report=steps.append)
    after = content(tmp_path)
    assert after[TABLE] == undisturbed["ranges"][1]
    assert len(computed) == N_FOLDS - n_kept
    assert sum(not step.is_new for step in steps) == n_kept
    assert {name for name, found in before.items() if after[name] != found} == set()


def test_a_worker_that_is_killed_costs_nothing(undisturbed, tmp_path, monkeypatch):
    marker = tmp_path / "died"
    monkeypatch.setattr(walk_forward, "run_fold", partial(walks.die_once, marker))
    walk(tmp_path / "out", workers=Workers(n=2))

    assert marker.exists()
    assert (tmp_path / "out" / TABLE).read_bytes() == undisturbed["ranges"][1]


def halved(found: bytes) -> bytes:
    return found[: len(found) // 2]


def overwritten(found: bytes) -> bytes:
    return found[:400] + bytes(200) + found[600:]


@pytest.mark.parametrize(
    ("ending", "damage"),
    [
        pytest.param(".parquet", halved, id="half-a-table"),
        pytest.param(".parquet", overwritten, id="a-table-with-a-hole"),
        pytest.param(".parquet", lambda found: b"", id="an-empty-table"),
        pytest.param(".json", halved, id="half-a-record"),
        pytest.param(".json", lambda found: b"", id="an-empty-record"),
        pytest.param(".json", lambda found: b"[]", id="no-record"),
        pytest.param(
            ".json", lambda found: found.replace(b'"format": 3', b'"format": 2'), id="old-record"
        ),
    ],
)
def test_damaged_folds_are_set_aside_and_made_again(
    ending, damage, undisturbed, computed, tmp_path, caplog
):
    walk(tmp_path)
    computed.clear()
    path = sorted((tmp_path / "folds").glob(f"*{ending}"))[2]
    path.write_bytes(damage(path.read_bytes()))
    hurt = content(tmp_path)
    walk(tmp_path)

    assert [f"{f.pair} {f.start}" for f in computed] == [f"A/USDT {START + 2 * WINDOW * 60}"]
    assert (tmp_path / TABLE).read_bytes() == undisturbed["ranges"][1]
    assert "is damaged" in caplog.text
    found = content(tmp_path)
    for name in (path.with_suffix(".parquet"), path.with_suffix(".json")):
        key = str(name.relative_to(tmp_path))
        assert found[f"{key}.damaged"] == hurt[key]
    assert len(found) == len(hurt) + 2


def test_a_table_beside_the_record_of_another_is_made_again(undisturbed, computed, tmp_path):
    """A kill between the two files of a fold, whose candles are then those of before again."""
    given = pairs()
    other = [changed(pair, slice(-900, None), 1.01) for pair in given]
    walk(tmp_path / "other", given=other)
    walk(tmp_path / "mine", given=given)
    computed.clear()
    name = sorted((tmp_path / "mine" / "folds").glob("*.parquet"))[0].name
    source = tmp_path / "other" / "folds" / name
    (tmp_path / "mine" / "folds" / name).write_bytes(source.read_bytes())
    walk(tmp_path / "mine", given=given)

    assert [(f.pair, f.number) for f in computed] == [("A/USDT", 0)]
    assert (tmp_path / "mine" / TABLE).read_bytes() == undisturbed["ranges"][1]


@pytest.mark.parametrize(
    ("settings", "schedule", "message"),
    [
        pytest.param(
            walks.settings(seed=1), SCHEDULE, "`model.seed`: 42 -> 1", id="another-setting"
        ),
        pytest.param(
            small_settings(12, 9, "ranges"), SCHEDULE, "`horizon`: 12 -> 9", id="another-horizon"
        ),
        pytest.param(
            walks.settings("lstm"), SCHEDULE, "`model.kind`: ranges -> lstm", id="another-kind"
        ),
        pytest.param(
            walks.settings(),
            dataclasses.replace(SCHEDULE, window_days=0.2),
            "`window_days`: 0.1 -> 0.2",
            id="other-windows",
        ),
        pytest.param(
            walks.settings(),
            dataclasses.replace(SCHEDULE, train_days=0.4),
            "`train_days`: 0.5 -> 0.4",
            id="other-trainings",
        ),
    ],
)
def test_a_folder_of_something_else_is_refused_and_untouched(settings, schedule, message, tmp_path):
    walk(tmp_path)
    before = content(tmp_path)
    with pytest.raises(WalkForwardError) as refused:
        Store(tmp_path).begin(settings, schedule)
    assert message in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    assert content(tmp_path) == before


def test_a_folder_of_other_code_is_refused_and_untouched(tmp_path, monkeypatch):
    walk(tmp_path)
    before = content(tmp_path)
    code = json.loads(before[PLAN])["code"]
    monkeypatch.setattr(fold_store, "digest_code", lambda kind: f"of {kind}")
    with pytest.raises(WalkForwardError, match=f"code: {code} -> of ranges"):
        walk(tmp_path)
    assert content(tmp_path) == before


def test_a_longer_timerange_goes_on_in_the_same_folder(computed, tmp_path):
    walk(tmp_path)
    computed.clear()
    later = dataclasses.replace(SCHEDULE, stop=START + (N_WINDOWS + 1) * WINDOW * 60)
    wanted, _ = walk_forward.tasks(pairs(), later, walks.settings())
    store = Store(tmp_path)
    store.begin(walks.settings(), later)
    walk_forward.run(wanted, store, Workers())
    assert [f.number for f in computed] == [3, 3, 4, 4]  # the fourth was shorter


def test_a_plan_without_folds_binds_nobody(tmp_path):
    Store(tmp_path).begin(walks.settings("lstm"), SCHEDULE)
    assert len(walk(tmp_path).folds) == N_FOLDS


@pytest.mark.parametrize("text", ['{"format": 1', "[1, 2]", "null", ""])
def test_a_damaged_plan_is_refused_and_untouched(text, tmp_path):
    walk(tmp_path)
    (tmp_path / PLAN).write_text(text)
    before = content(tmp_path)
    with pytest.raises(WalkForwardError, match="choose another folder, or delete this one"):
        walk(tmp_path)
    assert content(tmp_path) == before


def test_a_folder_of_other_files_is_refused_and_untouched(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(WalkForwardError, match=f"{tmp_path} is not empty and holds no {PLAN}"):
        walk(tmp_path)
    assert content(tmp_path) == {"thesis.txt": b"years of work"}


def test_a_file_where_the_folder_should_be_is_told(tmp_path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(WalkForwardError, match=f"{tmp_path / 'out'}.* cannot be written"):
        walk(tmp_path / "out")


@pytest.mark.parametrize("nth", [2, 4, 7, 8, 2 * N_FOLDS + 2])
def test_a_full_disk_leaves_what_is_finished(nth, undisturbed, computed, tmp_path, monkeypatch):
    """Each fold has two files, after the plan; the table is the last one."""
    written = []

    def sync(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == nth:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", sync)
    with pytest.raises(WalkForwardError, match=r"cannot be written \(No space left on device\)"):
        walk(tmp_path)
    monkeypatch.setattr(files.os, "fsync", os.fsync)
    assert list(tmp_path.rglob("*.tmp")) == []
    n_kept = (nth - 2) // 2
    computed.clear()
    walk(tmp_path)
    assert len(computed) == N_FOLDS - n_kept
    assert (tmp_path / TABLE).read_bytes() == undisturbed["ranges"][1]


@pytest.mark.parametrize(("seen_before", "n_kept"), [(True, 0), (False, 5)])
def test_a_failed_training_names_pair_and_fold_and_keeps_what_is_finished(
    tmp_path, monkeypatch, seen_before, n_kept
):
    """Most of what no training can begin with is seen before any work is done."""
    if not seen_before:
        monkeypatch.setattr(walk_forward, "refuse_unusable", lambda data, settings: None)
    given = pairs()
    row = 720 + 2 * WINDOW - 1
    broken = dataclasses.replace(given[1].candles, close=given[1].candles.close.copy())
    broken.close[row] = 0.0
    given[1] = dataclasses.replace(given[1], candles=broken)
    message = r"^B/USDT, fold from 1970-01-01: 1 candles have a price that is not"
    with pytest.raises(WalkForwardError, match=message) as failed:
        walk(tmp_path, given=given)
    assert isinstance(failed.value.__cause__, TrainingError)
    assert len(list((tmp_path / "folds").glob("*.json"))) == n_kept
    walk(tmp_path)  # with the candles downloaded again


def test_names_of_folds_do_not_collide(computed, tmp_path):
    names = ("BTC/USDT", "BTC/USDT:USDT", "BTC/USDC:USDC", "BTC/USDC")
    found = walk(tmp_path, given=pairs(names=names))
    assert sorted(set(found.table["pair"])) == sorted(names)
    kept = [p.name for p in sorted((tmp_path / "folds").iterdir())]
    assert len(kept) == 2 * len(names) * N_WINDOWS
    assert kept[0] == "BTC_USDC-19700101T1200.json"
    computed.clear()
    walk(tmp_path, given=pairs(names=names))
    assert computed == []


def test_a_pair_named_twice_is_refused():
    with pytest.raises(FoldError, match=r"named more than once: A/USDT"):
        tasks(given=pairs(names=("A/USDT", "B/USDT", "A/USDT")))


def test_lengths_that_make_no_sense_are_named_so_that_a_host_can_translate_them():
    with pytest.raises(FoldError, match=r"`window_days` must be above 0"):
        walk_forward.tasks(pairs(), Schedule(START, STOP, 0.5, 0), walks.settings())


def test_the_memory_of_a_fold_is_that_of_training_and_prediction(monkeypatch):
    calls = []

    @contextlib.contextmanager
    def watched():
        calls.append("begin")
        yield lambda: calls.append("peak") or 7

    def note(name, real):
        return lambda *args: calls.append(name) or real(*args)

    monkeypatch.setattr(walk_forward, "watched_memory", watched)
    for name in ("train_together", "_predicted"):
        monkeypatch.setattr(walk_forward, name, note(name, getattr(walk_forward, name)))
    (done,) = run_fold(tasks()[0])
    assert calls == ["begin", "train_together", "_predicted", "peak"]
    assert done.record.memory == 7

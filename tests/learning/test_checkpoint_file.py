"""A checkpoint's file: what was written comes back, and nothing else is gone on from."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from examples import random_training_data, small_settings

from dualwindow.learning import fold_store
from dualwindow.learning.checkpoint_file import (
    CheckpointFile,
    CheckpointFileError,
    facts_of,
    fingerprint_of,
)
from dualwindow.models.classifier import CheckpointError

FACTS = {"format": 1, "`model.seed`": 1, "candles of BTC/USDT": "ab"}


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "BTCUSDT" / "checkpoint_x.zip"


def written(path: Path) -> CheckpointFile:
    file = CheckpointFile(path, FACTS)
    file.whole.member(0).save(b"one" * 50, 6)
    file.whole.member(1).save(b"other" * 50, 1)
    file.whole.member(1).save(b"another" * 50, 2)
    return file


def states(file: CheckpointFile) -> list[bytes | None]:
    return [file.whole.load(), *(file.whole.member(i).load() for i in range(3))]


def test_what_was_saved_last_comes_back(path):
    written(path)
    file = CheckpointFile(path, FACTS)
    assert states(file) == [None] * 4
    assert file.take_up() == "goes on after epoch 6 of member 1, epoch 2 of member 2"
    assert states(file) == [None, b"one" * 50, b"another" * 50, None]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_without_a_file_there_is_nothing_to_go_on_from(path):
    file = CheckpointFile(path, FACTS)
    assert file.take_up() == ""
    assert states(file) == [None] * 4
    file.remove()
    file.whole.save(b"state", 3)
    again = CheckpointFile(path, FACTS)
    assert again.take_up() == "goes on after epoch 3"
    assert again.whole.load() == b"state"


def test_beginning_anew_replaces_the_file_with_the_first_epoch(path):
    written(path)
    before = path.read_bytes()
    file = CheckpointFile(path, FACTS | {"`model.seed`": 2})
    assert path.read_bytes() == before
    file.whole.member(0).save(b"new", 1)
    again = CheckpointFile(path, FACTS | {"`model.seed`": 2})
    again.take_up()
    assert states(again) == [None, b"new", None, None]


def test_one_of_something_else_is_refused_and_stays(path):
    written(path)
    before = path.read_bytes()
    file = CheckpointFile(path, FACTS | {"`model.seed`": 2, "candles of BTC/USDT": "cd"})
    with pytest.raises(CheckpointError, match=r"\(`model.seed`: 1 -> 2; candles of BTC/USDT: ab"):
        file.take_up()
    file.remove()
    assert path.read_bytes() == before
    assert states(file) == [None] * 4
    CheckpointFile(path, FACTS).remove()
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("n", [0, 1, 100, -1, -30], ids=str)
def test_a_truncated_file_is_set_aside(n, path):
    written(path)
    content = path.read_bytes()[:n]
    path.write_bytes(content)
    file = CheckpointFile(path, FACTS)
    told = file.take_up()
    kept = path.with_name(f"{path.name}.damaged")
    assert told.startswith("begins anew, its checkpoint is damaged (")
    assert told.endswith(f") and now {kept}")
    assert states(file) == [None] * 4
    assert kept.read_bytes() == content
    file.whole.save(b"new", 1)
    file.remove()
    assert [p.name for p in path.parent.iterdir()] == [kept.name]


def test_whatever_byte_is_changed_no_other_state_is_gone_on_from(path):
    expected, n_noticed = states(written(path)), 0
    whole = path.read_bytes()
    for i in range(len(whole)):
        content = bytearray(whole)
        content[i] ^= 1 << (i % 8)
        path.write_bytes(bytes(content))
        file = CheckpointFile(path, FACTS)
        try:
            told = file.take_up()
        except CheckpointError:
            n_noticed += 1
            continue
        is_damaged = told.startswith("begins anew")
        assert states(file) == ([None] * 4 if is_damaged else expected)
        n_noticed += is_damaged
    assert n_noticed > 0.8 * len(whole)  # the rest are dates and the like


def test_what_is_no_checkpoint_is_set_aside(path):
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("facts.json", '{"made_from": {}}')
    assert "damaged (KeyError" in CheckpointFile(path, FACTS).take_up()
    path.mkdir()
    with pytest.raises(CheckpointFileError, match="cannot be read"):
        CheckpointFile(path, FACTS).take_up()


def test_on_a_full_disk_the_epoch_before_stays(path, full_disk):
    file = written(path)
    before = path.read_bytes()
    told = r"cannot be written \(No space left on device\)"
    with full_disk(), pytest.raises(CheckpointFileError, match=told):
        file.whole.member(1).save(b"more", 3)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_facts_are_all_that_shapes_a_training(monkeypatch):
    data = random_training_data(300, seed=0)
    settings = small_settings(12, 12, "lstm")
    facts = facts_of([data], settings)
    assert facts["`history`"] == 12
    assert facts == facts_of([random_training_data(300, seed=0)], settings)
    other = replace(data, pair="ETH/USDT")
    assert facts_of([data, other], settings) == facts_of([other, data], settings)

    def moved(name: str):
        values = getattr(data.candles, name).copy()
        values[7] += 1
        return replace(data, candles=replace(data.candles, **{name: values}))

    labels, features = data.labels.copy(), data.features.copy()
    labels[7], features[7, 1] = (labels[7] + 1) % 3, 0.5
    changed = [moved(name) for name in ("date", "high", "low", "close", "volume")]
    changed += [replace(data, labels=labels), replace(data, features=features)]
    changed += [replace(data, feature_names=data.feature_names[::-1]), other]
    changed += [replace(data, candles=replace(data.candles, step=300))]
    found = [facts_of([each], settings) for each in changed]
    found += [facts_of([data], small_settings(12, 13, "lstm")), facts_of([data, other], settings)]
    found.append(facts_of([data], small_settings(12, 12, "gru")))
    monkeypatch.setattr(fold_store, "versions", lambda: {"numpy": "0"})
    found.append(facts_of([data], settings))
    prints = {fingerprint_of(each) for each in (facts, *found)}
    assert len(prints) == 1 + len(found) == 15
    assert np.isfinite(data.features[8]).any()

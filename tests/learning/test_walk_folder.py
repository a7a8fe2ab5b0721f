"""The folder of a walk-forward, read by somebody who did not make it; and where it is damaged."""

import json

import numpy as np
import pandas as pd
import pytest
import walks

from dualwindow.learning.fold_store import WalkForwardError
from dualwindow.learning.walk_folder import is_walk, read_walk


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk") / "walk"
    return folder, walks.walk(folder)


@pytest.fixture
def folder(made, tmp_path):
    """A copy that a test may damage."""
    copy = tmp_path / "walk"
    (copy / "folds").mkdir(parents=True)
    for path in made[0].rglob("*"):
        if path.is_file():
            (copy / path.relative_to(made[0])).write_bytes(path.read_bytes())
    return copy


def test_what_is_read_is_what_was_made(made):
    folder, walk = made
    found = read_walk(folder)
    pd.testing.assert_frame_equal(found.table, walk.table)
    assert found.folds == walk.folds
    assert found.records == walk.records
    assert len(found.folds) == 8


def test_a_folder_of_something_else_is_none(tmp_path):
    assert not is_walk(tmp_path)
    with pytest.raises(WalkForwardError, match="holds no walk-forward"):
        read_walk(tmp_path)


def test_one_that_still_runs_says_how_far_it_is(folder):
    (folder / "predictions.parquet").unlink()
    for path in sorted((folder / "folds").glob("*.json"))[:5]:
        path.unlink()
    with pytest.raises(WalkForwardError, match="not finished, 3 of its windows are; run the same"):
        read_walk(folder)


def test_a_damaged_table_is_named(folder):
    (folder / "predictions.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(WalkForwardError, match=r"predictions\.parquet is damaged"):
        read_walk(folder)


def test_a_table_of_something_else_is_named(folder):
    pd.DataFrame({"date": np.arange(3)}).to_parquet(folder / "predictions.parquet")
    with pytest.raises(WalkForwardError, match=r"columns .*'label'.* are missing"):
        read_walk(folder)


def test_an_empty_table_holds_nothing(folder):
    table = pd.read_parquet(folder / "predictions.parquet")
    table.iloc[:0].to_parquet(folder / "predictions.parquet")
    with pytest.raises(WalkForwardError, match="holds no predictions"):
        read_walk(folder)


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 3}'])
def test_a_damaged_record_is_named(folder, content):
    path = sorted((folder / "folds").glob("*.json"))[2]
    path.write_text(content)
    with pytest.raises(WalkForwardError, match=f"{path.name} is damaged"):
        read_walk(folder)


def test_a_record_of_an_older_version_is_told_by_its_number(folder):
    path = sorted((folder / "folds").glob("*.json"))[0]
    told = json.loads(path.read_text()) | {"format": 2}
    path.write_text(json.dumps(told))
    with pytest.raises(WalkForwardError, match=r"another version .*\(format 2, this one reads 3\)"):
        read_walk(folder)


def test_a_record_that_does_not_fit_is_told(folder):
    sorted((folder / "folds").glob("*.json"))[0].unlink()
    with pytest.raises(WalkForwardError, match=r"no record in folds/ fits .* A/USDT, window 0"):
        read_walk(folder)


@pytest.mark.parametrize(
    ("content", "words"), [(None, "is missing"), ("{}", "is damaged"), ("no", "is damaged")]
)
def test_a_plan_that_is_not_there_or_damaged_is_told(folder, content, words):
    path = folder / "walk_forward.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(WalkForwardError, match=words):
        read_walk(folder)

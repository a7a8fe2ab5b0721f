import os

import pytest

from dualwindow.market.files import set_aside, write_aside


def test_a_file_is_there_wholly_or_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_aside(path, b"old")
    seen = []

    def sync(descriptor: int) -> None:
        seen.append(path.read_bytes())
        raise OSError("full")

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(OSError, match="full"):
        write_aside(path, b"new")
    assert seen == [b"old"]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    write_aside(path, b"new")
    assert set_aside(path).read_bytes() == b"new"
    assert not path.exists()


def test_what_was_there_becomes_the_backup(tmp_path):
    path, backup = tmp_path / "rows", tmp_path / "rows.backup"
    write_aside(path, b"1", backup=backup)
    assert not backup.exists()
    for new, old in ((b"2", b"1"), (b"3", b"2")):
        write_aside(path, new, backup=backup)
        assert (path.read_bytes(), backup.read_bytes()) == (new, old)


def test_two_who_write_to_one_path_do_not_spoil_each_other(tmp_path, monkeypatch):
    path, sync = tmp_path / "report.html", os.fsync

    def another_writes(descriptor: int) -> None:
        monkeypatch.setattr(os, "fsync", sync)
        write_aside(path, b"the other's, which is longer")
        assert path.read_bytes() == b"the other's, which is longer"

    monkeypatch.setattr(os, "fsync", another_writes)
    write_aside(path, b"mine")
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]

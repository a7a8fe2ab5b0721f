import fcntl
import os
import subprocess
import sys

import pytest

from dualwindow.market import files
from dualwindow.market.files import set_aside, write_aside
from harness.places import ROOT


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


# Says that the disk is being waited for, and waits for a word on its own.
WRITER = """
import os, sys
from pathlib import Path
from dualwindow.market.files import write_aside
os.fsync = lambda descriptor: (print("written", flush=True), sys.stdin.readline())
write_aside(Path(sys.argv[1]), sys.argv[2].encode())
"""


def writer(path, content):
    pipe = subprocess.PIPE
    words = [sys.executable, "-c", WRITER, str(path), content]
    return subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def test_what_a_killed_writer_has_left_goes_and_a_living_ones_stays(tmp_path):
    path, notes = tmp_path / "report.html", tmp_path / "report.html.my-1.tmp"
    notes.touch()
    with writer(path, "of the killed") as killed, writer(path, "of the living") as living:
        try:
            assert killed.stdout.readline() == living.stdout.readline() == "written\n"
            killed.kill()
            killed.wait()
            left = {f"report.html.{each.pid}-0.tmp" for each in (killed, living)}
            assert {each.name for each in tmp_path.iterdir()} == {notes.name} | left
            write_aside(tmp_path / "report", b"of another name")
            assert {each.name for each in tmp_path.glob("*.tmp")} == {notes.name} | left
            write_aside(path, b"mine")
            assert path.read_bytes() == b"mine"
            assert {each.name for each in tmp_path.glob("*.tmp")} == {
                notes.name,
                f"report.html.{living.pid}-0.tmp",
            }
            living.communicate("\n")
            assert living.returncode == 0
        finally:
            killed.kill()
            living.kill()
    assert path.read_bytes() == b"of the living"
    assert list(tmp_path.glob("*.tmp")) == [notes]


def test_a_file_that_is_taken_for_a_leftover_before_it_is_locked_is_made_again(
    tmp_path, monkeypatch
):
    path, lock, removed = tmp_path / "report.html", fcntl.flock, []

    def late(file, how):
        if not removed:
            removed.extend(tmp_path.glob("*.tmp"))
            removed[0].unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", late)
    write_aside(path, b"mine")
    assert (path.read_bytes(), len(removed)) == (b"mine", 1)


def test_processes_of_two_containers_may_have_one_number(tmp_path, monkeypatch):
    path, sync = tmp_path / "report.html", os.fsync
    monkeypatch.setattr(files, "_NUMBERS", iter((1, 1, 2)))  # as each begins to count

    def another_writes(descriptor):
        monkeypatch.setattr(os, "fsync", sync)
        write_aside(path, b"the other's, which is longer")

    monkeypatch.setattr(os, "fsync", another_writes)
    write_aside(path, b"mine")
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_who_is_stopped_leaves_nothing(tmp_path, monkeypatch, end):
    def sync(descriptor):
        raise end

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(end):
        write_aside(tmp_path / "report.html", b"mine")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_locks_is_written_to_and_nothing_is_removed(tmp_path, monkeypatch):
    def refuse(file, how):
        raise OSError("no locks")

    left = tmp_path / "report.html.1-0.tmp"
    left.touch()
    monkeypatch.setattr(fcntl, "flock", refuse)
    write_aside(tmp_path / "report.html", b"mine")
    assert left.exists()
    monkeypatch.undo()
    write_aside(tmp_path / "report.html", b"mine")
    assert not left.exists()

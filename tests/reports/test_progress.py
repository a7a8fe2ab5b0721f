"""What a long command shows: lines in a log, a bar on a terminal."""

import contextlib
import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dualwindow.reports import progress
from dualwindow.reports.progress import steps


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands until it is moved."""
    now = [100.0]
    monkeypatch.setattr(progress, "elapsed", lambda: now[0])

    def move(seconds):
        now[0] += seconds

    return move


def log() -> Console:
    return Console(file=io.StringIO(), width=60)


def lines_of(console: Console) -> list[str]:
    return console.file.getvalue().splitlines()


def test_a_log_gets_a_line_of_every_step_with_what_is_left(clock):
    with steps("windows", 4, console := log()) as done:
        for name in ("one", "two", "three", "four"):
            clock(10)
            done.advance(line=name)
    assert lines_of(console) == [
        "1 of 4: one, about 30 s left",
        "2 of 4: two, about 20 s left",
        "3 of 4: three, about 10 s left",
        "4 of 4: four",
    ]


def test_what_was_there_before_tells_nothing_of_the_time(clock):
    with steps("windows", 10, console := log()) as done:
        for _ in range(7):
            done.find("there")
        clock(100)
        done.advance(line="made")
    assert lines_of(console)[-2:] == ["7 of 10: there", "8 of 10: made, about 3 min left"]


def test_steps_without_a_line_get_one_every_fifteen_seconds(clock):
    with steps("cuts", 100, console := log()) as done:
        for _ in range(100):
            clock(2)
            done.advance()
    assert len(lines_of(console)) == 100 * 2 // 16  # every eighth step is the first after 15 s
    assert lines_of(console)[0] == "cuts: 8 of 100, about 3 min left"


def test_a_total_that_nobody_knew_is_told_when_it_is_known(clock):
    with steps("epochs", console=(console := log())) as done:
        clock(20)
        done.advance()
        done.advance(line="second", left=2)
        done.advance(n=2, line="last", left=0)
    assert lines_of(console) == ["epochs: 1", "2 of 4: second, about 20 s left", "4 of 4: last"]


def test_lines_are_neither_broken_nor_read_as_colours():
    line = "[red]a.json[/red] " + "x" * 200
    for console in (log(), Console(file=io.StringIO(), width=60, force_terminal=True)):
        with steps("files", 2, console) as done:
            done.say(line)
        assert line in console.file.getvalue()


def test_a_terminal_gets_a_bar_and_the_lines_above_it(clock):
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with steps("windows", 3, console) as done:
        for name in ("one", "two"):
            clock(10)
            done.advance(line=name)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    assert re.search(r"windows ━+.*2/3 .*:.* about 10 s left", text)
    assert re.search(r"[\r\n]one *[\r\n]", text)  # the bar has the count
    assert "1 of 3" not in text


def test_the_bar_ends_when_the_command_fails():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    with pytest.raises(KeyboardInterrupt), steps("windows", 3, console):
        raise KeyboardInterrupt
    assert console.file.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_what_is_started_is_told_before_it_is_done(clock):
    with steps("parts", 3, console := log()) as done:
        for name in ("read", "judge", "write"):
            done.start(name)
            clock(10)
    assert lines_of(console) == [
        "1 of 3: read",
        "2 of 3: judge, about 20 s left",
        "3 of 3: write, about 10 s left",
    ]


def test_steps_within_a_step_share_the_display(clock):
    """Two displays at once would be an error of rich."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    with steps("trials", 2, console) as trials:
        for _ in range(2):
            with steps("windows", 5) as windows:
                windows.advance(3, "three")
                progress._SHOWN.get().refresh()  # which it does by itself ten times a second
            trials.advance(line="a trial")
    text = console.file.getvalue()
    assert text.count("three") == text.count("a trial") == 2
    assert re.search(r"windows .*3/5", text)
    # Taken away with the step that it belongs to.
    assert "windows" not in text.rsplit("2/2", 1)[-1]


def test_steps_within_a_step_are_lines_of_a_log(clock):
    with steps("trials", 1, console := log()), steps("windows", 2) as windows:
        windows.advance(line="one")
    assert lines_of(console) == ["1 of 2: one, about 0 s left"]


def written(folder: Path) -> list[str]:
    """Give a command of several steps."""
    program = str(Path(sys.executable).with_name("dualwindow"))
    return [program, "sandbox", "data", "--out", str(folder), "--days", "1"]


def test_a_command_tells_its_steps_to_a_log(tmp_path):
    done = subprocess.run(written(tmp_path), capture_output=True, text=True, check=True)
    first, second, last = done.stdout.splitlines()
    assert first == "1 of 2: candles of BTC/USDT"
    assert re.fullmatch(r"2 of 2: candles of ETH/USDT, about \d+ s left", second)
    assert last.startswith("12 files in ")
    assert "\x1b" not in done.stdout


def test_a_command_shows_a_bar_on_a_terminal(tmp_path):
    ours, theirs = pty.openpty()
    env = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(written(tmp_path), stdout=theirs, stderr=theirs, env=env) as process:
        os.close(theirs)
        told = b""
        with contextlib.suppress(OSError):  # which ends it where the other side is closed
            while part := os.read(ours, 4096):
                told += part
    os.close(ours)
    text = told.decode()
    assert process.returncode == 0
    assert "pairs ━" in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert "candles of ETH/USDT" in text
    assert "1 of 2" not in text
    assert "12 files in " in text

import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from agent_toys import toy_task

from dualwindow_agent.learning import processes
from dualwindow_agent.learning.checkpoints import CheckpointError
from dualwindow_agent.learning.processes import train_all, train_apart
from dualwindow_agent.learning.task import Progress, TrainingError
from dualwindow_agent.learning.training import train
from harness.places import ROOT

LONG: dict[str, Any] = {"timesteps": 1_000_000}  # minutes


def children() -> list[int]:
    """Processes that this one has started and that train."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            command = (status.parent / "cmdline").read_text()
        except OSError:  # gone meanwhile
            continue
        if parent == os.getpid() and "popen_loky" in command:
            found.append(int(status.parent.name))
    return found


def libraries(pid: int) -> str:
    return Path(f"/proc/{pid}/maps").read_text()


def test_the_policy_is_the_same_as_without_a_process_and_nothing_loads_tensorflow() -> None:
    told: list[Progress] = []
    seen: list[tuple[bool, bool]] = []

    def report(progress: Progress) -> None:
        told.append(progress)
        for pid in children():
            loaded = libraries(pid)
            seen.append(("libtorch" in loaded, "tensorflow" in loaded))

    task = toy_task(timesteps=4096)
    apart, here = train_apart(task, report), train(task)
    assert apart.policy.weight_bytes() == here.policy.weight_bytes()
    assert apart.policy.facts == {"made from": "a toy"}
    assert [p._replace(seconds=0) for p in apart.history] == [
        p._replace(seconds=0) for p in here.history
    ]
    assert len(told) == 9
    assert told[-1].timesteps == 4096
    assert seen
    assert set(seen) == {(True, False)}
    assert children() == []


def test_several_are_trained_side_by_side_and_come_in_their_order() -> None:
    tasks = [toy_task(seed=seed, timesteps=1024) for seed in (1, 2, 3)]
    most, told = 0, set()

    def report(index: int, progress: Progress) -> None:
        nonlocal most
        most = max(most, len(children()))
        told.add(index)

    results = train_all(tasks, 2, report)
    assert told == {0, 1, 2}
    assert most == 2
    assert [r.policy.settings.learning.seed for r in results] == [1, 2, 3]
    expected = train(tasks[2]).policy.weight_bytes()
    assert results[2].policy.weight_bytes() == expected


def test_no_tasks_and_no_workers() -> None:
    assert train_all([], 1) == []
    with pytest.raises(ValueError, match=r"n_workers must be at least 1\. Received: 0"):
        train_all([toy_task()], 0)


def test_an_interruption_ends_the_process_at_once() -> None:
    is_at_work = False

    def report(progress: Progress) -> None:
        nonlocal is_at_work
        is_at_work = True

    def interrupt() -> None:
        if is_at_work:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_apart(toy_task(**LONG), report, interrupt)
    assert children() == []


def test_a_killed_process_is_a_clear_error_and_ends_the_others() -> None:
    def report(index: int, progress: Progress) -> None:
        if progress.timesteps > 0 and len(children()) >= 2:
            os.kill(children()[0], signal.SIGKILL)

    with pytest.raises(TrainingError, match=r"was killed by SIGKILL, most often because memory"):
        train_all([toy_task(**LONG), toy_task(seed=2, **LONG)], 2, report)
    assert children() == []


def test_an_error_in_the_process_comes_as_it_was_and_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A damaged checkpoint is logged here, and one of other settings is refused."""
    train(toy_task(timesteps=512, checkpoints=tmp_path))
    (tmp_path / "agent-000000099999.npz").write_bytes(b"half")
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(CheckpointError, match=r"learning.seed: 42 -> 43") as raised,
    ):
        train_apart(toy_task(timesteps=512, seed=43, checkpoints=tmp_path))
    assert any("in load" in note for note in raised.value.__notes__)
    assert [record.name for record in caplog.records] == ["dualwindow_agent.learning.checkpoints"]
    assert "agent-000000099999.npz.damaged" in caplog.text


def test_it_ends_with_its_parent_and_runs_no_main_script_again(tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(
        "from pathlib import Path\n"
        "with Path('ran').open('a') as file: file.write('x')\n"
        "from agent_toys import toy_task\n"
        "from dualwindow_agent.learning.processes import train_apart\n"
        "from processes_of_agents import children\n"
        "train_apart(toy_task(timesteps=10**6), lambda p: print(*children(), flush=True))\n"
    )
    (tmp_path / "processes_of_agents.py").write_text(
        "import os\nfrom pathlib import Path\n" + _source_of_children()
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests"), str(tmp_path)])
    with (
        (tmp_path / "complaints").open("w") as complaints,
        subprocess.Popen(
            [sys.executable, str(script)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert (tmp_path / "ran").read_text() == "x"
        process.kill()
    until = time.monotonic() + 60
    while Path(f"/proc/{child}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{child}").exists()
    assert "Traceback" not in (tmp_path / "complaints").read_text()


def test_a_process_that_nobody_listens_to_ends_without_a_word(capfd) -> None:
    receiver, process = processes._started(toy_task(timesteps=10**6))
    receiver.close()
    process.join(60)
    assert process.exitcode == 1
    assert capfd.readouterr().err == ""


def _source_of_children() -> str:
    import inspect

    return inspect.getsource(children)

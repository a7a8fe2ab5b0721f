import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from agent_toys import toy_tape, toy_task

from dualwindow_agent.learning.checkpoints import (
    SHAPING,
    CheckpointError,
    Checkpoints,
    facts_of,
    remove_checkpoints,
)
from dualwindow_agent.learning.task import AgentTask, Trained
from dualwindow_agent.learning.training import train
from harness.places import ROOT

# Of 16 rollouts, checkpoints after the 3rd, 5th, 8th, 10th, 12th, 15th and last.
LEARNING: dict[str, Any] = {"timesteps": 8192, "evaluate_every": 1536, "checkpoint_every": 1280}


def small(folder: Path | None = None, **changes: Any) -> AgentTask:
    return toy_task(checkpoints=folder, **(LEARNING | changes))


@pytest.fixture(scope="module")
def whole() -> Trained:
    """What an uninterrupted training comes to."""
    return train(small())


def stop_after(n_steps: int) -> Any:
    def stop() -> None:
        nonlocal n_steps
        n_steps -= 1
        if n_steps < 0:
            raise KeyboardInterrupt

    return stop


def assert_same(found: Trained, expected: Trained) -> None:
    assert found.policy.weight_bytes() == expected.policy.weight_bytes()
    assert found.policy.to_facts() == expected.policy.to_facts()
    assert [p._replace(seconds=0) for p in found.history] == [
        p._replace(seconds=0) for p in expected.history
    ]


def last_state(task: AgentTask) -> Any:
    assert task.checkpoints is not None
    state = Checkpoints(task.checkpoints, facts_of(task, 1)).load()
    assert state is not None
    assert state["learner"]["timesteps"] == 8192
    return state["learner"]


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    return a == b


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("n_steps", [1, 250, 700, 1023])
def test_after_an_interruption_it_goes_on_bit_for_bit(
    tmp_path: Path, whole: Trained, n_steps: int
) -> None:
    task = small(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(task, interrupt=stop_after(n_steps))
    assert_same(train(task), whole)


def test_whatever_changes_is_the_same_in_the_end(tmp_path: Path) -> None:
    """From Adam's moments to the generators: what came next would be the same, too."""
    stopped, through = (small(tmp_path / name, algorithm="ppo") for name in ("a", "b"))
    with pytest.raises(KeyboardInterrupt):
        train(stopped, interrupt=stop_after(500))
    assert_same(train(stopped), train(through))
    found, expected = (last_state(task) for task in (stopped, through))
    assert found.keys() >= {"network", "optimizer", "statistics", "arena", "chance"}
    assert same(found, expected)


def test_a_training_killed_over_and_over_comes_to_the_same(tmp_path: Path, whole: Trained) -> None:
    code = (
        "from pathlib import Path\n"
        "from agent_toys import toy_task\n"
        "from dualwindow_agent.learning.training import train\n"
        f"task = toy_task(checkpoints=Path({str(tmp_path)!r}), **{LEARNING!r})\n"
        "train(task, lambda progress: print(progress.timesteps, flush=True))\n"
    )
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    begun, rng = [], np.random.default_rng(7)
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            begun.append(int(process.stdout.readline()))
            while int(process.stdout.readline()) < begun[-1] + 1536:
                pass
            time.sleep(rng.random() * 0.1)  # in the midst of whatever it does
            process.send_signal(signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL
    assert begun[0] == 0
    assert begun[0] < begun[1] < begun[2] < 8192
    assert_same(train(small(tmp_path)), whole)


def test_one_that_is_over_is_not_trained_again(tmp_path: Path, whole: Trained) -> None:
    task = small(tmp_path)
    train(task)

    def fail() -> None:
        raise AssertionError

    assert_same(train(task, interrupt=fail), whole)


def test_seconds_of_the_runs_before_count(tmp_path: Path) -> None:
    task = small(tmp_path)
    before = train(task).history[-1].seconds
    told = []
    train(task, lambda progress: told.append(progress.seconds))
    assert told[0] >= before


def test_the_last_two_are_kept_until_all_are_removed(tmp_path: Path) -> None:
    train(small(tmp_path))
    assert names(tmp_path) == ["agent-000000007680.npz", "agent-000000008192.npz"]
    remove_checkpoints(tmp_path)
    assert names(tmp_path) == []


def damaged(content: bytes) -> Iterator[bytes]:
    yield content[: len(content) // 2]
    yield b""
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 1
    yield bytes(flipped)


@pytest.mark.parametrize("which", range(3))
def test_a_damaged_one_is_set_aside_and_the_one_before_it_counts(
    tmp_path: Path, whole: Trained, caplog: pytest.LogCaptureFixture, which: int
) -> None:
    task = small(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(task, interrupt=stop_after(900))
    newest = tmp_path / names(tmp_path)[-1]
    newest.write_bytes(list(damaged(newest.read_bytes()))[which])
    begun = []
    with caplog.at_level(logging.WARNING):
        found = train(task, lambda progress: begun.append(progress.timesteps))
    assert_same(found, whole)
    assert begun[0] == 5120
    assert len(caplog.records) == 1
    assert "\n" not in caplog.text.strip()
    assert f"now {newest}.damaged" in caplog.text
    assert newest.with_name(f"{newest.name}.damaged").exists()


def test_where_all_are_damaged_it_begins_anew(tmp_path: Path, whole: Trained) -> None:
    task = small(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        train(task, interrupt=stop_after(900))
    for path in tmp_path.iterdir():
        path.write_bytes(b"PK")
    begun = []
    assert_same(train(task, lambda progress: begun.append(progress.timesteps)), whole)
    assert begun[0] == 0
    assert sum(name.endswith(".damaged") for name in names(tmp_path)) == 2


def test_one_of_another_training_is_refused_by_name_and_stays(tmp_path: Path) -> None:
    train(small(tmp_path, timesteps=512))
    kept = {path: path.read_bytes() for path in tmp_path.iterdir()}
    others = {
        "learning.gamma: 0.99 -> 0.9": small(tmp_path, timesteps=512, gamma=0.9),
        "horizon: 120 -> 60": replace(small(tmp_path, timesteps=512), horizon=60),
        "validate on 1, TOY/USDT: ": replace(
            small(tmp_path, timesteps=512), validate=(toy_tape(500, 9, 0.0),)
        ),
        "learn on 2, B: not set -> ": replace(
            small(tmp_path, timesteps=512),
            learn=(*small().learn, toy_tape(500, 9, 0.0, "B")),
        ),
    }
    for difference, task in others.items():
        with pytest.raises(CheckpointError) as raised:
            train(task)
        assert difference in str(raised.value)
        assert "delete it to begin anew, or choose another folder" in str(raised.value)
        assert str(raised.value).count(" -> ") == 1
    with pytest.raises(CheckpointError, match="threads: 1 -> 2"):
        train(small(tmp_path, timesteps=512), threads=2)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == kept
    train(small(tmp_path, timesteps=512, checkpoint_every=7))  # shapes nothing


def test_each_array_of_a_tape_is_part_of_the_facts() -> None:
    tape = toy_tape(50, 1, 0.0)
    candles = {
        name: replace(
            tape, candles=replace(tape.candles, **{name: getattr(tape.candles, name) + 60})
        )
        for name in ("date", "open", "high", "low", "close", "volume")
    }
    others = {
        **candles,
        "pair": replace(tape, pair="OTHER"),
        "probabilities": replace(tape, probabilities=tape.probabilities[:, ::-1]),
        "valid": replace(tape, valid=~tape.valid),
        "first": replace(tape, first=1),
        "further": replace(tape, further=(tape.probabilities,)),
    }
    facts = [facts_of(replace(small(), learn=(each,)), 1) for each in (tape, *others.values())]
    assert len(facts) == 12
    assert len({str(each) for each in facts}) == 12


def test_all_code_that_shapes_a_training_is_part_of_the_facts() -> None:
    code = (
        "import sys\n"
        "from dualwindow_agent.learning.training import leave_tensorflow_out\n"
        "leave_tensorflow_out()\n"
        "import dualwindow_agent.learning.learner\n"
        "print(*(m.partition('.')[2] for m in sys.modules if m.startswith('dualwindow_agent.')))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    # Values of settings and tapes are compared themselves.
    beside = {"settings", "market", "learning"}
    beside |= {"market.tape", "learning.task", "learning.checkpoints"}
    shaping = {f"{room}.{name}" for room, names in SHAPING.items() for name in names}
    assert set(done.stdout.split()) - beside == shaping


def test_a_full_disk_is_a_clear_error_and_loses_nothing(
    tmp_path: Path, whole: Trained, full_disk: Any
) -> None:
    task = small(tmp_path)
    with (
        full_disk("agent-000000005120"),
        pytest.raises(CheckpointError, match=os.strerror(errno.ENOSPC)) as raised,
    ):
        train(task)
    assert "agent-000000005120.npz cannot be written" in str(raised.value)
    assert names(tmp_path) == ["agent-000000002560.npz", "agent-000000004096.npz"]
    begun = []
    assert_same(train(task, lambda progress: begun.append(progress.timesteps)), whole)
    assert begun[0] == 4096


def test_one_that_cannot_be_read_for_now_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "agent-000000000512.npz"
    path.mkdir()
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(small(tmp_path))
    assert path.exists()

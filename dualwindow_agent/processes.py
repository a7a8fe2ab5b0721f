"""Train agents in processes of their own, which import no TensorFlow and end with this one."""

import os
import pickle
import traceback
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from joblib.externals.loky.backend.context import get_context

from dualwindow_agent.training import AgentTask, Progress, Trained, TrainingError, train

_POLL_SECONDS = 0.5


def train_apart(
    task: AgentTask,
    report: Callable[[Progress], None] = lambda progress: None,
    interrupt: Callable[[], None] = lambda: None,
) -> Trained:
    """Train an agent in a fresh process.

    Parameters
    ----------
    task, report : as for `train`
    interrupt : called twice a second in this process; what it raises kills the other

    Raises
    ------
    TrainingError
        If the process was killed.
    """
    return _train([task], 1, lambda index, progress: report(progress), interrupt)[0]


def train_all(
    tasks: Sequence[AgentTask],
    n_workers: int,
    report: Callable[[int, Progress], None] = lambda index, progress: None,
) -> list[Trained]:
    """Train several agents, each in a fresh process, so many at a time.

    Parameters
    ----------
    tasks : see there
    n_workers : processes at work at the same time, at least 1
    report : called with the index of the task, as for `train`

    Raises
    ------
    TrainingError
        If a process was killed; the others are killed, too.
    """
    return _train(tasks, n_workers, report, lambda: None)


def _train(
    tasks: Sequence[AgentTask],
    n_workers: int,
    report: Callable[[int, Progress], None],
    interrupt: Callable[[], None],
) -> list[Trained]:
    results: dict[int, Trained] = {}
    waiting = list(range(len(tasks)))
    working: dict[Connection, tuple[int, Any]] = {}
    try:
        while waiting or working:
            while waiting and len(working) < n_workers:
                index = waiting.pop(0)
                connection, process = _started(tasks[index])
                working[connection] = index, process
            interrupt()
            for connection in wait(list(working), _POLL_SECONDS):
                assert isinstance(connection, Connection)
                index, process = working[connection]
                told = _received(connection, process)
                if isinstance(told, Progress):
                    report(index, told)
                    continue
                del working[connection]
                process.join()
                if isinstance(told, Exception):
                    raise told
                results[index] = told
    finally:
        for _, process in working.values():
            process.kill()
            process.join()
    return [results[index] for index in range(len(tasks))]


def _started(task: AgentTask) -> tuple[Connection, Any]:
    # loky's processes begin afresh and, unlike those of 'spawn', do not run this one's main script
    # again, which is freqtrade's.
    context = get_context("loky")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(task, sender, os.getpid()), env={"OMP_NUM_THREADS": "1"}, daemon=True
    )
    process.start()
    sender.close()
    return receiver, process


def _received(connection: Connection, process: Any) -> Any:
    try:
        return connection.recv()
    except EOFError:
        process.join()
        raise TrainingError(
            f"the process that trained the agent was killed (exit code {process.exitcode}), most "
            "often because memory ran out; train again with fewer at a time"
        ) from None


def _work(task: AgentTask, sender: Connection, parent: int) -> None:
    def end_with_parent() -> None:
        if os.getppid() != parent:
            os._exit(1)

    try:
        sender.send(train(task, sender.send, end_with_parent))
    except Exception as error:
        error.add_note(traceback.format_exc())
        sender.send(_portable(error))


def _portable(error: Exception) -> Exception:
    """Give the error, or its words if it cannot be unpickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return TrainingError(f"{type(error).__name__}: {error}")
    return error

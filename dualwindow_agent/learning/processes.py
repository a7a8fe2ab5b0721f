"""Train agents in processes of their own, which import no TensorFlow and end with this one."""

import logging
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from logging.handlers import QueueHandler
from multiprocessing.connection import Connection, wait
from typing import Any

from joblib.externals.loky.backend.context import get_context

from dualwindow_agent.learning.task import AgentTask, Progress, Trained, TrainingError
from dualwindow_agent.learning.training import require_extra, train

_POLL_SECONDS = 0.5
_PACKAGE = "dualwindow_agent"


def train_apart(
    task: AgentTask,
    report: Callable[[Progress], None] = lambda progress: None,
    interrupt: Callable[[], None] = lambda: None,
) -> Trained:
    """Train an agent in a fresh process, with one thread.

    Parameters
    ----------
    task, report : as for `train`
    interrupt : called at least twice a second in this process; what it raises kills the other

    Raises
    ------
    TrainingError
        If the extra `agent` is not installed, or the process was killed.
    CheckpointError
        As of `train`.
    """
    return _train([task], 1, lambda index, progress: report(progress), interrupt)[0]


def train_all(
    tasks: Sequence[AgentTask],
    n_workers: int,
    report: Callable[[int, Progress], None] = lambda index, progress: None,
    keep: Callable[[int, Trained], None] = lambda index, trained: None,
) -> list[Trained]:
    """Train several agents, each in a fresh process with one thread, so many at a time.

    An error ends all of them; where the tasks have folders for checkpoints, little is lost.

    Parameters
    ----------
    tasks : see there
    n_workers : processes at work at the same time, at least 1
    report : called with the index of a task, and as for `train`
    keep : called with the index of a task and what came of it, as soon as it is there

    Raises
    ------
    TrainingError, CheckpointError
        As of `train_apart`.
    """
    if n_workers < 1:
        raise ValueError(f"n_workers must be at least 1. Received: {n_workers}")
    return _train(tasks, n_workers, report, lambda: None, keep)


@dataclass(frozen=True)
class _Worker:
    index: int
    process: Any

    def end(self) -> None:
        self.process.terminate()  # by default its end, whatever it does
        self.process.join()


def _train(
    tasks: Sequence[AgentTask],
    n_workers: int,
    report: Callable[[int, Progress], None],
    interrupt: Callable[[], None],
    keep: Callable[[int, Trained], None] = lambda index, trained: None,
) -> list[Trained]:
    require_extra()
    results: dict[int, Trained] = {}
    waiting = list(range(len(tasks)))
    working: dict[Any, _Worker] = {}  # by the connection to it
    try:
        while waiting or working:
            while waiting and len(working) < n_workers:
                index = waiting.pop(0)
                connection, process = _started(tasks[index])
                working[connection] = _Worker(index, process)
            interrupt()
            ready: list[Any] = wait(list(working), _POLL_SECONDS)
            for connection in ready:
                worker = working[connection]
                told = _told(connection, worker.process)
                if isinstance(told, Progress):
                    report(worker.index, told)
                elif isinstance(told, Trained):
                    results[worker.index] = told
                    working.pop(connection).process.join()
                    connection.close()
                    keep(worker.index, told)
    finally:
        for connection, worker in working.items():
            worker.end()
            connection.close()
    return [results[index] for index in range(len(tasks))]


def _started(task: AgentTask) -> tuple[Any, Any]:
    # loky's processes begin afresh and, unlike those of 'spawn', do not run this one's main script
    # again, which may be freqtrade's.
    context = get_context("loky")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(task, sender, os.getpid()), env={"OMP_NUM_THREADS": "1"}, daemon=True
    )
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    return receiver, process


def _told(connection: Any, process: Any) -> Any:
    """Receive what a process tells; raise what it raised, and log what it logged."""
    try:
        told = connection.recv()
    except EOFError:
        process.join()
        raise TrainingError(_last_words(process.exitcode)) from None
    if isinstance(told, Exception):
        raise told
    if isinstance(told, logging.LogRecord):
        logging.getLogger(told.name).handle(told)
    return told


def _last_words(code: int) -> str:
    if code < 0:
        return (
            f"the process that trained the agent was killed by {signal.Signals(-code).name}, most "
            "often because memory is lacking: train fewer at a time"
        )
    return f"the process that trained the agent ended with exit code {code}; what it said is above"


class _ToParent(QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        self.queue.send(record)  # type: ignore[attr-defined]


def _work(task: AgentTask, sender: Connection, parent: int) -> None:
    """Train in this process, and tell its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this one
    logging.getLogger(_PACKAGE).addHandler(_ToParent(sender))  # type: ignore[arg-type]

    def end_with_parent() -> None:
        if os.getppid() != parent:
            os._exit(1)

    try:
        told = _result(task, sender, end_with_parent)
        sender.send(told)
    except BrokenPipeError:  # nobody listens any more: a word now would stand in nobody's terminal
        os._exit(1)


def _result(
    task: AgentTask, sender: Connection, end_with_parent: Callable[[], None]
) -> Trained | Exception:
    """Train, and give what came of it or went wrong."""
    try:
        return train(task, sender.send, end_with_parent)
    except BrokenPipeError:
        raise
    except Exception as error:
        error.add_note(traceback.format_exc())
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """Give the error, or its words if it cannot be unpickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return TrainingError(f"{type(error).__name__}: {error}")
    return error

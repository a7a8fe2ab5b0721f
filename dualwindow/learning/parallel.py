"""Run independent tasks on workers, and hand over each result as soon as it is there."""

import logging
import os
import pickle
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, Self, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError
from pydantic import BaseModel, Field, model_validator

from dualwindow.learning.clusters import START, GivenUp, run_on_dask, run_on_ray

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger(__name__)

# Losses of a worker, one after the other and without a result between them, that end the run.
_MOST_DEATHS = 3
_IDLE_SECONDS = 10  # of a worker before it ends: a trained network leaves gigabytes behind


class Workers(BaseModel, frozen=True, extra="forbid"):
    """Where tasks run, and how many at a time.

    One ``loky`` worker is this process itself. A cluster's workers need the same packages in the
    same versions, and nothing is encrypted on the way to them: keep to a network of your own.
    """

    n: int = Field(1, ge=1, description="tasks at work at the same time")
    backend: Literal["loky", "dask", "ray"] = Field(
        "loky", description="processes of this machine, or a cluster that runs already"
    )
    address: str | None = Field(
        None, description="of the cluster: tcp://HOST:8786 (dask), HOST:6379 (ray)"
    )

    @model_validator(mode="after")
    def _address_fits_backend(self) -> Self:
        if self.backend == "loky" and self.address is not None:
            raise ValueError(
                f"address must be left out with backend 'loky', or backend be 'dask' or 'ray'. "
                f"Received: {self.address!r}"
            )
        if self.backend != "loky" and self.address is None:
            raise ValueError(
                f"address must name a running {self.backend} cluster; start one with "
                f"{START[self.backend]}, or take backend 'loky'."
            )
        return self


@dataclass(frozen=True)
class _Raised:
    """What a task raised, and where: an error loses its traceback on the way from a worker."""

    error: Exception
    trace: str


_Outcome = tuple[int, Any]  # of a task: its index, what it returned or a _Raised


class TaskError(RuntimeError):
    """A task raised an error, which is this one's cause.

    Parameters
    ----------
    index : of the task
    error : what it raised
    """

    def __init__(self, index: int, error: Exception) -> None:
        super().__init__(f"task {index} failed: {type(error).__name__}: {error}")
        self.index = index


class WorkersDied(RuntimeError):
    """Workers were killed over and over, and nothing got done.

    Parameters
    ----------
    remaining : indices of the tasks without a result
    """

    def __init__(self, remaining: Sequence[int]) -> None:
        super().__init__(
            "workers were killed again and again, and no result came between; tasks without one: "
            f"{', '.join(map(str, remaining))}. Most often memory is lacking: use fewer workers."
        )
        self.remaining = tuple(remaining)


def run_tasks(
    function: Callable[[T], R], tasks: Sequence[T], workers: Workers, *, threads: int = 1
) -> Iterator[tuple[int, R]]:
    """Yield ``(index of the task, function(task))`` in the order in which they are finished.

    Each index comes once. A killed worker costs time alone: its task is done again, and with
    ``loky`` those of all other workers too (the pool is lost as a whole), as is a result that
    was finished and not yet asked for. So `function` must not mind to be called twice.
    Closing the iterator, an error and Ctrl-C end the ``loky`` and ``ray`` workers in the midst of
    their tasks; ``dask`` cannot stop a thread, so what has begun there runs to its end unheard.

    Parameters
    ----------
    function : importable where the workers run, or defined in ``__main__``
    tasks : picklable; they are copied to the workers
    workers : where, and how many at a time
    threads : of BLAS and OpenMP in each ``loky`` process; dask and ray have set 1 themselves.
        With a single ``loky`` worker this process keeps what it has

    Raises
    ------
    TaskError : `function` raised; no further task is begun
    WorkersDied : workers were killed 3 times in a row and no result came between; on a cluster,
        every worker that tried one of the tasks was killed, 4 of them
    ClusterError : no cluster at the address, or one without workers

    Examples
    --------
    >>> list(run_tasks(abs, [-1, -2], Workers(n=1)))
    [(0, 1), (1, 2)]
    """
    if workers.n == 1 and workers.backend == "loky":
        yield from _run_here(function, tasks)
        return
    remaining = list(range(len(tasks)))
    deaths = 0
    while remaining:
        calls = (partial(_attempt, function, index, tasks[index]) for index in tuple(remaining))
        try:
            with closing(_start(calls, workers, threads)) as outcomes:
                for index, outcome in outcomes:
                    result = _result_of(index, outcome)
                    remaining.remove(index)
                    deaths = 0
                    yield index, result
        except GivenUp as error:
            raise WorkersDied(remaining) from error
        except TerminatedWorkerError as error:
            deaths += 1
            if deaths == _MOST_DEATHS:
                raise WorkersDied(remaining) from error
            logger.warning(
                "A worker was killed, most often because memory ran out: %s of %s tasks are left "
                "and go on with new workers. Fewer workers need less memory.",
                len(remaining),
                len(tasks),
            )


def _run_here(function: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
    for index, task in enumerate(tasks):
        try:
            result = function(task)
        except Exception as error:
            raise TaskError(index, error) from error
        yield index, result


def _start(
    calls: Iterable[Callable[[], _Outcome]], workers: Workers, threads: int
) -> Generator[_Outcome]:
    if workers.backend == "loky":
        return _run_on_loky(calls, workers.n, threads)
    run = {"dask": run_on_dask, "ray": run_on_ray}[workers.backend]
    return run(calls, workers.n, str(workers.address))


def _run_on_loky(
    calls: Iterable[Callable[[], _Outcome]], n: int, threads: int
) -> Generator[_Outcome]:
    # loky replaces a worker that has grown by 300 MB and warns of it in the thread that carries
    # the results; as an error (python -W error) that ends the thread, and the run waits for ever.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    with parallel_config(backend="loky", inner_max_num_threads=threads):
        parallel = Parallel(
            n_jobs=n,
            return_as="generator_unordered",
            batch_size=1,
            max_nbytes=None,  # copies, as a cluster gets them; its shared files are read-only
            idle_worker_timeout=_IDLE_SECONDS,
        )
    outcomes = parallel(delayed(_run_below)(os.getpid(), call) for call in calls)
    try:
        for outcome in outcomes:  # noqa: UP028 - 'yield from' would close joblib's, with its warning
            yield outcome
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # joblib's "tasks have been cancelled"
            outcomes.close()


def _run_below(parent: int, call: Callable[[], _Outcome]) -> _Outcome:
    _end_with(parent)
    return call()


@cache
def _end_with(parent: int) -> None:
    """End this worker with its parent, which may be killed and leave a long task going on."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _attempt(function: Callable[[T], R], index: int, task: T) -> _Outcome:
    try:
        return index, function(task)
    except Exception as error:
        return index, _Raised(_portable(error), traceback.format_exc())


def _portable(error: Exception) -> Exception:
    """Give the error, or its words if it cannot be unpickled, which would break loky's pool."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _result_of(index: int, outcome: Any) -> Any:
    if isinstance(outcome, _Raised):
        outcome.error.add_note(outcome.trace)
        raise TaskError(index, outcome.error) from outcome.error
    return outcome

"""Run tasks on a dask or a ray cluster that somebody has started."""

import pickle
import socket
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import Any, TypeVar

import cloudpickle

R = TypeVar("R")

_CONNECT_SECONDS = 10
START = {
    "dask": "'dask scheduler', then 'dask worker tcp://HOST:8786 --nthreads 1' for each worker",
    "ray": "'ray start --head', then 'ray start --address HOST:6379' on each further machine",
}


class ClusterError(ConnectionError):
    """The cluster does not answer, or has no worker."""


class GivenUp(RuntimeError):
    """The cluster will not try a call again, as every worker that did was killed."""


def run_on_dask(calls: Iterable[Callable[[], R]], n: int, address: str) -> Generator[R]:
    """Keep `n` calls running on the workers of a dask scheduler, and yield what they return.

    A call whose worker is killed is begun again by the scheduler, four times in all.
    """
    # Not joblib's backend for dask: it keeps arguments in the memory of one worker, lost with it;
    # waits for ever for a task that dask has given up; and runs tasks in this process while the
    # cluster has a single core.
    _require("distributed", extra="dask")
    import dask
    from dask.distributed import CancelledError, Client, KilledWorker, wait

    def submit(call: bytes) -> Any:
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 GB"}):
            return client.submit(_run_packed, call, pure=False)

    def first_finished(running: list[Any]) -> Any:
        with client.as_current():
            return wait(running, return_when="FIRST_COMPLETED").done.pop()

    with _answering("dask", address):
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    with closing(client):
        with _answering("dask", address):
            client.wait_for_workers(1, timeout=_CONNECT_SECONDS)
        try:
            yield from _keep_busy(
                map(submit, _packed(calls)),
                n,
                first_finished,
                lambda future: future.result(),
            )
        except KilledWorker as error:
            raise GivenUp(str(error)) from error
        except CancelledError as error:
            raise ClusterError(f"the dask scheduler at {address} was lost.") from error


def run_on_ray(calls: Iterable[Callable[[], R]], n: int, address: str) -> Generator[R]:
    """Keep `n` calls running on a ray cluster of which this machine is a part.

    A call whose worker is killed is begun again by ray, four times in all.
    """
    # Not joblib's backend for ray: it has no results before the last one, and a killed worker
    # ends it.
    _require("ray", extra="ray")
    host, _, port = address.rpartition(":")
    with _answering("ray", address):  # ray.init would try for minutes, and then end this process
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    import ray
    from ray.exceptions import OutOfMemoryError, WorkerCrashedError

    with _answering("ray", address):
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    try:
        yield from _keep_busy(
            map(ray.remote(_run_packed).remote, _packed(calls)),
            n,
            lambda running: ray.wait(running)[0][0],
            ray.get,
        )
    except (WorkerCrashedError, OutOfMemoryError) as error:
        raise GivenUp(str(error)) from error
    finally:
        ray.shutdown()


def _packed(calls: Iterable[Callable[[], R]]) -> Iterator[bytes]:
    """Turn calls into bytes, which a cluster keeps itself and can send a second time."""
    return (cloudpickle.dumps(call) for call in calls)


def _run_packed(call: bytes) -> Any:
    return pickle.loads(call)()


def _keep_busy(
    starts: Iterator[Any],
    n: int,
    first_finished: Callable[[list[Any]], Any],
    result: Callable[[Any], R],
) -> Iterator[R]:
    """Keep `n` futures running as long as `starts` starts one more; yield the results."""
    running = list(islice(starts, n))
    while running:
        finished = first_finished(running)
        running.remove(finished)
        outcome = result(finished)
        running += islice(starts, 1)
        yield outcome


def _require(module: str, extra: str) -> None:
    if find_spec(module) is None:
        raise ModuleNotFoundError(
            f"backend '{extra}' needs the package '{module}': pip install 'dualwindow[{extra}]'."
        )


@contextmanager
def _answering(backend: str, address: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no {backend} cluster with a worker answers at {address}; start one "
            f"with {START[backend]}, or leave backend and address out."
        ) from error

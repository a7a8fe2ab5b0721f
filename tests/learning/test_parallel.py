import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec

import numpy as np
import psutil
import pytest
import workloads
from processes import PATHS, answers, free_port, programs, wait_until
from pydantic import ValidationError

from dualwindow.learning import clusters, parallel
from dualwindow.learning.clusters import ClusterError
from dualwindow.learning.parallel import TaskError, Workers, WorkersDied, run_tasks
from harness.places import ROOT

TWO = Workers(n=2)
# 12 MB each: more than dask likes to send with a call
ROWS = [np.full(1_500_000, float(value)) for value in (3, 1, 2)]
TOTALS = {0: 4_500_000.0, 1: 1_500_000.0, 2: 3_000_000.0}


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    if find_spec("ray") is None:
        pytest.skip("the extra 'ray' is not installed: 240 MB")
    folder = tmp_path_factory.mktemp("ray")
    port = 26379  # ray's own workers take 10000 to 20000
    (folder / "token").write_text("0" * 64)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(folder / "token")}
    head = (
        f"ray start --head --block --node-ip-address 127.0.0.1 --port {port} --num-cpus 2 "
        "--include-dashboard false --disable-usage-stats --object-store-memory 200000000"
    )
    # set before ray is imported, which reads them then
    with pytest.MonkeyPatch.context() as patch, programs(folder, head, **token):
        for name, value in token.items():
            patch.setenv(name, value)
        wait_until(lambda: answers(port))
        yield Workers(n=2, backend="ray", address=f"127.0.0.1:{port}")


@pytest.fixture(params=["here", "loky", "dask", "ray"])
def workers(request: pytest.FixtureRequest) -> Workers:
    local = {"here": Workers(n=1), "loky": TWO}
    return local.get(request.param) or request.getfixturevalue(request.param)


@pytest.fixture(params=["loky", "dask", "ray"])
def processes(request: pytest.FixtureRequest) -> Workers:
    return TWO if request.param == "loky" else request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        pytest.param({"n": 0}, "greater than or equal to 1", id="none"),
        pytest.param({"address": "tcp://127.0.0.1:8786"}, "must be left out", id="loky-address"),
        pytest.param({"backend": "dask"}, "dask scheduler", id="dask-nowhere"),
        pytest.param({"backend": "ray"}, "ray start --head", id="ray-nowhere"),
        pytest.param({"backend": "threads"}, "loky", id="unknown"),
    ],
)
def test_refused_workers(choice, message):
    with pytest.raises(ValidationError, match=message):
        Workers(**choice)


def test_results_are_the_same_everywhere(workers):
    results = list(run_tasks(workloads.total, ROWS, workers))

    assert len(results) == 3
    assert dict(results) == TOTALS


def test_no_tasks(workers):
    assert list(run_tasks(workloads.total, [], workers)) == []


def test_one_local_worker_is_this_process():
    tasks = [None] * 3

    assert list(run_tasks(workloads.process, tasks, Workers())) == [
        (index, os.getpid()) for index in range(3)
    ]


def test_one_worker_of_a_cluster_is_not_this_process(dask):
    results = list(run_tasks(workloads.process, [None] * 4, dask.model_copy(update={"n": 1})))

    assert [index for index, _ in results] == [0, 1, 2, 3]  # one at a time
    assert os.getpid() not in {pid for _, pid in results}


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_of_a_process_are_capped(threads):
    results = dict(run_tasks(workloads.cap, [None] * 2, TWO, threads=threads))

    assert results == {0: str(threads), 1: str(threads)}


def test_killed_worker_loses_nothing(processes, tmp_path, caplog):
    markers = [tmp_path / str(index) for index in range(3)]
    markers[0].touch()
    markers[2].touch()

    results = list(run_tasks(workloads.die_once, list(zip(markers, ROWS, strict=True)), processes))

    assert markers[1].exists()
    assert len(results) == 3
    assert dict(results) == TOTALS
    if processes.backend == "loky":
        assert "of 3 tasks are left" in caplog.text


def test_workers_that_die_for_ever_end_the_run(processes):
    with pytest.raises(WorkersDied, match=r"without one: 0, 1\. .*fewer workers") as died:
        list(run_tasks(workloads.kill_itself, [None] * 2, processes))

    assert died.value.remaining == (0, 1)


def test_deaths_with_results_between_do_not_end_the_run(tmp_path):
    came = []
    tasks = [(index, tmp_path) for index in range(4)]
    for index, result in run_tasks(workloads.die_after_the_one_before, tasks, TWO):
        came.append((index, result))
        (tmp_path / str(index)).touch()

    assert came == [(index, index) for index in range(4)]
    assert len(list(tmp_path.glob("died-*"))) == 3


def test_error_names_its_task(workers, tmp_path):
    results = []
    tasks = [(index, tmp_path) for index in range(30)]
    with pytest.raises(TaskError, match="task 1 failed: ValueError: no candles") as failed:
        results.extend(run_tasks(workloads.fail_at_one, tasks, workers))

    assert failed.value.index == 1
    assert isinstance(failed.value.__cause__, ValueError)
    trace = "".join(failed.value.__cause__.__notes__) if workers != Workers() else "fail_at_one"
    assert "fail_at_one" in trace
    assert 1 not in dict(results)
    assert len(list(tmp_path.iterdir())) < 30  # the rest was not begun


def test_error_that_cannot_travel_is_told_in_words(processes):
    with pytest.raises(TaskError, match=r"task 0 failed: .*StubbornError: BTC/USDT in fold 7"):
        list(run_tasks(workloads.fail_stubbornly, [None], processes))


def test_worker_that_retires_for_its_memory_loses_nothing():
    results = dict(run_tasks(workloads.leak, range(5), TWO))

    assert {index: result for index, (result, _) in results.items()} == {i: i for i in range(5)}
    assert len({pid for _, pid in results.values()}) > 2  # none does more than two


def test_results_come_one_by_one_and_the_rest_can_be_left(workers, tmp_path):
    results = run_tasks(workloads.total, [rows[:10] for rows in ROWS] * 10, workers)

    assert next(results)[0] in (0, 1)
    results.close()  # would raise the warnings of joblib and dask


def test_idle_workers_end(monkeypatch):
    monkeypatch.setattr(parallel, "_IDLE_SECONDS", 1)
    pids = {pid for _, pid in run_tasks(workloads.process, [None] * 4, TWO)}

    assert pids
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent(end, tmp_path):
    (begun := tmp_path / "begun").mkdir()
    said = tmp_path / "said"
    with (
        said.open("wb") as out,
        subprocess.Popen(
            [sys.executable, ROOT / "tests" / "workloads.py", begun],
            env=os.environ | {"PYTHONPATH": PATHS},
            stderr=out,
            # A shell's background processes, as these tests may be, ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as parent,
    ):
        wait_until(lambda: len(list(begun.iterdir())) == 2)
        pids = [int(path.name) for path in begun.iterdir()]
        parent.send_signal(end)
        try:
            parent.wait(90)
        except subprocess.TimeoutExpired:
            parent.kill()
            pytest.fail(f"it did not end:\n{said.read_text(errors='replace')}")

    wait_until(lambda: not any(is_alive(pid) for pid in pids))


@pytest.mark.parametrize(
    ("backend", "scheme"),
    [
        pytest.param("dask", "tcp://", id="dask"),
        pytest.param(
            "ray", "", marks=pytest.mark.skipif(find_spec("ray") is None, reason="no ray"), id="ray"
        ),
    ],
)
def test_nobody_at_the_address(backend, scheme, monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 0.5)
    address = f"{scheme}127.0.0.1:{free_port()}"

    with pytest.raises(ClusterError, match=f"answers at {address}; start one with '{backend} "):
        list(run_tasks(workloads.total, ROWS, Workers(backend=backend, address=address)))


@pytest.mark.parametrize(("backend", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_package_that_is_missing(backend, module, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(ModuleNotFoundError, match=rf"dualwindow\[{backend}\]"):
        list(run_tasks(workloads.total, ROWS, Workers(backend=backend, address="here")))


def test_scheduler_without_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 3)
    address = f"tcp://127.0.0.1:{free_port()}"
    with programs(tmp_path, f"dask scheduler --host {address} --no-dashboard"):
        wait_until(lambda: answers(int(address.rpartition(":")[2])))

        with pytest.raises(ClusterError, match="no dask cluster with a worker"):
            list(run_tasks(workloads.total, ROWS, Workers(backend="dask", address=address)))


def test_scheduler_that_is_lost_ends_the_run(tmp_path):
    address = f"tcp://127.0.0.1:{free_port()}"
    worker = f"dask worker {address} --host 127.0.0.1 --nthreads 1 --no-dashboard"
    with programs(tmp_path, f"dask scheduler --host {address} --no-dashboard", worker) as running:
        wait_until(lambda: answers(int(address.rpartition(":")[2])))
        workers = Workers(n=2, backend="dask", address=address)
        results = run_tasks(workloads.doze, [None] * 1000, workers)
        next(results)
        running[0].kill()

        with pytest.raises(ClusterError, match=f"{address} was lost"):
            list(results)

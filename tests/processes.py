"""Programs that tests start beside themselves, and wait for."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.places import PROGRAMS, ROOT

# Also for the workers of clusters, which import what tests give them.
PATHS = os.pathsep.join([str(ROOT), str(ROOT / "tests")])


def wait_until(holds: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited for {seconds} seconds"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def programs(folder: Path, *commands: str, **variables: str) -> Iterator[list[subprocess.Popen]]:
    environment = os.environ | variables | {"PYTHONPATH": PATHS}
    with (folder / "log").open("w") as log:
        running = [
            subprocess.Popen(
                [PROGRAMS / name, *arguments], env=environment, stdout=log, stderr=log, cwd=folder
            )
            for name, *arguments in map(str.split, commands)
        ]
        try:
            yield running
        finally:
            for process in reversed(running):  # dask's workers wait for a lost scheduler
                process.terminate()
                process.wait(60)

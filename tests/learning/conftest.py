from collections.abc import Iterator

import pytest
from processes import answers, free_port, programs, wait_until

from dualwindow.learning.parallel import Workers


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    folder = tmp_path_factory.mktemp("dask")
    address = f"tcp://127.0.0.1:{free_port()}"
    worker = f"dask worker {address} --host 127.0.0.1 --nthreads 1 --no-dashboard"
    scheduler = f"dask scheduler --host {address} --no-dashboard"
    with programs(folder, scheduler, worker, worker):
        wait_until(lambda: answers(int(address.rpartition(":")[2])))
        yield Workers(n=2, backend="dask", address=address)

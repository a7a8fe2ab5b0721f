"""Tasks for workers in other processes, which import them by name."""

import faulthandler
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from joblib.externals.loky import process_executor

_LEAKED = []


class StubbornError(Exception):
    """Cannot be unpickled: its words are not its arguments."""

    def __init__(self, pair: str, fold: int) -> None:
        super().__init__(f"{pair} in fold {fold}")


def total(rows: np.ndarray) -> float:
    assert rows.flags.writeable
    return float(rows.sum())


def process(_: Any) -> int:
    return os.getpid()


def cap(_: Any) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def die_once(task: tuple[Path, np.ndarray]) -> float:
    """Die in the first attempt at the task whose marker is not there yet."""
    marker, rows = task
    if not marker.exists():
        marker.touch()
        kill_itself(rows)
    return total(rows)


def die_after_the_one_before(task: tuple[int, Path]) -> int:
    """Die once, when the result of the task before has arrived."""
    index, arrived = task
    while index > 0 and not (arrived / str(index - 1)).exists():
        time.sleep(0.01)
    marker = arrived / f"died-{index}"
    if index > 0 and not marker.exists():
        marker.touch()
        kill_itself(None)
    return index


def kill_itself(_: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("dead processes do not raise")


def fail_at_one(task: tuple[int, Path]) -> int:
    index, begun = task
    (begun / str(index)).touch()
    if index == 1:
        raise ValueError("no candles")
    time.sleep(0.05)
    return index


def fail_stubbornly(_: Any) -> NoReturn:
    raise StubbornError("BTC/USDT", fold=7)


def doze(_: Any) -> None:
    time.sleep(0.05)


def leak(index: int) -> tuple[int, int]:
    process_executor._MEMORY_LEAK_CHECK_DELAY = 0.0  # in this worker: look after every task
    process_executor._MAX_MEMORY_LEAK_SIZE = 30_000_000  # instead of 300 MB
    _LEAKED.append(np.ones(7_500_000))  # 60 MB
    return index, os.getpid()


def spin(folder: Path) -> NoReturn:
    """Burn CPU until killed, and leave the number of the process in the folder."""
    threading.Timer(120, os._exit, [1]).start()  # whatever a test forgets
    (folder / str(os.getpid())).touch()
    while True:
        pass


if __name__ == "__main__":
    faulthandler.dump_traceback_later(60, repeat=True)  # where it hangs, if it does not end
    from dualwindow.learning.parallel import Workers, run_tasks

    list(run_tasks(spin, [Path(sys.argv[1])] * 2, Workers(n=2)))

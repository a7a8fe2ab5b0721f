"""Ask for what a computation cannot know by itself: time, chance, the cores and the memory.

Nothing else in the packages asks a clock or makes random numbers, and a lint rule sees to it: what
depends on them is seen, and a bot can be led through time.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def epoch_seconds() -> float:
    """Tell the time, seconds since 1970 UTC; it jumps when the machine's clock is set."""
    return time.time()


def elapsed() -> float:
    """Tell seconds since some moment; only differences mean something, and they never jump."""
    return time.monotonic()


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def watched_memory() -> Iterator[Callable[[], int | None]]:
    """Watch this process; what is yielded tells its peak since the beginning, in bytes.

    Only Linux can forget the peak of before: elsewhere it is None. One watch at a time: the peak is
    the process', so one that begins in another thread makes this one forget, too.
    """
    is_watching = False
    try:
        Path("/proc/self/clear_refs").write_text("5")
        is_watching = True
    except OSError:
        pass

    def peak() -> int | None:
        if not is_watching:
            return None
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024

    yield peak


def chance(seed: int | Sequence[int]) -> "np.random.Generator":
    """Make random numbers that are the same for the same seed, on every machine."""
    import numpy as np  # not above: commands ask for the time, and wait for nothing heavy

    return np.random.default_rng(seed)

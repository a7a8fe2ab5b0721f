"""Memory that a training has freed goes back to the machine."""

import gc
import platform
import subprocess
import sys
import weakref

import pytest

from dualwindow_freqtrade.live import loop, memory
from harness.freqai_run import at, dry_run, live_configuration, train_now

KEPT_BELOW_WHAT_IS_USED = """
import ctypes, psutil
from dualwindow_freqtrade.live.memory import give_memory_back

libc, size, mib = ctypes.CDLL(None), 100_000, 2**20
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes, libc.free.restype = [ctypes.c_void_p], None
held = lambda: psutil.Process().memory_info().rss / mib
pieces = [libc.malloc(size) for _ in range(1000)]
for piece in pieces:
    ctypes.memset(piece, 1, size)
full = held()
for piece in pieces[:-1]:  # the last one lies above all others, and stays
    libc.free(piece)
freed = held()
give_memory_back(is_first=False)
print(full - freed, full - held())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_what_is_free_below_what_is_used_goes_back():
    words = [sys.executable, "-c", KEPT_BELOW_WHAT_IS_USED]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    kept, given = (float(word) for word in said.split())
    assert kept < 10
    assert given > 80


def test_nothing_happens_where_the_library_has_no_way_to(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    memory._malloc_trim.cache_clear()
    try:
        memory.give_memory_back(is_first=False)
    finally:
        memory._malloc_trim.cache_clear()


def test_every_training_gives_back_also_one_that_fails(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(loop, "give_memory_back", lambda *, is_first: given.append(is_first))
    strategy, minutes = dry_run(live_configuration(tmp_path))
    at(strategy, minutes, len(minutes) - 2)
    train_now(strategy)
    assert given == [True]
    monkeypatch.setattr(type(strategy.freqai), "fit", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train_now(strategy)
    assert given == [True, False]


class Circle:
    """Refers to itself, so that only a collection finds it."""

    def __init__(self) -> None:
        self.myself = self


@pytest.mark.parametrize("is_first", [True, False])
def test_what_a_bot_before_has_left_is_sought_once(is_first):
    gc.disable()
    try:
        left = weakref.ref(Circle())
        memory.give_memory_back(is_first=is_first)
        assert (left() is None) == is_first
    finally:
        gc.enable()

"""See to the end of a process whose bot has ended."""

import os
import signal
import threading
import time
import weakref
from functools import cache

# Weakly, because every reload of the configuration makes a new bot with new threads.
_waited_for: "weakref.WeakSet[threading.Thread]" = weakref.WeakSet()


def end_with_main_thread(thread: threading.Thread) -> None:
    """End the process once its main thread has, and this one after it.

    If a second signal breaks freqtrade's cleaning up off, its REST server keeps the process alive,
    and answers for a bot that no longer trades. Usually the process ends before this.

    Parameters
    ----------
    thread : that may finish what it does first, within five seconds
    """
    _waited_for.add(thread)
    _watch()


@cache
def _watch() -> None:
    threading.Thread(target=_end, name="end with the main thread", daemon=True).start()


def _end() -> None:
    threading.main_thread().join()
    for thread in list(_waited_for):
        thread.join(5)
    time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)

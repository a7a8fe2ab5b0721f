"""Hand memory that a training has freed back to the machine."""

import ctypes
import gc
from functools import cache
from typing import Any


def give_memory_back(*, is_first: bool) -> None:
    """Return what is free; do nothing where the C library has no way to.

    glibc keeps what is freed below any piece that is still used: every training, and every thread
    that has trained, left one to two megabytes of it, in which nothing else found place.

    Parameters
    ----------
    is_first : whether it is the first training after a start or a reload. What the bot before it
        was made of refers to itself in circles, which Python seeks rarely where there is much that
        lives long: 30 MB after twenty reloads. Seeking takes a third of a second.
    """
    if is_first:
        gc.collect()
    if trim := _malloc_trim():
        trim(0)


@cache
def _malloc_trim() -> Any:
    try:
        return getattr(ctypes.CDLL(None), "malloc_trim", None)
    except (OSError, TypeError):  # there is no library of the process itself, as on Windows
        return None

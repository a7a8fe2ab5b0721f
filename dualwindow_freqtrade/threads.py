"""Decide how many threads TensorFlow may have."""

import os


def allowed_threads(wanted: int | None, *, is_live: bool) -> int | None:
    """Return the cap on TensorFlow's threads; None leaves it all cores.

    Parameters
    ----------
    wanted : as configured
    is_live : whether a bot trades, whose own loop needs a core while a training runs

    Examples
    --------
    >>> allowed_threads(3, is_live=True)
    3
    >>> allowed_threads(None, is_live=False)
    """
    if wanted is not None or not is_live:
        return wanted
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max((cores or 1) - 1, 1)


def cap_threads(n: int | None) -> None:
    """Cap the threads of TensorFlow, which is imported here; before its first operation."""
    from dualwindow.models import network

    if n is not None:
        network.use_threads(n)

"""Decide how many threads a classifier may have."""

import os
from importlib import import_module

from dualwindow.models.classifier import use_threads
from dualwindow.models.notices import without_notices
from dualwindow.outside import cores
from dualwindow.settings import ClassifierSettings


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
    return max(cores() - 1, 1)


def quiet_tensorflow() -> None:
    """Keep TensorFlow's notices out of the log, in this process and in its children.

    It reads this once, while it is imported; some notices it writes before.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def load_freqais_loggers() -> None:
    """Import in silence what FreqAI imports before each training: with PyTorch, TensorFlow, too."""
    quiet_tensorflow()
    with without_notices():
        import_module("freqtrade.freqai.tensorboard")


def cap_threads(settings: ClassifierSettings, n: int | None) -> None:
    """Cap the threads of a classifier in this process; before its first operation."""
    quiet_tensorflow()
    if n is not None:
        use_threads(settings, n)

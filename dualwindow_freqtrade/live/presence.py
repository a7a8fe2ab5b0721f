"""Tell whether a bot runs on a folder of models, by a lock that ends with its process."""

import errno
import fcntl
import logging
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from freqtrade.exceptions import OperationalException

logger = logging.getLogger(__name__)

_LOCK = "dualwindow_bot.lock"
# A promotion holds the folder for as long as it copies models.
_TRIES, _PAUSE = 40, 0.5  # seconds between two


class BotRunsError(RuntimeError):
    """A bot runs on the folder."""


class Presence:
    """Says that a bot is there, until it leaves or its process ends, however that happens.

    Parameters
    ----------
    folder : of the identifier; where nothing can be written, nobody is told

    Raises
    ------
    OperationalException
        If a promotion goes on in the folder, and does not end for a while.
    """

    def __init__(self, folder: Path) -> None:
        self._leave: weakref.finalize[..., Presence] | None = None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = _opened(folder / _LOCK)
            # Also where nobody says that the bot is gone: its model is forgotten.
            self._leave = weakref.finalize(self, os.close, held)
            _share(held, folder)
        except OSError as error:
            logger.warning("Nobody can see that a bot runs on %s: %s", folder, error)

    def leave(self) -> None:
        """Say that this bot is gone."""
        if self._leave is not None:
            self._leave()


def _opened(path: Path) -> int:
    """Open a lock, which may be another user's, or on a disk mounted read-only: to read will do."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY)


def _share(held: int, folder: Path) -> None:
    """Lock it with the other bots: a reload makes the next one before the last is gone."""
    for i in range(_TRIES):
        try:
            fcntl.flock(held, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if i == 0:
                logger.info("Waiting for a promotion that writes to %s", folder)
            time.sleep(_PAUSE)
        else:
            return
    raise OperationalException(
        f"{folder} is held by a promotion (dualwindow promote); start the bot once it has ended"
    )


@contextmanager
def without_bot(folder: Path) -> Iterator[None]:
    """Keep bots from a folder, if none is there.

    Raises
    ------
    BotRunsError
        If there is one.
    """
    with os.fdopen(_opened(folder / _LOCK), "rb") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BotRunsError(f"a bot runs on {folder}") from error
        yield


def is_bot_there(folder: Path) -> bool | None:
    """Tell whether a bot runs on a folder, without leaving anything there.

    Returns
    -------
    None where no bot has ever said so.
    """
    if not (folder / _LOCK).is_file():
        return None
    try:
        with without_bot(folder):
            return False
    except BotRunsError:
        return True

"""Tell whether a bot runs on a folder of models, by a lock that ends with its process."""

import fcntl
import logging
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

_LOCK = "dualwindow_bot.lock"


class BotRunsError(RuntimeError):
    """A bot runs on the folder."""


class Presence:
    """Says that a bot is there, until it leaves or its process ends, however that happens.

    Parameters
    ----------
    folder : of the identifier; where nothing can be written, nobody is told
    """

    def __init__(self, folder: Path) -> None:
        self._leave: weakref.finalize[..., Presence] | None = None
        try:
            held = os.open(folder / _LOCK, os.O_WRONLY | os.O_CREAT, 0o666)
            # Also where nobody says that the bot is gone: its model is forgotten.
            self._leave = weakref.finalize(self, os.close, held)
            # Shared: a configuration that is reloaded makes the next bot before the last is gone.
            # It waits where a promotion is writing, which takes no second.
            fcntl.flock(held, fcntl.LOCK_SH)
        except OSError as error:
            logger.warning("Nobody can see that a bot runs on %s: %s", folder, error)

    def leave(self) -> None:
        """Say that this bot is gone."""
        if self._leave is not None:
            self._leave()


@contextmanager
def without_bot(folder: Path) -> Iterator[None]:
    """Keep bots from a folder, if none is there.

    Raises
    ------
    BotRunsError
        If there is one.
    """
    with (folder / _LOCK).open("a") as held:
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

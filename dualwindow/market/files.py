"""Write files so that a reader, or a crash, finds the old content or the new, never half of it."""

import errno
import fcntl
import os
import re
from contextlib import suppress
from itertools import count
from pathlib import Path

_PASSING = (errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_NUMBERS = count()  # with the process, they tell apart who writes to one path at the same time


def write_aside(
    path: Path,
    content: bytes,
    *,
    durable: bool = True,
    mode: int = 0o666,
    backup: Path | None = None,
) -> None:
    """Write `content` to a file beside `path`, and rename it once it is whole.

    What earlier writers of `path` have left there that were killed is removed.

    Parameters
    ----------
    path : of the file
    content : all of it
    durable : wait until the disk has it; without, it may be lost if the machine stops, not if the
        program does
    mode : who may read and write it, less what the umask takes away
    backup : what the file that was there is called from then on; for a moment, there is only that
        one

    Raises
    ------
    OSError
        If it cannot be written, for example because the disk is full; what was there stays.
    """
    _remove_leftovers(path)
    descriptor, aside = _held(path, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if backup is not None and path.exists():
                path.replace(backup)
            aside.replace(path)  # while it is held, or another writer took it for a leftover
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def _held(path: Path, mode: int) -> tuple[int, Path]:
    """Make a file beside `path` with a lock on it, which ends with its process, however it ends."""
    while True:
        aside = path.with_name(f"{path.name}.{os.getpid()}-{next(_NUMBERS)}.tmp")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError:
            continue  # of another container, where processes have the same numbers
        with suppress(OSError):  # where a disk has no locks, nobody removes anything either
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor, aside
        os.close(descriptor)  # somebody has removed it before it was locked


def _remove_leftovers(path: Path) -> None:
    name = re.compile(rf"{re.escape(path.name)}\.\d+-\d+\.tmp")
    for found in path.parent.glob("*.tmp"):
        if not name.fullmatch(found.name):
            continue
        with suppress(OSError), found.open("rb+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found.unlink()


def set_aside(path: Path) -> Path:
    """Rename a damaged file, so that nothing stumbles over it and nothing is lost."""
    damaged, n = path.with_name(f"{path.name}.damaged"), 1
    while damaged.exists():
        n += 1
        damaged = path.with_name(f"{path.name}.damaged-{n}")
    return path.replace(damaged)


def is_of_machine(error: Exception) -> bool:
    """Tell whether what reading a file has raised is of the machine, and passes, or of the file."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, OSError) and error.errno in _PASSING

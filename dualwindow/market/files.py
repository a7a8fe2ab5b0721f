"""Write files so that a reader, or a crash, finds the old content or the new, never half of it."""

import errno
import os
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
    aside = path.with_name(f"{path.name}.{os.getpid()}-{next(_NUMBERS)}.tmp")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if backup is not None and path.exists():
            path.replace(backup)
        aside.replace(path)
    except Exception:
        aside.unlink(missing_ok=True)
        raise


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

"""Write what a command has come to, or say in one line that it cannot be written."""

from pathlib import Path

from dualwindow.cli import CommandError
from dualwindow.market.files import write_aside


def write_out(path: Path, content: bytes, command: str) -> None:
    """Write a file as a whole, and the folder that it lies in.

    Raises
    ------
    CommandError
        If it cannot be written; what was there stays.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, content)
    except OSError as error:
        raise CommandError(f"{command}: {path} cannot be written ({error.strerror})") from error

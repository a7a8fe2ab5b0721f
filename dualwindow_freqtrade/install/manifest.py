"""Remember which files in a user directory are ours, and as they were put there."""

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ValidationError, field_validator

from dualwindow.market.files import write_aside
from dualwindow_freqtrade.install import InstallError
from dualwindow_freqtrade.install.files import MANIFEST


class Manifest(BaseModel, frozen=True, extra="forbid"):
    """What `dualwindow install` has put into a user directory.

    Parameters
    ----------
    format : of this file
    version : of the package that wrote it
    files : digests by which each is ours; two while it is being renewed
    folders : that were not there before, the outer ones first
    """

    format: int = 1
    version: str
    files: dict[str, tuple[str, ...]]
    folders: tuple[str, ...] = ()

    @field_validator("files", "folders")
    @classmethod
    def _stay_inside(cls, paths: object) -> object:
        """Refuse a path that leads out of the directory: files are deleted by it."""
        for name in paths:  # type: ignore[attr-defined]
            if Path(name).is_absolute() or ".." in Path(name).parts:
                raise ValueError(f"{name} is not below the user directory")
        return paths

    def write(self, user_data: Path) -> None:
        """Write it whole."""
        text = json.dumps(self.model_dump(mode="json"), indent=1)
        write_aside(user_data / MANIFEST, f"{text}\n".encode())


def read_manifest(user_data: Path) -> Manifest | None:
    """Read it; None where nothing was installed.

    Raises
    ------
    InstallError
        If it cannot be read, or is that of a later version.
    """
    path = user_data / MANIFEST
    if not path.exists():
        return None
    try:
        content = path.read_bytes()
        _refuse_later(path, content)
        found = Manifest.model_validate_json(content)
    except (OSError, ValidationError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise InstallError(
            f"{path} is damaged ({said}): delete it; what it lists is then a stranger's, so "
            "delete that by hand, too"
        ) from None
    return found


def _refuse_later(path: Path, content: bytes) -> None:
    """Look at the format before all else, of which a later one may have other keys."""
    try:
        told = json.loads(content)
    except ValueError:
        return  # which is said with what is damaged
    known = Manifest.model_fields["format"].default
    if isinstance(told, dict) and told.get("format", known) != known:
        version = told.get("version", "of an unknown version")
        raise InstallError(f"{path} was written by a later dualwindow ({version}); use that")


def digest_of(content: bytes) -> str:
    """Digest a file's content, as ``sha256sum`` does."""
    return hashlib.sha256(content).hexdigest()

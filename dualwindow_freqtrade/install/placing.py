"""Put files into a user directory wholly or not at all, and take away what was not changed."""

from collections.abc import Mapping
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple

from dualwindow.market.files import write_aside
from dualwindow_freqtrade.install import InstallError
from dualwindow_freqtrade.install.files import MANIFEST, others_of_the_same_name
from dualwindow_freqtrade.install.manifest import Manifest, digest_of, read_manifest


class Placed(NamedTuple):
    """Paths below the user directory: what is new, what was renewed, what its owner has changed."""

    new: list[str]
    renewed: list[str]
    changed: list[str]


class Removed(NamedTuple):
    """Paths below the user directory: what was taken away, and what was changed and stays."""

    gone: list[str]
    changed: list[str]


def place(user_data: Path, wanted: Mapping[str, bytes], version: str) -> Placed:
    """Put all files in, or none; those that are there already are renewed unless they were changed.

    What an error stops is undone. A run that is killed leaves a manifest of what it was about to
    write, so the next one goes on from there, and so can `remove`.

    Parameters
    ----------
    user_data : freqtrade's user directory
    wanted : contents by path below it
    version : of the package they come from

    Raises
    ------
    InstallError
        If there is no such directory, or a file is in the way.
    OSError
        If it cannot be written.
    """
    known = _known(user_data)
    _refuse_strangers(user_data, wanted, known)
    old = known.files if known else {}
    ours = {name for name in {*old, *wanted} if _is_ours(user_data / name, old.get(name, ()))}
    there = {name for name in {*old, *wanted} if _is_there(user_data / name)}
    same = {name for name in there & {*wanted} if _content(user_data / name) == wanted[name]}
    changed = there - ours - same
    digests = {name: (digest_of(content),) for name, content in wanted.items()}
    folders = _folders(user_data, wanted, known)
    both = {name: tuple({*old.get(name, ()), *digests.get(name, ())}) for name in {*old, *wanted}}
    touched = {MANIFEST, *wanted, *(ours - same)} - changed
    before = {name: _content(user_data / name) for name in touched}
    try:
        for folder in folders:
            (user_data / folder).mkdir(exist_ok=True)
        Manifest(version=version, files=both, folders=folders).write(user_data)
        for name in sorted({*wanted} - same - changed):
            write_aside(user_data / name, wanted[name])
        for name in ours - {*wanted}:  # of an earlier version
            (user_data / name).unlink()
        kept = {name: old[name] for name in changed if name in old}
        Manifest(version=version, files=digests | kept, folders=folders).write(user_data)
    except BaseException:
        _put_back(user_data, before, [f for f in folders if not known or f not in known.folders])
        raise
    renewed = sorted((there & ours & {*wanted}) - same)
    return Placed(sorted({*wanted} - there), renewed, sorted(changed))


def remove(user_data: Path) -> Removed:
    """Take away what `place` has put in and nobody has changed, and folders that it has made.

    A second run goes on where one was killed: the manifest goes last.

    Raises
    ------
    InstallError
        If nothing was put there.
    OSError
        If something cannot be deleted.
    """
    known = _known(user_data)
    if known is None:
        raise InstallError(f"nothing is installed in {user_data}: there is no {MANIFEST}")
    there = {name: d for name, d in sorted(known.files.items()) if _is_there(user_data / name)}
    gone = [name for name, digests in there.items() if _is_ours(user_data / name, digests)]
    for name in gone:
        _delete_compiled(user_data / name)
        (user_data / name).unlink()
    (user_data / MANIFEST).unlink()
    for folder in reversed(known.folders):
        if (user_data / folder).is_dir() and not any((user_data / folder).iterdir()):
            (user_data / folder).rmdir()
    return Removed(gone, [name for name in there if name not in gone])


def _known(user_data: Path) -> Manifest | None:
    if not user_data.is_dir():
        raise InstallError(
            f"there is no user directory {user_data}; make one: freqtrade create-userdir --userdir "
            f"{user_data}"
        )
    return read_manifest(user_data)


def _refuse_strangers(user_data: Path, wanted: Mapping[str, bytes], known: Manifest | None) -> None:
    """Refuse files that are in the way, all at once, before anything is written."""
    ours = known.files if known else {}
    problems = [
        f"{user_data / name} is there already, and not ours"
        for name, content in sorted(wanted.items())
        if name not in ours and _is_in_the_way(user_data / name, content)
    ]
    problems += others_of_the_same_name(user_data, sorted(wanted))
    if problems:
        named = "\n  ".join(problems)
        raise InstallError(f"nothing was written; move or rename what is in the way:\n  {named}")


def _is_in_the_way(path: Path, content: bytes) -> bool:
    if any(parent.exists() and not parent.is_dir() for parent in path.parents):
        return True
    return path.is_symlink() or path.is_dir() or (path.exists() and path.read_bytes() != content)


def _is_there(path: Path) -> bool:
    """Tell whether anything has this name, were it a link that leads nowhere."""
    return path.is_symlink() or path.exists()


def _is_ours(path: Path, digests: tuple[str, ...]) -> bool:
    return path.is_file() and not path.is_symlink() and digest_of(path.read_bytes()) in digests


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _folders(
    user_data: Path, wanted: Mapping[str, bytes], known: Manifest | None
) -> tuple[str, ...]:
    """List the folders that are, or were, not there without us, the outer ones first."""
    parents = {p.as_posix() for name in [*wanted, MANIFEST] for p in Path(name).parents} - {"."}
    made = set(known.folders) if known else set()
    return tuple(sorted(made | {name for name in parents if not (user_data / name).is_dir()}))


def _put_back(user_data: Path, before: Mapping[str, bytes | None], made: list[str]) -> None:
    for name, content in before.items():
        if content is None:
            (user_data / name).unlink(missing_ok=True)
        elif _content(user_data / name) != content:
            write_aside(user_data / name, content)
    for folder in reversed(made):
        if (user_data / folder).is_dir() and not any((user_data / folder).iterdir()):
            (user_data / folder).rmdir()


def _delete_compiled(path: Path) -> None:
    """Delete what Python has made of a module beside it, so that the folder is as it was."""
    if path.suffix != ".py":
        return
    cache = Path(cache_from_source(str(path))).parent
    for compiled in cache.glob(f"{path.stem}.*.pyc"):
        compiled.unlink()
    if cache.is_dir() and not any(cache.iterdir()):
        cache.rmdir()

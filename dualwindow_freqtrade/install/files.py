"""Say which files go into a user directory, and what stands in them."""

from pathlib import Path

from dualwindow.shipped import PACKAGE, shipped

# Beside the folders that freqtrade looks into: our examples, and the list of what is ours.
FOLDER = "dualwindow"
MANIFEST = f"{FOLDER}/installed.json"
# Where freqtrade finds classes by their names.
LOADED = ("freqaimodels", "strategies")

# A class that is defined there and inherits all, not a copy: freqtrade asks for no more, an upgrade
# of the package needs no new file, and what a user writes into it stays apart from what is ours.
_THIN = '''"""{name}, for freqtrade to find here; what it does is in the installed package.

An upgrade of the package needs no new file. What you write into the class wins over what is
installed, and `dualwindow uninstall` then lets the file stay.
"""

from {package}.{folder}.{name} import {name} as Installed


class {name}(Installed):
    """As it is installed."""
'''


def wanted() -> dict[str, bytes]:
    """Lay out all files: their paths below a user directory, and their contents.

    Raises
    ------
    FileNotFoundError
        If the package was installed without what it ships.
    """
    examples = {
        f"{FOLDER}/{path.relative_to(shipped('config')).as_posix()}": path.read_bytes()
        for path in sorted(shipped("config").rglob("*.json"))
    }
    thin = {
        f"{folder}/{path.name}": _thin(folder, path).encode()
        for folder in LOADED
        for path in sorted(shipped(folder).glob("*.py"))
    }
    return thin | examples


def _thin(folder: str, path: Path) -> str:
    return _THIN.format(package=PACKAGE, folder=folder, name=path.stem)


def others_of_the_same_name(user_data: Path, paths: list[str]) -> list[str]:
    """Find other files that define a class of ours: freqtrade loads the first that it finds.

    Parameters
    ----------
    user_data : folder
    paths : of ours, below it
    """
    found = []
    for ours in map(Path, paths):
        if ours.suffix != ".py":
            continue
        for path in sorted((user_data / ours.parent).glob("*.py")):
            if path.name == ours.name or not path.is_file():
                continue
            if f"class {ours.stem}(" in path.read_text(encoding="utf-8", errors="replace"):
                found.append(f"{path} defines a class {ours.stem}, too")
    return found

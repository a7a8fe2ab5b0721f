"""Tell a user's own directory from one of the sandbox's, and make those of the sandbox."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from dualwindow_sandbox import SandboxError

_MARK = "made-up.txt"
_SAYS = (
    "Candles, models, results and trades in this folder are made up: 'dualwindow sandbox run' "
    "wrote them. Use it for nothing real.\n"
)
# What a user directory has once somebody has put something of their own into it.
_OF_A_USER = ("strategies", "freqaimodels", "hyperopts", "models", "config.json", "dualwindow")


def is_users(folder: Path) -> bool:
    """Tell whether a user directory is somebody's own, so that nothing made up may get into it.

    One that is in a folder ``sandbox``, that the sandbox has used before, or that has neither
    candles nor models nor anything else that is loaded from there, is not.
    """
    if (folder / _MARK).is_file() or folder.resolve().parent.name == "sandbox":
        return False
    # freqtrade makes most of these folders wherever it runs; only what is in them is somebody's.
    return any(_holds_a_file(folder / name) for name in (*_OF_A_USER, "data/binance"))


def _holds_a_file(path: Path) -> bool:
    return path.is_file() or any(each.is_file() for each in path.rglob("*"))


def refuse_users_candles(action: str, given: Sequence[str]) -> None:
    """Refuse to write made-up candles where somebody's own are.

    Parameters
    ----------
    action : of freqtrade
    given : folders, as ``-d``

    Raises
    ------
    SandboxError
        If the action would write there.
    """
    for folder in given:
        place = Path(folder).resolve()
        writes = action in ("download-data", "trade") and place.parent.name == "data"
        if writes and is_users(place.parent.parent):
            raise SandboxError(
                f"sandbox run: freqtrade {action} would write made-up candles into {folder}, where "
                "real ones belong; leave -d out, and they go into a folder of the sandbox's own"
            )


def make_user_data(folder: Path) -> None:
    """Make a user directory of the sandbox's own, and write into it that it is."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / _MARK).is_file():
        (folder / _MARK).write_text(_SAYS)


def copy_strategies(source: Path | None, copies: Path | None) -> None:
    """Replace the copies of strategies, if there are any; what hyperopt wrote beside them stays."""
    if source is None or copies is None:
        return
    copies.mkdir(parents=True, exist_ok=True)
    for old in copies.glob("*.py"):
        old.unlink()
    for file in source.glob("*.py"):
        shutil.copy2(file, copies)

"""Find the identifiers of which there is something to report."""

import shlex
from pathlib import Path
from typing import NamedTuple

from dualwindow_freqtrade.freqai.names import STORED_PREDICTIONS
from dualwindow_freqtrade.reporting.run_file import BACKTEST_FILE, LIVE_FILE, RunError

USER_DATA = Path("user_data")
_SANDBOX = "sandbox/*"  # below it, as `dualwindow sandbox run` keeps things apart


class Kept(NamedTuple):
    """Something that can be reported on: a folder of an identifier, and what happened in it."""

    folder: Path
    is_live: bool
    when: float


def kept(user_data: Path | None) -> list[Kept]:
    """List backtests and bots, the newest first.

    Parameters
    ----------
    user_data : freqtrade's; without, that of this folder, and those of the sandbox in it
    """
    roots = [user_data] if user_data else [USER_DATA, *sorted(USER_DATA.glob(_SANDBOX))]
    found = []
    for folder in (f for root in roots for f in sorted((root / "models").glob("*")) if f.is_dir()):
        for name, is_live in ((BACKTEST_FILE, False), (LIVE_FILE, True)):
            path = folder / name
            # A bot goes on; what it has stored last counts.
            newest = folder / STORED_PREDICTIONS if is_live else path
            if path.is_file():
                seen = newest if newest.is_file() else path
                found.append(Kept(folder, is_live, seen.stat().st_mtime))
    return sorted(found, key=lambda each: -each.when)


def chosen(user_data: Path | None, identifier: str | None, *, is_live: bool | None) -> Kept:
    """Choose what to report on: the newest there is of what is asked for.

    Parameters
    ----------
    user_data : as for `kept`
    identifier : any if None
    is_live : a bot, a backtest, or whichever is newer if None

    Raises
    ------
    RunError
        If there is none; it lists those that there are.
    """
    there = kept(user_data)
    of_kind = [each for each in there if is_live is None or each.is_live == is_live]
    for each in of_kind:
        if identifier is None or each.folder.name == identifier:
            return each
    where = user_data or USER_DATA
    folders = sorted(p.name for p in (where / "models").glob("*") if p.is_dir())
    if identifier in folders:  # there is something, if not what is needed: that can be told
        return Kept(where / "models" / identifier, bool(is_live), 0.0)
    names = dict.fromkeys([*(each.folder.name for each in there), *folders])
    wanted = {True: "a bot", False: "a backtest", None: "a backtest or a bot"}[is_live]
    raise RunError(
        f"{where / 'models'} has nothing of {wanted}"
        f"{'' if identifier is None else f' under the identifier {identifier!r}'}; "
        f"there are: {', '.join(names) or 'none; run freqtrade backtesting first'}"
    )


def command_for(folder: Path, user_data: Path) -> str:
    """Spell the command that reports on an identifier, to be typed where this process was started.

    Examples
    --------
    >>> command_for(Path("user_data/sandbox/planted-1/models/demo"),
    ...     Path("user_data/sandbox/planted-1"))
    'dualwindow report --identifier demo --userdir user_data/sandbox/planted-1'
    """
    words = ["dualwindow", "report", "--identifier", folder.name]
    here, there = Path.cwd(), user_data.absolute()
    if there != here / USER_DATA:
        words += [
            "--userdir",
            str(there.relative_to(here) if there.is_relative_to(here) else there),
        ]
    return shlex.join(words)

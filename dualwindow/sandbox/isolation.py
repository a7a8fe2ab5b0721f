"""Keep what freqtrade does in the sandbox apart from the user's own candles and models."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_OFFLINE = ("backtesting", "hyperopt")
_MODEL_USERS = (*_OFFLINE, "trade")


class Isolated(NamedTuple):
    """A command, the variables it needs, and the folder whose candles it reads offline.

    `candles` is None where the command brings its own folder or fetches what it needs.
    """

    command: list[str]
    variables: dict[str, str]
    candles: Path | None


def isolated(command: Sequence[str], source: str, recorded: Path | None) -> Isolated:
    """Give a freqtrade command a data folder and a FreqAI identifier of the sandbox's own.

    Made-up candles must never get into the folder of the real ones, nor predictions for them
    under the identifier of real models. Options that the user has written stay as they are.

    Parameters
    ----------
    command : any command; one that is not freqtrade's is returned as it is
    source : names where the candles come from, for example ``planted-1``
    recorded : folder of recorded candles that are being replayed, if any

    Examples
    --------
    >>> run = isolated(["freqtrade", "backtesting", "--freqaimodel", "M"], "planted-1", None)
    >>> run.command[-2:]
    ['-d', 'user_data/data/sandbox-planted-1']
    >>> run.variables
    {'FREQTRADE__FREQAI__IDENTIFIER': 'sandbox-planted-1'}
    """
    words = list(command)
    if Path(words[0]).name != "freqtrade" or len(words) < 2:
        return Isolated(words, {}, None)
    action = words[1]
    variables = {}
    if action in _MODEL_USERS and "--freqaimodel" in words:
        # One identifier per set of configurations, as each may shape other predictions.
        configurations = [Path(c).stem for c in _values(words, ("-c", "--config"))]
        identifier = "-".join(["sandbox", source, *configurations])
        variables["FREQTRADE__FREQAI__IDENTIFIER"] = identifier
    if _values(words, ("-d", "--datadir", "--data-dir")):
        return Isolated(words, variables, None)
    user_data = _values(words, ("--userdir", "--user-data-dir")) or ["user_data"]
    folder = Path(user_data[-1], "data", f"sandbox-{source}")
    if action == "trade":
        # freqtrade fetches everything from the newest candle on disk until now: years of it.
        folder = folder.with_name(f"{folder.name}-live")
    elif recorded is not None and action in _OFFLINE:
        folder = recorded
    candles = folder if action in _OFFLINE and recorded is None else None
    return Isolated([*words, "-d", str(folder)], variables, candles)


def _values(words: Sequence[str], names: tuple[str, ...]) -> list[str]:
    """Read the values of an option, written as ``--name value`` or ``--name=value``."""
    after = [b for a, b in pairwise(words) if a in names]
    joined = [w.partition("=")[2] for w in words if w.partition("=")[0] in names and "=" in w]
    return after + joined

"""Keep what freqtrade does in the sandbox apart from the user's own candles, models and trades."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

_OFFLINE = ("backtesting", "hyperopt")
_WITH_STRATEGY = (
    *_OFFLINE,
    "trade",
    "lookahead-analysis",
    "recursive-analysis",
    "plot-dataframe",
    "plot-profit",
)


class Isolated(NamedTuple):
    """A command, and what it needs before it runs.

    Parameters
    ----------
    command : the words, with options of the sandbox's own
    user_data : folder to make, or None where the user has named one
    candles : folder to fill with candles if it is empty, or None
    strategies : folder to copy the strategies to, or None. Hyperopt writes what it finds beside
        the strategy, where every later run reads it: real runs must not find what made-up candles
        taught, later runs in the sandbox must
    variables : environment of the command
    """

    command: list[str]
    user_data: Path | None
    candles: Path | None
    strategies: Path | None
    variables: dict[str, str]


def isolated(
    command: Sequence[str],
    source: str,
    recorded: Path | None,
    *,
    has_strategies: bool,
    live: str = "live",
) -> Isolated | None:
    """Give a freqtrade command a user data folder of the sandbox's own.

    Made-up candles must never get into the folder of the real ones, nor models, predictions and
    trades on them among the real ones. Options that the user has written stay as they are.

    Parameters
    ----------
    command : words, one of which names freqtrade, as in ``timeout 60 freqtrade trade``
    source : names where the candles come from, for example ``planted-1``
    recorded : folder of recorded candles that are being replayed, if any
    has_strategies : whether the strategies come from the folder `strategies` here, which can be
        copied
    live : folder in the data folder for the candles of a bot that trades. A replay needs one of
        its own each time it starts: the next one shows the same candles at other dates

    Returns
    -------
    None if no word names freqtrade, so that nothing can be kept apart.

    Examples
    --------
    >>> run = isolated(["freqtrade", "backtesting"], "planted-1", None, has_strategies=False)
    >>> " ".join(run.command[2:6])
    '--userdir user_data/sandbox/planted-1 -c user_data/config.json'
    >>> str(run.candles)
    'user_data/sandbox/planted-1/data/binance'
    """
    words = list(command)
    programs = [i for i, word in enumerate(words) if Path(word).name == "freqtrade"]
    if not programs:
        return None
    action = next((w for w in words[programs[0] + 1 :] if not w.startswith("-")), "")
    given = _values(words, ("--userdir", "--user-data-dir"))
    user_data = Path(given[-1]) if given else Path("user_data", "sandbox", source)
    if not given and action:
        words += ["--userdir", str(user_data)]
        if not _values(words, ("-c", "--config")):
            words += ["-c", "user_data/config.json"]  # freqtrade looks for it in its userdir
    strategies = None
    apart = has_strategies and not given and not _values(words, ("--strategy-path",))
    if apart and action in _WITH_STRATEGY:
        strategies = user_data / "strategies"
        words += ["--strategy-path", str(strategies)]
    elif action == "hyperopt" and "--disable-param-export" not in words:
        words.append("--disable-param-export")
    folder = None
    if action and not _values(words, ("-d", "--datadir", "--data-dir")):
        folder = _data_folder(action, user_data / "data", recorded, live)
        words += ["-d", str(folder)]
    filled = folder if action in _OFFLINE and recorded is None else None
    trades = {"FREQTRADE__DB_URL": f"sqlite:///{user_data / 'trades.sqlite'}"}
    return Isolated(words, None if given else user_data, filled, strategies, trades)


def _data_folder(action: str, candles: Path, recorded: Path | None, live: str) -> Path:
    if action == "trade":
        # freqtrade fetches all from the newest candle on disk until now: years of it.
        return candles / live
    if action in _OFFLINE and recorded is not None:
        return recorded
    return candles / "binance"


def _values(words: Sequence[str], names: tuple[str, ...]) -> list[str]:
    """Read the values of an option, written as ``--name value`` or ``--name=value``."""
    after = [b for a, b in pairwise(words) if a in names]
    joined = [w.partition("=")[2] for w in words if w.partition("=")[0] in names and "=" in w]
    return after + joined

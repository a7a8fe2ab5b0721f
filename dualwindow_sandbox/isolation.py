"""Keep what freqtrade does in the sandbox apart from the user's own candles, models and trades."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from dualwindow_sandbox.user_folders import is_users, refuse_users_candles

_OFFLINE = ("backtesting", "hyperopt")
_WITH_STRATEGY = (
    *_OFFLINE,
    "trade",
    "lookahead-analysis",
    "recursive-analysis",
    "plot-dataframe",
    "plot-profit",
)


# Where freqtrade looks by itself, which is not where a command in the sandbox does.
_USER_DATA = Path("user_data")
_USERDIR = ("--userdir", "--user-data-dir")
_DATADIR = ("-d", "--datadir", "--data-dir")


class Own(NamedTuple):
    """Folders from which the user's strategies and FreqAI models are loaded, if any."""

    strategies: Path | None = None
    models: Path | None = None


class Isolated(NamedTuple):
    """A command, and what it needs before it runs.

    Parameters
    ----------
    command : the words, with options of the sandbox's own
    user_data : folder to make, which is the sandbox's own
    candles : folder to fill with candles if it is empty, or None
    strategies : folder to copy the strategies to, or None. Hyperopt writes what it finds beside
        the strategy, where every later run reads it: real runs must not find what made-up candles
        taught, later runs in the sandbox must
    settings : further keys of its configuration; None if it takes none, as ``freqtrade --version``
    """

    command: list[str]
    user_data: Path
    candles: Path | None
    strategies: Path | None
    settings: dict[str, str] | None


def own_folders(command: Sequence[str]) -> Own:
    """Find what a command loads by its names, as long as no configuration names other folders.

    Those of this checkout, or those of the user directory, into which ``dualwindow install`` puts
    them.
    """
    given = [Path(word) for word in command if word.endswith(".json")]
    texts = [path.read_text(errors="replace") for path in given if path.is_file()]
    userdir = _values(command, _USERDIR)
    user_data = Path(userdir[-1]) if userdir else None
    return Own(
        _own(texts, "strategy_path", Path("strategies"), user_data),
        _own(texts, "freqaimodel_path", Path("freqaimodels"), user_data),
    )


def _own(texts: Sequence[str], key: str, folder: Path, user_data: Path | None) -> Path | None:
    named = {name for text in texts for name in re.findall(rf'"{key}"\s*:\s*"([^"]*)"', text)}
    places = [folder, (user_data or _USER_DATA) / folder]
    if user_data is not None and not named:
        places.reverse()  # a directory that is given counts before what happens to lie here
    here = [place for place in places if place.is_dir()]
    return here[0] if here and named <= {str(folder)} else None


def isolated(
    command: Sequence[str],
    source: str,
    recorded: Path | None,
    *,
    own: Own,
    live: str = "live",
) -> Isolated | None:
    """Give a freqtrade command a user data folder of the sandbox's own.

    Made-up candles must never get into the folder of the real ones, nor models, predictions and
    trades on them among the real ones. Options that the user has written stay as they are, but for
    a ``--userdir`` of the user's own: what is written goes into its folder ``sandbox``.

    Parameters
    ----------
    command : words, one of which names freqtrade, as in ``timeout 60 freqtrade trade``
    source : names where the candles come from, for example ``planted-1``
    recorded : folder of recorded candles that are being replayed, if any
    own : where strategies are, which can be copied, and models, which are loaded from there
    live : folder in the data folder for the candles of a bot that trades. A replay needs one of
        its own each time it starts: the next one shows the same candles at other dates

    Returns
    -------
    None if no word names freqtrade, so that nothing can be kept apart.

    Raises
    ------
    SandboxError
        If it would write candles where the user's own are.

    Examples
    --------
    >>> run = isolated(["freqtrade", "backtesting"], "planted-1", None, own=Own())
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
    refuse_users_candles(action, _values(words, _DATADIR))
    given = Path(named[-1]) if (named := _values(words, _USERDIR)) else None
    is_sandboxs = given is not None and not is_users(given)
    user_data = _user_data(given, source)
    if action and not is_sandboxs:
        words = [*_without(words, _USERDIR), "--userdir", str(user_data)]
    if not _values(words, ("-c", "--config")) and action:
        words += _default_configuration(given)
    strategies = None
    loads = not is_sandboxs and action in _WITH_STRATEGY
    if loads and own.models is not None and not _values(words, ("--freqaimodel-path",)):
        words += ["--freqaimodel-path", str(own.models)]
    if loads and own.strategies is not None and not _values(words, ("--strategy-path",)):
        strategies = user_data / "strategies"
        words += ["--strategy-path", str(strategies)]
    elif action == "hyperopt" and "--disable-param-export" not in words:
        words.append("--disable-param-export")
    folder = None
    if action and not _values(words, _DATADIR):
        folder = _data_folder(action, user_data / "data", recorded, live)
        words += ["-d", str(folder)]
    filled = folder if action in _OFFLINE and recorded is None else None
    trades = {"db_url": f"sqlite:///{user_data / 'trades.sqlite'}"} if action else None
    return Isolated(words, user_data, filled, strategies, trades)


def _user_data(given: Path | None, source: str) -> Path:
    """Choose the user directory: below that of a user, or one that was made for the sandbox."""
    if given is not None and not is_users(given):
        return given
    return (given or _USER_DATA) / "sandbox" / source


def _default_configuration(given: Path | None) -> list[str]:
    """Name the file that freqtrade takes by itself, which it does not where one is named."""
    if given is None:
        return ["-c", "user_data/config.json"]  # freqtrade looks for it in its userdir
    found = [path for path in (given / "config.json", Path("config.json")) if path.is_file()]
    return ["-c", str(found[0])] if found else []


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


def _without(words: Sequence[str], names: tuple[str, ...]) -> list[str]:
    """Leave an option out, and its values."""
    pairs = pairwise(["", *words])
    return [w for before, w in pairs if not {before, w, w.partition("=")[0]} & {*names}]

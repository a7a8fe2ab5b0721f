"""Read how a bot is doing from the status that it writes for its user."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from dualwindow.judging.findings import LivePair
from dualwindow_freqtrade.live.status import STATUS_FILE

T = TypeVar("T")

# What it raises to look at something damaged, or of another version.
_ODD = (ValueError, KeyError, TypeError, AttributeError)


class StatusError(Exception):
    """The status of a bot cannot be read; it says which, and what helps."""


def read_status(path: Path, look: Callable[[Mapping[str, Any]], T]) -> T:
    """Look at what a bot has written of itself.

    Parameters
    ----------
    path : of the file
    look : is given its content

    Returns
    -------
    What `look` does.

    Raises
    ------
    StatusError
        If there is none, or it is damaged, or `look` does not find what it should have.
    """
    try:
        return look(json.loads(path.read_text()))
    except (OSError, *_ODD) as error:
        raise StatusError(
            f"{path} cannot be read, is damaged, or of another version ({type(error).__name__}: "
            f"{error}); a bot that runs writes it anew, and that of one that is gone can be removed"
        ) from error


def status_of(folder: Path, warnings: list[str]) -> tuple[LivePair, ...]:
    """Read how the bot is doing; nothing where it has not said so.

    Parameters
    ----------
    folder : of the identifier
    warnings : get a sentence for each pair, or for the file, that cannot be read
    """
    path = folder / STATUS_FILE
    if not path.exists():
        return ()
    try:
        pairs = read_status(path, lambda facts: facts["pairs"].items())
    except StatusError as error:
        warnings.append(str(error))
        return ()
    found = []
    for pair, facts in pairs:
        try:
            found.append(_pair_of(pair, facts))
        except _ODD as error:
            warnings.append(
                f"{pair}: its status in {path} is of another version, or damaged "
                f"({type(error).__name__}); it is left out"
            )
    return tuple(found)


def _pair_of(pair: str, facts: Mapping[str, Any]) -> LivePair:
    return LivePair(
        pair=pair,
        predictions=facts["predictions"],
        without=facts["candles_without_prediction"],
        trainings=facts["trainings"],
        failed_trainings=facts["failed_trainings"],
        seconds_after_candle=(facts["seconds_after_candle"] or {}).get("median"),
        kept_out={why: n for why, n in facts["counts"].items() if n},
        last_error=facts["last_error"],
    )

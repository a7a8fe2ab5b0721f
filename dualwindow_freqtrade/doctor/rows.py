"""What the doctor finds, line by line."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Row:
    """One thing that was looked at.

    Parameters
    ----------
    topic : a short name of it
    state : how bad it is
    found : what there is
    fix : what to do; empty where nothing is to be done
    """

    topic: str
    state: State
    found: str
    fix: str = ""


class NotThereError(Exception):
    """What a check needs cannot be had, for a reason that has a row of its own."""


_AS_IT_SAYS = "correct this in the configuration"


def passed(topic: str, found: str) -> Row:
    """Say that something is as it should be."""
    return Row(topic, State.PASS, found)


def of_error(topic: str, error: Exception | str, fix: str = _AS_IT_SAYS) -> Row:
    """Make a row of a refusal, which says behind its first semicolon what to do.

    Examples
    --------
    >>> of_error("keys", "freqai.conv_widht is unknown; did you mean 'conv_width'?").fix
    "did you mean 'conv_width'?"
    """
    found, semicolon, remedy = " ".join(str(error).split()).partition("; ")
    return Row(topic, State.FAIL, found, remedy if semicolon else fix)


def refused(
    topic: str, errors: type[Exception] | tuple[type[Exception], ...], check: Callable[[], object]
) -> Iterable[Row]:
    """Make a check of the bot a row if it refuses, and none if it does not."""
    try:
        check()
    except errors as error:
        yield of_error(topic, error)

"""Name the command that downloads what is missing."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from dualwindow_freqtrade.doctor.patient import Patient

_DAY = 86400


class Missing(NamedTuple):
    """Candles that are not on disk.

    Parameters
    ----------
    pair, timeframe : of them
    start, stop : seconds since 1970 UTC
    is_before : whether later ones are there, before which freqtrade downloads only if it is told
    """

    pair: str
    timeframe: str
    start: int
    stop: int
    is_before: bool


def commands(patient: Patient, missing: Sequence[Missing]) -> str:
    """Name one command for all, or two where some are to be put before what is there."""
    return " && ".join(_each(patient, missing))


def _each(patient: Patient, missing: Sequence[Missing]) -> Iterator[str]:
    for is_before in (True, False):
        part = [each for each in missing if each.is_before == is_before]
        if part:
            start, stop = min(each.start for each in part), max(each.stop for each in part)
            days = f"{_compact(start)}-{_compact(stop + _DAY - 1)}"
            words = ["--timerange", days, *(["--prepend"] if is_before else [])]
            pairs = dict.fromkeys(each.pair for each in part)
            timeframes = dict.fromkeys(each.timeframe for each in part)
            yield _download(patient, [*pairs], [*timeframes], words)


def again(patient: Patient, pair: str, timeframe: str) -> str:
    """Name the command that replaces a file."""
    return _download(patient, [pair], [timeframe], ["--erase"])


def _download(
    patient: Patient, pairs: Sequence[str], timeframes: Sequence[str], more: Sequence[str]
) -> str:
    words = ["freqtrade", "download-data", "-p", *pairs, "-t", *timeframes, *more]
    return shlex.join([*words, *_place(patient)])


def _place(patient: Patient) -> list[str]:
    """Give the options that say where candles lie, and of which market."""
    given = patient.arguments
    words = [word for path in given["config"] for word in ("-c", path)]
    if words == ["-c", "user_data/config.json"]:
        words = []  # freqtrade's own default
    for option, name in (("--userdir", "user_data_dir"), ("-d", "datadir")):
        if given.get(name):
            words += [option, str(given[name])]
    return words


def _compact(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d}"

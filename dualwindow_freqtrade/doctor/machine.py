"""See whether folders can be written to, and whether the clock is right."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dualwindow
from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import Row, State, passed
from dualwindow_freqtrade.live.status import STATUS_FILE

_AHEAD = 120  # seconds that a file may be newer than the clock, as on another machine's disk


def look_at_folders(patient: Patient) -> Iterator[Row]:
    """See whether what is written at every run can be written."""
    topic, config = "folders", patient.config
    places = {
        "models": patient.user_data / "models",
        "logs": patient.user_data / "logs",
        "results": patient.user_data / "backtest_results",
        "candles": Path(config["datadir"]),
    }
    rows = [row for name, path in places.items() if (row := _trouble(topic, name, path))]
    yield from rows or [passed(topic, f"{', '.join(places)} can be written to")]


def _trouble(topic: str, name: str, path: Path) -> Row | None:
    """Say what keeps a folder from being written to, or from being made."""
    there = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not there.is_dir():
        fix = f"move {there} away: a folder has to be there"
        return Row(topic, State.FAIL, f"{name}: {there} is a file", fix)
    if not os.access(there, os.W_OK | os.X_OK):
        told = f"{name}: {there} cannot be written to by this user"
        return Row(topic, State.FAIL, told, f"chown or chmod {there}, or run as its owner")
    return None


def look_at_clock(patient: Patient) -> Iterator[Row]:
    """See whether the clock agrees with what has happened already."""
    topic, now = "clock", patient.now
    happened = max(_moments(patient), key=lambda each: each[0])
    told = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M:%S} UTC"
    if happened[0] > now + _AHEAD:
        then = f"{datetime.fromtimestamp(happened[0], UTC):%Y-%m-%d %H:%M}"
        told += f", but {happened[1]} is of {then}"
        yield Row(topic, State.FAIL, told, "set the machine's clock, as with timedatectl set-ntp 1")
    else:
        yield passed(topic, f"{told}; exchanges refuse orders of a clock that is a second off")


def _moments(patient: Patient) -> Iterator[tuple[float, str]]:
    own = Path(dualwindow.__file__)
    yield own.stat().st_mtime, f"this program ({own.name})"
    try:
        status = patient.folder / STATUS_FILE
        if status.is_file():
            yield status.stat().st_mtime, str(status)
        files = Path(patient.config["datadir"]).rglob("*.feather")
        yield from ((path.stat().st_mtime, str(path)) for path in files)
    except Exception:  # without a configuration, the program itself has to do
        return

"""Hold the packages that are installed against the versions that are supported."""

from collections.abc import Iterator

from dualwindow_freqtrade.doctor.patient import Patient
from dualwindow_freqtrade.doctor.rows import Row, State, passed
from dualwindow_freqtrade.install.versions import Misfit, misfits, needed, version_of

_WHY = {"pandas": "under 3.1 the first retraining of a bot fails, and it trades the old model on"}
_TOLD = ("dualwindow", "freqtrade", "pandas", "numpy")


def look_at_packages(patient: Patient) -> Iterator[Row]:
    """Name all that are missing, or of another version."""
    rows = [row_of(misfit) for misfit in misfits(needed("dualwindow", ("freqtrade",)), version_of)]
    told = ", ".join(f"{name} {version_of(name)}" for name in _TOLD)
    yield from rows or [passed("packages", f"{told}: all of supported versions")]


def row_of(misfit: Misfit) -> Row:
    """Say what is wrong with a package, and why it matters where that is not plain."""
    why = _WHY.get(misfit.requirement.name)
    told = f"{misfit}{f' ({why})' if why else ''}"
    return Row("packages", State.FAIL, told, f"pip install '{misfit.requirement}'")

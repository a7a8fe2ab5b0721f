"""Compare the packages that are installed with what this one needs."""

import platform
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from dualwindow_freqtrade.install import InstallError

# Packages that do as well as the one that is asked for.
_AS_GOOD = {"tensorflow": ("tensorflow-cpu", "tensorflow-intel", "tensorflow-macos")}


class Misfit(NamedTuple):
    """A requirement, and what is installed instead; None where nothing is."""

    requirement: Requirement
    found: str | None

    def __str__(self) -> str:
        there = "is not installed" if self.found is None else f"{self.found} is installed"
        wanted = f"it must be {self.requirement.specifier}" if self.requirement.specifier else ""
        return f"{self.requirement.name} {there}" + (f"; {wanted}" if wanted else "")


def check_versions() -> None:
    """Refuse packages, and a Python, in which the model would not run.

    Raises
    ------
    InstallError
        It names all of them, and the line that mends it.
    """
    python, allowed = platform.python_version(), metadata("dualwindow")["Requires-Python"]
    if python not in SpecifierSet(allowed):
        raise InstallError(
            f"this is Python {python}; it must be {allowed}: make a virtual environment of such a "
            "one, and install freqtrade and dualwindow there"
        )
    found = misfits(needed("dualwindow", ("freqtrade",)), version_of)
    if found:
        words = " ".join(f"'{misfit.requirement}'" for misfit in found)
        named = "\n  ".join(map(str, found))
        raise InstallError(f"versions do not fit:\n  {named}\nthis mends it: pip install {words}")


def needed(name: str, extras: Iterable[str]) -> Iterator[Requirement]:
    """List what an installed package requires here, with what its extras bring.

    Extras of what it requires are followed one step: those that freqtrade is asked for.
    """
    for text in requires(name) or ():
        requirement = Requirement(text)
        if not any(_holds(requirement, extra) for extra in ("", *extras)):
            continue
        requirement.marker = None
        yield requirement
        if requirement.extras and version_of(requirement.name) is not None:
            yield from needed_by_extras(requirement)


def needed_by_extras(requirement: Requirement) -> Iterator[Requirement]:
    """List what the extras of a required package bring, and the package itself does not."""
    for text in requires(requirement.name) or ():
        further = Requirement(text)
        if not _holds(further, "") and any(_holds(further, e) for e in requirement.extras):
            further.marker = None
            yield further


def misfits(wanted: Iterable[Requirement], version_of: Callable[[str], str | None]) -> list[Misfit]:
    """Find what is missing, or has another version.

    Parameters
    ----------
    wanted : requirements; several of one package have to hold together
    version_of : tells which version of a package is installed, or None

    Examples
    --------
    >>> there = {"pandas": "3.1.2", "numpy": "2.4.0"}
    >>> wanted = map(Requirement, ["pandas<3.1,>=3.0", "numpy>=2.2", "datasieve"])
    >>> [str(misfit) for misfit in misfits(wanted, there.get)]
    ['pandas 3.1.2 is installed; it must be <3.1,>=3.0', 'datasieve is not installed']
    """
    together: dict[str, Requirement] = {}
    for requirement in wanted:
        known = together.setdefault(requirement.name, requirement)
        known.specifier &= requirement.specifier
        known.extras |= requirement.extras
    result = []
    for requirement in together.values():
        names = (requirement.name, *_AS_GOOD.get(requirement.name, ()))
        versions = [found for name in names if (found := version_of(name)) is not None]
        if not any(_fits(found, requirement.specifier) for found in versions):
            result.append(Misfit(requirement, versions[0] if versions else None))
    return result


def version_of(name: str) -> str | None:
    """Tell which version of a package is installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _holds(requirement: Requirement, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _fits(found: str, allowed: SpecifierSet) -> bool:
    try:
        return allowed.contains(Version(found), prereleases=True)
    except InvalidVersion:
        return False

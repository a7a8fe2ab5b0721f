"""Find what is built in beside the packages: configuration examples and freqtrade's adapters."""

from importlib.util import find_spec
from pathlib import Path

# setup.py builds it, of folders that lie elsewhere in a checkout.
PACKAGE = "dualwindow_shipped"


def shipped(folder: str) -> Path:
    """Return one of the folders ``config``, ``freqaimodels`` and ``strategies``.

    It is part of the installed package, and of the checkout where that was installed editable.

    Raises
    ------
    FileNotFoundError
        If the package was installed without it.

    Examples
    --------
    >>> sorted(path.stem for path in shipped("config").glob("presets/s*.json"))
    ['standard']
    """
    try:
        spec = find_spec(f"{PACKAGE}.{folder}")
    except ModuleNotFoundError:
        spec = None
    # An editable installation names a placeholder, too.
    places = (spec and spec.submodule_search_locations) or ()
    for place in map(Path, places):
        if place.is_dir():
            return place
    raise FileNotFoundError(
        f"{PACKAGE}.{folder} is not installed; install dualwindow again, as its README says"
    )

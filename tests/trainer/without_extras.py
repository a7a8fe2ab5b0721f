"""Run the program ``dualwindow`` as if only what the package itself requires were installed.

``--extra NAME`` before its words adds what one of its extras requires.
"""

import importlib.abc
import importlib.metadata as metadata
import sys
from collections.abc import Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def required(name: str, found: set[str], extras: Sequence[str]) -> set[str]:
    """Collect a package and all that it requires, without extras that nobody asks for."""
    pending = [(name, extra) for extra in ("", *extras)]
    seen = set()
    while pending:
        name, extra = place = pending.pop()
        if place in seen:
            continue
        seen.add(place)
        found.add(name)
        try:
            lines = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue
        for line in lines:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": extra}):
                other = canonicalize_name(wanted.name)
                pending += [(other, ""), *((other, each) for each in wanted.extras)]
    return found


class Missing(importlib.abc.MetaPathFinder):
    """Finds nothing of packages that are not required."""

    def __init__(self, extras: Sequence[str] = ()) -> None:
        allowed = required("dualwindow", set(), extras)
        self.hidden = {
            module
            for module, owners in metadata.packages_distributions().items()
            if not {canonicalize_name(owner) for owner in owners} & allowed
        }
        assert {"freqtrade", "aiohttp", "ccxt", "psutil"} <= self.hidden
        assert ("datasieve" in self.hidden) == ("export" not in extras)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return


if __name__ == "__main__":
    asked = []
    while sys.argv[1:2] == ["--extra"]:
        asked.append(sys.argv[2])
        del sys.argv[1:3]
    sys.meta_path.insert(0, Missing(asked))
    from dualwindow.cli import main

    sys.exit(main())

"""Name what shapes an agent's actions beside the classifier that it acts on."""

import ast
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import dualwindow_agent
from dualwindow.learning.fingerprint import flatten
from dualwindow_agent.freqai.configuration import BLOCK, AgentBlock
from dualwindow_freqtrade.freqai.fingerprint import Beside

_LIBRARIES = ("torch", "stable-baselines3", "sb3-contrib", "gymnasium")
_PACKAGE = Path(dualwindow_agent.__file__).parent
_ROOTS = tuple(
    f"freqai/{name}.py" for name in ("learning", "acting", "artifact", "backtest", "live")
)
# The values of the settings are compared themselves.
_NOT_SHAPING = {"settings.py", "freqai/configuration.py"}


def shaping_beside(block: AgentBlock) -> Beside:
    """Collect settings, code and libraries.

    Parameters
    ----------
    block : all that is configured
    """
    lengths = block.model_dump(include={"classifier_days", "window_days"})
    flat = flatten({**block.agent.model_dump(mode="json"), **lengths})
    settings = {f"{BLOCK}.{name}": value for name, value in flat.items()}
    return Beside(_texts(), settings, dict(_versions()))


@cache
def _texts() -> tuple[str, ...]:
    """Read the modules as they are when first asked for; what is loaded runs on after an edit."""
    return tuple(path.read_text() for path in shaping_files())


def shaping_files() -> list[Path]:
    """Find the modules of this package through which actions come about, by what they import.

    None of them is imported here, because some import PyTorch.
    """
    found: set[Path] = set()
    waiting = [_PACKAGE / root for root in _ROOTS]
    while waiting:
        path = waiting.pop()
        if path not in found and path.relative_to(_PACKAGE).as_posix() not in _NOT_SHAPING:
            found.add(path)
            waiting += _imported(path)
    return sorted(found)


def _imported(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            package, _, place = node.module.partition(".")
            file = (_PACKAGE / place.replace(".", "/")).with_suffix(".py")
            if package == _PACKAGE.name and file.is_file():
                yield file


def _versions() -> Iterator[tuple[str, str]]:
    for name in _LIBRARIES:
        try:
            yield name, version(name).partition("+")[0]  # not for which device it was built
        except PackageNotFoundError:
            continue

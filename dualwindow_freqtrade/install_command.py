"""The commands ``dualwindow install`` and ``uninstall``: into one's own freqtrade and out again."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from dualwindow.cli import Command, CommandError, Topics
from dualwindow_freqtrade.install import InstallError

# The handlers import what they need, so that --help does not wait for pydantic.


def _install(arguments: argparse.Namespace) -> None:
    from importlib.metadata import version

    from dualwindow_freqtrade.install.files import FOLDER, wanted
    from dualwindow_freqtrade.install.placing import place
    from dualwindow_freqtrade.install.versions import check_versions

    check_versions()
    user_data: Path = arguments.userdir
    placed = place(user_data, wanted(), version("dualwindow"))
    _list("new", user_data, placed.new)
    _list("renewed", user_data, placed.renewed)
    _list("yours since you changed it, and left alone", user_data, placed.changed)
    example = user_data / FOLDER / "example.json"
    print(f"Installed. To begin with: freqtrade backtesting --userdir {user_data} -c {example}")
    print(
        "Without candles, put 'dualwindow sandbox run --' before it: on a made-up market, which "
        f"stays in {user_data / 'sandbox'}"
    )


def _uninstall(arguments: argparse.Namespace) -> None:
    from dualwindow_freqtrade.install.placing import remove

    removed = remove(arguments.userdir)
    _list("deleted", arguments.userdir, removed.gone)
    _list("yours since you changed it, and stays", arguments.userdir, removed.changed)
    print("Uninstalled. The package itself goes with: pip uninstall dualwindow")


def _list(what: str, user_data: Path, names: Sequence[str]) -> None:
    for name in names:
        print(f"{user_data / name}: {what}")


def _explained(
    handler: Callable[[argparse.Namespace], None],
) -> Callable[[argparse.Namespace], int]:
    """Let the program say what could not be done."""

    def handle(arguments: argparse.Namespace) -> int:
        try:
            handler(arguments)
        except (InstallError, OSError) as error:
            raise CommandError(str(error)) from error
        return 0

    return handle


def _add_userdir(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--userdir", type=Path, required=True, metavar="DIR", help="freqtrade's, as in user_data"
    )


def _add_install(topics: Topics) -> None:
    command = topics.add_parser("install", help="put the model and the strategies into a freqtrade")
    _add_userdir(command)
    command.set_defaults(handler=_explained(_install))


def _add_uninstall(topics: Topics) -> None:
    command = topics.add_parser("uninstall", help="take away what 'install' has put there")
    _add_userdir(command)
    command.set_defaults(handler=_explained(_uninstall))


INSTALL = Command(_add_install)
UNINSTALL = Command(_add_uninstall)

"""The arguments that several commands share, and how they are read."""

import argparse
from pathlib import Path


def add_candles(
    command: argparse.ArgumentParser, timerange: str = "what is predicted; both sides are needed"
) -> None:
    """Add the arguments that say which candles."""
    command.add_argument("--pair", nargs="+", required=True, metavar="PAIR", help="BTC/USDT")
    command.add_argument("--datadir", type=Path, metavar="DIR", help="candles in freqtrade's files")
    command.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="instead: a .csv, .feather or .parquet file for each pair; train and predict also "
        "take training-ready files, or their folder",
    )
    command.add_argument("--timeframe", default="1m", help="of the candles (default 1m)")
    command.add_argument("--timerange", metavar="YYYYMMDD-YYYYMMDD", help=timerange)


def positive(text: str) -> int:
    """Read a whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 1. Received: {text}")
    return int(text)


def whole(text: str) -> int:
    """Read a whole number, 0 included."""
    if not text.isdecimal() or int(text) >= 2**31:
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 0. Received: {text}")
    return int(text)


def days(text: str) -> float:
    """Read a number of days above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of days above 0. Received: {text}")
    return number


def fee(text: str) -> float:
    """Read a share of the stake."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < 0.5:
        raise argparse.ArgumentTypeError(f"must be a share like 0.0005. Received: {text}")
    return number


def add_windows(command: argparse.ArgumentParser) -> None:
    """Add the arguments of a walk-forward."""
    command.add_argument("--window-days", type=days, metavar="N", help="predicted at a time (7)")
    command.add_argument("--workers", type=positive, metavar="N", help="default all cores")


def add_configuration(command: "argparse._ActionsContainer") -> None:
    """Add the arguments that say where settings come from."""
    command.add_argument(
        "-c",
        "--config",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="as freqtrade's, of which the block freqai is read; the later one wins",
    )
    command.add_argument("--preset", metavar="NAME", help="of config/presets")
    command.add_argument(
        "--set",
        action="extend",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="any setting of the block freqai: dual_window.labels.rule=first_touch",
    )


def add_settings(command: argparse.ArgumentParser) -> None:
    """Add the arguments that say how to train, whatever the kind."""
    add_configuration(command)
    command.add_argument("--seed", type=whole, metavar="N", help="same seed, same model")
    command.add_argument(
        "--fee",
        type=fee,
        metavar="RATE",
        help="of each side (default the configuration's fee, else 0.0005)",
    )


def add_report_of_walk(command: argparse.ArgumentParser) -> None:
    """Add what a report of walk-forwards asks for beside their folder."""
    of_walk = command.add_argument_group("with --walk-forward")
    of_walk.add_argument("--datadir", type=Path, metavar="DIR", help="candles in freqtrade's files")
    of_walk.add_argument(
        "--data", type=Path, nargs="+", metavar="FILE", help="instead: a file for each pair"
    )
    of_walk.add_argument(
        "--walk", metavar="NAME", help="of a comparison or a study; default the best one"
    )
    of_walk.add_argument(
        "--agents", type=Path, metavar="DIR", help="where dualwindow agent evaluate has written"
    )
    add_configuration(of_walk)
    of_walk.add_argument(
        "--fee",
        type=fee,
        metavar="RATE",
        help="of each side (default the configuration's fee, else 0.0005)",
    )
    unset = ("kind", "seed", "epochs", "batch_size", "learning_rate")
    command.set_defaults(**dict.fromkeys(unset))

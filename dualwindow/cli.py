"""The command line, ``dualwindow ...``: reads arguments, calls the core, prints the outcome."""

import argparse
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from dualwindow.sandbox import MarketKind, SandboxError

# The handlers import what they need, so that --help does not wait for pandas.
if TYPE_CHECKING:
    from dualwindow.sandbox.isolation import Isolated
    from dualwindow.sandbox.venues import Venues

_FAILURE = 2
_INTERRUPTED = 130  # as shells and freqtrade have it
_DEFAULT_SEED = 1
_STRATEGIES = Path("strategies")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, like every other error of this program."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("unrecognized arguments"):
            message += "; a command for 'sandbox run' goes after --"
        self.exit(_FAILURE, f"dualwindow: {message}; see '{self.prog} --help'\n")


def _whole_number(least: int, most: int | None = None) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if text.isdecimal() and least <= int(text) and (most is None or int(text) <= most):
            return int(text)
        limits = f"at least {least}" if most is None else f"from {least} to {most}"
        raise argparse.ArgumentTypeError(f"must be a whole number {limits}. Received: {text}")

    return parse


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a date like 2024-02-01. Received: {text}"
        ) from None


def _seed(arguments: argparse.Namespace) -> int:
    return _DEFAULT_SEED if arguments.seed is None else int(arguments.seed)


def _venues(arguments: argparse.Namespace) -> "Venues":
    if arguments.data is not None:
        if arguments.seed is not None or arguments.market is not None:
            raise SandboxError("--data: recorded candles have no --seed and no --market; drop them")
        from dualwindow.sandbox.recorded import recorded_venues

        return recorded_venues(arguments.data)
    from dualwindow.sandbox.market import SyntheticMarket
    from dualwindow.sandbox.venues import Venues

    market = SyntheticMarket(MarketKind(arguments.market or MarketKind.PLANTED), _seed(arguments))
    return Venues(market, market, market)


def _are_ours(command: Sequence[str]) -> bool:
    """Tell whether strategies are read from here: no configuration given names another folder."""
    given = [Path(word) for word in command if word.endswith(".json")]
    texts = [path.read_text(errors="replace") for path in given if path.is_file()]
    return _STRATEGIES.is_dir() and not any('"strategy_path"' in text for text in texts)


def _make_folders(apart: "Isolated") -> None:
    for folder in filter(None, (apart.user_data, apart.strategies)):
        folder.mkdir(parents=True, exist_ok=True)
    if apart.strategies is not None:
        for old in apart.strategies.glob("*.py"):
            old.unlink()
        for file in _STRATEGIES.glob("*.py"):
            shutil.copy2(file, apart.strategies)


def _sandbox_run(arguments: argparse.Namespace) -> int:
    if not arguments.command:
        raise SandboxError("sandbox run: no command; write it after --, as in 'run -- freqtrade'")
    from dualwindow.sandbox.isolation import isolated
    from dualwindow.sandbox.runner import run

    venues = _venues(arguments)
    market, seed = arguments.market or MarketKind.PLANTED, _seed(arguments)
    source = "recorded" if arguments.data is not None else f"{market}-{seed}"
    ours = _are_ours(arguments.command)
    apart = isolated(arguments.command, source, arguments.data, has_strategies=ours)
    if apart is None:
        if any("freqtrade" in word for word in arguments.command):
            print(
                "dualwindow: freqtrade is called from within another command, which cannot be "
                "changed; give it a --userdir of its own, or made-up candles mix with real ones",
                file=sys.stderr,
            )
        return run(arguments.command, venues, {})
    _make_folders(apart)
    if apart.candles is not None and not any(apart.candles.rglob("*.feather")):
        words = ["--out", str(apart.candles), "--days", "120"]
        status = main(["sandbox", "data", *words, "--seed", str(seed), "--market", market])
        if status:
            return status
    variables = {name: v for name, v in apart.variables.items() if name not in os.environ}
    return run(apart.command, venues, variables)


def _sandbox_serve(arguments: argparse.Namespace) -> int:
    from dualwindow.sandbox.exchange import loopback, serve
    from dualwindow.sandbox.runner import environment

    def announce(address: str) -> None:
        print(f"A Binance-like exchange listens on {address}; Ctrl-C stops it.")
        print("In another terminal, these variables point freqtrade at it:")
        for name, value in environment(address).items():
            print(f"export {name}={value}")
        print("Give it a --userdir of its own as well, or made-up candles mix with real ones.")
        sys.stdout.flush()

    serve(_venues(arguments), loopback(arguments.host), arguments.port, announce)
    return 0


def _sandbox_data(arguments: argparse.Namespace) -> int:
    from dualwindow.sandbox.candle_files import write_candles
    from dualwindow.sandbox.market import FIRST, SyntheticMarket
    from dualwindow.sandbox.ohlcv import DAY

    stop = round(arguments.end.timestamp() * 1000)
    most = (stop - FIRST) // DAY
    if arguments.days > most:
        first = datetime.fromtimestamp(FIRST / 1000, UTC).date()
        raise SandboxError(
            f"--days: {arguments.days} days before {arguments.end.date()} reach behind {first}, "
            f"where the synthetic market begins; ask for at most {max(most, 0)} or a later --end"
        )
    market = SyntheticMarket(MarketKind(arguments.market), arguments.seed)
    start = stop - arguments.days * DAY
    files = write_candles(arguments.out, market, arguments.pairs, start, stop)
    begin = (arguments.end - timedelta(days=arguments.days)).date()
    print(
        f"{len(files)} files in {arguments.out}: {', '.join(arguments.pairs)}, spot and futures, "
        f"{begin} to {arguments.end.date()} 00:00 UTC, {arguments.market}, seed {arguments.seed}"
    )
    return 0


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="replay freqtrade's feather files in DIR"
    )
    parser.add_argument(
        "--seed", type=_whole_number(0), help=f"of the synthetic market (default {_DEFAULT_SEED})"
    )
    parser.add_argument(
        "--market", choices=list(MarketKind), help="synthetic market (default planted)"
    )


def _add_data(commands: "argparse._SubParsersAction[_Parser]") -> None:
    data = commands.add_parser("data", help="write synthetic candles in freqtrade's layout")
    data.add_argument("--out", type=Path, required=True, metavar="DIR", help="for freqtrade -d DIR")
    data.add_argument("--days", type=_whole_number(1), required=True, help="how many days")
    data.add_argument("--seed", type=_whole_number(0), default=_DEFAULT_SEED, help="default 1")
    data.add_argument(
        "--market", choices=list(MarketKind), default=MarketKind.PLANTED, help="default planted"
    )
    data.add_argument(
        "--end",
        type=_day,
        default="2024-02-01",
        metavar="YYYY-MM-DD",
        help="the candles end where this day begins (default 2024-02-01)",
    )
    data.add_argument(
        "--pairs", nargs="+", default=["BTC/USDT", "ETH/USDT"], help="default BTC/USDT ETH/USDT"
    )
    data.set_defaults(handler=_sandbox_data)


def _parser() -> _Parser:
    parser = _Parser(prog="dualwindow", description="Tools around the DualWindowLSTM model.")
    topics = parser.add_subparsers(required=True, metavar="COMMAND")
    sandbox = topics.add_parser("sandbox", help="an exchange and candles without the internet")
    commands = sandbox.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        usage="dualwindow sandbox run [options] -- COMMAND ...",
        help="run a freqtrade command against the sandbox exchange",
    )
    _add_source(run)
    run.set_defaults(handler=_sandbox_run)
    serve = commands.add_parser("serve", help="only run the sandbox exchange")
    _add_source(serve)
    serve.add_argument("--port", type=_whole_number(0, 65535), required=True, help="0: any free")
    serve.add_argument("--host", default="127.0.0.1", help="a loopback address")
    serve.set_defaults(handler=_sandbox_serve)
    _add_data(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status; 2 means that it could not be done.

    Everything behind the first ``--`` belongs to the command of ``sandbox run``.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    own = words[: words.index("--")] if "--" in words else words
    arguments = _parser().parse_args(own)
    arguments.command = words[len(own) + 1 :]
    if arguments.command and arguments.handler is not _sandbox_run:
        print("dualwindow: only 'sandbox run' takes a command after --", file=sys.stderr)
        return _FAILURE
    try:
        return int(arguments.handler(arguments))
    except SandboxError as problem:
        print(f"dualwindow: {problem}", file=sys.stderr)
        return _FAILURE
    except KeyboardInterrupt:
        return _INTERRUPTED

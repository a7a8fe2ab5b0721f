"""The commands ``dualwindow sandbox ...``: an exchange and candles without the internet."""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import epoch_seconds
from dualwindow_sandbox import FaultKind, MarketKind, SandboxError

# The handlers import what they need, so that --help does not wait for pandas.
if TYPE_CHECKING:
    from dualwindow_sandbox.venues import Venues

_DEFAULT_SEED = 1
_PAIRS = ["BTC/USDT", "ETH/USDT"]
_END = datetime(2024, 2, 1, tzinfo=UTC)


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


def _moment(text: str) -> datetime:
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M"):
        with suppress(ValueError):
            return datetime.strptime(text, form).replace(tzinfo=UTC)
    raise argparse.ArgumentTypeError(
        f"must be a date like 2024-01-10, or 2024-01-10T12:00, in UTC. Received: {text}"
    )


def _seed(arguments: argparse.Namespace) -> int:
    return _DEFAULT_SEED if arguments.seed is None else int(arguments.seed)


def _venues(arguments: argparse.Namespace) -> "Venues":
    if arguments.data is not None:
        if arguments.seed is not None or arguments.market is not None:
            raise SandboxError("--data: recorded candles have no --seed and no --market; drop them")
        from dualwindow_sandbox.recorded import recorded_venues

        replays = arguments.replay is not None
        return _replayed(arguments) if replays else recorded_venues(arguments.data)
    if arguments.replay is not None:
        raise SandboxError("--replay: only recorded candles can be replayed; add --data DIR")
    from dualwindow_sandbox.market import SyntheticMarket
    from dualwindow_sandbox.venues import Venues

    market = SyntheticMarket(MarketKind(arguments.market or MarketKind.PLANTED), _seed(arguments))
    return Venues(market, market, market)


def _replayed(arguments: argparse.Namespace) -> "Venues":
    from dualwindow_sandbox.exchange import wall_clock
    from dualwindow_sandbox.ohlcv import HOUR
    from dualwindow_sandbox.replay import minute_text, replayed_venues, shift_between

    now = wall_clock()
    shift = shift_between(round(arguments.replay.timestamp() * 1000), now)
    venues = replayed_venues(arguments.data, shift, now)
    print(
        f"dualwindow: {minute_text(now - shift)} UTC is replayed as now; recorded candles are "
        f"dated {shift // HOUR} hours later",
        file=sys.stderr,
    )
    return venues


def _source(arguments: argparse.Namespace) -> str:
    """Name where the candles come from; each start of a replay is a source of its own."""
    if arguments.replay is not None:
        started = datetime.fromtimestamp(epoch_seconds(), UTC)
        return f"replay-{arguments.replay:%Y-%m-%d}-at-{started:%Y%m%d-%H%M%S}"
    market = arguments.market or MarketKind.PLANTED
    return "recorded" if arguments.data is not None else f"{market}-{_seed(arguments)}"


def _sandbox_run(arguments: argparse.Namespace) -> int:
    if not arguments.rest:
        raise SandboxError("sandbox run: no command; write it after --, as in 'run -- freqtrade'")
    if Path(arguments.rest[0]).name == "dualwindow":  # would read the user's own folders
        raise SandboxError(
            "sandbox run: commands of dualwindow need no exchange; write it without 'sandbox run "
            "--', with the options that name the sandbox's folders (docs/live.md)"
        )
    from dualwindow_sandbox.isolation import isolated, own_folders
    from dualwindow_sandbox.runner import run
    from dualwindow_sandbox.user_folders import copy_strategies, make_user_data

    venues, source = _venues(arguments), _source(arguments)
    own = own_folders(arguments.rest)
    live = "live" if arguments.replay is None else source
    apart = isolated(arguments.rest, source, arguments.data, own=own, live=live)
    calls_freqtrade = any("freqtrade" in word for word in arguments.rest)

    def announce(address: str) -> None:
        if calls_freqtrade:  # what any other command says stays its own
            print(f"dualwindow: the sandbox listens on {address}", file=sys.stderr)

    if apart is None:
        if calls_freqtrade:
            print(
                "dualwindow: freqtrade is called from within another command, which cannot be "
                "changed; give it a --userdir of its own, or made-up candles mix with real ones",
                file=sys.stderr,
            )
        return run(arguments.rest, venues, None, arguments.port, announce)
    make_user_data(apart.user_data)
    copy_strategies(own.strategies, apart.strategies)
    if apart.candles is not None and not any(apart.candles.rglob("*.feather")):
        kind = MarketKind(arguments.market or MarketKind.PLANTED)
        _write_data(apart.candles, 120, kind, _seed(arguments))
    return run(apart.command, venues, apart.settings, arguments.port, announce)


def _sandbox_serve(arguments: argparse.Namespace) -> int:
    from dualwindow_sandbox.exchange import loopback, serve
    from dualwindow_sandbox.pointing import environment

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
    kind, end = MarketKind(arguments.market), arguments.end
    _write_data(arguments.out, arguments.days, kind, arguments.seed, arguments.pairs, end)
    return 0


def _write_data(
    folder: Path,
    days: int,
    kind: MarketKind,
    seed: int,
    pairs: Sequence[str] = _PAIRS,
    end: datetime = _END,
) -> None:
    from dualwindow.reports.progress import steps
    from dualwindow_sandbox.candle_files import write_candles
    from dualwindow_sandbox.market import FIRST, SyntheticMarket
    from dualwindow_sandbox.ohlcv import DAY

    stop = round(end.timestamp() * 1000)
    most = (stop - FIRST) // DAY
    if days > most:
        first = datetime.fromtimestamp(FIRST / 1000, UTC).date()
        raise SandboxError(
            f"--days: {days} days before {end.date()} reach behind {first}, where the synthetic "
            f"market begins; ask for at most {max(most, 0)} or a later --end"
        )
    with steps("pairs", len(pairs)) as done:
        market, start = SyntheticMarket(kind, seed), stop - days * DAY
        files = write_candles(
            folder, market, pairs, start, stop, lambda pair: done.start(f"candles of {pair}")
        )
    print(
        f"{len(files)} files in {folder}: {', '.join(pairs)}, spot and futures, "
        f"{(end - timedelta(days=days)).date()} to {end.date()} 00:00 UTC, {kind}, seed {seed}"
    )


def _sandbox_fault(arguments: argparse.Namespace) -> int:
    from dualwindow_sandbox.fault_request import request_fault

    wanted = {
        "kind": arguments.kind,
        "seconds": arguments.seconds,
        "count": arguments.count,
        "path": arguments.path,
        "offset_seconds": arguments.offset,
    }
    request_fault(arguments.url, {name: v for name, v in wanted.items() if v is not None})
    print(f"{arguments.kind}: GET {arguments.url}/sandbox/faults shows its hits, DELETE ends it")
    return 0


def _explained(handler: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Let the program say what the sandbox cannot do."""

    def handle(arguments: argparse.Namespace) -> int:
        try:
            return handler(arguments)
        except SandboxError as error:
            raise CommandError(str(error)) from error

    return handle


def _add_source(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="serve freqtrade's feather files in DIR"
    )
    parser.add_argument(
        "--replay",
        type=_moment,
        metavar="YYYY-MM-DD[THH:MM]",
        help="show this moment of --data (UTC, or up to an hour later) as now, and go on from it",
    )
    parser.add_argument(
        "--seed", type=_whole_number(0), help=f"of the synthetic market (default {_DEFAULT_SEED})"
    )
    parser.add_argument(
        "--market", choices=list(MarketKind), help="synthetic market (default planted)"
    )


def _add_data(commands: Topics) -> None:
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
        default=_END,
        metavar="YYYY-MM-DD",
        help=f"the candles end where this day begins (default {_END:%Y-%m-%d})",
    )
    data.add_argument("--pairs", nargs="+", default=_PAIRS, help=f"default {' '.join(_PAIRS)}")
    data.set_defaults(handler=_explained(_sandbox_data))


def _add_fault(commands: Topics) -> None:
    fault = commands.add_parser("fault", help="let a running sandbox exchange do something wrong")
    fault.add_argument(
        "kind",
        choices=[kind.value for kind in FaultKind],
        metavar="KIND",
        help=", ".join(FaultKind),
    )
    fault.add_argument("--url", required=True, help="what the sandbox printed when it started")
    duration = fault.add_mutually_exclusive_group()
    duration.add_argument("--seconds", type=_whole_number(1), help="default: until it is ended")
    duration.add_argument("--count", type=_whole_number(1), help="number of requests to hit")
    fault.add_argument("--path", help="hit only requests whose path and query contain this")
    fault.add_argument("--offset", type=float, metavar="SECONDS", help="clock: how far it is ahead")
    fault.set_defaults(handler=_explained(_sandbox_fault))


def _add_sandbox(topics: Topics) -> None:
    sandbox = topics.add_parser("sandbox", help="an exchange and candles without the internet")
    commands = sandbox.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        usage="dualwindow sandbox run [options] -- COMMAND ...",
        help="run a freqtrade command against the sandbox exchange",
    )
    _add_source(run)
    run.add_argument("--port", type=_whole_number(0, 65535), default=0, help="default any free")
    run.set_defaults(handler=_explained(_sandbox_run), takes_rest=True)
    serve = commands.add_parser("serve", help="only run the sandbox exchange")
    _add_source(serve)
    serve.add_argument("--port", type=_whole_number(0, 65535), required=True, help="0: any free")
    serve.add_argument("--host", default="127.0.0.1", help="a loopback address")
    serve.set_defaults(handler=_explained(_sandbox_serve))
    _add_data(commands)
    _add_fault(commands)


SANDBOX = Command(_add_sandbox, takes_rest=("sandbox run",))

"""The command ``dualwindow walk-forward``: train before each window and predict it, in parallel."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import cores
from dualwindow_trainer.arguments import positive

if TYPE_CHECKING:
    from dualwindow.learning.folds import Schedule
    from dualwindow.learning.parallel import Workers
    from dualwindow.learning.record import TrainingRecord
    from dualwindow.learning.walk_forward import Step
    from dualwindow.reports.progress import Steps
    from dualwindow.samples.pair_data import PairData
    from dualwindow_freqtrade.freqai.configuration import Configuration

# The handlers import what they need, so that --help does not wait for freqtrade.
_MINE = ("datadir", "pairs", "timerange", "config", "out")  # not with --for-backtest


def _walk_forward(arguments: argparse.Namespace) -> int:
    from dualwindow.learning.clusters import ClusterError
    from dualwindow.learning.parallel import TaskError, WorkersDied
    from dualwindow_freqtrade.freqai.threads import quiet_tensorflow

    quiet_tensorflow()
    run = _for_backtest if arguments.for_backtest else _to_folder
    try:
        return run(arguments)
    except TaskError as error:
        from dualwindow_freqtrade.freqai.configuration import translated

        cause = error.__cause__ or error
        raise CommandError(f"walk-forward: {translated(str(cause))}") from error
    except (WorkersDied, ClusterError, ModuleNotFoundError) as error:
        if isinstance(error, ModuleNotFoundError) and error.name:
            raise  # for the program to say; those without a name say themselves what is to be done
        raise CommandError(f"walk-forward: {error}") from error


def _to_folder(arguments: argparse.Namespace) -> int:
    from dualwindow.learning.fold_store import Store, WalkForwardError
    from dualwindow.learning.folds import FoldError
    from dualwindow.learning.walk_forward import run, tasks
    from dualwindow.reports.progress import steps
    from dualwindow_freqtrade.freqai.configuration import translated
    from dualwindow_trainer.walk import keep_datadir, summarise

    if arguments.out is None:
        raise CommandError("walk-forward: --out DIR is missing, for the predictions and records")
    if arguments.rest:
        raise CommandError("walk-forward: only --for-backtest takes freqtrade's options, after --")
    workers = _workers(arguments)
    freqtrade, configuration = _configured(arguments.config)
    schedule = _schedule(arguments, freqtrade)
    pairs = _read_pairs(arguments, freqtrade)
    threads = configuration.threads or 1
    store = Store(arguments.out)
    try:
        wanted, remarks = tasks(pairs, schedule, configuration.settings, threads)
        store.begin(configuration.settings, schedule)
        for remark in remarks:
            print(f"note: {remark}")
        with steps("windows", sum(len(task.members) for task in wanted)) as done:
            walk = run(wanted, store, workers, lambda step: _tell(step, done))
        keep_datadir(arguments.out, arguments)
        summarise(walk, arguments.out)
    except (FoldError, WalkForwardError) as error:
        raise CommandError(f"walk-forward: {translated(str(error))}") from error
    except KeyboardInterrupt:
        kept = f"finished folds are kept in {arguments.out}, the same command goes on"
        print(f"dualwindow: stopped; {kept}", file=sys.stderr)
        raise
    return 0


def _for_backtest(arguments: argparse.Namespace) -> int:
    from freqtrade.exceptions import FreqtradeException

    from dualwindow.reports.progress import steps
    from dualwindow_freqtrade.backtest.training import train_backtest

    given = [f"--{name}" for name in _MINE if getattr(arguments, name) is not None]
    if given:
        raise CommandError(
            f"walk-forward: {', '.join(given)} cannot be used with --for-backtest; freqtrade's own "
            "options go after --"
        )
    try:
        with steps("windows") as done:
            n, folder = train_backtest(
                arguments.rest,
                _workers(arguments),
                lambda start, record, n_left: done.advance(1, _line(start, record), n_left),
            )
    except FreqtradeException as error:
        raise CommandError(f"walk-forward: {_one_line(error)}") from error
    words = " ".join(["freqtrade backtesting", *arguments.rest])
    print(f"{n} windows are in {folder}; now, with the same options and variables: {words}")
    print("(in the sandbox, 'dualwindow sandbox run --' goes before it)")
    return 0


def _configured(paths: Sequence[Path] | None) -> tuple[dict[str, Any], "Configuration"]:
    from freqtrade.configuration.environment_vars import environment_vars_to_dict
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.exceptions import FreqtradeException
    from freqtrade.misc import deep_merge_dicts

    from dualwindow_freqtrade.freqai.configuration import (
        ConfigurationError,
        freqais_own,
        read_configuration,
    )
    from dualwindow_freqtrade.freqai.placement import misplaced_blocks
    from dualwindow_freqtrade.freqai.sources import others_beside

    try:
        loaded = load_from_files([str(path) for path in paths or [_default_configuration()]])
        loaded = deep_merge_dicts(environment_vars_to_dict(), loaded)
        freqai = loaded.get("freqai", {})
        configuration = read_configuration(freqai, misplaced_blocks(loaded))
    except (FreqtradeException, ConfigurationError) as error:
        missing = "".join(f"; {others_beside(path)}" for path in paths or [] if not path.is_file())
        raise CommandError(f"walk-forward: --config: {_one_line(error)}{missing}") from error
    if unused := freqais_own(freqai):
        raise CommandError(
            f"walk-forward: {', '.join(unused)} would be ignored, because FreqAI does them: switch "
            "them off, or use --for-backtest"
        )
    return loaded, configuration


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _default_configuration() -> Path:
    return Path("user_data", "config.json")


def _schedule(arguments: argparse.Namespace, freqtrade: dict[str, Any]) -> "Schedule":
    from freqtrade.configuration import TimeRange
    from freqtrade.exceptions import FreqtradeException

    from dualwindow.learning.folds import Schedule

    words = arguments.timerange or freqtrade.get("timerange")
    if not words:
        raise CommandError(
            "walk-forward: --timerange YYYYMMDD-YYYYMMDD is missing: what to predict"
        )
    try:
        span = TimeRange.parse_timerange(words)
    except (FreqtradeException, ValueError) as error:
        raise CommandError(f"walk-forward: --timerange: {error}") from error
    if not (span.startts and span.stopts):
        raise CommandError(
            f"walk-forward: --timerange must have a beginning and an end. Received: {words}"
        )
    freqai = freqtrade.get("freqai", {})
    days = [freqai.get(key) for key in ("train_period_days", "backtest_period_days")]
    if not all(type(length) in (int, float) for length in days):
        raise CommandError(
            "walk-forward: freqai.train_period_days and freqai.backtest_period_days must be set, "
            f"and be numbers. Received: {days[0]!r} and {days[1]!r}"
        )
    return Schedule(span.startts, span.stopts, *days)


def _read_pairs(arguments: argparse.Namespace, freqtrade: dict[str, Any]) -> list["PairData"]:
    from dualwindow.market.candle_files import CandleFileError
    from dualwindow.samples.pair_data import PairData

    exchange = freqtrade.get("exchange", {})
    pairs = arguments.pairs or exchange.get("pair_whitelist", [])
    folder = arguments.datadir or Path("user_data", "data", exchange.get("name", ""))
    if not pairs:
        raise CommandError("walk-forward: no pairs; name them with --pairs")
    try:
        return [PairData.read(folder, pair, freqtrade.get("timeframe", "1m")) for pair in pairs]
    except (CandleFileError, ValueError) as error:
        raise CommandError(f"walk-forward: {error}") from error


def _workers(arguments: argparse.Namespace) -> "Workers":
    from pydantic import ValidationError

    from dualwindow.learning.parallel import Workers

    n = arguments.workers if arguments.workers is not None else cores()
    try:
        return Workers(n=n, backend=arguments.backend, address=arguments.address)
    except ValidationError as error:
        problems = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
        raise CommandError(f"walk-forward: --workers, --backend, --address: {problems}") from error


def _tell(step: "Step", done: "Steps") -> None:
    if step.is_new:
        done.advance(1, _line(step.fold.start, step.record), step.n_left)
    else:
        name = _name(step.fold.start, step.record)
        done.find(f"{name}: there from an earlier run", step.n_left)


def _name(start: int, record: "TrainingRecord") -> str:
    from datetime import UTC, datetime

    return f"{record.pair} from {datetime.fromtimestamp(start, UTC):%Y-%m-%d}"


def _line(start: int, record: "TrainingRecord") -> str:
    scores = record.validation
    return (
        f"{_name(start, record)}: trained on "
        f"{record.training_windows} in {record.seconds:.1f} s; validation log loss "
        f"{scores.log_loss:.3f} (class frequencies {scores.log_loss_of_frequencies:.3f})"
    )


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "walk-forward",
        usage="dualwindow walk-forward --out DIR [options]\n"
        "       dualwindow walk-forward --for-backtest [options] [-- OPTIONS OF freqtrade "
        "backtesting]",
        help="train before each window and predict it, on all cores",
        description="Train on the days before each window, predict it, go on: on all cores, and a "
        "run that was ended goes on where it was.",
    )
    command.add_argument(
        "--for-backtest",
        action="store_true",
        help="train the windows of a FreqAI backtest, which then finds them and only trades",
    )
    command.add_argument("--datadir", type=Path, metavar="DIR", help="candles in freqtrade's files")
    command.add_argument("--pairs", nargs="+", metavar="PAIR", help="default the whitelist")
    command.add_argument("--timerange", metavar="YYYYMMDD-YYYYMMDD", help="what is predicted")
    command.add_argument(
        "-c",
        "--config",
        type=Path,
        action="append",
        metavar="FILE",
        help="as freqtrade's; the later one wins (default user_data/config.json)",
    )
    command.add_argument("--out", type=Path, metavar="DIR", help="folder of predictions, records")
    command.add_argument(
        "--workers", type=positive, metavar="N", help="trainings at a time (default all cores)"
    )
    command.add_argument(
        "--backend",
        choices=["loky", "dask", "ray"],
        default="loky",
        help="processes of this machine (default), or a cluster",
    )
    command.add_argument("--address", metavar="ADDRESS", help="of the cluster's scheduler")
    command.set_defaults(handler=_walk_forward, takes_rest=True)


WALK_FORWARD = Command(_add, takes_rest=("walk-forward",))

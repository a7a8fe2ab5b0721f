"""The command ``dualwindow plan``: what barriers and horizons make of candles."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dualwindow.cli import Command, CommandError, Topics
from dualwindow.outside import cores, epoch_seconds
from dualwindow_trainer.arguments import (
    add_candles,
    add_settings,
    add_windows,
    days,
    positive,
    whole,
)

if TYPE_CHECKING:
    from dualwindow.judging.planned import Plan
    from dualwindow.judging.survey import Point
    from dualwindow.market.candles import Candles
    from dualwindow.reports.progress import Steps
    from dualwindow.settings import Settings

T = TypeVar("T")

# The handlers import what they need, so that --help does not wait for scipy.
_OF_NETWORKS = ("epochs", "batch_size", "learning_rate", "kind")
# Of what is configured, where nothing is asked for: 48 combinations.
_OF_TAKE_PROFIT = (0.5, 1.0, 1.5, 2.0)
_OF_STOP = (0.5, 1.0, 1.5, 2.0)
_OF_HORIZON = (0.5, 1.0, 2.0)
_MOST_POINTS = 1000
# Measured on one core, roughly; a process takes two seconds to start.
_SECONDS_PER_LABEL, _SECONDS_PER_QUESTION, _SMALL = 4e-8, 0.015, 6.0
_LONGEST = 7 * 1440  # candles of a horizon: more is no window for minutes, but a slip


def _plan(arguments: argparse.Namespace) -> int:
    from dualwindow.judging.plan import Asked, PlanError, plan
    from dualwindow.learning.parallel import Workers, WorkersDied
    from dualwindow.reports.progress import steps
    from dualwindow_trainer.request import block_of, configuration_of, fee_of
    from dualwindow_trainer.takes import takes
    from dualwindow_trainer.walk import days_of

    block = block_of(arguments)
    _refuse_labels_without_barriers(block)
    settings = configuration_of(arguments).settings
    configured, points = points_of(arguments, settings)
    train_days = arguments.train_days or days_of(block)
    candles = _candles(arguments)
    asked = Asked(
        settings,
        points,
        configured,
        2 * fee_of(arguments),
        train_days,
        arguments.window_days or 7.0,
        arguments.windows,
        Workers(n=arguments.workers or _processes(candles, points, arguments.windows)),
    )
    step = next(iter(candles.values())).step
    would_take = takes(settings, train_days, step, len(candles), arguments.models)
    try:
        with steps("parts") as done:
            done.say(_announced(candles, points))
            report = partial(_advance, done)
            found = plan(candles, asked, epoch_seconds(), would_take, report)
    except (PlanError, WorkersDied) as error:
        raise CommandError(f"plan: {error}") from error
    _tell(found, arguments.out)
    if not arguments.config and arguments.preset is None:
        print(
            "note: no configuration was named, so what is called configured are the package's "
            "defaults and --set; yours: -c user_data/config.json"
        )
    return 0


def _processes(candles: Mapping[str, "Candles"], points: Sequence["Point"], windows: int) -> int:
    """Choose how many processes: those of a small plan would take longer to start."""
    labels = len(points) * sum(map(len, candles.values()))
    asked = len(points) * windows * len(candles)
    is_small = labels * _SECONDS_PER_LABEL + asked * _SECONDS_PER_QUESTION < _SMALL
    return 1 if is_small else cores()


def _announced(candles: Mapping[str, "Candles"], points: Sequence["Point"]) -> str:
    n = sum(map(len, candles.values()))
    return f"{', '.join(candles)}: {n:,} candles in {len(points)} ways"


def _advance(done: "Steps", n_left: int) -> None:
    done.advance(left=n_left)


def _refuse_labels_without_barriers(freqai: Mapping[str, Any]) -> None:
    """Say what to do instead, before the configuration is refused for other reasons."""
    labels = freqai.get("dual_window", {}).get("labels", {})
    if isinstance(labels, Mapping) and labels.get("rule") == "smoothed":
        raise CommandError(
            "plan: labels of the rule 'smoothed' have no take-profit to plan with; their one "
            "number, dual_window.labels.delta, is found by each training. To plan barriers, add "
            "--set dual_window.labels.rule=exclusive (or first_touch); to try deltas, use "
            "'dualwindow study'"
        )


def points_of(arguments: argparse.Namespace, settings: "Settings") -> tuple["Point", list["Point"]]:
    """Cross take-profits, stops and horizons; what is configured is always among them.

    Returns
    -------
    What is configured, and all.

    Raises
    ------
    CommandError
        If a number cannot be meant, or they are too many.
    """
    from dualwindow.judging.survey import Point
    from dualwindow.market.labels import Barriers, Labelling

    barriers = Labelling.of(settings).barriers
    configured = Point(barriers, settings.horizon)
    of_takes = barriers.long_take_profit, barriers.short_take_profit
    of_stops = barriers.long_stop_loss, barriers.short_stop_loss
    takes = _both(arguments.take_profit) or _times(_OF_TAKE_PROFIT, of_takes)
    stops = _both(arguments.stop_loss) or _times(_OF_STOP, of_stops)
    horizons = arguments.horizon or [max(1, round(k * settings.horizon)) for k in _OF_HORIZON]
    for name in ("take_profit", "stop_loss", "horizon"):
        _refuse_twice(name.replace("_", "-"), getattr(arguments, name) or [])
    grid = [
        Point(Barriers(long_take, long_stop, short_take, short_stop), h)
        for h, (long_take, short_take), (long_stop, short_stop) in product(horizons, takes, stops)
    ]
    points = list(dict.fromkeys([*grid, configured]))
    if len(points) > _MOST_POINTS:
        raise CommandError(
            f"plan: {len(points):,} combinations are too many to be read; take at most "
            f"{_MOST_POINTS:,}: fewer values of --take-profit, --stop-loss or --horizon"
        )
    return configured, points


def _both(distances: Iterable[float] | None) -> list[tuple[float, float]]:
    """Take distances for both directions alike."""
    return [(each, each) for each in distances or ()]


def _times(factors: Iterable[float], of: tuple[float, float]) -> list[tuple[float, float]]:
    """Multiply the distances of LONG and SHORT, as decimals that a person would write."""
    return [
        (float(f"{factor * of[0]:.6g}"), float(f"{factor * of[1]:.6g}"))
        for factor in factors
        if factor * max(of) < 1
    ]


def _refuse_twice(flag: str, values: Sequence[T]) -> None:
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise CommandError(f"--{flag}: named more than once: {', '.join(twice)}")


def _candles(arguments: argparse.Namespace) -> dict[str, "Candles"]:
    import numpy as np

    from dualwindow_trainer.pairs import candles_of
    from dualwindow_trainer.request import timerange_of

    span = timerange_of(arguments.timerange)
    found = {}
    for pair, candles in candles_of(arguments):
        first, last = np.searchsorted(candles.date, span)
        found[pair] = candles[int(first) : int(last)]
        if first == last:
            there = np.array([candles.date[0], candles.date[-1]]).astype("datetime64[s]").tolist()
            raise CommandError(
                f"plan: {pair}: there are no candles in --timerange {arguments.timerange}; there "
                f"are from {there[0]:%Y-%m-%d} to {there[1]:%Y-%m-%d}"
            )
    return found


def _tell(found: "Plan", out: Path | None) -> None:
    from rich.console import Console

    from dualwindow.reports.plan_table import heat_map, plan_table, plan_words

    console = Console(width=100)
    console.print(plan_table(found))
    if found.windows:
        console.print(heat_map(found))
    for line in plan_words(found):
        print(line)
    if out is not None:
        _write(found, out)


def _write(found: "Plan", out: Path) -> None:
    from dualwindow_trainer.output import write_out

    write_out(out / "plan.json", found.to_json().encode(), "plan")
    print(f"the numbers are in {out / 'plan.json'}")
    try:
        from dualwindow.reports.plan_page import plan_page

        text = plan_page(found)
    except ModuleNotFoundError as error:  # plotly and Jinja2 come with freqtrade
        if error.name is None or error.name.startswith("dualwindow"):
            raise
        print(f"note: plan.html needs the package '{error.name}', which is not installed")
        return
    write_out(out / "plan.html", text.encode(), "plan")
    print(f"the page is {out / 'plan.html'}")


def distance(text: str) -> float:
    """Read a distance from the close, a fraction of it."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(
            f"must be a fraction of the close above 0 and below 1, 0.01 for 1 %. Received: {text}"
        )
    return number


def horizon(text: str) -> int:
    """Read a number of candles."""
    number = positive(text)
    if number > _LONGEST:
        raise argparse.ArgumentTypeError(f"must be candles, at most {_LONGEST:,}. Received: {text}")
    return number


def _add(topics: Topics) -> None:
    command = topics.add_parser(
        "plan",
        help="say before any training what barriers and horizons would make of candles",
        description="Label candles by every combination of take-profit, stop and horizon, and say "
        "what is to be expected of a training on each: shares of the classes, hit rates that pay, "
        "how long moves take and how many of them are independent, what three numbers foresee.",
    )
    add_candles(command, "default all candles")
    add_settings(command)
    per_cent = (
        "fractions of the close, for both directions (default 0.5 to 2 times what is configured, "
        "for each direction its own)"
    )
    command.add_argument("--take-profit", type=distance, nargs="+", metavar="SHARE", help=per_cent)
    command.add_argument("--stop-loss", type=distance, nargs="+", metavar="SHARE", help="likewise")
    command.add_argument(
        "--horizon",
        type=horizon,
        nargs="+",
        metavar="CANDLES",
        help="default half, once and twice the configured",
    )
    command.add_argument(
        "--train-days",
        type=days,
        metavar="N",
        help="of a training (default train_period_days, else 30)",
    )
    add_windows(command)
    command.add_argument(
        "--windows",
        type=whole,
        default=8,
        metavar="N",
        help="how often three numbers are trained and asked, over the whole time (8); 0 leaves "
        "them out",
    )
    command.add_argument(
        "--models",
        type=Path,
        default=Path("user_data", "models"),
        metavar="DIR",
        help="where records of earlier trainings tell how long one takes (default "
        "user_data/models)",
    )
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="write plan.json and plan.html there, too"
    )
    command.set_defaults(handler=_plan, **dict.fromkeys(_OF_NETWORKS))


PLAN = Command(_add)

"""Lay a plan out for a terminal of 100 columns."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from dualwindow.judging.comparison import LEAST_BLOCKS
from dualwindow.judging.plan_rows import LEAST_MOVES, MOST_DEARER
from dualwindow.judging.planned import Plan, Row
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT
from dualwindow.reports.numbers import distance
from dualwindow.reports.progress import in_words
from dualwindow.reports.terminal import number

_COLUMNS = (
    "take\nprof %",
    "stop\n%",
    "hori-\nzon",
    "SHORT/\nHOLD/\nLONG %",
    "needs\n%",
    "above\nchance",
    "hours\nto\ntouch",
    "moves\nper\ntraining",
    "skill ±\nerror",
    "touch/\ndirection",
)
_SIDES = (CLASSES[SHORT], CLASSES[LONG])
# From little to much, in colours that also who confuses red and green can tell apart (cividis).
_COLOURS = ((0, 34, 78), (53, 69, 109), (102, 105, 112), (148, 142, 119), (203, 186, 105))


def plan_table(plan: Plan) -> Table:
    """Show every combination, those worth a training first; it fits into 100 columns."""
    table = Table(
        title=_title(plan),
        title_justify="left",
        caption="\n".join(_captions(plan)),
        caption_justify="left",
        box=SIMPLE,
        show_edge=False,
        padding=0,
    )
    for column in _COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("hint", no_wrap=True)
    for row in plan.rows:
        style = "bold" if row.is_configured else None
        table.add_row(*_cells(row), style=style)
    return table


def _title(plan: Plan) -> str:
    days = (plan.last - plan.first) / 86400
    first, last = (
        f"{datetime.fromtimestamp(t, UTC):%Y-%m-%d}" for t in (plan.first, plan.last - plan.step)
    )
    return (
        f"{', '.join(plan.pairs)}: {days:,.0f} days from {first} to {last}, labels {plan.rule!r}, "
        f"fees {100 * plan.fees:.2f} %"
    )


def _cells(row: Row) -> list[str]:
    takes = distance(*row.take_profits)
    needs = [round(100 * row.break_even[side]) for side in _SIDES]
    return [
        f"► {takes}" if row.is_configured else takes,
        distance(*row.stop_losses),
        str(row.horizon),
        "/".join(_number(row.shares[name], ".0f", 100) for name in CLASSES),
        "/".join(str(each) for each in dict.fromkeys(needs)),
        f"+{100 * row.dearer:.1f}",
        _number(row.hours_to_touch, ".1f"),
        "/".join(f"{row.moves[side]:.0f}" for side in _SIDES),
        _skill(row),
        f"{_share(row.touch)}/{_share(row.direction)}",
        row.hint,
    ]


def _skill(row: Row) -> str:
    error = "" if row.error is None else f"±{_share(row.error).removeprefix('+')}"
    return _share(row.skill) + error


def _share(value: float | None) -> str:
    """Show a number that is seldom above 1 without its zero, which a narrow table lacks room for.

    Examples
    --------
    >>> _share(0.0234), _share(-0.5), _share(None)
    ('+.023', '-.500', '-')
    """
    return _number(value, "+.3f").replace("0.", ".", 1)


def _number(value: float | None, form: str, factor: float = 1.0) -> str:
    return number(math.nan if value is None else factor * value, form)


def _captions(plan: Plan) -> Iterator[str]:
    yield "► configured now"
    if any(row.is_lopsided for row in plan.rows):
        yield "take prof, stop: of LONG / of SHORT, where they differ"
    yield "needs: hit rate that pays after fees; above chance: points above that of a random walk"
    yield (
        f"moves: SHORT/LONG, each begins when the one before has ended, in {plan.train_days:g} days"
        f"{_of_which_pair(plan)}"
    )
    yield (
        f"skill ± standard error: of three numbers, in {plan.windows} windows of "
        f"{plan.window_days:g} days, each after a training of its own"
    )
    for one in plan.absent:
        yield f"  without {one.pair} in {one.windows} of them, see the note below"
    yield (
        f"hint: few moves, below {LEAST_MOVES} in a direction; fees, above "
        f"{100 * MOST_DEARER:.0f} points; too few windows, below {LEAST_BLOCKS}; nothing foreseen, "
        "0 in the 95 % interval of skill (Student's t)"
    )


def _of_which_pair(plan: Plan) -> str:
    if len(plan.pairs) == 1:
        return ""
    if plan.pooling == "pair":
        return ", the mean of all pairs"
    return "; of the pair that has most, because pairs move together"


def heat_map(plan: Plan) -> Table:
    """Show the skill over the grid, as colours and numbers; what is configured in brackets."""
    takes = sorted({row.take_profits for row in plan.rows})
    table = Table(
        title="Skill of three numbers\nhorizon, stop % | take-profit %",
        title_justify="left",
        box=None,
        padding=0,
    )
    table.add_column("", justify="right", no_wrap=True)
    for take in takes:
        table.add_column(f"{distance(*take)} ", justify="right", no_wrap=True, min_width=8)
    cells = {(r.horizon, r.stop_losses, r.take_profits): r for r in plan.rows}
    known = [row.skill for row in plan.rows if row.skill is not None]
    span = (min(known, default=0.0), max(known, default=0.0))
    for horizon in sorted({row.horizon for row in plan.rows}):
        stops = sorted({stop for h, stop, _ in cells if h == horizon})
        for i, stop in enumerate(stops):
            name = f"{horizon if i == 0 else ''}  {distance(*stop)} "
            table.add_row(name, *(_cell(cells.get((horizon, stop, take)), span) for take in takes))
    return table


def _cell(row: Row | None, span: tuple[float, float]) -> Text:
    if row is None or row.skill is None:
        return Text("- ")
    told = f"{row.skill:+.3f}"
    red, green, blue = _colour(row.skill, span)
    ink = "black" if red + green + blue > 330 else "white"
    told = f"[{told}]" if row.is_configured else f"{told} "
    return Text(told, style=f"{ink} on rgb({red},{green},{blue})")


def _colour(value: float, span: tuple[float, float]) -> tuple[int, int, int]:
    low, high = span
    place = (value - low) / (high - low) * (len(_COLOURS) - 1) if high > low else 0.0
    i = min(int(place), len(_COLOURS) - 2)
    red, green, blue = (
        round(a + (place - i) * (b - a)) for a, b in zip(_COLOURS[i], _COLOURS[i + 1], strict=True)
    )
    return red, green, blue


def plan_words(plan: Plan) -> list[str]:
    """Say in sentences what a person should do next."""
    words = [*_best(plan.rows), *_configured(plan.rows)]
    if (takes := plan.takes) and not takes.windows:
        words.append(
            f"one training would have no window to learn from: {plan.train_days:g} days, less "
            f"those that validate, are shorter than a history of {takes.history} candles and a "
            "horizon"
        )
    elif takes:
        words.append(
            f"one training of kind {takes.kind}, {takes.windows:,} windows of {takes.history} "
            "candles: about "
            f"{in_words(takes.seconds)} ({in_words(takes.least_seconds)} to "
            f"{in_words(takes.most_seconds)}), {takes.memory / 1e9:.1f} GB of memory at most; "
            f"from {takes.basis}"
        )
    return [*words, *(f"note: {note}" for note in plan.notes)]


def _best(rows: Sequence[Row]) -> Iterator[str]:
    worth = [row for row in rows if row.hint == "worth a training"]
    if worth:
        best = worth[0]
        yield (
            f"{len(worth)} of {len(rows)} are worth a training; three numbers foresee most of "
            f"take-profit {distance(*best.take_profits)} %, stop {distance(*best.stop_losses)} %, "
            f"{best.horizon} candles"
        )
        yield f"to try it: `{_settings(best)}`"
        return
    reasons: Mapping[str, int] = {
        hint: sum(row.hint == hint for row in rows) for hint in dict.fromkeys(r.hint for r in rows)
    }
    told = ", ".join(f"{hint}: {n}" for hint, n in reasons.items())
    yield f"none of {len(rows)} is worth a training ({told})"


def _configured(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.is_configured:
            share = _number(row.shares[CLASSES[HOLD]], ".0f", 100)
            yield f"what is configured: {row.hint}; {share} % of its candles are HOLD"


def _settings(row: Row) -> str:
    """Write a row as the settings that make it."""
    names = ("long_take_profit", "long_stop_loss", "short_take_profit", "short_stop_loss")
    told = [f"dual_window.labels.{name}={getattr(row, name):g}" for name in names]
    return " ".join(["--set", f"feature_parameters.label_period_candles={row.horizon}", *told])

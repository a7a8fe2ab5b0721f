"""Say before any training what barriers and horizons would make of candles."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from dualwindow.judging.foreseen import (
    Foreseen,
    Lack,
    Span,
    Window,
    foresee,
    lacks,
    spread,
    windows_of,
)
from dualwindow.judging.plan_rows import Known, Terms, in_order, row
from dualwindow.judging.planned import Absent, Plan, Takes
from dualwindow.judging.survey import Point, Surveyed, survey
from dualwindow.judging.three_numbers import baseline_settings
from dualwindow.learning.parallel import Workers, run_tasks
from dualwindow.market.candles import Candles
from dualwindow.settings import Settings

_DAY = 86400

_Task = tuple[str, Candles] | Window  # a survey of a pair, or a window to be foreseen


class PlanError(ValueError):
    """Nothing can be said of these candles."""


@dataclass(frozen=True)
class Asked:
    """What is to be planned.

    Parameters
    ----------
    settings : of the configuration; its labels have barriers
    points : at least one
    configured : the one that is marked
    fees : of entry and exit together
    train_days : of a training
    window_days, windows : what three numbers predict after each training, and how often at most; 0
        does not ask them
    workers : what they are asked on
    """

    settings: Settings
    points: Sequence[Point]
    configured: Point
    fees: float
    train_days: float
    window_days: float
    windows: int
    workers: Workers


def plan(
    pairs: Mapping[str, Candles],
    asked: Asked,
    now: float,
    takes: Takes | None = None,
    report: Callable[[int], None] = lambda n_left: None,
) -> Plan:
    """Survey the points, ask three numbers about each, and put those worth a training first.

    Parameters
    ----------
    pairs : candles by pair, of the same step
    asked : see there
    now : seconds since 1970 UTC
    takes : what a training takes, to be told beside
    report : is told how many parts of the work are left, whenever one is done

    Raises
    ------
    PlanError
        If a pair has too few candles for a label.
    """
    spans = _spans(pairs, asked)
    windows = windows_of(pairs, spans, max(point.horizon for point in asked.points))
    known = [Known({}, {}) for _ in asked.points]
    # In one order, whoever was first: sums of the same numbers may differ in their last digits.
    for task, found in _done([*pairs.items(), *windows], asked, report):
        for each, mine in zip(found, known, strict=True):
            if isinstance(task, Window):
                assert isinstance(each, Foreseen)
                mine.foreseen[task.pair, task.number] = each
            else:
                assert isinstance(each, Surveyed)
                mine.surveyed[task[0]] = each
    _refuse_unknown(pairs, known)
    return _assembled(pairs, asked, known, spans, now, takes)


def _done(
    tasks: Sequence[_Task], asked: Asked, report: Callable[[int], None]
) -> list[tuple[_Task, Sequence[Surveyed | Foreseen]]]:
    """Do all there is to do, wherever there is room, and give it in the order of the tasks."""
    do = partial(_do, points=asked.points, settings=asked.settings)
    found = {}
    for i, each in run_tasks(do, tasks, asked.workers):
        found[i] = each
        report(len(tasks) - len(found))
    return [(task, found[i]) for i, task in enumerate(tasks)]


def _do(task: _Task, points: Sequence[Point], settings: Settings) -> Sequence[Surveyed | Foreseen]:
    if isinstance(task, Window):
        return foresee(task, points, baseline_settings(settings))
    return survey(task[1], points, settings.labels.rule, settings.max_untraded)


def _assembled(
    pairs: Mapping[str, Candles],
    asked: Asked,
    known: Sequence[Known],
    spans: Sequence[Span],
    now: float,
    takes: Takes | None,
) -> Plan:
    step = next(iter(pairs.values())).step
    is_shared = asked.settings.pooling == "whitelist"
    terms = Terms(asked.configured, asked.fees, step, asked.train_days * _DAY / step, is_shared)
    found = in_order(
        (point, row(point, mine, terms), mine)
        for point, mine in zip(asked.points, known, strict=True)
    )
    of_pairs = {
        pair: tuple(row(point, mine.of(pair), terms) for point, _, mine in found)
        for pair in pairs
        if len(pairs) > 1
    }
    window = (spans[0].stop - spans[0].start) / _DAY if spans else asked.window_days
    absent = tuple(_absent(pairs, asked.train_days, spans))
    return Plan(
        made_at=now,
        pairs=tuple(pairs),
        step=step,
        first=min(int(candles.date[0]) for candles in pairs.values()),
        last=max(int(candles.date[-1]) for candles in pairs.values()) + step,
        rule=asked.settings.labels.rule,
        max_untraded=asked.settings.max_untraded,
        fees=asked.fees,
        train_days=asked.train_days,
        pooling=asked.settings.pooling,
        window_days=window,
        windows=len(spans),
        rows=tuple(each for _, each, _ in found),
        of_pairs=of_pairs,
        absent=absent,
        takes=takes,
        notes=_notes(pairs, asked, spans, absent),
    )


def _refuse_unknown(pairs: Mapping[str, Candles], known: Sequence[Known]) -> None:
    for pair, candles in pairs.items():
        if not any(mine.surveyed[pair].counts.any() for mine in known):
            raise PlanError(
                f"{pair}: no candle of {len(candles):,} can be labelled, because none has a whole "
                "horizon of candles after it without a gap; take a longer timerange, or shorten "
                "--horizon"
            )


def _spans(pairs: Mapping[str, Candles], asked: Asked) -> list[Span]:
    if asked.windows == 0:
        return []
    first = min(int(candles.date[0]) for candles in pairs.values())
    last = max(int(candles.date[-1]) for candles in pairs.values())
    step = next(iter(pairs.values())).step
    return spread(first, last, step, asked.train_days, asked.window_days, asked.windows)


def _absent(
    pairs: Mapping[str, Candles], train_days: float, spans: Sequence[Span]
) -> Iterator[Absent]:
    """Name the pairs without which windows were judged, for each reason."""
    for pair, candles in pairs.items():
        first, last = (
            f"{datetime.fromtimestamp(int(t), UTC):%Y-%m-%d}" for t in candles.date[[0, -1]]
        )
        words: dict[Lack | None, str] = {
            "begins too late": f"its candles begin on {first}, and a window is predicted after "
            f"{train_days:g} days of training",
            "ends too early": f"its candles end on {last}",
            "has a gap": "candles are missing, of the window or where the training begins",
        }
        reasons = Counter(lacks(candles, span) for span in spans)
        for why, told in words.items():
            if reasons[why]:
                yield Absent(pair=pair, windows=reasons[why], why=told)


def _notes(
    pairs: Mapping[str, Candles], asked: Asked, spans: Sequence[Span], absent: Sequence[Absent]
) -> tuple[str, ...]:
    notes = [
        f"{one.pair} has no part in {one.windows} of {len(spans)} windows: {one.why}"
        for one in absent
    ]
    if asked.windows and not spans:
        days = max(len(c) * c.step for c in pairs.values()) / _DAY
        notes.append(
            f"three numbers could not be asked: there are {days:.1f} days of candles, and a "
            f"training of {asked.train_days:g} days needs some more to predict; take a longer "
            "timerange, or --train-days"
        )
    if len(spans) == 1:
        notes.append("one window alone was predicted, so nobody knows how sure its skill is")
    return tuple(notes)

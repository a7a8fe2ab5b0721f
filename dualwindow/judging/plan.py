"""Say before any training what barriers and horizons would make of candles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dualwindow.judging.foreseen import Labelled, Span, foresee, spread
from dualwindow.judging.plan_rows import Known, Terms, in_order, row
from dualwindow.judging.planned import Plan, Takes
from dualwindow.judging.survey import Point, survey
from dualwindow.judging.three_numbers import baseline_settings
from dualwindow.learning.parallel import Workers
from dualwindow.market.candles import Candles
from dualwindow.settings import Settings

_DAY = 86400


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
    report: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Survey the points, ask three numbers about each, and put those worth a training first.

    Parameters
    ----------
    pairs : candles by pair, of the same step
    asked : see there
    now : seconds since 1970 UTC
    takes : what a training takes, to be told beside
    report : is told what is being done

    Raises
    ------
    PlanError
        If a pair has too few candles for a label.
    """
    settings, points = asked.settings, asked.points
    known = [Known({}, {}) for _ in points]
    labelled = []
    for pair, candles in pairs.items():
        report(f"{pair}: {len(candles):,} candles are labelled in {len(points)} ways")
        found = survey(candles, points, settings.labels.rule, settings.max_untraded)
        labelled.append(Labelled(pair, candles, [each.labels for each in found]))
        for each, mine in zip(found, known, strict=True):
            mine.surveyed[pair] = each
    _refuse_unknown(pairs, known)
    spans = _spans(pairs, asked)
    if spans:
        report(f"three numbers are asked about {len(spans)} windows of {len(pairs)} pairs")
    horizons = [point.horizon for point in points]
    baseline = baseline_settings(settings)
    # In one order, whoever was first: sums of the same numbers may differ in their last digits.
    for pair, number, seen in sorted(
        foresee(labelled, spans, horizons, baseline, asked.workers), key=lambda each: each[:2]
    ):
        for one, mine in zip(seen, known, strict=True):
            mine.foreseen[pair, number] = one
    return _assembled(pairs, asked, known, spans, now, takes)


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
        window_days=window,
        windows=len(spans),
        rows=tuple(each for _, each, _ in found),
        of_pairs=of_pairs,
        takes=takes,
        notes=_notes(pairs, asked, spans),
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


def _notes(pairs: Mapping[str, Candles], asked: Asked, spans: Sequence[Span]) -> tuple[str, ...]:
    notes = []
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

"""Say in words what a report is about."""

import math
from dataclasses import asdict

import numpy as np

from dualwindow.arrays import IntArray
from dualwindow.judging.decisions import break_even
from dualwindow.judging.evidence import Evidence
from dualwindow.judging.findings import Subject
from dualwindow.judging.rungs import Decider, or_none
from dualwindow.judging.signals import SIDES
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import Barriers, Labelling
from dualwindow.settings import (
    AnyClassifierSettings,
    EnsembleSettings,
    Settings,
    SmoothedLabelSettings,
)

_DAY = 86400


def subject_of(evidence: Evidence, walk: WalkForward, date: IntArray, now: float) -> Subject:
    """Gather what was looked at.

    Parameters
    ----------
    evidence : see there
    walk : that is reported
    date : (n,) of its table
    now : when the report is made
    """
    record = walk.records[-1]
    settings, barriers = record.settings, Labelling.of(record.settings).barriers
    step = _step(evidence, date)
    lengths = {round((fold.start - fold.train_from) / _DAY, 3) for fold in walk.folds}
    even = break_even(barriers, evidence.fees)
    return Subject(
        source=evidence.source,
        name=evidence.name,
        made_at=now,
        pairs=tuple(sorted({fold.pair for fold in walk.folds})),
        step=step,
        first=int(date.min()),
        last=int(date.max()) + step,
        kind=kind_in_words(settings.model),
        train_days=lengths.pop() if len(lengths) == 1 else None,
        history=settings.history,
        horizon=settings.horizon,
        labels=labels_in_words(settings),
        barriers={n: d for n, d in asdict(barriers).items() if math.isfinite(d)},
        fees=evidence.fees,
        confidence=evidence.confidence,
        can_short=evidence.can_short,
        break_even={name: or_none(even[side]) for name, side in SIDES.items()},
        versions=record.versions,
    )


def _step(evidence: Evidence, date: IntArray) -> int:
    for candles in evidence.candles.values():
        return candles.step
    ahead = np.diff(np.unique(date))
    return int(ahead.min()) if len(ahead) else 60


def kind_in_words(model: AnyClassifierSettings) -> str:
    """Name a kind, and the members of an ensemble.

    Examples
    --------
    >>> kind_in_words(EnsembleSettings())
    'ensemble of lstm and trees'
    """
    if not isinstance(model, EnsembleSettings):
        return model.kind
    *first, last = [member.kind for member in model.members]
    return f"ensemble of {', '.join(first)} and {last}"


def labels_in_words(settings: Settings) -> str:
    """Say what makes a candle SHORT or LONG.

    Examples
    --------
    >>> labels_in_words(Settings())
    'exclusive: take-profit 1 %, stop 0.5 % within 120 candles'
    """
    labels, horizon = settings.labels, settings.horizon
    if isinstance(labels, SmoothedLabelSettings):
        move = "the median move" if labels.delta == "auto" else f"{100 * labels.delta:.3g} %"
        return f"smoothed: the mean close of {horizon} candles moves by more than {move}"
    barriers = Barriers(**labels.model_dump(exclude={"rule"}))
    long = _pair(barriers.long_take_profit, barriers.long_stop_loss)
    short = _pair(barriers.short_take_profit, barriers.short_stop_loss)
    told = long if long == short else f"LONG {long}, SHORT {short}"
    return f"{labels.rule}: {told} within {horizon} candles"


def _pair(take: float, stop: float) -> str:
    return f"take-profit {100 * take:.4g} %, stop {100 * stop:.4g} %"


def entered_from(decider: Decider) -> dict[str, float | None]:
    """Name the probabilities from which on the rule enters; None where nothing decides.

    None, too, where the most probable class is entered if nothing passes, which is at any
    probability above a third. Of the directions that can be entered.
    """
    rule = None if decider.fallback == "argmax" else decider.rule
    found = {} if rule is None else rule.entered_from
    return {n: or_none(found.get(side)) for n, side in SIDES.items() if decider.enters(side)}

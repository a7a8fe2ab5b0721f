"""Prepare a training: the windows of all its pairs, scaled alike and split at the same moment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from dualwindow.arrays import BoolArray
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Labelling, Smoothed
from dualwindow.market.moves import typical_move
from dualwindow.samples.data import Rows, Samples, TrainingData, TrainingError, pooled
from dualwindow.samples.scaling import RowScaler, Scaled, known_rows
from dualwindow.samples.selection import Selection, select
from dualwindow.samples.splits import Split, split_of, validation_start
from dualwindow.settings import Settings, SmoothedLabelSettings

_DAY = 86400


class Part(NamedTuple):
    """One pair of a training."""

    data: TrainingData
    split: Split
    selection: Selection


class Prepared(NamedTuple):
    """What a training learns from.

    Parameters
    ----------
    parts : pairs that are learnt from, in the order of their names
    training, validation : windows of all of them
    left_out : other pairs, and why nothing can be learnt from each
    settings : those in effect: with the delta that was found, where it was to be found
    """

    parts: list[Part]
    training: Samples
    validation: Samples
    left_out: dict[str, str]
    settings: Settings

    @property
    def learnt_from(self) -> tuple[str, ...]:
        """Name all pairs that are learnt from, if more than one was there."""
        pairs = tuple(part.data.pair for part in self.parts)
        return pairs if len(pairs) + len(self.left_out) > 1 else ()


def prepare(group: Sequence[TrainingData], settings: Settings, scaler: RowScaler) -> Prepared:
    """Split, scale and select the windows of all pairs.

    All are split at the same moment, or one pair would be taught what another is validated on. The
    scaler is fitted here, on the training parts only. A pair from which nothing can be learnt is
    left out of several.

    Parameters
    ----------
    group : data of one pair each
    settings : checked settings
    scaler : unfitted

    Raises
    ------
    TrainingError
        If no pair is left: what is wrong with the first. If their features differ in number, or
        prices are missing that the kind looks at.
    """
    _refuse_other_features(group)
    refuse_without_prices(group, settings)
    refused = _Refused()
    in_order = sorted(group, key=lambda data: data.pair)
    usable = refused.sieve(in_order, lambda data: refuse_unusable(data, settings))
    splits = _split_together(usable, settings)
    usable = refused.sieve(usable, lambda data: _refuse_unknown(data, splits[data.pair]))
    usable, found = _settle(usable, splits, settings)
    if len(usable) > 1:
        taught = refused.sieve(
            usable, lambda data: _refuse_untaught(data, splits[data.pair], found)
        )
        if len(taught) < len(usable):  # who is left out has no part in what a move is
            taught, found = _settle(taught, splits, settings)
        usable = taught
    settings = found
    if usable:
        _fit_scaler(scaler, usable, splits)
    parts: list[Part] = []
    samples: list[tuple[Samples, Samples]] = []

    def take(data: TrainingData) -> None:
        scaled = scaler.apply(data.features)
        selection = select(data, settings, splits[data.pair], scaled)
        parts.append(Part(data, splits[data.pair], selection))
        samples.append(selection.samples(data.labels, Rows(scaled.rows, data.candles)))

    refused.sieve(usable, take)
    if not parts:
        raise refused.errors[min(refused.errors)]
    training, validation = pooled(samples)
    return Prepared(parts, training, validation, refused.reasons(), settings)


class _Refused:
    """The pairs from which nothing can be learnt."""

    def __init__(self) -> None:
        self.errors: dict[str, TrainingError] = {}

    def sieve(
        self, group: Sequence[TrainingData], check: Callable[[TrainingData], None]
    ) -> list[TrainingData]:
        """Keep the pairs that a check does not refuse, and the errors of the others."""
        kept = []
        for data in group:
            try:
                check(data)
            except TrainingError as error:
                self.errors[data.pair] = error
            else:
                kept.append(data)
        return kept

    def reasons(self) -> dict[str, str]:
        """Say of each pair why."""
        return {pair: str(e).removeprefix(f"{pair}: ") for pair, e in self.errors.items()}


def _refuse_other_features(group: Sequence[TrainingData]) -> None:
    counts = {data.pair: len(data.feature_names) for data in group}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{pair} has {n}" for pair, n in counts.items())
        raise TrainingError(
            f"pairs that are learnt from together must have the same features: {told}; give all "
            "the same, or set `pooling` to 'pair'"
        )


def refuse_without_prices(group: Sequence[TrainingData], settings: Settings) -> None:
    """Refuse data that holds no prices by its form, where the kind of classifier looks at them.

    Raises
    ------
    TrainingError
        If it does. If only some pairs that are learnt from together have prices.
    """
    without = [data.pair for data in group if not data.candles.has_prices]
    if not without:
        return
    if len(without) < len(group):
        raise TrainingError(
            f"of pairs that are learnt from together, all must have prices or none. Received none "
            f"of {', '.join(without)}; set `pooling` to 'pair'"
        )
    if isinstance(settings.labels, SmoothedLabelSettings):
        raise TrainingError(
            f"{', '.join(without)}: there are no prices, which smoothed labels are made of; set "
            "`labels.rule` to 'exclusive' or 'first_touch'"
        )
    if settings.model.needs_prices:
        raise TrainingError(
            f"{', '.join(without)}: there are no prices, which the kind '{settings.model.kind}' "
            "looks at; set `model.kind` to published, or to lstm, gru, bilstm or dlstm with "
            "`model.spans`=[] (of an ensemble, of every member)"
        )


def _split_together(group: Sequence[TrainingData], settings: Settings) -> dict[str, Split]:
    """Split all pairs where the one with the most candles is split."""
    if not group:
        return {}
    boundary = boundary_of(group, settings)
    return {data.pair: split_of(data.candles, settings, boundary) for data in group}


def boundary_of(group: Sequence[TrainingData], settings: Settings) -> float:
    """Find the second at which the validation part of a training begins."""
    longest = max(group, key=lambda data: len(data.candles))
    return validation_start(longest.candles.date, settings.validation_share)


def _settle(
    group: list[TrainingData], splits: Mapping[str, Split], settings: Settings
) -> tuple[list[TrainingData], Settings]:
    """Label by moves, and find which of them count, in the training parts of all pairs together.

    Smoothed labels look back, so hosts that cut candles before they label, and those that do so
    after, know different ones of the first; here all are made of the same candles.
    """
    if not isinstance(settings.labels, SmoothedLabelSettings) or not group:
        return group, settings
    labelling = Labelling.of(settings)
    moves = [labelling.moves(data.candles) for data in group]
    if settings.has_open_delta:
        taught = [m[splits[data.pair].train] for data, m in zip(group, moves, strict=True)]
        settings = settings.with_delta(typical_move(np.concatenate(taught)))
    rule = Labelling.of(settings).rule
    assert isinstance(rule, Smoothed)
    labelled = [replace(data, labels=rule.label(m)) for data, m in zip(group, moves, strict=True)]
    return labelled, settings


def _taught(data: TrainingData, split: Split) -> BoolArray:
    return known_rows(data.features) & split.train


def _refuse_unknown(data: TrainingData, split: Split) -> None:
    if not _taught(data, split).any():
        raise TrainingError(f"{data.pair}: no candle of the training part has all its features")


def _refuse_untaught(data: TrainingData, split: Split, settings: Settings) -> None:
    """Refuse a pair without whole windows before the scaler is fitted to the rows of all."""
    n, known = len(data.candles), known_rows(data.features)
    none = np.empty((n, 0), dtype=np.float32)
    select(data, settings, split, Scaled(none, known, np.ones(n, dtype=bool), np.zeros(n)))


def _fit_scaler(
    scaler: RowScaler, group: Sequence[TrainingData], splits: Mapping[str, Split]
) -> None:
    rows = [data.features[_taught(data, splits[data.pair])] for data in group]
    scaler.fit(np.concatenate(rows) if len(rows) > 1 else rows[0])


def refuse_unusable(data: TrainingData, settings: Settings) -> None:
    """Refuse data that no training can begin with, before anything is computed.

    Raises
    ------
    TrainingError
        If prices are broken, or the history is too short for the windows or the features.
    """
    candles = data.candles
    for length, name in ((settings.history, "history"), (settings.horizon, "horizon")):
        if length >= len(candles):
            raise TrainingError(
                f"{data.pair}: `{name}` is {length} candles, the training data has only "
                f"{len(candles)}; lower it or raise `train_days`"
            )
    broken = np.flatnonzero(candles.has_prices & ~candles.priced)
    if len(broken):
        raise TrainingError(
            f"{data.pair}: {len(broken)} candles have a price that is not a positive number, the "
            f"first at {date_of(candles, broken[0])}; download these candles again"
        )
    _refuse_short_history(data)


def _refuse_short_history(data: TrainingData) -> None:
    known = np.isfinite(data.features)
    ever = np.logical_or.reduce(known, axis=0)
    days = np.where(ever, known.argmax(axis=0), len(known)) * data.candles.step / _DAY
    short = (days > 1) | ~ever
    if not short.any():
        return
    names = ", ".join(n for n, s in zip(data.feature_names, short, strict=True) if s)
    worst = days[short].max()
    more = f"{np.ceil(worst):.0f}" if ever[short].all() else f"more than {np.ceil(worst):.0f}"
    raise TrainingError(
        f"{data.pair}: the history is too short, or has broken prices: {names} unknown for the "
        f"first {worst:.1f} days of the training data, which begins at {date_of(data.candles, 0)} "
        f"and has {len(known) * data.candles.step / _DAY:.1f} days; download {more} days of "
        "candles, of every timeframe, before those you have; averages over 30 days need 30"
    )


def date_of(candles: Candles, row: int) -> str:
    """Write when a candle opened, in UTC to the minute."""
    return np.datetime_as_string(candles.date[row].astype("datetime64[s]"), unit="m") + "Z"

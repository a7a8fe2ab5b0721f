"""Find out which features a model needs, by shuffling them on its validation part.

What is shuffled keeps its course in time: a column is turned round by a random number of rows, so
that windows see what belongs to another time (permutation importance: L. Breiman, "Random Forests",
Machine Learning 2001). Other columns that tell the same make a feature look needless, which is why
groups of them are shuffled, too.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dualwindow.arrays import FloatArray, IntArray
from dualwindow.judging.decisions import most_probable
from dualwindow.judging.findings import Importance, Importances
from dualwindow.judging.signals import confusion
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.group import boundary_of
from dualwindow.learning.metrics import TINY, log_loss
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, Labelling
from dualwindow.outside import chance
from dualwindow.samples.data import Rows, TrainingData, TrainingError
from dualwindow.samples.selection import select
from dualwindow.samples.splits import split_of

CANDLES = "prices and volumes of candles"
_REPEATS = 3


def importances(
    artifact: Artifact,
    group: Sequence[TrainingData],
    *,
    repeats: int = _REPEATS,
    seed: int = 0,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Importances:
    """Tell how much worse a model gets on its own validation part when features are shuffled.

    It was calibrated there and has stopped there, so it looks a little better than elsewhere.

    Parameters
    ----------
    artifact : of one pair
    group : what it was trained on, pair by pair: that of the artifact is looked at, the others
        tell where validation begins. Nothing in it is changed
    repeats : of every shuffle, each by other rows
    seed : of them
    groups : names to features that are shuffled together; by the beginning of their names if None

    Raises
    ------
    TrainingError
        If too few validation windows are left.
    """
    record = artifact.record
    data = next(each for each in group if each.pair == record.pair)
    part = _Part.of(artifact, data, boundary_of(group, record.settings))
    turns = chance(seed).integers(*part.turnable, size=repeats).tolist()
    shuffles = _Shuffles(part, part.losses(part.features, part.candles), turns)
    names = record.features
    together = groups_of(names) if groups is None else groups
    rows = [shuffles.row(name, [i]) for i, name in enumerate(names)]
    rows += [
        shuffles.row(name, [names.index(each) for each in own], is_group=True)
        for name, own in together.items()
    ]
    if record.settings.model.needs_prices:
        rows.append(shuffles.row(CANDLES, None, is_group=True))
    told = part.probabilities(part.features, part.candles)
    table = confusion(part.labels, most_probable(told)).tolist()
    return Importances(
        pair=record.pair,
        trained_until=int(data.candles.date[-1]) + data.candles.step,
        windows=len(part.ends),
        repeats=repeats,
        log_loss=log_loss(told, part.labels),
        confusion=tuple(tuple(row) for row in table),
        rows=tuple(sorted(rows, key=lambda row: -row.loss)),
    )


def groups_of(names: Sequence[str]) -> dict[str, list[str]]:
    """Put features together whose names begin alike; one alone is no group.

    Examples
    --------
    >>> groups_of(["price_to_ma1440", "price_to_ma43200", "%-rsi-period_10_5m", "%-rsi-period_20"])
    ... # doctest: +NORMALIZE_WHITESPACE
    {'price': ['price_to_ma1440', 'price_to_ma43200'],
     'rsi': ['%-rsi-period_10_5m', '%-rsi-period_20']}
    """
    found: dict[str, list[str]] = {}
    for name in names:
        word = re.match(r"[%&\-_]*([^\-_\d]+)", name)
        found.setdefault(word.group(1) if word else name, []).append(name)
    return {word: own for word, own in found.items() if 1 < len(own) < len(names)}


@dataclass(frozen=True)
class _Part:
    """The validation windows of one pair.

    Parameters
    ----------
    artifact : see there
    features, candles : of all rows; features are scaled
    ends, labels : (m,) of the windows
    span : the first row that a window looks at, and one more than the last
    """

    artifact: Artifact
    features: FloatArray
    candles: Candles
    ends: IntArray
    labels: IntArray
    span: tuple[int, int]

    @classmethod
    def of(cls, artifact: Artifact, data: TrainingData, boundary: float) -> "_Part":
        settings, labels = artifact.record.settings, data.labels
        labelling = Labelling.of(settings)
        if labelling.lookback:  # the training has found by which moves
            labels = labelling.label(data.candles)
        scaled = artifact.scaler.apply(data.features)
        split = split_of(data.candles, settings, boundary)
        ends = select(replace(data, labels=labels), settings, split, scaled).validation
        span = int(ends[0]) - settings.history + 1, int(ends[-1]) + 1
        if span[1] - span[0] < 2 * settings.history + 2:
            raise TrainingError(
                f"{data.pair}: the validation part of {span[1] - span[0]} candles is too short to "
                "shuffle features of; raise `validation_share` or `train_days`"
            )
        truth = labels[ends].astype(np.int64)
        return cls(artifact, scaled.rows, data.candles, ends, truth, span)

    @property
    def turnable(self) -> tuple[int, int]:
        """By how many rows a column may be turned, so that no window sees its own again."""
        history = self.artifact.record.settings.history
        return history, self.span[1] - self.span[0] - history

    def probabilities(self, features: FloatArray, candles: Candles) -> FloatArray:
        """Predict the windows."""
        scores = self.artifact.fitted.scores(Rows(features, candles), self.ends)
        return self.artifact.calibration.apply(scores)

    def losses(self, features: FloatArray, candles: Candles) -> FloatArray:
        """Compute the log loss of all classes, and of each against the others: (4,)."""
        told = self.probabilities(features, candles)
        of_class = [
            -np.log(np.maximum(np.where(self.labels == code, p, 1 - p), TINY)).mean()
            for code, p in enumerate(told.T)
        ]
        return np.array([log_loss(told, self.labels), *of_class])

    def turned(self, values: FloatArray, by: int) -> FloatArray:
        """Turn the rows of the span round; what lies outside stays."""
        first, last = self.span
        found = values.copy()
        found[first:last] = np.roll(values[first:last], by, axis=0)
        return found


@dataclass(frozen=True)
class _Shuffles:
    """The losses of the model as it is, and by how many rows columns are turned."""

    part: _Part
    losses: FloatArray
    turns: list[int]

    def row(self, name: str, columns: list[int] | None, *, is_group: bool = False) -> Importance:
        """Shuffle some columns, or the candles where there are none."""
        worse = np.array([self._shuffled(columns, by) for by in self.turns]) - self.losses
        mean, n = worse.mean(axis=0), len(worse)
        error = float(worse[:, 0].std(ddof=1) / np.sqrt(n)) if n > 1 else None
        return Importance(
            name=name,
            is_group=is_group,
            loss=float(mean[0]),
            error=error,
            of_class=dict(zip(CLASSES, mean[1:].tolist(), strict=True)),
        )

    def _shuffled(self, columns: list[int] | None, by: int) -> FloatArray:
        part = self.part
        if columns is not None:
            features = part.features.copy()
            features[:, columns] = part.turned(part.features[:, columns], by)
            return part.losses(features, part.candles)
        old = part.candles
        high, low, close, volume = (
            part.turned(each, by) for each in (old.high, old.low, old.close, old.volume)
        )
        moved = replace(old, high=high, low=low, close=close, volume=volume)
        return part.losses(part.features, moved)

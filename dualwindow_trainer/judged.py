"""Judge a training by its own validation part, as a first look and no more."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix

from dualwindow.arrays import IntArray
from dualwindow.judging.decisions import decide, most_probable, rule_of
from dualwindow.judging.findings import Way
from dualwindow.judging.outcomes import Costs
from dualwindow.judging.seen import Seen
from dualwindow.judging.signals import way
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.group import boundary_of
from dualwindow.market.labels import CLASSES, Labelling
from dualwindow.samples.data import TrainingData
from dualwindow.settings import ConfidenceSettings


class Judged(NamedTuple):
    """What argmax and the confidence rule made of the validation part."""

    argmax: Way
    confident: Way
    pairs: list[str]
    truth: IntArray
    chosen: IntArray


def matrix_of(trainings: Sequence[Judged]) -> dict[str, Any]:
    """Lay argmax against the labels, as a published trainer names it: of all trainings together."""
    codes = list(range(len(CLASSES)))
    truth, chosen = (
        np.concatenate([getattr(judged, name) for judged in trainings])
        for name in ("truth", "chosen")
    )
    report = classification_report(
        truth,
        chosen,
        labels=codes,
        target_names=list(CLASSES),
        output_dict=True,
        zero_division=0.0,
    )
    return {
        "part": "validation",
        "pairs": [pair for judged in trainings for pair in judged.pairs],
        "confusion_matrix": confusion_matrix(truth, chosen, labels=codes).tolist(),
        "class_names": list(CLASSES),
        "classification_report": json.loads(json.dumps(report, default=float)),
        "sample_count": len(truth),
        "accuracy": float((truth == chosen).mean()) if len(truth) else None,
    }


def judge(
    group: Sequence[TrainingData],
    artifacts: Sequence[Artifact],
    confidence: ConfidenceSettings,
    fees: float,
) -> Judged:
    """Predict every candle of the validation part whose future is known, and decide on it.

    The training has stopped early and was calibrated on this part, so it looks a little better
    than what comes after.

    Parameters
    ----------
    group, artifacts : of one training, pair by pair
    confidence : the rule to compare argmax with
    fees : of entry and exit together, a fraction of the stake
    """
    settings = artifacts[0].record.settings
    costs = Costs(Labelling.of(settings), fees)
    rule = rule_of(confidence, costs.labelling.barriers, fees)
    boundary = boundary_of(group, settings)
    seen = [_seen(*each, boundary, costs) for each in zip(group, artifacts, strict=True)]
    plain = [most_probable(each.probabilities) for each in seen]
    sure = [decide(each.probabilities, rule, confidence.fallback) for each in seen]
    truth = np.concatenate([each.labels[each.judged] for each in seen])
    chosen = np.concatenate([own[each.judged] for own, each in zip(plain, seen, strict=True)])
    pairs = [each.pair for each in seen]
    argmax, confident = way("argmax", seen, plain), way(confidence.mode, seen, sure)
    return Judged(argmax, confident, pairs, truth, chosen)


def _seen(data: TrainingData, artifact: Artifact, boundary: float, costs: Costs) -> Seen:
    """Lay what is predicted from a boundary on beside the candles."""
    candles, labels = data.candles, data.labels
    if costs.labelling.lookback:  # the training has found by which moves
        labels = costs.labelling.label(candles)
    n_newest = int((candles.date >= boundary).sum())
    prediction, n = artifact.predict(candles, data.features, n_newest), len(candles)
    return Seen(
        pair=data.pair,
        rows=np.arange(n),
        window=np.zeros(n, dtype=np.int64),
        date=candles.date,
        probabilities=prediction.probabilities,
        labels=labels.astype(np.int64),
        valid=prediction.valid,
        vetoed=np.zeros(n, dtype=bool),
        candles=candles if candles.has_prices else None,
        place=np.arange(n),
        costs=costs,
    )


def matrix_path(out: Path) -> Path:
    """Say where a published trainer writes its matrix."""
    return out / "reports" / "confusion_matrix_report.json"

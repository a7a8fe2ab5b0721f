"""Judge a training by its own validation part, as a first look and no more."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix

from dualwindow.arrays import IntArray
from dualwindow.judging.decisions import decide, most_probable, rule_of
from dualwindow.judging.evaluation import Quality, Record, follow, quality
from dualwindow.judging.outcomes import Costs
from dualwindow.learning.artifact import Artifact
from dualwindow.learning.group import boundary_of
from dualwindow.market.labels import CLASSES, UNKNOWN, Labelling
from dualwindow.samples.data import TrainingData
from dualwindow.settings import ConfidenceSettings


class Judged(NamedTuple):
    """What argmax and the confidence rule made of the validation part."""

    argmax: Quality
    confident: Quality
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
    plain: list[Record] = []
    confident: list[Record] = []
    for data, artifact in zip(group, artifacts, strict=True):
        n = int((data.candles.date >= boundary).sum())
        labels = data.labels
        if costs.labelling.lookback:  # the training has found by which moves
            labels = costs.labelling.label(data.candles)
        prediction = artifact.predict(data.candles, data.features, n)
        for records, chosen in (
            (plain, most_probable(prediction.probabilities)),
            (confident, decide(prediction.probabilities, rule, confidence.fallback)),
        ):
            decisions = np.where(prediction.valid, chosen, UNKNOWN)
            records.append(follow(data.candles, labels, decisions, costs))
    truth, chosen = (np.concatenate([r[i] for r in plain]) for i in (0, 1))
    pairs = [data.pair for data in group]
    return Judged(quality(plain, costs), quality(confident, costs), pairs, truth, chosen)


def matrix_path(out: Path) -> Path:
    """Say where a published trainer writes its matrix."""
    return out / "reports" / "confusion_matrix_report.json"

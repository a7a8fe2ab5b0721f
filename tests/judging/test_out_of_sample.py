"""What a walk-forward was worth, against scikit-learn and by pencil."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import walks
from sklearn.metrics import log_loss, roc_auc_score

from dualwindow.judging.out_of_sample import (
    facts,
    fold_scores,
    overall_scores,
    training_frequencies,
)
from dualwindow.learning.folds import Fold
from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, LONG, SHORT, UNKNOWN


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> TrainingRecord:
    return walks.walk(tmp_path_factory.mktemp("walk")).records[0]


def a_walk(record: TrainingRecord, *parts: tuple[str, list[int], pd.DataFrame]) -> WalkForward:
    """Fold after fold: pair, how often each class was in its training, and its rows."""
    tables, records, folds = [], [], []
    for number, (pair, counts, rows) in enumerate(parts):
        tables.append(rows.assign(pair=pair, fold=number))
        labels = ClassCounts(**dict(zip(CLASSES, counts, strict=True)))
        records.append(record.model_copy(update={"labels": labels}))
        folds.append(Fold(pair, number, 0, 1, 2))
    table = pd.concat(tables, ignore_index=True).astype({"pair": "category"})
    return WalkForward(table, records, folds)


def rows(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.dirichlet([2, 3, 2], n), columns=list(CLASSES))
    return frame.assign(label=rng.integers(0, 3, n).astype(np.int8), valid=True)


def without(frame: pd.DataFrame, *, valid: bool, known: bool) -> pd.DataFrame:
    """Nothing predicted, or nothing known, of all rows."""
    changes = {} if known else {"label": np.int8(UNKNOWN)}
    if not valid:
        changes |= {"valid": False} | dict.fromkeys(CLASSES, math.nan)
    return frame.assign(**changes)


def quoted(counts: list[int], n: int) -> np.ndarray:
    return np.tile((np.array(counts) + 1) / (sum(counts) + 3), (n, 1))


def test_scores_are_those_of_scikit_learn(record):
    counts, frame = [30, 50, 20], rows(200, 1)
    (fold,) = fold_scores(a_walk(record, ("A", counts, frame)))
    scores, given = fold.scores, frame[list(CLASSES)]

    own = log_loss(frame["label"], given, labels=[0, 1, 2])
    reference = log_loss(frame["label"], quoted(counts, 200), labels=[0, 1, 2])
    assert scores.candles == 200
    assert scores.unpredicted == 0
    assert scores.log_loss == pytest.approx(own)
    assert scores.log_loss_of_frequencies == pytest.approx(reference)
    assert scores.skill == pytest.approx(1 - own / reference)
    for code, found in ((SHORT, scores.auc_short), (LONG, scores.auc_long)):
        area = roc_auc_score(frame["label"] == code, given[CLASSES[code]])
        assert found == pytest.approx(area)


def test_all_folds_together_are_held_against_the_frequencies_of_each(record):
    parts = [("A", [30, 50, 20], rows(200, 1)), ("A", [5, 90, 5], rows(50, 2))]
    parts += [("B", [0, 10, 60], rows(120, 3))]
    walk = a_walk(record, *parts)
    scores = overall_scores(walk)

    frame = pd.concat([frame for _, _, frame in parts])
    reference = np.concatenate([quoted(counts, len(frame)) for _, counts, frame in parts])
    own = log_loss(frame["label"], frame[list(CLASSES)], labels=[0, 1, 2])
    frequencies = log_loss(frame["label"], reference, labels=[0, 1, 2])
    assert scores.candles == 370
    assert scores.log_loss == pytest.approx(own)
    assert scores.log_loss_of_frequencies == pytest.approx(frequencies)
    assert scores.skill == pytest.approx(1 - own / frequencies)
    alone = [fold.scores.log_loss for fold in fold_scores(walk)]
    assert scores.log_loss == pytest.approx(np.average(alone, weights=[200, 50, 120]))


def test_the_frequencies_themselves_have_no_skill(record):
    frame = rows(90, 4)
    frame[list(CLASSES)] = quoted([1, 2, 3], 90)
    assert overall_scores(a_walk(record, ("A", [1, 2, 3], frame))).skill == pytest.approx(0)


def test_rows_without_prediction_or_label_count_nowhere(record):
    good = rows(100, 5)
    parts = [good, without(rows(30, 6), valid=True, known=False)]
    parts += [without(rows(20, 7), valid=False, known=True)]
    parts += [without(rows(10, 8), valid=False, known=False)]
    (mixed,) = fold_scores(a_walk(record, ("A", [3, 3, 3], pd.concat(parts))))
    (alone,) = fold_scores(a_walk(record, ("A", [3, 3, 3], good)))
    assert mixed.scores == alone.scores._replace(unpredicted=30)


@pytest.mark.parametrize("valid", [True, False])
def test_a_fold_of_which_nothing_is_known_is_unknown_not_zero(record, valid):
    nothing = without(rows(40, 9), valid=valid, known=not valid)
    walk = a_walk(record, ("A", [3, 3, 3], nothing), ("B", [3, 3, 3], rows(60, 1)))
    scores = fold_scores(walk)[0].scores
    assert (scores.candles, scores.unpredicted) == (0, 0 if valid else 40)
    for value in (scores.log_loss, scores.log_loss_of_frequencies, scores.skill):
        assert math.isnan(value)
    assert all(math.isnan(error) for error in scores.calibration_errors)

    told = json.loads(json.dumps(facts(scores), allow_nan=False))
    assert told["calibration_errors"] == [None] * 3
    assert {name for name, value in told.items() if value is None} == {
        *("log_loss", "log_loss_of_frequencies", "skill", "auc_short", "auc_long")
    }
    assert overall_scores(walk).candles == 60


def test_a_class_that_never_came_has_no_area(record):
    frame = rows(50, 1)
    frame = frame[frame["label"] != LONG]
    scores = overall_scores(a_walk(record, ("A", [3, 3, 3], frame)))
    assert scores.auc_long is None
    assert scores.auc_short is not None
    assert json.loads(json.dumps(facts(scores), allow_nan=False))["auc_long"] is None


def test_certainty_that_was_wrong_is_a_finite_loss(record):
    frame = rows(10, 1).assign(SHORT=1.0, HOLD=0.0, LONG=0.0, label=np.int8(LONG))
    scores = overall_scores(a_walk(record, ("A", [3, 3, 3], frame)))
    assert scores.log_loss == pytest.approx(-math.log(1e-7))
    json.dumps(facts(scores), allow_nan=False)


def test_frequencies_by_pencil():
    assert training_frequencies(ClassCounts(SHORT=0, HOLD=6, LONG=1)) == pytest.approx(
        [0.1, 0.7, 0.2]
    )


def test_scores_of_a_real_walk_forward(tmp_path: Path):
    walk = walks.walk(tmp_path)
    folds, overall = fold_scores(walk), overall_scores(walk)
    assert [fold.fold for fold in folds] == walk.folds
    assert sum(fold.scores.candles for fold in folds) == overall.candles == len(walk.table)
    for fold, record, scores in folds:
        mine = walk.table[(walk.table["pair"] == fold.pair) & (walk.table["fold"] == fold.number)]
        own = log_loss(mine["label"], mine[list(CLASSES)], labels=[0, 1, 2])
        assert scores.log_loss == pytest.approx(own)
        assert record.pair == fold.pair

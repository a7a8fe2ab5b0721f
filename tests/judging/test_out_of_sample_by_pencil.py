"""What a walk-forward's predictions were worth, by pencil and against a plain loop."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from dualwindow.judging.out_of_sample import (
    Scores,
    facts,
    fold_scores,
    overall_scores,
    training_frequencies,
)
from dualwindow.learning.folds import Fold
from dualwindow.learning.metrics import SplitLoss, auc, calibration_errors, split_loss
from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, HOLD, LONG, SHORT, UNKNOWN

A, B = "A/USDT", "B/USDT"
FEW = ClassCounts(SHORT=1, HOLD=5, LONG=1)  # with one more of each: 0.2, 0.6, 0.2
MANY_SHORTS = ClassCounts(SHORT=6, HOLD=1, LONG=0)  # 0.7, 0.2, 0.1

Row = tuple[str, int, int, tuple[float, float, float] | None]


def walked(counts: dict[tuple[str, int], ClassCounts], rows: list[Row]) -> WalkForward:
    """Rows of pair, fold, label and probabilities, None where there is no prediction."""
    given = np.array([[math.nan] * 3 if p is None else p for *_, p in rows]).reshape(-1, 3)
    columns = {
        "pair": pd.Categorical([pair for pair, *_ in rows], categories=["C/USDT", B, A]),
        "fold": np.array([number for _, number, *_ in rows], dtype=np.int32),
        **dict(zip(CLASSES, given.T, strict=True)),
        "label": np.array([label for _, _, label, _ in rows], dtype=np.int8),
        "valid": [p is not None for *_, p in rows],
    }
    records = [TrainingRecord.model_construct(labels=each) for each in counts.values()]
    folds = [Fold(pair, number, 0, number + 1, number + 2) for pair, number in counts]
    return WalkForward(pd.DataFrame(columns), records, folds)


JUDGED: list[Row] = [
    (A, 0, SHORT, (0.6, 0.3, 0.1)),
    (A, 0, HOLD, (0.2, 0.5, 0.3)),
    (A, 0, LONG, (0.3, 0.5, 0.2)),
    (A, 0, HOLD, (0.1, 0.8, 0.1)),
]
UNJUDGED: list[Row] = [
    (A, 0, UNKNOWN, (0.1, 0.1, 0.8)),
    (A, 0, SHORT, None),
    (A, 0, UNKNOWN, None),
]


def test_scores_by_pencil():
    scores = overall_scores(walked({(A, 0): FEW}, JUDGED + UNJUDGED))
    loss = -math.log(0.6 * 0.5 * 0.2 * 0.8) / 4
    reference = -math.log(0.2 * 0.6 * 0.2 * 0.6) / 4
    assert (scores.candles, scores.unpredicted) == (4, 2)
    assert scores.log_loss == pytest.approx(loss)
    assert scores.log_loss_of_frequencies == pytest.approx(reference)
    assert scores.skill == pytest.approx(1 - loss / reference)
    assert scores.auc_short == 1
    assert scores.auc_long == pytest.approx(2 / 3)  # 0.2 is above 0.1 twice, below 0.3
    # distances from 0, 1, or the share among the same: of 4 rows each
    expected = (0.4 + 0.2 + 0.3 + 0.1, 0.3 + 0.2, 0.1 + 0.1 + 0.3 + 0.8)
    assert scores.calibration_errors == pytest.approx([error / 4 for error in expected])


def test_every_fold_is_scored_by_itself_in_the_order_of_the_folds():
    rows = [*JUDGED, (B, 0, LONG, (0.5, 0.25, 0.25)), *UNJUDGED, (A, 1, SHORT, (0.4, 0.3, 0.3))]
    walk = walked({(A, 1): FEW, (B, 0): MANY_SHORTS, (A, 0): MANY_SHORTS}, rows)
    found = fold_scores(walk)
    assert [each.fold for each in found] == walk.folds
    assert [each.record for each in found] == walk.records
    assert [each.scores.candles for each in found] == [1, 1, 4]
    assert [each.scores.unpredicted for each in found] == [0, 0, 2]
    assert [each.scores.log_loss for each in found[:2]] == pytest.approx(
        [-math.log(0.4), math.log(4)]
    )
    references = [each.scores.log_loss_of_frequencies for each in found]
    expected = [-math.log(0.2), -math.log(0.1), -math.log(0.7 * 0.2 * 0.1 * 0.2) / 4]
    assert references == pytest.approx(expected)
    assert [each.scores.auc_long for each in found] == [None, None, pytest.approx(2 / 3)]
    assert [each.scores.auc_short for each in found] == [None, None, 1]


def test_all_together_matches_a_plain_loop(seed):
    rng = np.random.default_rng(seed)
    counts = {
        (pair, number): ClassCounts(SHORT=s, HOLD=h, LONG=x)
        for pair, number in [(A, 0), (B, 0), (A, 1), (B, 1)]
        for s, h, x in [rng.integers(0, 50, 3).tolist()]
    }
    keys = list(counts)
    rows: list[Row] = []
    for _ in range(400):
        p = None if rng.random() < 0.1 else tuple(rng.dirichlet(np.ones(3)).tolist())
        rows.append((*keys[rng.integers(4)], int(rng.integers(-1, 3)), p))
    losses, references, truth, given = [], [], [], []
    for pair, number, label, p in rows:
        if p is None or label == UNKNOWN:
            continue
        of = counts[pair, number]
        losses.append(-math.log(p[label]))
        references.append(-math.log(([of.SHORT, of.HOLD, of.LONG][label] + 1) / (of.total + 3)))
        truth.append(label)
        given.append(p)
    scores = overall_scores(walked(counts, rows))
    assert scores.candles == len(truth) > 200
    assert scores.unpredicted == sum(p is None for *_, p in rows) > 10
    assert scores.log_loss == pytest.approx(np.mean(losses))
    assert scores.log_loss_of_frequencies == pytest.approx(np.mean(references))
    assert scores.skill == pytest.approx(1 - np.sum(losses) / np.sum(references))
    labels, probabilities = np.array(truth), np.array(given)
    assert scores.auc_short == pytest.approx(auc(probabilities, labels, SHORT))
    assert scores.auc_long == pytest.approx(auc(probabilities, labels, LONG))
    assert scores.calibration_errors == pytest.approx(calibration_errors(probabilities, labels))
    each = fold_scores(walked(counts, rows))
    assert sum(f.scores.candles for f in each) == scores.candles
    assert sum(f.scores.candles * f.scores.log_loss for f in each) == pytest.approx(np.sum(losses))


def test_frequencies_are_never_0():
    assert training_frequencies(MANY_SHORTS).tolist() == pytest.approx([0.7, 0.2, 0.1])
    none = ClassCounts(SHORT=0, HOLD=0, LONG=0)
    assert training_frequencies(none).tolist() == pytest.approx([1 / 3] * 3)


def test_without_a_candle_to_judge_everything_is_unknown_not_zero():
    scores = overall_scores(walked({(A, 0): FEW}, UNJUDGED))
    assert (scores.candles, scores.unpredicted) == (0, 2)
    assert (scores.auc_short, scores.auc_long) == (None, None)
    numbers = (scores.log_loss, scores.log_loss_of_frequencies, scores.skill)
    assert len(scores.calibration_errors) == 3
    assert all(math.isnan(x) for x in (*numbers, *scores.calibration_errors))


@pytest.mark.parametrize("score", [fold_scores, overall_scores])
def test_a_fold_without_a_record_is_refused(score):
    walk = walked({(A, 0): FEW}, JUDGED)
    with pytest.raises(ValueError, match="zip"):
        score(walk._replace(records=[]))


def test_facts_are_json_in_which_what_is_no_number_is_none():
    nan = math.nan
    split = SplitLoss(0.5, nan), SplitLoss(0.5, 0.25)
    laid_out = facts(Scores(0, 2, 0.5, nan, -0.25, None, 0.75, (0.0, nan, 0.125), *split))
    assert laid_out == {
        "candles": 0,
        "unpredicted": 2,
        "log_loss": 0.5,
        "log_loss_of_frequencies": None,
        "skill": -0.25,
        "auc_short": None,
        "auc_long": 0.75,
        "calibration_errors": [0.0, None, 0.125],
        "split": {"touch": 0.5, "direction": None},
        "split_of_frequencies": {"touch": 0.5, "direction": 0.25},
    }
    assert json.loads(json.dumps(laid_out, allow_nan=False)) == laid_out


def test_both_losses_are_told_by_question():
    """Whether a barrier is touched, and which one; of the frequencies, too."""
    walk = walked({(A, 0): FEW}, JUDGED)
    found = overall_scores(walk)
    table = walk.table[walk.table["valid"] & (walk.table["label"] != UNKNOWN)]
    truth = table["label"].to_numpy()
    assert found.split == split_loss(table[list(CLASSES)].to_numpy(), truth)
    assert sum(found.split) == pytest.approx(found.log_loss)
    assert sum(found.split_of_frequencies) == pytest.approx(found.log_loss_of_frequencies)
    assert found.split != found.split_of_frequencies


def test_the_table_is_untouched():
    walk = walked({(A, 0): FEW}, JUDGED + UNJUDGED)
    before = walk.table.copy()
    overall_scores(walk)
    fold_scores(walk)
    pd.testing.assert_frame_equal(walk.table, before)

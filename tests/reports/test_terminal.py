"""Tables fit into a terminal of 80 columns, whatever stands in them."""

import io
import math

import pytest
import walks
from rich.console import Console

from dualwindow.judging.out_of_sample import (
    FoldScores,
    Scores,
    fold_scores,
    overall_scores,
)
from dualwindow.learning.folds import Fold
from dualwindow.learning.metrics import SplitLoss
from dualwindow.reports.terminal import walk_forward_table

DAY = 86400
SPLIT = [SplitLoss(math.nan, math.nan)] * 2
WIDE = Scores(1_234_567, 0, 1.234, 1.234, -0.123, 0.55, 0.55, (0.1, 0.1, 0.1), *SPLIT)
NOTHING = Scores(0, 9, math.nan, math.nan, math.nan, None, None, (math.nan,) * 3, *SPLIT)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return walks.walk(tmp_path_factory.mktemp("walk"))


def shown(table) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(table)
    return console.file.getvalue().splitlines()


def test_what_a_walk_forward_was_worth(walk):
    folds, overall = fold_scores(walk), overall_scores(walk)
    lines = shown(walk_forward_table(folds, overall))
    rows = [line.split() for line in lines if line.startswith(("A/USDT", "B/USDT"))]
    assert len(rows) == len(folds) == 8
    for (fold, record, scores), row in zip(folds, rows, strict=True):
        assert row[:3] == [fold.pair, "1970-01-01", str(scores.candles)]
        assert row[3:6] == [
            *(f"{scores.log_loss:.3f}", f"{scores.log_loss_of_frequencies:.3f}"),
            f"{scores.skill:+.3f}",
        ]
        assert row[6:] == [
            *(f"{scores.auc_short:.2f}", f"{scores.auc_long:.2f}"),
            f"{record.seconds:.1f}",
        ]
    assert f"Skill above 0 in {sum(scores.skill > 0 for _, _, scores in folds)} of 8" in lines[-1]
    (last,) = (line for line in lines if line.startswith("all"))
    assert last.split()[:3] == ["all", "8", "folds"]
    assert f"{overall.skill:+.3f}" in last


@pytest.mark.parametrize("pair", ["BTC/USDT", "1000PEPE/USDT:USDT", "1000000MOG/USDT:USDT"])
@pytest.mark.parametrize("scores", [WIDE, NOTHING], ids=["wide", "nothing"])
@pytest.mark.parametrize("seconds", [0.4, 12345.6])
def test_a_table_fits_into_80_columns(walk, pair, scores, seconds):
    record = walk.records[0].model_copy(update={"seconds": seconds})
    folds = [FoldScores(Fold(pair, i, 0, i * DAY, i * DAY + DAY), record, scores) for i in (0, 1)]
    lines = shown(walk_forward_table(folds * 60, scores))
    assert sum(line.startswith(f"{pair} ") for line in lines) == 120
    assert "…" not in "".join(lines)
    assert max(map(len, lines)) <= 80
    head = " ".join(lines[:6])
    for word in ("pair", "from", "candles", "skill", "SHORT", "LONG"):
        assert word in head
    (last,) = (line for line in lines if line.startswith("all"))
    if scores is WIDE:
        assert all(cell in last for cell in ("1,234,567", "1.234", "-0.123", "0.55"))
    assert last.rstrip().endswith("48.0" if seconds < 1 else "1481472")

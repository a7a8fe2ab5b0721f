"""Tables fit into a terminal of 80 columns, whatever stands in them."""

import io
import math

import numpy as np
import pytest
import walks
from examples import make_candles
from examples_evidence import seen
from rich.console import Console

from dualwindow.judging.out_of_sample import (
    FoldScores,
    Scores,
    fold_scores,
    overall_scores,
)
from dualwindow.judging.signals import way
from dualwindow.learning.folds import Fold
from dualwindow.learning.metrics import SplitLoss
from dualwindow.market.labels import HOLD, LONG, SHORT, UNKNOWN
from dualwindow.reports.terminal import comparison_table, walk_forward_table

DAY = 86400
SPLIT = [SplitLoss(math.nan, math.nan)] * 2
WIDE = Scores(1_234_567, 0, 1.234, 1.234, -0.123, 0.55, 0.55, (0.1, 0.1, 0.1), *SPLIT)
NOTHING = Scores(0, 9, math.nan, math.nan, math.nan, None, None, (math.nan,) * 3, *SPLIT)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    return walks.walk(tmp_path_factory.mktemp("walk"))


def shown(table, width=80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
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


def cells(table) -> dict[str, list[str]]:
    rows = [line.split("│")[1:-1] for line in shown(table, 100) if line.startswith("│")]
    return {name.strip(): [cell.strip() for cell in row] for name, *row in rows}


def test_ways_of_deciding_by_pencil():
    """Of eight candles of two days a long and a short are true; one way never enters.

    The long of the first candle and the first short, on one day, end where they began, and so does
    the short of the second day, 0.3 % higher: -0.1 and -0.4 % after fees.
    """
    truth = np.array([LONG, SHORT, HOLD, HOLD, HOLD, HOLD, HOLD, UNKNOWN])
    chosen = np.array([LONG, SHORT, HOLD, HOLD, SHORT, HOLD, HOLD, LONG])
    close = [100.0, 100, 100, 100, 100, 100, 100.3, 100.3]
    candles = make_candles(close, minute=[*range(4), *range(1440, 1444)])
    own = [seen(candles, truth)]
    table = comparison_table("t", [way("a", own, [chosen]), way("b", own, [np.full(8, HOLD)])])
    assert cells(table) == {
        "candles": ["7", "7"],
        "accuracy": ["0.857", "0.714"],
        "precision SHORT / HOLD / LONG": ["0.500 / 1.000 / 1.000", "- / 0.714 / -"],
        "recall SHORT / HOLD / LONG": ["1.000 / 0.800 / 1.000", "0.000 / 1.000 / 0.000"],
        "F1 SHORT / HOLD / LONG": ["0.667 / 0.889 / 1.000", "0.000 / 0.833 / 0.000"],
        "trading F1": ["0.833", "0.000"],
        "share of HOLD, %": ["57.1", "100.0"],
        "signals per day and pair": ["617.1", "0.0"],  # three in seven minutes
        "SHORT signals (independent)": ["2 (2)", "0 (0)"],
        "SHORT hit rate, % (needed after fees)": ["50 (37)", "- (37)"],
        "SHORT value per signal, % ± standard error": ["-0.25 ± 0.15", "- ± -"],
        "LONG signals (independent)": ["1 (1)", "0 (0)"],
        "LONG hit rate, % (needed after fees)": ["100 (40)", "- (40)"],
        "LONG value per signal, % ± standard error": ["-0.10 ± -", "- ± -"],
    }


def test_of_ways_what_is_unknown_is_a_dash():
    """No candle is judged; in the second table, prices are not known."""
    nothing = [seen(make_candles(np.full(3, 100.0)), [UNKNOWN] * 3)]
    told = cells(comparison_table("t", [way("a", nothing, [np.full(3, LONG)])]))
    for name in ("accuracy", "trading F1", "share of HOLD, %", "signals per day and pair"):
        assert told[name] == ["-"]
    blind = [seen(None, [LONG, HOLD], place=[-1, -1])]
    told = cells(comparison_table("t", [way("a", blind, [np.array([LONG, LONG])])]))
    assert told["LONG signals (independent)"] == ["2 (-)"]
    assert told["LONG value per signal, % ± standard error"] == ["- ± -"]

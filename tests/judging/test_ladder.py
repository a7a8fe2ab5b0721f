"""Who is best of those who predicted the same candles, and whether by chance."""

import io

import numpy as np
import pandas as pd
import pytest
import walks
from rich.console import Console

from dualwindow.judging.comparison import block_interval, blocks_of
from dualwindow.judging.decisions import ExpectedValue
from dualwindow.judging.ladder import ladder, verdict
from dualwindow.judging.out_of_sample import fold_scores, overall_scores
from dualwindow.learning import walk_forward
from dualwindow.learning.fold_store import Store
from dualwindow.learning.folds import Schedule
from dualwindow.learning.parallel import Workers
from dualwindow.learning.walk_forward import WalkForward
from dualwindow.market.labels import CLASSES, UNKNOWN, Barriers
from dualwindow.reports.terminal import ladder_table

RULE = ExpectedValue(Barriers(0.006, 0.003, 0.006, 0.003), 0.0, 0.0)
NAMES = list(CLASSES)


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Windows of half the length, so that there are enough to tell chance from more."""
    return walked(tmp_path_factory, walks.pairs())


def walked(tmp_path_factory, pairs) -> WalkForward:
    schedule = Schedule(walks.START, walks.STOP, walks.TRAIN / 1440, walks.WINDOW / 2880)
    settings, store = walks.settings(), Store(tmp_path_factory.mktemp("walk"))
    store.begin(settings, schedule)
    wanted, _ = walk_forward.tasks(pairs, schedule, settings)
    return walk_forward.run(wanted, store, Workers(), lambda step: None)


def saying(walk: WalkForward, probabilities: np.ndarray) -> WalkForward:
    table = walk.table.assign(**dict(zip(NAMES, probabilities.T, strict=True)))
    return walk._replace(table=table)


def knowing(walk: WalkForward, share: float) -> WalkForward:
    """Mix what was predicted with the truth."""
    truth = np.eye(3)[np.maximum(walk.table["label"].to_numpy(), 0)]
    return saying(walk, (1 - share) * walk.table[NAMES].to_numpy() + share * truth)


def test_numbers_of_one_are_those_of_its_walk_forward(walk):
    """Oracle: the scores of the walk-forward itself, by other code."""
    (line,) = ladder({"mine": walk}, "mine", RULE)
    scores = [scores for _, _, scores in fold_scores(walk)]
    np.testing.assert_allclose(line.skills, [s.skill for s in scores])
    overall = overall_scores(walk)
    assert line.calibration_error == pytest.approx(max(overall.calibration_errors))
    assert line.touch == pytest.approx(1 - overall.split.touch / overall.split_of_frequencies.touch)
    assert line.seconds == pytest.approx(np.mean([r.seconds for r in walk.records]))
    assert line.behind_best.mean == line.behind_baseline.mean == 0


def test_the_best_one_is_first_and_ahead_by_more_than_noise(walk):
    better = knowing(walk, 0.05)
    lines = ladder({"three": walk, "better": better, "best": knowing(walk, 0.2)}, "three", RULE)
    assert [line.name for line in lines] == ["best", "better", "three"]
    assert lines[1].behind_best.low > 0
    assert lines[1].behind_best.mean == pytest.approx((lines[0].skills - lines[1].skills).mean())
    assert lines[0].behind_baseline.high < 0
    told = verdict(lines, "three")
    assert told[0].startswith("best: best, mean skill +")
    assert [line.partition(" by ")[0] for line in told[1:]] == [
        "better than better",
        "better than three",
    ]
    assert all(line.endswith(": more than noise") for line in told[1:])


def test_a_difference_that_changes_its_sign_is_noise(walk):
    """Better in some windows, worse in others: drawn by whole windows of time."""
    even = (walk.table["fold"].to_numpy() % 2 == 0)[:, None]
    mine, theirs = (knowing(walk, share).table[NAMES].to_numpy() for share in (0.1, 0.11))
    lines = ladder(
        {
            "one": saying(walk, np.where(even, mine, theirs)),
            "other": saying(walk, np.where(even, theirs, mine)),
        },
        "one",
        RULE,
    )
    assert verdict(lines, "one")[-1].endswith("no more than noise")


def test_only_candles_that_all_have_predicted_count(walk):
    """One fails in the second half of every fold; the numbers of both are of the first halves."""
    table = walk.table.copy()
    place = table.groupby(["pair", "fold"], observed=True).cumcount().to_numpy()
    late = place >= 50
    table.loc[late, "valid"] = False
    table.loc[late, NAMES] = np.nan
    half = walk._replace(table=table)
    both = ladder({"whole": walk, "half": half}, "whole", RULE)
    np.testing.assert_allclose(both[0].skills, both[1].skills)
    (alone,) = ladder({"half": half}, "half", RULE)
    np.testing.assert_allclose(alone.skills, both[0].skills)


def test_windows_of_time_are_those_of_all_windows_whatever_is_judged(tmp_path_factory):
    """Three pairs, begun at 0, 40 and 80 % of a window; grouped anew, those left would be less."""
    walk = walked(tmp_path_factory, walks.pairs(names=("A/USDT", "B/USDT", "C/USDT")))
    begun = {"A/USDT": 0, "B/USDT": 40, "C/USDT": 80}
    starts = np.array([begun[fold.pair] + 100 * fold.number for fold in walk.folds])
    folds = [
        fold._replace(start=start, stop=start + 100)
        for fold, start in zip(walk.folds, starts.tolist(), strict=True)
    ]
    kept = np.isin(starts, [140, 180, 200, 240, 300, 340, 380, 640, 680])
    valid = pd.Series(
        {(fold.pair, fold.number): is_kept for fold, is_kept in zip(folds, kept, strict=True)}
    )
    keys = pd.MultiIndex.from_frame(walk.table[["pair", "fold"]].astype({"pair": str}))
    table = walk.table.assign(valid=walk.table["valid"] & valid.reindex(keys).to_numpy())
    walk = walk._replace(table=table, folds=folds)
    blocks, few = blocks_of(starts, starts + 100)[kept], blocks_of(starts[kept], starts[kept] + 100)
    assert (len(set(blocks)), len(set(few))) == (6, 5)
    best, other = ladder({"one": walk, "better": knowing(walk, 0.1)}, "one", RULE)
    assert best.name == "better"
    expected = block_interval(best.skills - other.skills, blocks)
    assert other.behind_best == pytest.approx(expected)


def test_unknown_labels_count_nowhere(walk):
    labels = np.where(np.arange(len(walk.table)) % 7 == 0, UNKNOWN, walk.table["label"])
    walk = walk._replace(table=walk.table.assign(label=labels))
    known = labels != UNKNOWN
    wild = walk.table[NAMES].to_numpy().copy()
    wild[~known] = [1.0, 0.0, 0.0]
    one, other = (ladder({"w": w}, "w", RULE)[0] for w in (walk, saying(walk, wild)))
    np.testing.assert_array_equal(one.skills, other.skills)
    assert one.signals == other.signals


def test_signals_and_hits_are_those_of_the_rule(walk):
    told = np.tile(np.array([0.05, 0.9, 0.05]), (len(walk.table), 1))
    rows = np.flatnonzero((walk.table["label"] != UNKNOWN) & walk.table["valid"])[:10]
    told[rows] = [0.0, 0.1, 0.9]  # LONG
    (line,) = ladder({"w": saying(walk, told)}, "w", RULE)
    assert line.signals == 10
    truth = walk.table["label"].to_numpy()[rows]
    assert line.hit_rate == pytest.approx((truth == NAMES.index("LONG")).mean())


def test_walks_over_other_windows_are_refused(walk):
    fewer = walk._replace(folds=walk.folds[:-1])
    with pytest.raises(ValueError, match="fewer predicts other windows than all"):
        ladder({"all": walk, "fewer": fewer}, "all", RULE)
    others = walk._replace(table=walk.table.assign(label=1))
    with pytest.raises(ValueError, match="others has other labels than all"):
        ladder({"all": walk, "others": others}, "all", RULE)
    nothing = walk._replace(table=walk.table.assign(valid=False))
    with pytest.raises(ValueError, match="no candle that all have predicted"):
        ladder({"all": walk, "nothing": nothing}, "all", RULE)


def test_of_one_window_nothing_is_said_about_chance(walk):
    number = walk.table["fold"] == 0
    chosen = [i for i, fold in enumerate(walk.folds) if fold.number == 0]
    one = WalkForward(
        pd.DataFrame(walk.table[number]),
        [walk.records[i] for i in chosen],
        [walk.folds[i] for i in chosen],
    )
    lines = ladder({"one": one, "other": knowing(one, 0.1)}, "one", RULE)
    assert "nothing can be said about chance" in verdict(lines, "one")[1]
    assert ladder_table(lines, "one", 0.4).row_count == 2


def test_a_question_that_was_never_asked_has_no_skill(walk):
    """Where nothing has moved there is no direction to be right about."""
    still = walk._replace(table=walk.table.assign(label=NAMES.index("HOLD")))
    (line,) = ladder({"still": still}, "still", RULE)
    assert np.isnan(line.direction)
    assert np.isfinite(line.touch)
    assert ladder_table([line], "still", 0.4).row_count == 1


@pytest.mark.parametrize(
    "who", ["ranges, 30 days, own pair", "ensemble/stacked, 120 days, together"]
)
def test_a_ladder_fits_into_100_columns(walk, who):
    """With the longest name, the widest numbers, and every column whole."""
    lines = ladder({who: walk, "better": knowing(walk, 0.2)}, who, RULE)
    wide = [line._replace(signals=12345, seconds=1234.5, memory=98_765 * 10**6) for line in lines]
    console = Console(file=io.StringIO(), width=100)
    console.print(ladder_table(wide, who, 0.4))
    told = console.file.getvalue()
    assert told.count("1234") == 2 + told.count("12345")
    assert told.count("98.8") == 2
    assert "…" not in told
    assert "* behind the best one by more than noise" in told
    assert "†" in told
    alone = Console(file=io.StringIO(), width=100)
    alone.print(ladder_table(wide[:1], "better", 0.4))
    assert "*" not in alone.file.getvalue()

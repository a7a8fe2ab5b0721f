"""Signals, ways of deciding and reliability, by pencil and against other libraries."""

import math
from dataclasses import replace

import numpy as np
import pytest
from examples import make_candles, random_candles
from examples_evidence import seen
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from dualwindow.judging.decisions import Thresholds
from dualwindow.judging.findings import Deal
from dualwindow.judging.funnel import funnel
from dualwindow.judging.reliability import reliability, wilson
from dualwindow.judging.returns import of_deals, of_signals
from dualwindow.judging.rungs import Decider
from dualwindow.judging.signals import signals_of, threshold_table, way, ways
from dualwindow.learning.metrics import calibration_errors
from dualwindow.market.labels import HOLD, LONG, SHORT, UNKNOWN
from dualwindow.settings import Settings

FLAT = make_candles(np.full(12, 100.0))  # nothing is ever touched: each trade takes 3 candles
NOBODY, SURE = Decider(None, None), Decider(Thresholds(0.5, 0.5, 0.5), "hold")
SMALL = Settings.model_validate({"history": 2, "horizon": 3, "model": {"kind": "ranges"}})


def test_signals_by_pencil():
    labels = [LONG, HOLD, HOLD, LONG, UNKNOWN, SHORT, HOLD, HOLD, HOLD, LONG, UNKNOWN, HOLD]
    entered = np.isin(np.arange(12), [0, 1, 3, 4, 9])  # of the fifth, nothing is known yet
    found = signals_of([seen(FLAT, labels)], [entered], LONG, 0.4)
    assert (found.signals, found.independent, found.threshold) == (4, 3, 0.4)  # 0, 3, 9
    assert found.hit_rate == pytest.approx(3 / 4)
    assert found.base_rate == pytest.approx(3 / 10)
    assert found.lift == pytest.approx(2.5)
    assert found.per_day == pytest.approx(4 / (10 / 1440))
    assert found.needed == pytest.approx(0.4)  # (0.005 + 0.001) / 0.015
    assert found.value == pytest.approx(-0.001)
    assert (found.error, found.days) == (None, 1)


def test_value_and_error_by_pencil():
    """Entered at 0 and at 3: the first long wins 1 %, the second ends 0.2 % higher."""
    close = np.array([100.0, 101, 101, 101, 101, 101, 101.202, 101.202])
    labels = [LONG, HOLD, HOLD, HOLD, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    entered = np.isin(np.arange(8), [0, 3])
    candles = make_candles(close, minute=[0, 1, 2, *range(1440, 1445)])  # the second is a day later
    found = signals_of([seen(candles, labels)], [entered], LONG, None)
    assert found.value == pytest.approx((0.009 + 0.001) / 2)
    assert found.error == pytest.approx(0.004)  # deviations of 0.004 both, over n - 1 and root 2
    assert found.days == 2


def test_what_pairs_do_on_a_day_is_one_piece_of_evidence():
    """Two entries of the first day and one of the second: -0.1, -0.1 and +0.1 %, mean -1/30 %."""
    close = [100.0, 100, 100, 100, 100, 100, 100, 100, 100, 100.2, 100.2, 100.2]
    candles = make_candles(close, minute=[*range(6), *range(1440, 1446)])
    one, entered = seen(candles, [HOLD] * 12), np.isin(np.arange(12), [0, 3, 7])
    alone = signals_of([one], [entered], LONG, None)
    # Sums of deviations by day: -0.4/300 and 0.4/300; root of 2 times their squares, over 3.
    assert (alone.value, alone.error) == (pytest.approx(-0.001 / 3), pytest.approx(0.008 / 9))
    nine = signals_of([one] * 9, [entered] * 9, LONG, None)
    assert (nine.value, nine.error) == (pytest.approx(alone.value), pytest.approx(alone.error))
    assert (alone.independent, alone.busiest) == (3, 3)
    assert (nine.independent, nine.busiest) == (27, 3)


def test_pairs_are_followed_each_by_itself():
    labels = [LONG, HOLD, HOLD, HOLD]
    one = seen(make_candles(np.full(4, 100.0)), labels)
    other = seen(make_candles(np.full(4, 7.0)), labels)
    entered = np.array([True, True, False, False])
    found = signals_of([one, other], [entered, entered], LONG, None)
    assert (found.signals, found.independent) == (4, 2)
    assert found.hit_rate == pytest.approx(1 / 2)
    assert found.per_day == pytest.approx(4 / (8 / 1440))


def test_without_candles_it_is_unknown_how_trades_end():
    labels = [LONG, HOLD, HOLD, HOLD]
    blind = seen(None, labels, place=[-1] * 4)
    entered = np.array([True, True, False, False])
    found = signals_of([blind], [entered], LONG, None)
    assert (found.signals, found.independent, found.value) == (2, None, None)
    assert found.per_day == pytest.approx(2 / (4 / 1440))
    none = signals_of([blind], [~entered & False], SHORT, None)
    assert (none.signals, none.hit_rate, none.lift) == (0, None, None)


def test_a_candle_that_is_not_there_ends_no_trade():
    labels = [LONG, HOLD, HOLD, LONG]
    holed = seen(make_candles([100.0, 100.0, 100.0]), labels, place=[0, 1, 2, -1])
    found = signals_of([holed], [np.array([True, False, False, True])], LONG, None)
    assert (found.signals, found.independent) == (2, 1)


def test_a_threshold_counts_from_itself_on():
    p = np.array([[0.1, 0.55, 0.35], [0.35, 0.6, 0.05], [0.1, 0.5, 0.4], [np.nan] * 3])
    table = threshold_table([seen(FLAT[:4], [LONG, HOLD, HOLD, LONG], p)], SURE)
    assert [each.threshold for each in table["LONG"]] == pytest.approx(np.arange(1, 20) / 20)
    longs = {each.threshold: each.signals for each in table["LONG"]}
    assert (longs[0.05], longs[0.1], longs[0.35], longs[0.4], longs[0.45]) == (3, 2, 2, 1, 0)
    assert {each.threshold: each.signals for each in table["SHORT"]}[0.35] == 1
    assert all(each.base_rate == pytest.approx(1 / 3) for each in table["LONG"])
    assert all(each.needed == pytest.approx(11 / 30) for each in table["SHORT"])


def test_ways_are_what_scikit_learn_says(seed):
    rng = np.random.default_rng(seed)
    truth, chosen = rng.integers(-1, 3, 500), rng.integers(0, 3, 500)
    found = way("random", [seen(random_candles(500, seed), truth)], [chosen])
    known = truth != UNKNOWN
    both = truth[known], chosen[known]
    precision, recall, f1, _ = precision_recall_fscore_support(*both, labels=[0, 1, 2])
    assert found.candles == known.sum() > 300
    assert found.accuracy == pytest.approx(accuracy_score(*both))
    assert found.precision == pytest.approx(precision)
    assert found.recall == pytest.approx(recall)
    assert found.f1 == pytest.approx(f1)
    assert np.array_equal(found.confusion, confusion_matrix(*both))


def test_a_class_that_never_comes_has_no_precision():
    found = way("held", [seen(FLAT[:3], [HOLD, HOLD, LONG])], [np.array([HOLD, HOLD, HOLD])])
    assert found.precision == (None, pytest.approx(2 / 3), None)
    assert found.recall == (None, 1, 0)
    assert found.f1 == (None, pytest.approx(4 / 5), 0)
    nothing = way("none", [seen(FLAT[:2], [UNKNOWN] * 2)], [np.array([HOLD, LONG])])
    assert (nothing.candles, nothing.accuracy, nothing.f1) == (0, None, (None,) * 3)


def test_where_a_host_does_not_enter_the_rule_holds():
    p = np.tile([0.1, 0.2, 0.7], (4, 1))
    vetoed = [False, True, False, False]
    both = ways(
        [seen(FLAT[:4], [LONG] * 4, p, vetoed=vetoed)],
        SURE,
        "mine",
    )
    assert [each.name for each in both] == ["most probable class", "mine"]
    assert (both[0].long.signals, both[1].long.signals) == (4, 3)
    assert both[1].confusion[LONG] == (0, 1, 3)
    (alone,) = ways([seen(FLAT[:4], [LONG] * 4, p)], NOBODY, "none")
    assert alone.long.signals == 4


def test_who_cannot_short_is_judged_by_what_is_long():
    """Skill and confusion of the most probable class stay those of three classes."""
    p = np.tile([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7], [0.2, 0.6, 0.2]], (2, 1))
    own, long_alone = [seen(FLAT[:6], [SHORT, LONG, HOLD] * 2, p)], SURE._replace(can_short=False)
    assert long_alone(p).tolist() == [HOLD, LONG, HOLD] * 2
    assert list(threshold_table(own, long_alone)) == ["LONG"]
    assert threshold_table(own, long_alone)["LONG"] == threshold_table(own, SURE)["LONG"]
    (argmax, rule), both = ways(own, long_alone, "mine"), ways(own, SURE, "mine")
    assert (argmax.short, rule.short) == (None, None)
    assert (argmax.long, rule.long) == (both[0].long, both[1].long)
    assert argmax.confusion == both[0].confusion == ((2, 0, 0), (0, 2, 0), (0, 0, 2))
    assert rule.confusion == ((0, 2, 0), (0, 2, 0), (0, 0, 2))
    step = {each.name: each for each in funnel(own, long_alone, SMALL, None, {})}["sure enough"]
    assert step.count == 2
    assert step.lost == {
        "not sure enough of SHORT or LONG": 2,
        "SHORT, which cannot be entered": 2,
    }


def test_the_funnel_by_pencil():
    """Of 12 candles one is not there, two are not predicted, and one is refused by the host."""
    p = np.tile([0.1, 0.2, 0.7], (12, 1))
    p[[2, 3]], p[[8, 9]] = np.nan, [0.2, 0.7, 0.1]
    place = [*range(11), -1]
    candles = make_candles(np.full(11, 100.0))
    vetoed = np.arange(12) == 5
    settings = SMALL
    made = funnel(
        [seen(candles, [HOLD] * 12, p, place, vetoed)],
        SURE,
        settings,
        2,
        {"no free slot": 1, "never": 0},
    )
    assert [(step.name, step.count) for step in made] == [
        ("candles", 12),
        ("predicted", 10),
        ("sure enough", 8),
        ("not refused by the host", 7),
        ("independent signals", 4),  # 0, 4, 7, 10: each takes 3 candles
        ("trades", 2),
    ]
    assert [step.lost for step in made] == [
        {},
        {"a feature is unknown, or it is an outlier": 2},
        {"not sure enough of SHORT or LONG": 2},
        {"the host does not enter there": 1},
        {"the signal before still runs": 3},
        {"no free slot": 1},
    ]
    blind = [seen(None, [HOLD] * 12, p, [-1] * 12)]
    assert len(funnel(blind, NOBODY, settings, None, {})) == 2


def test_the_funnel_says_why_there_is_no_prediction():
    """Row 0 has nothing before it; the candle before row 3 is missing, row 6's price is unknown."""
    candles = make_candles([1.0, 1, 1, 1, 1, 1, math.nan, 1, 1], minute=[0, 1, 2, 4, 5, 6, 7, 8, 9])
    p = np.tile([0.1, 0.2, 0.7], (9, 1))
    p[[0, 3, 6, 7, 8]] = np.nan
    settings = SMALL
    step = funnel([seen(candles, [HOLD] * 9, p)], NOBODY, settings, None, {})[1]
    assert step.lost == {
        "too few candles before": 1,
        "gap in the window": 1,
        "candle or feature unknown in the window": 2,
        "a feature is unknown, or it is an outlier": 1,
    }
    assert sum(step.lost.values()) == 9 - step.count


def test_reliability_by_pencil():
    p = np.array([[0.1, 0.9, 0.0], [0.2, 0.8, 0.0], [0.3, 0.7, 0.0], [0.4, 0.6, 0.0]])
    bins = reliability(p, np.array([0, 1, 0, 0]), overlap=1, bins=2)
    assert [(b.told, b.happened, b.count) for b in bins["SHORT"]] == [
        (pytest.approx(0.15), 0.5, 2),
        (pytest.approx(0.35), 1.0, 2),
    ]
    (never,) = bins["LONG"]  # all of the same probability are one
    assert (never.told, never.happened, never.count, never.low) == (0, 0, 4, 0)


def test_candles_of_the_same_probability_share_what_happened():
    p = np.full((6, 3), 1 / 3)
    hit = np.array([0, 0, 1, 1, 1, 1])
    (short,) = reliability(p, hit, overlap=1, bins=3)["SHORT"]
    assert (short.happened, short.count) == (pytest.approx(1 / 3), 6)


def test_many_candles_of_the_same_probability_are_one_point():
    p, hit = np.full((1003, 3), 0.1), np.repeat([0, 1], [103, 900])
    (short,) = reliability(p, hit, overlap=1)["SHORT"]  # whose mean is not quite 0.1
    assert (short.told, short.count) == (0.1, 1003)


def test_bins_add_up_to_the_calibration_error(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([2, 3, 2], 1000).round(2)
    labels = rng.integers(0, 3, 1000)
    errors = [
        sum(b.count * abs(b.told - b.happened) for b in bins) / 1000
        for bins in reliability(p, labels, overlap=5).values()
    ]
    assert errors == pytest.approx(calibration_errors(p, labels, 10))


@pytest.mark.parametrize(("k", "n"), [(0, 7), (3, 7), (7, 7), (60, 400)])
def test_bands_are_those_of_wilson(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k / n, n) == pytest.approx((expected.low, expected.high))


def test_neighbours_that_share_a_label_make_a_wider_band():
    p, labels = np.full((120, 3), 1 / 3), np.repeat([0, 1, 2], 40)
    (alone,), (shared,) = (reliability(p, labels, n)["LONG"] for n in (1, 12))
    expected = binomtest(10, 30).proportion_ci(method="wilson")
    assert shared.low < alone.low
    assert wilson(1 / 3, 30) == pytest.approx((expected.low, expected.high))
    assert (shared.low, shared.high) == pytest.approx(wilson(1 / 3, 10))


def test_a_trade_belongs_to_the_day_on_which_it_ends():
    """Hourly candles: a long of 22:00 takes three and ends at the close of what opens at 01:00."""
    candles = replace(make_candles(np.full(40, 100.0)), date=3600 * np.arange(40), step=3600)
    p = np.tile([0.1, 0.8, 0.1], (40, 1))
    p[[1, 22]] = [0.1, 0.2, 0.7]
    own = replace(seen(candles, [HOLD] * 40, p), date=candles.date)
    found = of_signals([own], SURE, 0, 40 * 3600)
    assert found.date == (0, 86400)
    assert found.value == pytest.approx((-0.001, -0.001))
    (alone,) = {of_signals([own, own], SURE, 0, 40 * 3600).value}
    assert alone == pytest.approx((-0.001, -0.001))  # two pairs alike: the mean of both


def test_a_trade_that_ended_before_the_first_day_counts_on_none():
    """A bot may have traded before what is shown; a trade may end after it, on a day of its own."""
    ends = [(3 * 86400 - 1, 0.5), (3 * 86400, 0.01), (5 * 86400 + 60, -0.02), (None, None)]
    trades = [
        Deal(
            pair="A/USDT",
            side="LONG",
            opened=86400.0,
            closed=closed,
            open_rate=1.0,
            close_rate=None,
            profit=profit,
            tag="",
            reason="",
        )
        for closed, profit in ends
    ]
    found = of_deals(trades, 3 * 86400 + 600, 4 * 86400 + 600, 2)
    assert found.date == (3 * 86400, 4 * 86400, 5 * 86400)
    assert found.value == (0.005, 0.0, -0.01)

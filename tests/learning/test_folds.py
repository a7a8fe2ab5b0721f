"""When a walk-forward trains and predicts, by tables worked out by hand."""

import dataclasses

import numpy as np
import pytest
from examples import make_candles

from dualwindow.learning.folds import Fold, FoldError, Schedule, folds
from dualwindow.samples.pair_data import PairData

DAY, HOUR = 86400, 3600
SECOND = 1 / DAY  # in days


def hourly(pair: str, first: float, last: float, gaps: tuple[tuple[float, float], ...] = ()):
    """Candles that open in [first, last), in days; none in the gaps."""
    hours = np.arange(round(first * 24), round(last * 24))
    for begin, end in gaps:
        hours = hours[(hours < begin * 24) | (hours >= end * 24)]
    candles = dataclasses.replace(make_candles(np.ones(len(hours)), minute=hours * 60), step=HOUR)
    return PairData(pair, candles, np.zeros((len(hours), 1)), ("x",))


def schedule(start: float, stop: float, train: float, window: float) -> Schedule:
    return Schedule(round(start * DAY), round(stop * DAY), train, window)


def fold(pair: str, number: int, train_from: float, start: float, stop: float) -> Fold:
    return Fold(pair, number, *(round(day * DAY) for day in (train_from, start, stop)))


A, B = "A/USDT", "B/USDT"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(
            schedule(10, 16, 5, 3),
            [fold(A, 0, 5, 10, 13), fold(A, 1, 8, 13, 16)],
            id="whole-windows",
        ),
        pytest.param(
            schedule(10, 17, 5, 3),
            [fold(A, 0, 5, 10, 13), fold(A, 1, 8, 13, 16), fold(A, 2, 11, 16, 17)],
            id="the-last-one-is-shorter",
        ),
        pytest.param(schedule(10, 11, 10, 30), [fold(A, 0, 0, 10, 11)], id="one-shorter-window"),
        pytest.param(
            schedule(1, 2, 0.5, 0.25),
            [
                fold(A, 0, 0.5, 1, 1.25),
                fold(A, 1, 0.75, 1.25, 1.5),
                fold(A, 2, 1, 1.5, 1.75),
                fold(A, 3, 1.25, 1.75, 2),
            ],
            id="parts-of-days",
        ),
    ],
)
def test_table_of_folds(asked, expected):
    assert folds([hourly(A, 0, 20)], asked) == (expected, [])


def test_pairs_come_in_the_order_of_time_and_of_name():
    found, remarks = folds([hourly(B, 0, 20), hourly(A, 0, 20)], schedule(10, 14, 5, 2))
    assert [(f.pair, f.number, f.start // DAY) for f in found] == [
        (A, 0, 10),
        (B, 0, 10),
        (A, 1, 12),
        (B, 1, 12),
    ]
    assert remarks == []


def test_folds_whose_training_reaches_behind_the_first_candle_are_left_out_and_said():
    pairs = [hourly(A, 0, 20), hourly(B, 6.5, 20)]
    found, remarks = folds(pairs, schedule(10, 16, 5, 2))
    assert [f for f in found if f.pair == B] == [fold(B, 1, 7, 12, 14), fold(B, 2, 9, 14, 16)]
    assert len(found) == 5
    assert remarks == [
        "B/USDT: 1 of 3 folds are left out; candles are missing, 1.5 days before the first"
    ]


def test_the_first_candle_may_be_the_first_of_the_training_period():
    asked = schedule(10, 12, 5, 2)
    assert len(folds([hourly(A, 5, 20)], asked)[0]) == 1
    with pytest.raises(FoldError, match=r"A/USDT: candles are missing, 0\.1 days before"):
        folds([hourly(A, 5 + 1 / 24, 20)], asked)


def test_folds_without_a_candle_to_predict_are_left_out_and_said():
    pairs = [hourly(A, 0, 13.5)]
    found, remarks = folds(pairs, schedule(10, 18, 5, 2))
    assert found == [fold(A, 0, 5, 10, 12), fold(A, 1, 7, 12, 14)]
    assert remarks == [
        "A/USDT: 2 of 4 folds are left out; candles are missing, 4.5 days after the last"
    ]


def test_a_gap_of_whole_windows_is_said():
    found, remarks = folds([hourly(A, 0, 20, gaps=((11, 15),))], schedule(10, 18, 5, 2))
    assert [f.number for f in found] == [0, 2, 3]
    assert remarks == ["A/USDT: 1 of 4 folds are left out; there is a gap of whole windows"]


def test_futures_pairs_have_a_colon_in_their_name():
    found, remarks = folds([hourly("A/USDT:USDT", 0, 13)], schedule(10, 16, 5, 2))
    assert [f.pair for f in found] == ["A/USDT:USDT"] * 2
    assert remarks == [
        "A/USDT:USDT: 1 of 3 folds are left out; candles are missing, 3.0 days after the last"
    ]


def test_pairs_need_not_overlap():
    found, remarks = folds([hourly(A, 0, 8), hourly(B, 9, 16)], schedule(4, 16, 4, 2))
    assert found == [
        fold(A, 0, 0, 4, 6),
        fold(A, 1, 2, 6, 8),
        fold(B, 5, 10, 14, 16),
    ]
    assert remarks == [
        "A/USDT: 4 of 6 folds are left out; candles are missing, 8.0 days after the last",
        "B/USDT: 5 of 6 folds are left out; candles are missing, 9.0 days before the first",
    ]


def test_no_fold_at_all_says_of_every_pair_how_many_days_are_missing():
    pairs = [hourly(A, 8, 20), hourly(B, 9, 11)]
    with pytest.raises(FoldError) as error:
        folds(pairs, schedule(10, 14, 5, 2.5))
    assert str(error.value) == (
        "no fold of 5 days of training and 2.5 days to predict fits in: "
        "A/USDT: candles are missing, 3.0 days before the first; "
        "B/USDT: candles are missing, 4.0 days before the first and 3.0 days after the last"
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (schedule(10, 10, 5, 2), "the timerange ends before it begins"),
        (schedule(10, 9, 5, 2), "the timerange ends before it begins"),
        (schedule(10, 14, 5, 0), "`window_days` must be above 0. Received: 0"),
        (schedule(10, 14, 5, -1), "`window_days` must be above 0. Received: -1"),
        (schedule(10, 14, 0, 2), "`train_days` must be above 0. Received: 0"),
        (schedule(10, 14, -5, 2), "`train_days` must be above 0. Received: -5"),
    ],
)
def test_a_schedule_that_makes_no_sense_is_refused(asked, message):
    with pytest.raises(FoldError) as error:
        folds([hourly(A, 0, 20)], asked)
    assert str(error.value) == f"no fold: {message}"


def test_a_second_is_long_enough_and_less_is_not():
    found, _ = folds([hourly(A, 0, 20)], schedule(10, 10 + 2 * SECOND, SECOND, SECOND))
    assert found == [fold(A, 0, 10 - SECOND, 10, 10 + SECOND)]
    for lengths in ((0.4 * SECOND, 1), (1, 0.4 * SECOND)):
        with pytest.raises(FoldError, match=r"must be above 0\. Received: 4\.6"):
            folds([hourly(A, 0, 20)], schedule(10, 12, *lengths))


def test_a_second_that_is_missing_is_said():
    with pytest.raises(
        FoldError, match=r"A/USDT: candles are missing, 0\.1 days before the first$"
    ):
        folds([hourly(A, 5, 20)], schedule(10 - SECOND, 12, 5, 3))


def test_pairs_named_twice_are_refused_by_name():
    pairs = [hourly(name, 0, 20) for name in (B, A, "C/USDT", A, B)]
    with pytest.raises(FoldError) as error:
        folds(pairs, schedule(10, 14, 5, 2))
    assert str(error.value) == f"no fold: named more than once: {A}, {B}"


def test_a_pair_without_candles_is_refused_by_name():
    with pytest.raises(FoldError, match="B/USDT: there are no candles"):
        folds([hourly(B, 3, 3)], schedule(10, 14, 5, 2))
    found, remarks = folds([hourly(A, 0, 20), hourly(B, 3, 3)], schedule(10, 14, 5, 2))
    assert [f.pair for f in found] == [A, A]
    assert remarks == ["B/USDT: 2 of 2 folds are left out; there are no candles"]


def test_no_fold_trains_on_what_it_predicts_or_on_anything_later():
    rng = np.random.default_rng(0)
    n_folds = n_refused = 0
    for _ in range(300):
        start = rng.uniform(2, 30)
        asked = schedule(
            start, start + rng.uniform(0.1, 20), rng.uniform(0.1, 20), rng.uniform(0.1, 9)
        )
        pairs = []
        for name in (A, B):
            first = rng.uniform(0, 20)
            middle = rng.uniform(0, 40)
            gaps = ((middle, middle + rng.uniform(0, 9)),)
            pairs.append(hourly(name, first, first + rng.uniform(1, 40), gaps))
        try:
            found, remarks = folds(pairs, asked)
        except FoldError:
            n_refused += 1
            continue
        wanted = -(-(asked.stop - asked.start) // round(asked.window_days * DAY))
        for pair in pairs:
            mine = [f for f in found if f.pair == pair.pair]
            date = pair.candles.date
            predicted = np.zeros(len(date), dtype=int)
            for f in mine:
                trained_on = (date >= f.train_from) & (date < f.start)
                told = (date >= f.start) & (date < f.stop)
                assert not (trained_on & told).any()
                assert date[trained_on].max(initial=0) < date[told].min()
                assert date[0] <= f.train_from < f.start < f.stop <= asked.stop
                assert f.start - f.train_from == round(asked.train_days * DAY)
                assert f.stop - f.start <= round(asked.window_days * DAY)
                assert (f.start - asked.start) == f.number * round(asked.window_days * DAY)
                predicted += told
            assert predicted.max(initial=0) <= 1  # every candle by one fold
            left_out = [r for r in remarks if r.startswith(pair.pair)]
            assert len(left_out) == (len(mine) < wanted)
            assert all(f"{wanted - len(mine)} of {wanted} folds" in r for r in left_out)
        assert found == sorted(found, key=lambda f: (f.start, f.pair))
        n_folds += len(found)
    assert n_folds > 300
    assert 20 < n_refused < 250

from dataclasses import replace

import numpy as np
import pytest
from agent.examples_agent import flat_tape, random_tape

from dualwindow_agent.market.tape import TapeError, split

MINUTE = 60.0


def rows_of(n: int, **others):
    """Each price is its row, counted from 1."""
    return flat_tape(np.arange(1.0, n + 1), **others)


def broken(**columns):
    tape = rows_of(5)
    return replace(tape, candles=replace(tape.candles, **columns))


def changed(row: int, value: float) -> np.ndarray:
    return np.where(np.arange(5) == row, value, np.arange(1.0, 6.0))


def test_candles_without_opens_are_refused():
    with pytest.raises(TapeError, match="BTC/USDT: the candles have no opens"):
        broken(open=None)


def test_candles_with_holes_are_refused_with_the_place():
    with pytest.raises(TapeError, match="candles are missing before 1970-01-01T00:04:00"):
        broken(date=np.array([0, 60, 120, 240, 300]))


@pytest.mark.parametrize("column", ["open", "high", "low", "close"])
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -1.0])
def test_prices_that_are_none_are_refused_with_the_place(column, value):
    with pytest.raises(TapeError, match="price at 1970-01-01T00:03:00 is not a positive number"):
        broken(**{column: changed(3, value)})


def test_predictions_that_do_not_fit_the_candles_are_refused():
    with pytest.raises(TapeError, match=r"5 candles need 5 rows of three .*\[\(4, 3\)\]"):
        rows_of(5, probabilities=np.zeros((4, 3)))
    with pytest.raises(TapeError, match=r"\[\(5, 3\), \(5, 4\)\]"):
        rows_of(5, further=(np.zeros((5, 4)),))
    with pytest.raises(TapeError, match=r"and \(4,\)"):
        replace(rows_of(5), valid=np.ones(4, dtype=bool))


def test_predictions_that_are_valid_must_be_numbers():
    probabilities = np.full((5, 3), 1 / 3)
    probabilities[2, 1] = np.nan
    with pytest.raises(TapeError, match="prediction of 1970-01-01T00:02:00 is valid, but not"):
        rows_of(5, probabilities=probabilities)
    rows_of(5, probabilities=probabilities, valid=np.array([True, True, False, True, True]))


def test_a_first_row_before_the_first_is_refused():
    with pytest.raises(TapeError, match=r"`first` must be a row\. Received: -1"):
        rows_of(5, first=-1)


@pytest.mark.parametrize(
    ("start", "stop", "first", "n"),
    [
        pytest.param(0, 10 * MINUTE, 0, 10, id="all"),
        pytest.param(3 * MINUTE, 7 * MINUTE, 3, 7, id="start-within-stop-without"),
        pytest.param(3 * MINUTE - 1, 7 * MINUTE + 1, 3, 8, id="between-candles"),
        pytest.param(0, 1e9, 0, 10, id="beyond-the-end"),
    ],
)
def test_a_part_keeps_what_lies_before_it(start, stop, first, n):
    tape = rows_of(10, further=(np.arange(30.0).reshape(10, 3),))
    part = tape.between(start, stop)
    assert (part.first, len(part)) == (first, n)
    assert part.candles.close.tolist() == list(range(1, n + 1))
    assert part.opens.tolist() == list(range(1, n + 1))
    assert part.probabilities.shape == part.further[0].shape == (n, 3)
    assert part.further[0][-1, 0] == 3 * (n - 1)


def test_a_part_does_not_begin_before_its_tape():
    assert rows_of(10, first=5).between(3 * MINUTE, 8 * MINUTE).first == 5


@pytest.mark.parametrize(
    ("share", "purge", "last", "first"),
    [
        pytest.param(0.2, 0, 80, 80, id="a-fifth"),
        pytest.param(0.2, 7, 73, 80, id="purged"),
        pytest.param(0.5, 0, 50, 50, id="half"),
    ],
)
def test_the_latest_share_is_the_second_part(share, purge, last, first):
    (early,), (late,) = split([rows_of(100)], share, purge)
    assert (early.first, len(early)) == (0, last)
    assert (late.first, len(late)) == (first, 100)


def test_all_tapes_are_divided_at_one_moment():
    young = replace(rows_of(40), pair="YOUNG", candles=rows_of(100).candles[slice(60, 100)])
    (old_early, young_early), (old_late, young_late) = split([rows_of(100), young], 0.3, 5)
    assert old_early.candles.date[-1] == young_early.candles.date[-1] == 64 * 60
    for late in (old_late, young_late):
        assert late.candles.date[late.first] == 70 * 60
    # One that has nothing before the moment is only in the second part.
    younger = replace(young, candles=rows_of(100).candles[slice(75, 100)], **short_of(25))
    early, late = split([rows_of(100), younger], 0.3, 0)
    assert [tape.pair for tape in early] == ["BTC/USDT"]
    assert [tape.pair for tape in late] == ["BTC/USDT", "YOUNG"]


def short_of(n: int) -> dict:
    return {"probabilities": np.full((n, 3), 1 / 3), "valid": np.ones(n, dtype=bool)}


def test_the_share_is_of_what_is_acted_on():
    (early,), (late,) = split([rows_of(100, first=50)], 0.2, 0)
    assert (early.first, len(early)) == (50, 90)
    assert (late.first, len(late)) == (90, 100)


@pytest.mark.parametrize(("n", "purge"), [(3, 0), (10, 9), (1, 0)])
def test_too_few_candles_to_split_are_refused(n, purge):
    with pytest.raises(TapeError, match="days are too few to learn from and validate on"):
        split([rows_of(n)], 0.5, purge)
    assert all(split([rows_of(4)], 0.5, 0))


def test_nothing_to_split_is_refused():
    with pytest.raises(TapeError, match="nothing to act on"):
        split([], 0.5, 0)
    with pytest.raises(TapeError, match=r"0\.0 days are too few"):
        split([rows_of(5, first=5)], 0.5, 0)


def test_inputs_are_untouched():
    tape = random_tape(50, seed=1)
    arrays = [tape.probabilities, tape.valid, tape.opens, tape.candles.close]
    before = [array.copy() for array in arrays]
    split([tape], 0.3, 2)
    tape.between(0, 2e9)
    for array, old in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, old)

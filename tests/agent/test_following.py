import numpy as np
import pytest
from agent.examples_agent import flat_tape, random_tape, settings_of, terms_of

from dualwindow_agent.market.following import follow
from dualwindow_agent.market.tape import TapeError

SETTINGS = settings_of(fee=0.01, barriers=False, horizon=False)


def planned(*plans):
    return lambda seen, allowed, rows: np.array(
        [plan[min(row, len(plan) - 1)] for plan, row in zip(plans, rows, strict=True)]
    )


def test_courses_are_those_of_the_pencil():
    tapes = [
        flat_tape([100, 100, 110, 99, 99], pair="A"),
        flat_tape([7, 7, 10, 20, 10], pair="B", first=2),  # acted on at the last two
    ]
    long, short = follow(planned([1, 1, 0, 0], [2, 2]), tapes, SETTINGS, terms_of(SETTINGS))
    assert (long.pair, short.pair) == ("A", "B")
    assert long.date.tolist() == [0, 60, 120, 180]
    assert short.date.tolist() == [120, 180]
    assert long.action.tolist() == [1, 1, 0, 0]
    assert long.side.tolist() == [1, 1, 0, 0]
    assert short.action.tolist() == [2, 2]
    assert short.side.tolist() == [-1, -1]
    # 1 / 101 units bought at 100, and sold at 99 for 1 % less
    units = 1 / 101
    expected = np.log([units * 100, 1.1, units * 99 * 0.99 / (units * 110), 1])
    np.testing.assert_allclose(long.growth, expected, atol=1e-12)
    assert long.profit == pytest.approx(units * 99 * 0.99 - 1)
    assert long.costs == pytest.approx(units * (1 + 0.99))
    np.testing.assert_allclose(long.traded, [1 / 1.01, 0, 99 / 110, 0], atol=1e-12)
    assert long.turnover == pytest.approx(units * 199)
    # short at 20 for the worth after a fee of 1 %: half of it is won when the price halves
    worth = 1 / 1.01
    np.testing.assert_allclose(short.growth, np.log([worth, 1.5]), atol=1e-12)
    assert (long.trades, short.trades) == (1, 1)


def test_what_cannot_be_done_is_told_as_what_was_done_instead():
    tape = flat_tape([100] * 6)
    (course,) = follow(planned([1, 2, 2, 0, 2]), [tape], SETTINGS, terms_of(SETTINGS))
    assert course.action.tolist() == [1, 1, 1, 0, 2]
    assert course.side.tolist() == [1, 1, 1, 0, -1]


def test_who_decides_is_told_how_far_each_tape_is():
    told = []

    def choose(seen, allowed, rows):
        told.append(rows.tolist())
        return np.zeros(len(rows), dtype=np.int64)

    tapes = [flat_tape(np.full(5, 9.0), first=1), flat_tape(np.full(3, 9.0))]
    follow(choose, tapes, SETTINGS, terms_of(SETTINGS))
    assert told == [[0, 0], [1, 1], [2, 2]]


def test_a_tape_beside_longer_ones_has_the_course_it_has_alone(actions):
    settings = settings_of(actions=actions)
    terms = terms_of(settings)
    tapes = [random_tape(n, seed=n) for n in (40, 90, 60)]

    def choose_of(numbers):
        return lambda seen, allowed, rows: np.stack(
            [mine[row] for mine, row in zip(numbers, rows, strict=True)]
        )

    n_actions = 3 if actions == "positions" else 9
    numbers = [np.random.default_rng(n).integers(0, n_actions, 90) for n in (1, 2, 3)]
    together = follow(choose_of(numbers), tapes, settings, terms)
    for i, (tape, course) in enumerate(zip(tapes, together, strict=True)):
        (alone,) = follow(choose_of(numbers[i : i + 1]), [tape], settings, terms)
        for name, value in vars(alone).items():
            np.testing.assert_array_equal(getattr(course, name), value, err_msg=name)
        assert alone.trades > 0
        assert len(alone.growth) == len(tape) - 1


def test_a_broken_account_stays_broken():
    settings = settings_of(fee=0, leverage=5, barriers=False, horizon=False)
    tape = flat_tape([100, 100, 50, 100, 200])
    (course,) = follow(planned([1]), [tape], settings, terms_of(settings))
    np.testing.assert_allclose(course.growth, [0, np.log(1e-6), 0, 0], atol=1e-12)
    assert course.side.tolist() == [1, 0, 0, 0]
    assert course.trades == 1


def test_a_tape_that_cannot_be_acted_on_is_refused():
    tapes = [flat_tape([1, 1, 1]), flat_tape([1, 1, 1], pair="B", first=2)]
    with pytest.raises(TapeError, match=r"B: none of its 3 candles can be acted on; .* row 2 on"):
        follow(planned([0], [0]), tapes, SETTINGS, terms_of(SETTINGS))

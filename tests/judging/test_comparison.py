"""How sure a mean of windows is."""

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from dualwindow.judging.comparison import (
    LEAST_BLOCKS,
    block_interval,
    block_mean,
    blocks_of,
    student,
)


def test_of_independent_values_it_is_that_of_students_t(seed):
    """Oracle: scipy's interval, where every value is a block by itself."""
    values = np.random.default_rng(seed).normal(0.3, 1.0, 12)
    found = block_interval(values, np.arange(12))
    theirs = ttest_1samp(values, 0).confidence_interval(0.95)
    assert found == pytest.approx((values.mean(), theirs.low, theirs.high))


@pytest.mark.parametrize("n", [5, 10])
def test_it_holds_the_true_mean_in_95_of_100_cases(n):
    """Three pairs move together within windows of time; 1.96 errors would hold 87 or 91 of 100."""
    rng, blocks, drawings = np.random.default_rng(1), np.repeat(np.arange(n), 3), 4000
    held = 0
    for _ in range(drawings):
        values = 0.02 + rng.normal(0, 0.03, n)[blocks] + rng.normal(0, 0.02, 3 * n)
        found = block_mean(values, blocks)
        held += found.interval.low <= 0.02 <= found.interval.high
        if n >= LEAST_BLOCKS:
            assert block_interval(values, blocks) == found.interval
    sampling = (0.95 * 0.05 / drawings) ** 0.5
    assert held / drawings == pytest.approx(0.95, abs=2 * sampling)


def test_a_mean_of_one_has_no_error():
    found = block_mean(np.array([1.0, 3.0]), np.array([7, 7]))
    assert (found.mean, found.blocks) == (2, 1)
    assert np.isnan([found.error, *found.interval[1:], student(1)]).all()


def test_values_of_a_block_are_one_piece_of_evidence():
    """Four times the same hundred values: by blocks as sure as the hundred, not twice as sure."""
    values = np.random.default_rng(0).normal(size=100)
    once = block_interval(values, np.arange(100))
    again = block_interval(np.tile(values, 4), np.tile(np.arange(100), 4))
    apart = block_interval(np.tile(values, 4), np.arange(400))
    assert again == pytest.approx(once)
    assert (apart.high - apart.low) == pytest.approx((once.high - once.low) / 2, rel=0.1)


def test_larger_blocks_count_for_more():
    """By pencil: deviations add up to -0.75 five times, and to 3.75: 6 / 5 of their squares."""
    values, blocks = np.array([0.0] * 5 + [1.0] * 15), np.array([*range(5), *[9] * 15])
    found = block_mean(values, blocks)
    assert (found.mean, found.blocks) == (0.75, 6)
    assert found.error == pytest.approx(20.25**0.5 / 20)
    assert found.interval.high == pytest.approx(0.75 + 2.5706 * 0.225, abs=1e-4)


@pytest.mark.parametrize(("n_blocks", "known"), [(1, False), (5, False), (6, True)])
def test_few_blocks_say_nothing_of_others(n_blocks, known):
    found = block_interval(np.arange(12.0), np.arange(12) % n_blocks)
    assert found.mean == 5.5
    assert np.isfinite([found.low, found.high]).all() == known


def test_windows_of_pairs_that_begin_seconds_apart_are_one_block():
    """A live run trains one pair after another; its next windows overlap the last of others."""
    starts = np.array([100 * i + 5 * pair for pair in range(3) for i in range(6)])
    assert blocks_of(starts, starts + 100).tolist() == list(range(6)) * 3


def test_windows_of_one_pair_are_blocks_of_their_own():
    starts = np.array([200, 0, 100])
    assert blocks_of(starts, np.array([230, 100, 200])).tolist() == [2, 0, 1]


def test_a_window_that_begins_in_the_second_half_is_a_block_of_its_own():
    assert blocks_of(np.array([0, 49, 50]), np.array([100, 149, 150])).tolist() == [0, 0, 1]

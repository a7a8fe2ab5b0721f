"""How sure a mean of windows is."""

import numpy as np
import pytest

from dualwindow.judging.comparison import block_interval, blocks_of


def test_of_independent_values_it_is_the_normal_interval(seed):
    """Oracle: 1.96 standard errors, where every value is a block by itself."""
    values = np.random.default_rng(seed).normal(0.3, 1.0, 400)
    found = block_interval(values, np.arange(400))
    error = values.std() / 20
    assert found.mean == values.mean()
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_values_of_a_block_are_one_piece_of_evidence():
    """Four times the same hundred values: by blocks as sure as the hundred, not twice as sure."""
    values = np.random.default_rng(0).normal(size=100)
    once = block_interval(values, np.arange(100))
    again = block_interval(np.tile(values, 4), np.tile(np.arange(100), 4))
    apart = block_interval(np.tile(values, 4), np.arange(400))
    assert again == pytest.approx(once)
    assert (apart.high - apart.low) == pytest.approx((once.high - once.low) / 2, rel=0.1)


def test_larger_blocks_count_for_more():
    values, blocks = np.array([0.0] * 5 + [1.0] * 15), np.array([*range(5), *[9] * 15])
    found = block_interval(values, blocks)
    assert found.mean == 0.75
    assert found.low == 0.0  # the large one is not drawn in a third of the drawings
    assert found.high == pytest.approx(15 * 4 / (15 * 4 + 2), abs=0.05)


@pytest.mark.parametrize(("n_blocks", "known"), [(1, False), (5, False), (6, True)])
def test_few_blocks_say_nothing_of_others(n_blocks, known):
    found = block_interval(np.arange(12.0), np.arange(12) % n_blocks)
    assert found.mean == 5.5
    assert np.isfinite([found.low, found.high]).all() == known


def test_the_same_drawings_every_time():
    values, blocks = np.arange(20.0), np.arange(20) // 2
    assert block_interval(values, blocks) == block_interval(values, blocks)
    assert block_interval(values, blocks, n=50, seed=1) != block_interval(values, blocks, n=50)


def test_windows_of_pairs_that_begin_seconds_apart_are_one_block():
    """A live run trains one pair after another; its next windows overlap the last of others."""
    starts = np.array([100 * i + 5 * pair for pair in range(3) for i in range(6)])
    assert blocks_of(starts, starts + 100).tolist() == list(range(6)) * 3


def test_windows_of_one_pair_are_blocks_of_their_own():
    starts = np.array([200, 0, 100])
    assert blocks_of(starts, np.array([230, 100, 200])).tolist() == [2, 0, 1]


def test_a_window_that_begins_in_the_second_half_is_a_block_of_its_own():
    assert blocks_of(np.array([0, 49, 50]), np.array([100, 149, 150])).tolist() == [0, 0, 1]

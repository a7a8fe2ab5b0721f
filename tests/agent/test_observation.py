import numpy as np
import pytest
from agent.examples_agent import BARRIERS, flat_tape, random_tape, settings_of, tape_of, terms_of

from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import Accounts
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.observation import (
    N_OWN,
    joined_market,
    market_part,
    names_of,
    own_part,
)

PUBLISHED = [
    *("class", "confidence", "SHORT", "HOLD", "LONG"),
    *("class_2", "confidence_2", "SHORT_2", "LONG_2"),
    *("class_3", "confidence_3", "SHORT_3", "LONG_3"),
    *("close", "change", "volume", "rsi", "macd"),
    *("position", "unrealised", "cash", "held"),
]


def column(tape, observation: str, name: str) -> np.ndarray:
    names = names_of(observation, len(tape.further))
    return market_part(tape, observation)[:, names.index(name)]


def test_the_published_numbers_are_twenty_two_with_two_further_horizons():
    assert list(names_of("published", 2)) == PUBLISHED
    assert len(PUBLISHED) == 22
    settings = settings_of(actions="published").model_copy(update={"observation": "published"})
    for n_further, expected in ((2, 22), (1, 18), (0, 14)):
        tape = random_tape(50, seed=1)
        tape = random_tape(50, seed=1, further=(tape.probabilities,) * n_further)
        arena = Arena([tape], settings, terms_of(settings), 3, seed=0)
        assert arena.n_columns == expected == len(names_of("published", n_further))
        assert arena.reset().shape == (3, expected)
        assert arena.reset().dtype == np.float32


def test_each_horizon_has_the_numbers_of_its_own_model():
    own, second = np.array([[0.2, 0.3, 0.5]] * 3), np.array([[0.7, 0.2, 0.1]] * 3)
    third = np.array([[0.1, 0.6, 0.3]] * 3)
    tape = flat_tape([10, 11, 12], probabilities=own, further=(second, third))
    row = market_part(tape, "published")[1]
    expected = [2, 0.5, 0.2, 0.3, 0.5, 0, 0.7, 0.7, 0.1, 1, 0.6, 0.1, 0.3, 11, 0.1, 1]
    np.testing.assert_allclose(row[:16], expected, rtol=1e-6)


def test_indicators_are_those_of_talib_after_their_beginning():
    talib = pytest.importorskip("talib")
    tape = random_tape(900, seed=3)
    close = tape.candles.close
    rsi, macd = talib.RSI(close, 14), talib.MACD(close, 12, 26, 9)[0]
    # Both begin with another mean, whose weight fades by 13/14 and 25/27 a candle.
    np.testing.assert_allclose(column(tape, "published", "rsi")[400:], rsi[400:], rtol=1e-5)
    np.testing.assert_allclose(
        column(tape, "published", "macd")[400:], macd[400:], rtol=1e-4, atol=1e-5
    )


def test_prices_that_do_not_move_are_neither_strong_nor_weak():
    tape = flat_tape([5.0] * 20)
    assert (column(tape, "published", "rsi") == 50).all()
    assert (column(tape, "published", "macd") == 0).all()
    assert (column(tape, "published", "change") == 0).all()


def test_the_default_market_is_that_of_the_pencil():
    bars = np.full((70, 4), 100.0)
    bars[60:, 1] = 100 * np.exp(0.02)  # ten of the last 15 candles have a range
    tape = tape_of(bars, probabilities=np.full((70, 3), (0.1, 0.2, 0.7)))
    names = names_of("default")
    assert names[-N_OWN:] == ("is_long", "is_short", "profit", "held")
    found = dict(zip(names, market_part(tape, "default")[69], strict=False))
    phase = 2 * np.pi * 69 / 1440
    expected = {
        "SHORT": 0.1,
        "HOLD": 0.2,
        "LONG": 0.7,
        "known": 1,
        "range_15": np.log(0.02 * 10 / 15),
        "range_60": np.log(0.02 * 10 / 60),
        "range_180": 0,  # not known yet
        "day_sine": np.sin(phase),
        "day_cosine": np.cos(phase),
    }
    assert found.keys() == expected.keys()
    np.testing.assert_allclose([*found.values()], [*expected.values()], rtol=1e-5)


def test_a_range_is_known_as_soon_as_its_own_candles_are_there():
    tape = random_tape(200, seed=1)
    for span in (15, 60, 180):
        known = column(tape, "default", f"range_{span}") != 0
        assert known.tolist() == [False] * (span - 1) + [True] * (200 - span + 1)


def test_what_is_not_predicted_is_zero_and_says_so():
    tape = flat_tape([1.0] * 4, valid=[True, False, True, True])
    found = market_part(tape, "default")
    np.testing.assert_allclose(found[1, :4], 0)
    np.testing.assert_allclose(found[0, :4], [1 / 3] * 3 + [1])


@pytest.mark.parametrize("observation", ["default", "published"])
def test_nothing_later_than_a_row_is_seen_in_it(observation):
    tape, part = random_tape(400, seed=2), random_tape(400, seed=2).between(0, 2e9)
    for end in (1, 2, 20, 250):
        cut = part.between(0, float(tape.candles.date[end]))
        assert len(cut) == end
        np.testing.assert_array_equal(
            market_part(cut, observation), market_part(tape, observation)[:end]
        )


@pytest.mark.parametrize("observation", ["default", "published"])
def test_pairs_are_seen_as_each_alone(observation):
    tapes = [random_tape(n, seed=n) for n in (30, 250)]
    joined = joined_market(tapes, observation)
    np.testing.assert_array_equal(joined[30:], market_part(tapes[1], observation))
    assert joined.dtype == np.float32
    assert np.isfinite(joined).all()


def holding() -> Accounts:
    """Flat, long with a gain of 1 %, short with a loss of 3 %."""
    accounts = Accounts.opened(np.array([100.0, 101.0, 103.0]))
    accounts.units[:] = [0, 0.005, -0.01]
    accounts.cash[:] = [1, 0.5, 2]
    accounts.entry[:] = [0, 100, 100]
    accounts.held[:] = [0, 3, 14]
    return accounts


def test_the_own_numbers_are_in_units_of_barriers_and_horizon():
    terms = terms_of(settings_of())  # 2 % and 1.5 %, 7 candles
    expected = [[0, 0, 0, 0], [1, 0, 0.5, 3 / 7], [0, 1, -2, 2]]
    np.testing.assert_allclose(own_part(holding(), terms, "default"), expected, rtol=1e-6)
    stops = Barriers(np.inf, BARRIERS.long_stop_loss, np.inf, BARRIERS.short_stop_loss)
    without = terms_of(settings_of(), stops)  # 1 % and 1.2 %
    expected = [[0, 0, 0, 0], [1, 0, 1, 3 / 7], [0, 1, -2.5, 2]]
    np.testing.assert_allclose(own_part(holding(), without, "default"), expected, rtol=1e-6)


def test_the_own_published_numbers_are_in_units_of_the_account():
    found = own_part(holding(), terms_of(settings_of()), "published")
    expected = [[0, 0, 1, 0], [1, 0.005, 0.5, 3], [-1, -0.03, 2, 14]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert found.dtype == np.float32


def test_what_is_seen_is_the_row_that_is_decided_on_and_the_account_at_its_close():
    tape = random_tape(60, seed=1)
    settings = settings_of(fee=0, barriers=False, horizon=False)
    arena = Arena([tape], settings, terms_of(settings), 1, seed=0)
    arena.begin(np.array([20]), np.array([59]))
    arena.step(np.array([0]))
    arena.accounts.refused[:] = 0
    while not arena.accounts.side[0]:
        arena.step(np.array([1]))
    row, seen = int(arena.row[0]), arena.seen()[0]
    np.testing.assert_array_equal(seen[:-N_OWN], market_part(tape, "default")[row])
    gain = tape.candles.close[row] / tape.opens[row] - 1
    np.testing.assert_allclose(seen[-N_OWN:], [1, 0, gain / 0.02, 0], rtol=1e-5)

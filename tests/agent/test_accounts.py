import copy
import pickle

import numpy as np
import pytest
from agent.examples_agent import BARRIERS, settings_of, terms_of

from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import FLAT, LONG, SHORT, START, Accounts, Bars
from dualwindow_agent.market.exchange import Exchange

BUY_QUARTER, BUY_HALF, BUY_ALL, SELL_QUARTER, SELL_HALF, SELL_ALL, CLOSE, REVERSE = range(1, 9)
FREE = {"barriers": False, "horizon": False}


def exchange_of(distances: Barriers = BARRIERS, candles: int = 7, **market) -> Exchange:
    settings = settings_of(**market)
    return Exchange(terms_of(settings, distances, candles))


def opened(price: float = 100.0, n: int = 1) -> Accounts:
    return Accounts.opened(np.full(n, price))


def act(exchange: Exchange, accounts: Accounts, action: int, *bar: float) -> None:
    """Act at the open of a bar of one price, or of open, high, low and close."""
    bar = bar * 4 if len(bar) == 1 else bar
    prices = Bars(*(np.full(len(accounts), price) for price in bar))
    allowed = exchange.allowed(accounts, np.ones(len(accounts), dtype=bool))
    assert allowed[:, action].all()
    exchange.step(accounts, np.full(len(accounts), action), prices)


def random_steps(exchange: Exchange, accounts: Accounts, n: int, rng, jumps: float) -> None:
    for _ in range(n):
        opens = accounts.mark * np.exp(rng.normal(0, 0.002, len(accounts)))
        opens *= np.where(rng.random(len(accounts)) < jumps, rng.uniform(0.3, 2.0), 1)
        close = opens * np.exp(rng.normal(0, 0.01, len(accounts)))
        reach = np.exp(np.abs(rng.normal(0, 0.004, (2, len(accounts)))))
        bars = Bars(
            opens, np.maximum(opens, close) * reach[0], np.minimum(opens, close) / reach[1], close
        )
        allowed = exchange.allowed(accounts, rng.random(len(accounts)) < 0.9)
        wished = (rng.random(allowed.shape, dtype=np.float32) * allowed).argmax(axis=1)
        exchange.step(accounts, wished, bars)


@pytest.mark.parametrize("leverage", [1.0, 5.0])
def test_worth_is_start_and_gains_less_costs_over_millions_of_random_steps(actions, leverage):
    exchange = exchange_of(
        actions=actions, leverage=leverage, slippage=0.0003, barriers=False, maintenance=0.01
    )
    n_accounts, n_steps, jumps = 5000, 500, 0.002
    accounts, rng = opened(n=n_accounts), np.random.default_rng(7)
    random_steps(exchange, accounts, n_steps, rng, jumps)
    assert n_accounts * n_steps == 10_000_000 // 4  # of the four of them
    difference = np.abs(accounts.worth - (START + accounts.gains - accounts.costs))
    assert (difference / accounts.peak).max() < 1e-9
    assert accounts.trades.sum() > n_accounts * n_steps / 20
    assert (accounts.worth > 0).all()
    if leverage > 1:  # some had lost all, and were left a millionth
        assert (accounts.worth < 1e-3).any()


@pytest.mark.parametrize("slippage", [0.0, 0.002])
@pytest.mark.parametrize(("action", "share"), [(BUY_QUARTER, 0.25), (BUY_HALF, 0.5), (BUY_ALL, 1)])
def test_shares_of_the_cash_are_spent_to_the_cent(action, share, slippage):
    exchange = exchange_of(actions="published", fee=0.001, slippage=slippage, **FREE)
    accounts = opened()
    act(exchange, accounts, action, 100.0)
    assert accounts.cash[0] == pytest.approx(1 - share, abs=1e-15)
    fill = 100 * (1 + slippage)
    assert accounts.units[0] == pytest.approx(share / (fill * 1.001), rel=1e-14)
    if share == 1:
        return
    act(exchange, accounts, action, 80.0)  # the same share of what is left
    assert accounts.cash[0] == pytest.approx((1 - share) ** 2, abs=1e-15)


@pytest.mark.parametrize(
    ("action", "share"), [(SELL_QUARTER, 0.25), (SELL_HALF, 0.5), (SELL_ALL, 1), (CLOSE, 1)]
)
@pytest.mark.parametrize("side", [1, -1])
def test_sales_sell_exactly_their_share(action, share, side):
    exchange = exchange_of(actions="published", fee=0.001, slippage=0.002, **FREE)
    accounts = opened()
    act(exchange, accounts, BUY_HALF, 100.0)
    if side < 0:
        act(exchange, accounts, REVERSE, 100.0)
    units, cash, entry = accounts.units[0], accounts.cash[0], accounts.entry[0]
    assert np.sign(units) == side
    act(exchange, accounts, action, 110.0)
    assert accounts.units[0] == units * (1 - share)
    fill, sold = 110 * (1 - side * 0.002), abs(units) * share
    assert accounts.cash[0] == pytest.approx(cash + side * sold * fill - 0.001 * sold * fill)
    assert accounts.booked[0] == pytest.approx(sold * side * (110 - entry))
    assert accounts.entry[0] == (entry if share < 1 else 0)


def test_a_reversal_turns_the_whole_position_over():
    exchange = exchange_of(actions="published", fee=0.001, **FREE)
    accounts = opened()
    act(exchange, accounts, BUY_HALF, 100.0)
    units, worth = accounts.units[0], accounts.worth[0]
    act(exchange, accounts, REVERSE, 100.0)
    assert accounts.units[0] == -units
    assert accounts.worth[0] == pytest.approx(worth - 2 * units * 100 * 0.001, rel=1e-14)
    assert accounts.trades[0] == 2
    act(exchange, accounts, REVERSE, 100.0)
    assert accounts.units[0] == units


@pytest.mark.parametrize("leverage", [1.0, 5.0])
@pytest.mark.parametrize("kind", ["positions", "published"])
def test_all_of_an_account_is_its_leverage_after_costs(kind, leverage):
    exchange = exchange_of(actions=kind, fee=0.001, slippage=0.002, leverage=leverage, **FREE)
    for action in (1, 2) if kind == "positions" else (BUY_ALL,):
        accounts = opened()
        act(exchange, accounts, action, 100.0)
        held = abs(accounts.units[0]) * 100
        assert held == pytest.approx(leverage * accounts.worth[0], rel=1e-14)
    if kind == "published":  # and nothing more can be bought, but all of it turned over
        allowed = exchange.allowed(accounts, np.array([True]))[0]
        assert not allowed[BUY_QUARTER : BUY_ALL + 1].any()
        act(exchange, accounts, REVERSE, 100.0)
        assert accounts.units[0] * 100 == pytest.approx(-leverage * accounts.worth[0], rel=1e-14)


def test_what_half_a_leveraged_account_buys_leaves_room_for_the_rest():
    exchange = exchange_of(actions="published", fee=0, leverage=4, **FREE)
    accounts = opened()
    act(exchange, accounts, BUY_HALF, 100.0)
    assert accounts.units[0] == pytest.approx(0.02)
    assert exchange.allowed(accounts, np.array([True]))[0, BUY_ALL]
    act(exchange, accounts, BUY_ALL, 100.0)
    assert accounts.units[0] == pytest.approx(0.04)


def test_the_entry_is_the_mean_price_of_what_is_held():
    exchange = exchange_of(actions="published", fee=0, **FREE)
    accounts = opened()
    act(exchange, accounts, BUY_HALF, 100.0)  # 0.005 units
    act(exchange, accounts, BUY_ALL, 50.0)  # 0.01 units
    assert accounts.units[0] == pytest.approx(0.015)
    assert accounts.entry[0] == pytest.approx(1 / 0.015)
    act(exchange, accounts, SELL_HALF, 80.0)
    assert accounts.entry[0] == pytest.approx(1 / 0.015)
    assert accounts.booked[0] == pytest.approx(0.0075 * (80 - 1 / 0.015))
    assert accounts.profit[0] == pytest.approx(80 * 0.015 - 1)
    assert accounts.trades[0] == 1


@pytest.mark.parametrize("leverage", [1.0, 5.0])
def test_nothing_done_at_one_price_is_ever_a_profit(actions, leverage):
    exchange = exchange_of(actions=actions, leverage=leverage, fee=0.001, slippage=0.001)
    accounts, rng = opened(n=2000), np.random.default_rng(1)
    price = np.full(2000, 100.0)
    for _ in range(60):
        worth, turnover = accounts.worth, accounts.turnover.copy()
        allowed = exchange.allowed(accounts, np.ones(2000, dtype=bool))
        wished = (rng.random(allowed.shape) * allowed).argmax(axis=1)
        exchange.step(accounts, wished, Bars(price, price, price, price))
        traded = accounts.turnover > turnover
        np.testing.assert_array_equal(accounts.worth[~traded], worth[~traded])
        lost = worth - accounts.worth
        # At least the fees; no liquidation at one price gives anything back.
        assert (lost[traded] > 0.0009 * (accounts.turnover - turnover)[traded]).all()
        assert np.abs(accounts.booked).max() < 1e-13
    assert (accounts.trades > 1).all()


def test_who_asks_for_the_other_side_although_he_must_not_leaves_what_he_holds():
    exchange = exchange_of(fee=0)
    for holds, asks in ((LONG, SHORT), (SHORT, LONG)):
        accounts = opened()
        act(exchange, accounts, holds, 100.0)
        exchange.step(accounts, np.array([asks]), Bars(*[np.array([100.5])] * 4))
        assert accounts.side[0] == 0
        assert accounts.trades[0] == 1


def test_a_position_is_left_after_the_horizon_at_the_open():
    exchange = exchange_of(candles=3, fee=0)
    accounts, held = opened(), []
    for price in (100.0, 100.1, 100.2):
        act(exchange, accounts, LONG, price)
        held.append(accounts.held[0])
    assert held == [0, 1, 2]
    act(exchange, accounts, LONG, 100.3, 100.9, 100.2, 100.8)
    assert accounts.side[0] == 0
    assert accounts.worth[0] == pytest.approx(1.003)
    assert accounts.held[0] == 0
    act(exchange, accounts, LONG, 100.8)
    assert accounts.trades[0] == 2


def test_a_position_can_end_in_the_candle_of_its_opening():
    exchange = exchange_of(fee=0)
    for action, bar, profit in [
        (LONG, (100.0, 100.5, 98.0, 99.0), -0.01),
        (LONG, (100.0, 103.0, 99.5, 101.0), 0.02),
        (SHORT, (100.0, 102.0, 99.5, 101.0), -0.012),
        (SHORT, (100.0, 100.5, 98.0, 99.0), 0.015),
        (LONG, (100.0, 103.0, 98.0, 101.0), -0.01),  # both: the stop
    ]:
        accounts = opened()
        act(exchange, accounts, action, *bar)
        assert accounts.side[0] == 0
        assert accounts.worth[0] == pytest.approx(1 + profit)
        assert accounts.trades[0] == 1
        assert accounts.booked[0] == pytest.approx(profit)


def test_labels_without_take_profits_let_gains_run():
    exchange = exchange_of(Barriers(np.inf, 0.01, np.inf, 0.012), fee=0)
    for action, far in ((LONG, 1e6), (SHORT, 1e-6)):
        accounts = opened()
        act(exchange, accounts, action, 100.0)
        act(exchange, accounts, action, 100.0, max(far, 100.5), min(far, 99.5), 100.0)
        assert accounts.side[0] == {LONG: 1, SHORT: -1}[action]


@pytest.mark.parametrize(
    ("action", "price"),
    [  # five times the account: a fifth of the price is the account, of which 1 % is kept
        pytest.param(LONG, 0.8 / 0.99 * 100, id="long"),
        pytest.param(SHORT, 1.2 / 1.01 * 100, id="short"),
    ],
)
def test_an_account_is_liquidated_where_its_maintenance_is_all_it_has(action, price):
    exchange = exchange_of(fee=0, leverage=5, maintenance=0.01, barriers=False)
    short_of = price + 0.01 if action == LONG else price - 0.01
    for reached, ended in ((short_of, False), (price, True)):
        accounts = opened()
        act(exchange, accounts, action, 100.0)
        act(exchange, accounts, action, 100.0, max(reached, 100), min(reached, 100), 100.0)
        assert (accounts.side[0] == 0) == ended
        if ended:
            # What is left is the maintenance: 1 % of 0.05 units at that price.
            assert accounts.worth[0] == pytest.approx(0.05 * price * 0.01)


@pytest.mark.parametrize("action", [1, 2, 3, 4, 5, 7, 8, 0])
def test_who_is_broken_at_the_open_is_liquidated_whatever_he_asks_for(action):
    exchange = exchange_of(actions="published", fee=0, leverage=5, **FREE)
    accounts = opened()
    act(exchange, accounts, BUY_ALL, 100.0, 110.0, 100.0, 110.0)  # some of it is free again
    act(exchange, accounts, action, 70.0, 200.0, 70.0, 200.0)
    assert accounts.side[0] == 0
    assert accounts.worth[0] == pytest.approx(1e-6 * 1.5)
    assert accounts.worth[0] == pytest.approx(START + accounts.gains[0] - accounts.costs[0])


def test_who_is_broken_by_the_costs_of_a_sale_is_liquidated_at_the_open_and_no_better():
    exchange = exchange_of(actions="published", fee=0.4, leverage=5, maintenance=0.01, **FREE)
    accounts = opened()
    act(exchange, accounts, BUY_ALL, 100.0)  # worth 1/3, and holds five times that
    act(exchange, accounts, SELL_HALF, 100.0, 120.0, 99.0, 110.0)  # which costs the third
    assert accounts.side[0] == 0
    assert accounts.booked[0] == pytest.approx(0, abs=1e-12)
    assert accounts.worth[0] == pytest.approx(1e-6)


def test_a_stop_that_is_nearer_than_the_liquidation_counts_and_the_other_way_round():
    for stop, expected in ((0.1, 90.0), (0.3, 0.8 / 0.99 * 100)):
        exchange = exchange_of(
            Barriers(1.0, stop, 1.0, stop), fee=0, leverage=5, maintenance=0.01, horizon=False
        )
        accounts = opened()
        act(exchange, accounts, LONG, 100.0)
        act(exchange, accounts, LONG, 100.0, 100.0, 60.0, 60.0)
        assert accounts.worth[0] == pytest.approx(1 + 0.05 * (expected - 100))


def test_actions_of_positions_are_masked():
    exchange, accounts = exchange_of(), opened(n=3)
    accounts.units[:] = [0, 0.01, -0.01]
    may_enter = exchange.allowed(accounts, np.ones(3, dtype=bool))
    assert may_enter[:, [FLAT, LONG, SHORT]].tolist() == [
        [True, True, True],
        [True, True, False],
        [True, False, True],
    ]
    may_not = exchange.allowed(accounts, np.zeros(3, dtype=bool))
    assert may_not[:, [FLAT, LONG, SHORT]].tolist() == [
        [True, False, False],
        [True, True, False],
        [True, False, True],
    ]


def test_actions_in_parts_are_masked():
    exchange, accounts = exchange_of(actions="published"), opened(n=4)
    accounts.units[:] = [0, 0.005, 0.01, -0.005]  # flat, half, all, short
    accounts.cash[:] = [1, 0.5, 0, 1.5]

    def names(*, may_enter: bool) -> list[str]:
        allowed = exchange.allowed(accounts, np.full(4, may_enter))
        return ["".join("0bbbsssCR"[i] for i in np.flatnonzero(row)) for row in allowed]

    assert names(may_enter=True) == ["0bbb", "0bbbsssCR", "0sssCR", "0sssCR"]
    assert names(may_enter=False) == ["0", "0sssC", "0sssC", "0sssC"]


def test_copies_of_accounts_have_rows_of_their_own():
    accounts = opened(n=2)
    for copied in (copy.deepcopy(accounts), pickle.loads(pickle.dumps(accounts))):
        copied.cash += 5
        assert copied.block[0].tolist() == [6, 6]
        assert accounts.cash.tolist() == [1, 1]
        assert all(np.shares_memory(getattr(copied, name), copied.block) for name in Accounts.NAMES)


def test_only_those_that_are_marked_are_opened_anew():
    exchange, accounts = exchange_of(), opened(n=3)
    act(exchange, accounts, LONG, 100.0)
    before = accounts.block.copy()
    accounts.reopen(np.array([False, True, False]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(accounts.block[:, [0, 2]], before[:, [0, 2]])
    np.testing.assert_array_equal(
        accounts.block[:, 1], Accounts.opened(np.array([2.0])).block[:, 0]
    )

"""Where freqtrade's own backtest ends the trades of the strategy, an account's positions end."""

from datetime import UTC, datetime

import numpy as np
import pytest
from agent.examples_agent import random_tape, settings_of, tape_of, terms_of
from ccxt import TICK_SIZE
from freqtrade.enums import ExitType
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.persistence import LocalTrade

from dualwindow_agent.market.accounts import LONG
from dualwindow_agent.market.arena import Arena
from harness.freqai_run import PAIR, configuration, load_strategy, market

FEE = 0.0005
EVEN = {
    "long_take_profit": 0.01,
    "long_stop_loss": 0.005,
    "short_take_profit": 0.008,
    "short_stop_loss": 0.005,
}
UNEVEN = EVEN | {"short_stop_loss": 0.007}


class Backtest:
    """One pair of a backtest: the methods of freqtrade that end trades, called as it does."""

    def __init__(self, strategy, tape) -> None:
        self.own = Backtesting.__new__(Backtesting)  # without an exchange
        self.own.strategy, self.own.timeframe_min = strategy, 1
        self.strategy, self.trade = strategy, None
        candles = tape.candles
        self.rows = [
            # as `HEADERS` of freqtrade: date, open, high, low, close, and no signals
            (datetime.fromtimestamp(date, UTC), *prices)
            for date, *prices in zip(
                *(x.tolist() for x in (candles.date, tape.opens, candles.high)),
                *(x.tolist() for x in (candles.low, candles.close)),
                strict=True,
            )
        ]

    def enter(self, row: int, *, is_short: bool) -> None:
        date, opened, *_ = self.rows[row]
        self.trade = LocalTrade(
            pair=PAIR,
            open_date=date,
            open_rate=opened,
            amount=1.0,
            stake_amount=opened,
            fee_open=FEE,
            fee_close=FEE,
            is_short=is_short,
            leverage=1.0,
            price_precision=1e-11,  # no ticks
            precision_mode_price=TICK_SIZE,
        )
        self.trade.recalc_open_trade_value()
        self.trade.adjust_stop_loss(opened, self.strategy.stoploss, initial=True)
        self.own._call_adjust_stop(date, self.trade, opened)

    def price_of_end(self, row: int, *, wants_out: bool) -> tuple[float, ExitType] | None:
        date, opened, high, low, _ = self.rows[row]
        exits = self.strategy.should_exit(
            self.trade, opened, date, enter=False, exit_=wants_out, low=low, high=high
        )
        if not exits:
            return None
        self.trade.close_date = date
        duration = int((date - self.trade.open_date_utc).total_seconds() // 60)
        price = self.own._get_close_rate(self.rows[row], self.trade, date, exits[0], duration)
        return price, exits[0].exit_type


def strategy_of(tmp_path, labels):
    return load_strategy(configuration(tmp_path, dual_window={"labels": labels}), market(days=1))


@pytest.mark.parametrize("labels", [EVEN, UNEVEN], ids=["even", "uneven"])
def test_positions_end_where_freqtrade_ends_trades(tmp_path, labels):
    strategy = strategy_of(tmp_path, labels)
    horizon = strategy.labelling.horizon
    # Jumps of several per cent beside a walk that reaches a barrier every dozen candles.
    tape = random_tape(6000, seed=3, volatility=0.0012, jumps=0.01)
    tape.valid[:] = True
    settings = settings_of(fee=FEE, maintenance=1e-9)
    arena = Arena([tape], settings, terms_of(settings, strategy.barriers, horizon), 1, seed=0)
    arena.begin(np.array([0]), np.array([len(tape) - 1]))
    backtest, rng, ended = Backtest(strategy, tape), np.random.default_rng(1), []
    for row in range(1, len(tape)):
        side = int(arena.accounts.side[0])
        action = int(rng.choice([1, 2])) if side == 0 and rng.random() < 0.3 else side % 3
        if side and rng.random() < 0.02:
            action = 0
        worth = arena.accounts.worth[0]
        arena.step(np.array([action]))
        if side == 0 and action:
            backtest.enter(row, is_short=action != LONG)
            side, opened = (1 if action == LONG else -1), backtest.rows[row][1]
            units = side * worth / (opened * (1 + FEE))
        if not side:
            continue
        found = backtest.price_of_end(row, wants_out=action == 0)
        assert int(arena.accounts.side[0]) == (side if found is None else 0), row
        if found is not None:
            price = arena.accounts.booked[0] / units + backtest.trade.open_rate
            # freqtrade rounds profits to 8 decimals before it makes prices of them
            assert price == pytest.approx(found[0], rel=3e-8), (row, found)
            gap = found[0] == backtest.rows[row][1]
            ended.append((found[1], side, bool(gap), row))
    kinds = {(kind, side) for kind, side, *_ in ended}
    wanted = (ExitType.STOP_LOSS, ExitType.ROI, ExitType.CUSTOM_EXIT, ExitType.EXIT_SIGNAL)
    assert kinds == {(kind, side) for kind in wanted for side in (1, -1)}
    gaps = {(kind, side) for kind, side, is_gap, _ in ended if is_gap}
    assert {(k, s) for k in (ExitType.STOP_LOSS, ExitType.ROI) for s in (1, -1)} <= gaps
    assert len(ended) > 300


@pytest.mark.parametrize(
    ("bar", "expected"),
    [  # entered at 100: take-profit 101, stop 99.5
        pytest.param((100, 101, 100, 100.5), None, id="a-take-profit-just-touched-stays"),
        pytest.param((100, 101.001, 100, 100.5), 101.0, id="passed"),
        pytest.param((102, 103, 101.5, 102), 102.0, id="opened-beyond-the-take-profit"),
        pytest.param((100, 100, 99.5, 100), 99.5, id="a-stop-just-touched-ends"),
        pytest.param((99, 99.4, 98, 98.5), 99.0, id="wholly-beyond-the-stop"),
        pytest.param((99, 99.6, 98, 98.5), 99.5, id="opened-beyond-the-stop-and-came-back"),
        pytest.param((100, 102, 99, 100), 99.5, id="both-in-one-candle"),
    ],
)
def test_prices_on_the_edge_end_a_long_as_freqtrade_does(tmp_path, bar, expected):
    strategy = strategy_of(tmp_path, EVEN)
    tape = tape_of([(100, 100, 100, 100)] * 2 + [bar])
    backtest = Backtest(strategy, tape)
    backtest.enter(1, is_short=False)
    assert backtest.price_of_end(1, wants_out=False) is None
    found = backtest.price_of_end(2, wants_out=False)
    settings = settings_of(fee=0)
    arena = Arena([tape], settings, terms_of(settings, strategy.barriers, 20), 1, seed=0)
    arena.begin(np.array([0]), np.array([2]))
    arena.step(np.array([LONG]))
    arena.step(np.array([LONG]))
    if expected is None:
        assert found is None
        assert arena.accounts.side[0] == 1
    else:
        assert found is not None
        assert found[0] == pytest.approx(expected, rel=3e-8)
        assert arena.accounts.side[0] == 0
        assert arena.accounts.worth[0] == pytest.approx(expected / 100, rel=1e-12)

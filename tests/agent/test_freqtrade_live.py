"""A live agent sees what the bot really holds, and does what a backtest does."""

import io

import numpy as np
import pandas as pd
import pytest
from agent_in_freqtrade import agent_dry_run, made_up  # noqa: F401 - a fixture
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from freqtrade.persistence import Trade, init_db
from rich.console import Console

from dualwindow.market.candles import Candles
from dualwindow_agent.freqai.acting import FLAT, Account, Held, act
from dualwindow_agent.freqai.frames import acted_of, decided_live, predicted_tape
from dualwindow_freqtrade.freqai.names import ACTING, DO_PREDICT
from dualwindow_freqtrade.live.status_table import status_table
from harness.freqai_run import PAIR, at, dry_run, status_of, train_now

pytestmark = pytest.mark.usefixtures("made_up")
FIRST, LAST = 2800, 2860


@pytest.fixture
def bot(tmp_path):
    """A bot that has just trained, with a database of its own: the strategy, and its minutes."""
    strategy, minutes = dry_run(agent_dry_run(tmp_path))
    yield started(strategy, minutes)
    strategy.freqai.shutdown()


def started(strategy, minutes):
    init_db("sqlite://")
    at(strategy, minutes, FIRST - 2)
    train_now(strategy)
    return strategy, minutes


def hold(held: Held, closed: pd.Timestamp) -> None:
    """Let the bot hold this, and nothing else, when a candle has closed."""
    for trade in Trade.get_trades_proxy(pair=PAIR, is_open=True):
        trade.is_open = False
        trade.close_date = closed.to_pydatetime()
    if held.side:
        opened = closed - pd.Timedelta(held.candles + 1, "min") + pd.Timedelta(4, "s")
        trade = Trade(
            pair=PAIR,
            is_open=True,
            is_short=held.side < 0,
            open_rate=held.rate,
            open_date=opened.to_pydatetime(),
            stake_amount=10.0,
            amount=10 / held.rate,
            leverage=1.0,
            exchange="binance",
            fee_open=0.0005,
            fee_close=0.0005,
        )
        Trade.session.add(trade)
    Trade.commit()


def account_of(strategy, minutes) -> Account:
    """Open an account that will do as the bot does."""
    candles = Candles.from_frame(minutes, 60)
    return Account(candles, strategy.freqai.dd.model_dictionary[PAIR].policy.terms, FIRST)


def shown(strategy, minutes, row: int, held: Held) -> pd.Series:
    """Show the bot a candle while it holds something; return what the strategy gets of it."""
    hold(held, minutes["date"].iloc[row] + pd.Timedelta("1min"))
    return at(strategy, minutes, row).iloc[-1]


def as_backtest(strategy, minutes):
    """Predict the same candles as a backtest does."""
    model = strategy.freqai.dd.model_dictionary[PAIR]
    strategy.dp.frames["1m"] = minutes
    kitchen = FreqaiDataKitchen(strategy.config, live=True, pair=PAIR)
    frame = kitchen.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=minutes.iloc[FIRST - 1200 : LAST].copy(), pair=PAIR
    ).reset_index(drop=True)
    candles = Candles.from_frame(frame, 60)
    features = frame[list(model.record.features)].to_numpy(np.float64)
    return model, candles, model.predict(candles, features)


def test_live_does_what_a_backtest_does_on_the_same_candles(bot):
    strategy, minutes = bot
    account, rows = account_of(strategy, minutes), []
    for row in range(FIRST, LAST):
        rows.append(shown(strategy, minutes, row, account.held))
        account.go_on(int(rows[-1]["action"]))
    live = acted_of(pd.DataFrame(rows))

    model, candles, prediction = as_backtest(strategy, minutes)
    tape = predicted_tape(PAIR, candles, prediction, is_constant=model.record.is_constant)
    tape = tape.between(candles.date[1200], candles.date[-1] + 60)
    again = act(model.policy, tape, Account(tape.candles, model.policy.terms, tape.first))
    for name in live._fields:
        np.testing.assert_allclose(getattr(live, name), getattr(again, name), err_msg=name)
    assert len(set(live.wanted)) >= 2
    assert len(live.wanted) == LAST - FIRST
    assert (live.side != 0).sum() > 5
    assert status_of(strategy)["pairs"][PAIR]["position_differences"] == 0


def test_what_the_bot_really_holds_is_seen_and_a_difference_counted_once(bot, caplog):
    strategy, minutes = bot
    account = account_of(strategy, minutes)
    row = FIRST
    while account.held.side == 0 or row < FIRST + 5:
        account.go_on(int(shown(strategy, minutes, row, account.held)["action"]))
        row += 1
    side = "long" if account.held.side > 0 else "short"
    with caplog.at_level("INFO"):
        first = shown(strategy, minutes, row, FLAT)  # the exchange did not fill it
    assert first["position"] == 0
    assert f"{PAIR}: the bot is flat, by its actions {side} (1 so far)" in caplog.text
    facts = status_of(strategy)["pairs"][PAIR]
    assert facts["position"] == "flat"
    assert facts["position_by_actions"] == side
    assert facts["position_differences"] == 1
    table = Console(width=200, file=io.StringIO())
    table.print(status_table("test", status_of(strategy), 0.0))
    assert f"{PAIR}: 1 x another position than by its actions so far" in table.file.getvalue()
    caplog.clear()
    at(strategy, minutes, row)  # freqtrade comes back with the same candle
    assert status_of(strategy)["pairs"][PAIR]["position_differences"] == 1
    assert "so far" not in caplog.text


@pytest.mark.parametrize("side", [1, -1])
def test_a_trade_is_seen_with_its_rate_and_its_age(bot, side):
    strategy, minutes = bot
    rate = float(minutes["close"].iloc[FIRST] * 0.999)
    seen = shown(strategy, minutes, FIRST, Held(side, rate, 7))
    assert seen[list(ACTING[1:])].tolist() == [side, pytest.approx(rate), 7]


def test_in_doubt_the_agent_stays(tmp_path):
    strategy, minutes = dry_run(agent_dry_run(tmp_path, guards={"max_candle_age": 1e-9}))
    started(strategy, minutes)
    rate = float(minutes["close"].iloc[FIRST])
    for row in range(FIRST, FIRST + 20):
        seen = shown(strategy, minutes, row, Held(1, rate, row - FIRST))
        assert seen[[DO_PREDICT, *ACTING]].eq(0).all()
        frame = pd.DataFrame([seen])
        signals = strategy.populate_exit_trend(
            strategy.populate_entry_trend(frame, {"pair": PAIR}), {"pair": PAIR}
        )
        assert not {"enter_long", "enter_short", "exit_long", "exit_short"} & {
            name for name in signals if (signals[name] == 1).any()
        }
        stored = strategy.freqai.dd.historic_predictions[PAIR].iloc[-1]
        assert stored["action"] == stored["position"] == 1
    strategy.freqai.shutdown()


def test_without_a_model_nothing_is_left(tmp_path):
    strategy, minutes = dry_run(agent_dry_run(tmp_path))
    init_db("sqlite://")
    seen = shown(strategy, minutes, FIRST, Held(1, float(minutes["close"].iloc[FIRST]), 3))
    left = strategy.populate_exit_trend(pd.DataFrame([seen]), {"pair": PAIR})
    assert not (left["exit_long"] == 1).any()
    assert (seen["position"], seen["action"]) == (0, 0)
    assert seen["do_predict"] == 0
    strategy.freqai.shutdown()


def test_skipped_candles_and_expired_models_have_decided_nothing():
    stored = pd.DataFrame(
        {
            "date_pred": pd.date_range("2024-02-01", periods=4, freq="1min", tz="UTC"),
            "model_timestamp": [5.0, 0.0, 5.0, 5.0],
            "do_predict": [1, 0, 2, 0],  # the last is a candle without a prediction
            "action": [1.0, 0.0, 0.0, -1.0],
        }
    )
    date, wanted = decided_live(stored)
    assert date.tolist() == [1706745600, 1706745600 + 180]
    assert wanted.tolist() == [1, -1]


def test_a_bot_goes_on_with_its_agent_after_a_restart(bot, tmp_path, caplog):
    strategy, minutes = bot
    first = shown(strategy, minutes, FIRST, FLAT)
    strategy.freqai.dd.save_historic_predictions_to_disk()
    strategy.freqai.shutdown()
    again, _ = dry_run(agent_dry_run(tmp_path))
    init_db("sqlite://")
    with caplog.at_level("INFO"):
        at(again, minutes, FIRST)
        shown(again, minutes, FIRST + 1, FLAT)
    assert "goes on with the model in" in caplog.text
    stored = again.freqai.dd.historic_predictions[PAIR]
    assert stored["action"].iloc[-2] == first["action"]
    again.freqai.shutdown()


def test_predictions_stored_without_an_agent_are_gone_on_with(bot, tmp_path):
    strategy, minutes = bot
    shown(strategy, minutes, FIRST - 1, FLAT)
    rows = strategy.freqai.dd.historic_predictions[PAIR]
    beside = [f"{name}{end}" for name in ACTING for end in ("", "_mean", "_std")]
    strategy.freqai.dd.historic_predictions[PAIR] = rows.drop(columns=beside)
    strategy.freqai.dd.save_historic_predictions_to_disk()
    strategy.freqai.shutdown()
    again, _ = dry_run(agent_dry_run(tmp_path))
    init_db("sqlite://")
    at(again, minutes, FIRST)
    assert shown(again, minutes, FIRST + 1, FLAT)["do_predict"] == 1
    assert len(again.freqai.dd.historic_predictions[PAIR]) > len(rows)
    again.freqai.shutdown()

"""What is in doubt stays, live as in a backtest and in the check; who goes is forgotten."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from agent.test_freqtrade_learning import trained, window
from agent.test_freqtrade_live import FIRST, as_backtest, hold, started
from agent_in_freqtrade import agent_dry_run, made_up, made_up_policy  # noqa: F401 - a fixture
from freqtrade.persistence import init_db

from dualwindow.market.labels import CLASSES
from dualwindow_agent.freqai import learning
from dualwindow_agent.freqai.acting import FLAT, Held, decide
from dualwindow_agent.freqai.backtest import BacktestAccounts
from dualwindow_agent.freqai.frames import decided_live, padded_tape, with_acted
from dualwindow_agent.freqai.parity import other_actions
from dualwindow_agent.market.observation import market_part
from dualwindow_freqtrade.freqai.names import ACTING, ACTION, DO_PREDICT, POSITION
from dualwindow_freqtrade.live import watch as live_watch
from harness.freqai_run import PAIR, at, dry_run, market, train_now

pytestmark = pytest.mark.usefixtures("made_up")
IN_DOUBT = {"max_candle_age": 1e-9}
ROWS = 30


@pytest.fixture
def bot(tmp_path, request):
    """A bot that has just trained; a parameter changes its guards."""
    guards = getattr(request, "param", {})
    # Whatever the hour's minute: none of its candles is still to come, and so in no doubt.
    first = pd.Timestamp.now("UTC").floor("h") - pd.Timedelta("2D")
    frames = market(start=str(first.tz_localize(None)))
    strategy, minutes = dry_run(agent_dry_run(tmp_path, guards=guards), frames=frames)
    yield started(strategy, minutes)
    strategy.freqai.shutdown()


def make_constant(strategy):
    """Let the model be one that tells no two candles apart."""
    model = strategy.freqai.dd.model_dictionary[PAIR]
    record = model.record.model_copy(update={"is_constant": True})
    strategy.freqai.dd.model_dictionary[PAIR] = replace(model, record=record)


def stored_rows(strategy, minutes) -> pd.DataFrame:
    """Show candles while the bot is long, short and flat in turn; give what is stored of them."""
    for row in range(FIRST, FIRST + ROWS):
        side, close = (1, -1, 0)[row % 3], float(minutes["close"].iloc[row])
        hold(
            Held(side, close, 15) if side else FLAT,
            minutes["date"].iloc[row] + pd.Timedelta("1min"),
        )
        at(strategy, minutes, row)
    return strategy.freqai.dd.historic_predictions[PAIR].tail(ROWS)


@pytest.mark.parametrize("bot", [IN_DOUBT], indirect=True)
def test_a_guards_doubt_moves_nothing_and_the_check_knows_it(bot):
    stored = stored_rows(*bot)
    assert stored[DO_PREDICT].eq(0).all()
    np.testing.assert_array_equal(stored[ACTION], stored[POSITION])
    again = as_backtest(*bot)
    assert other_actions(*again, stored) == []
    # Had nothing been in doubt, it would have wanted other positions.
    assert len(other_actions(*again, stored.assign(**{DO_PREDICT: 1}))) > 5
    moved = stored.assign(**{ACTION: 1.0})
    assert len(other_actions(*again, moved)) == (stored[POSITION] != 1).sum() == 20


@pytest.mark.parametrize("bot", [IN_DOUBT], indirect=True)
def test_without_a_prediction_the_check_decides_again_and_enters_nothing(bot):
    stored = stored_rows(*bot)
    model, candles, prediction = as_backtest(*bot)
    nothing = replace(prediction, valid=np.zeros_like(prediction.valid))
    policy = model.policy
    tape = padded_tape(PAIR, candles, prediction.probabilities, nothing.valid)
    market = market_part(tape, policy.settings.observation)
    wanted = []
    for row, side in zip(range(1200, 1200 + ROWS), stored[POSITION], strict=True):
        close = float(candles.close[row])
        held = Held(int(side), close, 15) if side else FLAT
        wanted.append(decide(policy, market[row], held.account(close), may_enter=False))
    decided = stored.assign(**{ACTION: np.array(wanted, dtype=np.float64)})
    assert (decided[ACTION] != decided[POSITION]).any()
    assert other_actions(model, candles, nothing, decided) == []
    entered = stored.assign(**{ACTION: 1.0})
    assert len(other_actions(model, candles, nothing, entered)) == (stored[POSITION] != 1).sum()


def test_with_constant_probabilities_all_stays_and_the_check_knows_it(bot):
    strategy, minutes = bot
    make_constant(strategy)
    stored = stored_rows(strategy, minutes)
    np.testing.assert_allclose(stored[list(CLASSES)].sum(axis=1), 1)
    np.testing.assert_array_equal(stored[ACTION], stored[POSITION])
    again = as_backtest(strategy, minutes)
    assert other_actions(*again, stored) == []
    assert len(other_actions(*again, stored.assign(**{ACTION: 1.0}))) == 20


def test_in_a_backtest_constant_probabilities_move_nothing_either(tmp_path):
    model, data = trained(), window()
    constant = replace(model, record=model.record.model_copy(update={"is_constant": True}))
    candles, n = data.candles, 300
    dates = pd.to_datetime(candles.date, unit="s", utc=True)

    def accounts() -> BacktestAccounts:
        found = BacktestAccounts(model.policy.terms)
        begin = SimpleNamespace(start=dates[1000], prediction=tmp_path / "none")
        found.begin("X", candles, [begin], [False])
        return found

    def frame(first: int, stop: int) -> pd.DataFrame:
        rows = pd.DataFrame({"date": dates[first:stop]})
        return rows.assign(**dict(zip(CLASSES, (0.3, 0.4, 0.3), strict=True)))

    def after(last: int, second) -> np.ndarray:
        """What is wanted, less what is held, in a window after one that ends with a row."""
        account, first = accounts(), frame(1000, last + 1)
        acted = account.act("X", model, first, np.ones(len(first)), pd.DataFrame())
        rest = frame(last + 1, last + 1 + n)
        found = account.act("X", second, rest, np.zeros(n), with_acted(first, acted))
        assert found.side[0] != 0
        return found.wanted - found.side

    whole = accounts().act("X", model, frame(1000, 1000 + n), np.ones(n), pd.DataFrame())
    last = 1000 + int(np.flatnonzero((whole.wanted[:-1] != 0) & (whole.candles[1:] == 0))[-1])
    assert not after(last, constant).any()
    assert after(last, model).any()


def test_a_prediction_that_is_doubted_later_leaves_no_action_behind(bot, tmp_path):
    strategy, minutes = bot
    row, wanted = FIRST - 1, 0.0
    while wanted == 0:
        row += 1
        hold(FLAT, minutes["date"].iloc[row] + pd.Timedelta("1min"))
        wanted = at(strategy, minutes, row).iloc[-1][ACTION]
    strategy.freqai.dd.save_historic_predictions_to_disk()
    strategy.freqai.shutdown()
    again, _ = dry_run(agent_dry_run(tmp_path, guards=IN_DOUBT))
    init_db("sqlite://")
    kept = again.freqai.dd.historic_predictions[PAIR].iloc[-1]
    assert (kept[DO_PREDICT], kept[ACTION]) == (1, wanted)
    shown = at(again, minutes, row).iloc[-1]  # the same candle
    assert shown[[DO_PREDICT, *ACTING]].eq(0).all()
    stored = again.freqai.dd.historic_predictions[PAIR]
    date, decided = decided_live(stored)
    assert date[-1] == minutes["date"].iloc[row].timestamp()
    assert decided[-1] == stored[POSITION].iloc[-1] == 0
    assert stored[DO_PREDICT].iloc[-1] == 0
    again.freqai.shutdown()


def test_a_pair_that_left_the_whitelist_is_forgotten(bot, monkeypatch):
    strategy, minutes = bot
    at(strategy, minutes, FIRST)
    model = strategy.freqai
    assert PAIR in model._follower._pairs
    assert PAIR in model._frames
    monkeypatch.setattr(live_watch, "elapsed", lambda: 1e9)
    monkeypatch.setattr(strategy.dp, "current_whitelist", list)
    strategy.bot_loop_start(minutes["date"].iloc[FIRST])
    assert PAIR not in model._follower._pairs
    assert PAIR not in model._frames
    assert PAIR not in model.dd.model_dictionary


def test_after_a_restart_the_pace_is_that_of_whole_trainings(tmp_path, monkeypatch):
    asked = []

    def slowly(tapes, settings, block, interrupt, tensorboard):
        clock[0] += 1000  # the seconds of the agent's training
        asked.append(tensorboard)
        return made_up_policy(tapes, settings, block)

    monkeypatch.setattr(learning, "train_agent", slowly)
    config = agent_dry_run(tmp_path, activate_tensorboard=True)
    strategy, minutes = dry_run(config)
    clock = [0.0]
    monkeypatch.setitem(type(strategy.freqai).learn.__globals__, "elapsed", lambda: clock[0])
    init_db("sqlite://")
    at(strategy, minutes, FIRST - 2)
    kitchen = train_now(strategy)
    strategy.freqai.shutdown()
    assert asked == [kitchen.data_path / "tensorboard" / "agent"]
    again, _ = dry_run(config)
    at(again, minutes, FIRST)
    again.freqai._live_loop.take_pace_of_saved_models(again)
    assert again.freqai._live_loop._pace.facts()["seconds_per_training"] == 1000
    again.freqai.shutdown()

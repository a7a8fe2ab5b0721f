"""An agent's account goes through the windows of a backtest, whatever of them is cached."""

import numpy as np
import pandas as pd
import pytest
from agent_in_freqtrade import agent_backtest, made_up  # noqa: F401 - a fixture

from dualwindow_freqtrade.freqai.names import ACTING, BACKTEST_PREDICTION
from harness.freqai_run import backtest, market, out_of_sample

pytestmark = pytest.mark.usefixtures("made_up")
COLUMNS = ["date", "SHORT", "HOLD", "LONG", "do_predict", *ACTING]
HALF_PAST_NINE = pd.Timestamp("2024-02-02 09:30", tz="UTC")


@pytest.fixture(scope="module")
def frames():
    return market()


def run(user_data, frames, timerange=None, **freqai) -> pd.DataFrame:
    config = agent_backtest(user_data, **freqai)
    if timerange is not None:
        config["timerange"] = timerange
    strategy, result = backtest(config, frames)
    strategy.freqai.shutdown()
    return out_of_sample(result)[COLUMNS]


def cached(user_data):
    return sorted((user_data / "models" / "test").rglob(f"*{BACKTEST_PREDICTION}"))


def test_it_trades_and_holds_and_windows_hand_on_what_is_held(tmp_path, frames):
    result = run(tmp_path, frames)
    assert len(result) == 1440
    assert set(result["action"]) == {-1.0, 0.0, 1.0}
    position = result["position"].to_numpy()
    assert (np.diff(position) != 0).sum() > 50
    begins = [360, 720, 1080]  # what is held there was opened in the window before
    assert (position[begins] != 0).sum() >= 1
    held = result.loc[begins, "position_candles"].to_numpy()
    assert (held[position[begins] != 0] >= 0).all()


def test_cached_windows_give_what_fresh_ones_give(tmp_path, frames):
    fresh = run(tmp_path, frames)
    before = [path.stat().st_mtime_ns for path in cached(tmp_path)]
    pd.testing.assert_frame_equal(run(tmp_path, frames), fresh)
    assert [path.stat().st_mtime_ns for path in cached(tmp_path)] == before
    assert len(before) == 4


@pytest.mark.parametrize("missing", range(4))
def test_a_window_that_is_gone_is_predicted_anew_with_those_after_it(tmp_path, frames, missing):
    fresh = run(tmp_path, frames)
    before = {path: path.stat().st_mtime_ns for path in cached(tmp_path)}
    cached(tmp_path)[missing].unlink()
    pd.testing.assert_frame_equal(run(tmp_path, frames), fresh)
    kept = [path for path in cached(tmp_path) if path.stat().st_mtime_ns == before[path]]
    assert kept == cached(tmp_path)[:missing]


def test_a_backtest_that_begins_later_does_not_begin_with_what_another_held(tmp_path, frames):
    noon, midnight = 1706875200, 1706918400
    for name in "ab":
        (tmp_path / name).mkdir()
    whole = run(tmp_path / "a", frames)
    assert whole["position"].iloc[720] != 0  # else there is nothing to take over
    later = run(tmp_path / "a", frames, timerange=f"{noon}-{midnight}").iloc[720:]
    fresh = run(tmp_path / "b", frames, timerange=f"{noon}-{midnight}").iloc[720:]
    assert later["position"].iloc[0] == 0
    pd.testing.assert_frame_equal(later, fresh)
    pd.testing.assert_frame_equal(run(tmp_path / "a", frames), whole)  # and back again


def test_nothing_after_a_candle_changes_what_is_done_on_it(tmp_path, frames):
    for name in "ab":
        (tmp_path / name).mkdir()
    true = run(tmp_path / "a", frames)
    minutes, hours = frames["1m"].copy(), frames["1h"].copy()
    later = minutes["date"] + pd.Timedelta("1min") > HALF_PAST_NINE
    factors = np.exp(np.random.default_rng(1).normal(0, 0.01, later.sum()))
    for name in ("open", "high", "low", "close"):
        minutes.loc[later, name] *= factors
    changed = run(tmp_path / "b", {"1m": minutes, "1h": hours})
    past = (true["date"] + pd.Timedelta("1min") <= HALF_PAST_NINE).to_numpy()
    pd.testing.assert_frame_equal(changed[past], true[past])
    assert past.sum() == 570
    assert (changed["action"] != true["action"])[~past].sum() > 10


def test_an_agent_of_other_settings_is_refused_what_is_cached(tmp_path, frames):
    from freqtrade.exceptions import OperationalException

    run(tmp_path, frames)
    config = agent_backtest(tmp_path)
    own = config["freqai"]["dual_window"]
    own["agent"] = own["agent"] | {"window_days": 0.2}
    with pytest.raises(
        OperationalException, match=r"dual_window\.agent\.window_days: 0\.25 -> 0\.2"
    ):
        backtest(config, frames)

"""A real agent in real freqtrade processes against the sandbox exchange."""

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from dualwindow.judging.finding import find
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers
from dualwindow.reports.charts_agents import agent_charts
from dualwindow_agent.freqai.acting import Account
from dualwindow_agent.freqai.frames import acted_of, seconds
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.settings import MarketSettings
from dualwindow_freqtrade.freqai.names import BACKTEST_PREDICTION, STORED_PREDICTIONS
from dualwindow_freqtrade.reporting.backtest import backtest_evidence
from dualwindow_trainer.request import merged
from harness.places import PROGRAMS, ROOT

COINS = ("BTC", "ETH")
# A fee so low that what has learnt for seconds does not lose on validation, and acts.
BARRIER, HORIZON, FEE = 0.003, 30, 0.00001
LABELS = {f"{s}_{e}": BARRIER for s in ("long", "short") for e in ("take_profit", "stop_loss")}
LEARNING = {
    "timesteps": 6144,
    "accounts": 16,
    "steps": 128,
    "batch_size": 512,
    "policy_units": [16],
    "value_units": [16],
    "evaluate_every": 2048,
    "episode": 480,
    "learning_rate": 0.002,
}
OVERLAY = {
    "timerange": "20240129-20240131",
    "fee": FEE,
    "exchange": {"pair_whitelist": [f"{coin}/USDT:USDT" for coin in COINS]},
    "freqai": {
        "identifier": "agent",
        "conv_width": 60,
        "train_period_days": 5,
        "backtest_period_days": 1,
        "save_backtest_models": True,
        "feature_parameters": {"label_period_candles": HORIZON},
        "model_training_parameters": {"kind": "ranges", "spans": [15, 60]},
        "dual_window": {
            "pooling": "whitelist",
            "calibration": "none",
            "labels": LABELS,
            "agent": {"classifier_days": 2, "learning": LEARNING},
        },
    },
}


class Place:
    """A user data folder with fifty days of synthetic candles beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.user_data = folder, folder / "user_data"
        self.user_data.mkdir()
        words = ["sandbox", "data", "--out", str(folder / "candles"), "--days", "50"]
        subprocess.run([PROGRAMS / "dualwindow", *words], check=True, capture_output=True)

    def options(self, **changes: Any) -> list[str]:
        (self.folder / "over.json").write_text(json.dumps(merged(OVERLAY, changes)))
        words = ["--freqaimodel", "DualWindowAgent", "-c", "user_data/config.json", "-c"]
        words += [self.folder / "over.json", "--userdir", self.user_data]
        return [str(word) for word in [*words, "-d", self.folder / "candles"]]

    def freqtrade(self, *words: str, **changes: Any) -> subprocess.CompletedProcess[str]:
        freqtrade = [PROGRAMS / "freqtrade", *words, *self.options(**changes), "--no-color"]
        return self._run(["sandbox", "run", "--", *freqtrade])

    def check(self, what: str) -> str:
        done = self._run(["check", what, "--", *self.options()])
        return done.stdout + done.stderr[-2000:]

    def _run(self, words: list[Any]) -> subprocess.CompletedProcess[str]:
        # With pytest's variable, freqtrade does not set its log up.
        env = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
        return subprocess.run(
            [str(word) for word in [PROGRAMS / "dualwindow", *words]],
            cwd=ROOT,
            env=env | {"COLUMNS": "300"},
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def trades(self) -> pd.DataFrame:
        result = max((self.user_data / "backtest_results").glob("*.zip"))
        with zipfile.ZipFile(result) as archive:
            content = json.loads(archive.read(result.with_suffix(".json").name))
        return pd.DataFrame(content["strategy"]["DualWindowStrategy"]["trades"])

    def predictions(self, coin: str) -> pd.DataFrame:
        name = f"cb_{coin.lower()}_*{BACKTEST_PREDICTION}"
        files = sorted((self.user_data / "models" / "agent").rglob(name))
        return pd.concat([pd.read_feather(file) for file in files], ignore_index=True)

    def candles(self, coin: str) -> Candles:
        path = self.folder / "candles" / "futures" / f"{coin}_USDT_USDT-1m-futures.feather"
        return Candles.from_frame(pd.read_feather(path), 60)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = Place(tmp_path_factory.mktemp("agent"))
    done = place.freqtrade("backtesting")
    assert done.returncode == 0, done.stderr[-3000:]
    assert " - ERROR - " not in done.stderr
    assert done.stderr.count("Agent: learnt in") == 2  # once for both pairs, in each window
    assert "found, out of sample, on BTC/USDT:USDT, ETH/USDT:USDT:" in done.stdout
    return place


def test_the_report_knows_what_the_agent_wanted(place):
    """Here, because later tests predict windows again."""
    evidence = backtest_evidence(place.user_data / "models" / "agent")
    assert (evidence.rule, len(evidence.deals)) == (None, len(place.trades()))
    for coin in COINS:
        wanted = place.predictions(coin)["action"].to_numpy()
        assert (evidence.actions[f"{coin}/USDT:USDT"] == wanted).all()
        assert len(set(wanted)) > 1
    chart = {each.name: each for each in agent_charts(find(evidence, 0.0))}["positions"]
    for coin, drawn in zip(COINS, chart.views[0].figure["data"], strict=True):
        course = place.predictions(coin)
        changed = course[course["action"].diff() != 0]
        assert drawn["x"][:-1] == (1000 * seconds(changed, "date")).tolist()
        assert drawn["y"][:-1] == changed["action"].tolist()


def trades_of_account(candles: Candles, predictions: pd.DataFrame) -> pd.DataFrame:
    """Follow the stored actions on one account, and write down what it opens and closes."""
    terms = Terms(MarketSettings(fee=FEE), Barriers(*[BARRIER] * 4), HORIZON)
    date, acted = seconds(predictions, "date"), acted_of(predictions)
    account = Account(candles, terms, int(np.searchsorted(candles.date, date[0])))
    accounts, rows, trade = account.accounts, [], None
    for i in range(len(date)):
        assert account.held.side == acted.side[i]
        assert account.held.candles == acted.candles[i]
        n, units = int(accounts.trades[0]), float(accounts.units[0])
        earned = float((accounts.gains - accounts.costs)[0])
        account.go_on(int(acted.wanted[i]))
        opened, now = int(accounts.trades[0]) > n, int(candles.date[account.row])
        if opened:
            trade = {"side": int(acted.wanted[i]), "open": now, "earned": earned}
        if trade is not None and accounts.units[0] == 0:
            assert units != 0  # no barrier is so near that the candle of the opening meets it
            gain = float((accounts.gains - accounts.costs)[0]) - trade["earned"]
            rows.append({**trade, "close": now, "per_unit": gain / abs(units)})
            trade = None
    return pd.DataFrame(rows)


@pytest.mark.parametrize("coin", COINS)
def test_every_trade_is_one_of_the_accounts(place, coin):
    ours = trades_of_account(place.candles(coin), place.predictions(coin))
    all_trades = place.trades()
    theirs = all_trades[all_trades["pair"].str.startswith(coin)].sort_values("open_timestamp")
    theirs = theirs[theirs["exit_reason"] != "force_exit"]
    assert len(theirs) >= 5
    assert theirs["open_timestamp"].tolist() == (1000 * ours["open"]).tolist()
    assert theirs["close_timestamp"].tolist() == (1000 * ours["close"]).tolist()
    assert theirs["is_short"].tolist() == (ours["side"] < 0).tolist()
    # An account pays no funding.
    profit = theirs["profit_abs"] - theirs["funding_fees"]
    per_unit = (profit / theirs["amount"]).to_numpy()
    price = theirs["open_rate"].to_numpy()
    np.testing.assert_allclose(per_unit / price, ours["per_unit"] / price, atol=2e-5)
    assert set(theirs["enter_tag"]) <= {"agent long", "agent short"}
    assert set(theirs["exit_reason"]) <= {"agent", "horizon", "roi", "stop_loss"}


def test_a_cached_backtest_trades_the_same(place):
    before, predictions = place.trades(), place.predictions("BTC")
    done = place.freqtrade("backtesting", "--cache", "none")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Agent: learnt in" not in done.stderr
    pd.testing.assert_frame_equal(place.trades(), before)
    pd.testing.assert_frame_equal(place.predictions("BTC"), predictions)


def test_the_check_for_leaks_looks_at_actions(place):
    said = place.check("leak")
    assert "all as it should be" in said
    assert "raw does not change" not in said
    assert said.count("action does not change") < 2 * 5  # pairs and cuts: else it proves nothing


def store(place: Place, **changes: float) -> int:
    """Store the last window as if a live run had decided it, with one row changed.

    Gives how many values that are: predictions, and actions, also where nothing is predicted.
    """
    models, stored, n = place.user_data / "models" / "agent", {}, 0
    for coin in COINS:
        (*_, path) = sorted(models.rglob(f"cb_{coin.lower()}_*{BACKTEST_PREDICTION}"))
        rows = pd.read_feather(path)
        rows = rows.assign(date_pred=rows["date"], model_timestamp=float(path.stem.split("_")[-2]))
        row = int(rows.index[(rows["position"] == 0) & (rows["do_predict"] == 1)][100])
        for name, value in changes.items():
            rows.loc[row, name] = value if rows.loc[row, name] != value else -value
        stored[f"{coin}/USDT:USDT"] = rows.drop(columns="date")
        n += int((rows["do_predict"] == 1).sum()) + len(rows)
    (models / STORED_PREDICTIONS).write_bytes(cloudpickle.dumps(stored))
    return n


def test_the_check_of_parity_decides_every_action_again(place):
    n = store(place)
    said = place.check("parity")
    assert f"parity: {n} values compared, all as it should be" in said
    store(place, action=1.0)
    said = place.check("parity")
    assert said.count("WRONG") == 2
    assert "holding flat" in said


def test_spot_has_no_shorts(place):
    spot = [f"{coin}/USDT" for coin in COINS]
    done = place.freqtrade(
        "backtesting",
        trading_mode="spot",
        margin_mode="",
        timerange="20240129-20240130",
        exchange={"pair_whitelist": spot},
        freqai={"identifier": "spot", "dual_window": {"agent": {"market": {"barriers": False}}}},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    trades = place.trades()
    assert len(trades) == 0 or not trades["is_short"].any()
    files = (place.user_data / "models" / "spot").rglob(f"*{BACKTEST_PREDICTION}")
    actions = pd.concat([pd.read_feather(file) for file in files])["action"]
    assert len(actions) == 2 * 1440
    assert (actions >= 0).all()


def in_agent(**changes: Any) -> dict[str, Any]:
    return {"freqai": {"dual_window": {"agent": changes}}}


BAD = [
    pytest.param("backtesting", in_agent(learning={"timestep": 1}),
        "freqai.dual_window.agent.learning.timestep is unknown; did you mean 'timesteps'?",
        id="mistyped"),
    pytest.param("backtesting", in_agent(classifier_days=6),
        "together more than freqai.train_period_days, 5", id="nothing-left-to-learn-from"),
    pytest.param("hyperopt", {}, "hyperopt searches values of the confidence rule", id="hyperopt"),
]  # fmt: skip


@pytest.mark.parametrize(("action", "change", "message"), BAD)
def test_what_cannot_be_is_told(place, action, change, message):
    done = place.freqtrade(action, **change)
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())

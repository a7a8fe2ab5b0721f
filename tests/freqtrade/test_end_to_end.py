"""Real freqtrade processes against the sandbox exchange, as a user starts them."""

import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dualwindow_freqtrade.freqai.names import BACKTEST_PREDICTION
from dualwindow_trainer.request import merged
from harness.overlays import SMALL
from harness.places import PROGRAMS, ROOT, SHARED, in_sandbox


class Sandbox:
    """A user data folder, and freqtrade run on it from the repository's root."""

    def __init__(self, folder: Path) -> None:
        self.user_data = folder / "user_data"
        self.user_data.mkdir()

    def freqtrade(self, action: str, *words: str, **changes: Any) -> subprocess.CompletedProcess:
        overlay = self.user_data / "overlay.json"
        overlay.write_text(json.dumps(merged(SMALL, changes)))
        words = [action, "--userdir", self.user_data, *words]
        return in_sandbox([*words], ROOT, overlay, FREQTRADE__FREQAI__IDENTIFIER="small")

    def predictions(self) -> pd.DataFrame:
        files = sorted((self.user_data / "models" / "small").rglob(f"*{BACKTEST_PREDICTION}"))
        return pd.concat([pd.read_feather(f).assign(window=f.stem) for f in files])

    def trades(self) -> pd.DataFrame:
        (result,) = (self.user_data / "backtest_results").glob("*.zip")
        with zipfile.ZipFile(result) as archive:
            content = json.loads(archive.read(result.with_suffix(".json").name))
        return pd.DataFrame(content["strategy"]["DualWindowStrategy"]["trades"])


@pytest.fixture
def sandbox(tmp_path):
    return Sandbox(tmp_path)


@pytest.fixture
def candles(tmp_path) -> Path:
    """Fifty days of synthetic candles in freqtrade's layout."""
    folder = tmp_path / "candles"
    words = ["sandbox", "data", "--out", str(folder), "--days", "50"]
    subprocess.run([PROGRAMS / "dualwindow", *words], check=True, capture_output=True)
    return folder


def one_pair(**changes: Any) -> dict[str, Any]:
    pairs = {"exchange": {"pair_whitelist": ["BTC/USDT:USDT"]}}
    return {"timerange": "20240129-20240131", **merged(pairs, changes)}


@pytest.mark.parametrize("mode", ["spot", "futures"])
def test_backtest_on_real_candles(sandbox, mode):
    if not SHARED.is_dir():
        pytest.skip("needs the real candles of ../shared/data")
    pairs = [f"{coin}/USDT{':USDT' if mode == 'futures' else ''}" for coin in ("BTC", "ETH")]
    result = sandbox.freqtrade(
        "backtesting",
        "-d",
        str(SHARED / "binance"),
        trading_mode=mode,
        margin_mode="isolated" if mode == "futures" else "",
        exchange={"pair_whitelist": pairs},
        timerange="20240109-20240111",
        # Three days may leave nothing but the class frequencies, on which nothing is entered.
        freqai={"dual_window": {"calibration": "none"}},
    )
    assert result.returncode == 0, result.stderr[-3000:]
    assert "BACKTESTING REPORT" in result.stdout
    predictions = sandbox.predictions()
    assert len(predictions) == 2 * 2 * 1440
    assert (predictions["do_predict"] == 1).all()
    assert predictions[["SHORT", "HOLD", "LONG"]].sum(axis=1).to_numpy() == pytest.approx(1)
    assert " - ERROR - " not in result.stderr
    said, _, _ = result.stdout.partition("BACKTESTING REPORT")
    assert said.count("Signals are those of LONG alone") == (mode == "spot")
    assert "SHORT signal" not in said or mode == "futures"


LEVERAGE = """
    def leverage(self, pair, current_time, current_rate, **kwargs):
        return 20.0
"""


@pytest.mark.parametrize("leverage", [1, 20])
def test_trades_end_at_the_barriers_or_at_the_horizon(sandbox, candles, tmp_path, leverage):
    code = (ROOT / "strategies/DualWindowStrategy.py").read_text()
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/DualWindowStrategy.py").write_text(
        code + (LEVERAGE if leverage == 20 else "")
    )
    labels = {
        "long_take_profit": 0.006,
        "long_stop_loss": 0.003,
        "short_take_profit": 0.005,
        "short_stop_loss": 0.004,
    }
    training = {"kind": "ranges", "spans": [15, 60]}  # trains in a second
    changes = one_pair(
        exchange={"pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"]},
        timerange="20240122-20240131",
        strategy_path=str(tmp_path / "strategies"),
        freqai={
            "backtest_period_days": 3,
            "dual_window": {"labels": labels, "confidence": {"margin": -0.003}},
            "model_training_parameters": training,
        },
    )
    result = sandbox.freqtrade("backtesting", "-d", str(candles), **changes)
    assert result.returncode == 0, result.stderr[-3000:]
    trades = sandbox.trades()
    assert set(trades["is_short"]) == {True, False}
    assert set(trades["leverage"]) == {leverage}
    move = trades["close_rate"] / trades["open_rate"] - 1
    barrier = {
        ("roi", False): labels["long_take_profit"],
        ("stop_loss", False): -labels["long_stop_loss"],
        ("roi", True): -labels["short_take_profit"],
        ("stop_loss", True): labels["short_stop_loss"],
    }
    checked = 0
    for i, trade in trades.iterrows():
        if trade["exit_reason"] == "horizon":
            assert trade["trade_duration"] == 60
        elif trade["exit_reason"] != "force_exit":
            expected = barrier[trade["exit_reason"], trade["is_short"]]
            assert move[i] == pytest.approx(expected, abs=2e-5)  # prices have ticks
            assert trade["trade_duration"] <= 60
        checked += trade["exit_reason"] != "force_exit"
    assert checked >= 5
    assert (trades["exit_reason"] == "stop_loss").sum() >= 2


def test_a_second_process_gives_the_same_predictions_bit_for_bit(sandbox, candles):
    first = sandbox.freqtrade("backtesting", "-d", str(candles), **one_pair())
    assert first.returncode == 0, first.stderr[-3000:]
    predictions = sandbox.predictions()
    shutil.rmtree(sandbox.user_data / "models")
    second = sandbox.freqtrade("backtesting", "-d", str(candles), "--cache", "none", **one_pair())
    assert second.returncode == 0, second.stderr[-3000:]
    pd.testing.assert_frame_equal(sandbox.predictions(), predictions, check_exact=True)


def test_a_backtest_uses_what_hyperopt_has_found(tmp_path):
    """As a user does it: no --userdir, so that the sandbox keeps everything apart."""
    for name in ("config", "strategies", "freqaimodels"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "user_data").mkdir()
    shutil.copy(ROOT / "user_data/config.json", tmp_path / "user_data")
    # Not margins, which end above what a network that has learnt so little would enter on.
    confidence = {"mode": "custom", "short": 0.3, "long": 0.3}
    changes = one_pair(freqai={"dual_window": {"confidence": confidence}})
    (tmp_path / "overlay.json").write_text(json.dumps(merged(SMALL, changes)))

    def freqtrade(*words: str) -> str:
        result = in_sandbox([*words], tmp_path, Path("overlay.json"))
        assert result.returncode == 0, result.stderr[-3000:]
        return result.stdout + result.stderr

    words = ["-e", "4", "-j", "2", "--spaces", "buy", "sell", "--random-state", "1"]
    said = freqtrade("hyperopt", *words, "--hyperopt-loss", "SharpeHyperOptLoss")
    assert "Best result" in said
    apart = tmp_path / "user_data/sandbox/planted-1"
    (results,) = (apart / "hyperopt_results").glob("*.fthypt")
    assert len(results.read_text().splitlines()) == 4
    assert not (tmp_path / "strategies/DualWindowStrategy.json").exists()
    found = json.loads((apart / "strategies/DualWindowStrategy.json").read_text())["params"]
    assert found["buy"]["mode"] == "custom"
    said = freqtrade("backtesting", "--cache", "none")
    assert "found, out of sample, on BTC/USDT:USDT:" in said
    run = json.loads((apart / "models/small/dualwindow_backtest.json").read_text())
    rule = run["judging"]["confidence"]  # what was found decides, not what is configured
    assert (rule["short"], rule["long"]) == tuple(
        found["buy"][f"entry_{side}"] for side in ("short", "long")
    )
    loaded = 0
    for name, value in {**found["buy"], **found["sell"]}.items():
        assert f"Strategy Parameter: {name} = {value}" in said
        loaded += 1
    assert loaded == 7


BAD_INPUT = [
    pytest.param(
        {"freqai": {"model_training_parameters": {"epocs": 3}}},
        "model_training_parameters.epocs is unknown; did you mean 'epochs'?",
        id="mistyped-setting",
    ),
    pytest.param(
        {"freqai": {"dual_window": {"labels": {"long_stop_loss": 0}}}},
        "dual_window.labels.long_stop_loss: Input should be greater than 0",
        id="barrier-of-zero",
    ),
    pytest.param({"freqai": {"conv_width": 0}}, "freqai.conv_width: ", id="no-history"),
    pytest.param(
        {"freqai": {"dual_window": {"confidence": {"mode": "balanced", "long": 0.7}}}},
        "['long'] would be ignored by mode 'balanced'; set mode 'custom'",
        id="threshold-of-no-mode",
    ),
    pytest.param(
        {"freqai": {"dual_window": {"confidence": {"margin": 0.02}}}},
        "no signal can be worth the margin 0.02",
        id="margin-out-of-reach",
    ),
    pytest.param(
        {"freqai": {"data_split_parameters": {"shuffle": True}}},
        "freqai.data_split_parameters.shuffle must not be set",
        id="shuffle",
    ),
    pytest.param(
        {"freqai": {"feature_parameters": {"include_timeframes": ["1m"]}}},
        "include_timeframes must contain '1h'",
        id="no-hourly-candles",
    ),
    pytest.param(
        {"freqai": {"conv_width": 5000}},
        "conv_width is 5000 candles, the training data has only 4320",
        id="history-longer-than-the-data",
    ),
    pytest.param(
        {"timerange": "20240106-20240108"},
        "the history is too short",
        id="too-little-history",
    ),
    pytest.param({"stake_currency": 1}, "Configuration error", id="freqtrades-own-check"),
]


@pytest.mark.parametrize(("change", "message"), BAD_INPUT)
def test_bad_configuration(sandbox, candles, change, message):
    result = sandbox.freqtrade("backtesting", "-d", str(candles), **one_pair(**change))
    assert result.returncode == 2
    assert message in " ".join(result.stderr.split())
    assert list(sandbox.user_data.rglob(f"*{BACKTEST_PREDICTION}")) == []


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "zero"])
@pytest.mark.parametrize("timeframe", ["1m", "1h"])
def test_bad_candles(sandbox, candles, damage, timeframe):
    path = candles / "futures" / f"BTC_USDT_USDT-{timeframe}-futures.feather"
    if damage == "missing":
        path.unlink()
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    else:
        frame = pd.read_feather(path)
        frame.loc[frame.index[-200 if timeframe == "1h" else -6000], "close"] = 0.0
        frame.to_feather(path)
    result = sandbox.freqtrade("backtesting", "-d", str(candles), **one_pair())
    assert result.returncode == 2
    assert " - ERROR - " in result.stderr
    assert list(sandbox.user_data.rglob(f"*{BACKTEST_PREDICTION}")) == []


def test_changed_settings_under_an_old_identifier(sandbox, candles):
    result = sandbox.freqtrade("backtesting", "-d", str(candles), **one_pair())
    assert result.returncode == 0, result.stderr[-3000:]
    changed = one_pair(freqai={"model_training_parameters": {"epochs": 1}})
    result = sandbox.freqtrade("backtesting", "-d", str(candles), **changed)
    assert result.returncode == 2
    assert "model_training_parameters.epochs: 4 -> 1" in result.stderr

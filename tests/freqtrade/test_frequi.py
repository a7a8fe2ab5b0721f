"""What FreqUI gets to draw from freqtrade's web server, a real process, after a real backtest."""

import base64
import json
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from processes import answers, free_port, wait_until

from dualwindow_freqtrade.freqai.names import BACKTEST_PREDICTION, REPORT_FILE
from dualwindow_trainer.request import merged
from harness.overlays import SMALL
from harness.places import PROGRAMS, ROOT

PAIR, STRATEGY, TIMERANGE = "BTC/USDT:USDT", "DualWindowStrategy", "20240130-20240131"


@pytest.fixture
def place(tmp_path) -> Path:
    """A user data folder with one day backtested; trees, because networks take longer."""
    user_data = tmp_path / "user_data"
    user_data.mkdir()
    server = {"listen_port": free_port(), "password": "shown", "jwt_secret_key": "x" * 40}
    changes = {
        "exchange": {"pair_whitelist": [PAIR]},
        "timerange": TIMERANGE,
        "api_server": server,
        "freqai": {
            "model_training_parameters": {"kind": "trees", "least_windows": 20},
            # Shared trainings look at the whitelist, of which the web server knows nothing.
            "dual_window": {
                "pooling": "whitelist",
                "confidence": {"mode": "custom", "short": 0.2, "long": 0.25},
            },
        },
    }
    (user_data / "over.json").write_text(json.dumps(merged(SMALL, changes)))
    candles = ["sandbox", "data", "--out", user_data / "data", "--days", "50"]
    subprocess.run([PROGRAMS / "dualwindow", *candles], check=True, capture_output=True)
    done = subprocess.run(freqtrade(user_data, "backtesting"), cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    (user_data / "backtest.log").write_bytes(done.stdout + done.stderr)
    return user_data


def freqtrade(user_data: Path, action: str) -> list[str]:
    words = [PROGRAMS / "dualwindow", "sandbox", "run", "--", PROGRAMS / "freqtrade", action]
    words += ["-c", "user_data/config.json", "-c", user_data / "over.json"]
    return [str(word) for word in [*words, "--userdir", user_data, "-d", user_data / "data"]]


def ask(user_data: Path, what: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    port = json.loads((user_data / "over.json").read_text())["api_server"]["listen_port"]
    login = base64.b64encode(b"freqtrader:shown").decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/{what}",
        headers={"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        data=None if body is None else json.dumps(body).encode(),
    )
    with urllib.request.urlopen(request, timeout=100) as answer:
        return json.load(answer)


NOISE = [
    "Loading variable",  # the sandbox's, of which freqtrade logs two lines each
    "Key parts",
    "Strategy using ",  # values that bot_start replaces
    "Strategy Parameter(default)",
    "No params for",
    "absl::InitializeLog",  # TensorFlow's, which the tests' own TF_CPP_MIN_LOG_LEVEL lets through
    "oneDNN",
    "cuda drivers",
]


def assert_only_noise_is_gone(log: str) -> None:
    assert [words for words in NOISE if words in log] == []
    for kept in ("Rule in effect: mode custom", "Override strategy 'timeframe'", "WARNING"):
        assert kept in log


def test_the_web_server_draws_probabilities_thresholds_and_skill(place):
    assert_only_noise_is_gone((place / "backtest.log").read_text())
    port = json.loads((place / "over.json").read_text())["api_server"]["listen_port"]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(freqtrade(place, "webserver"), cwd=ROOT, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(port), 120)
        plots = ask(place, f"plot_config?strategy={STRATEGY}")["subplots"]
        columns = [name for lines in plots.values() for name in lines]
        body = {"pair": PAIR, "timeframe": "1m", "timerange": TIMERANGE, "strategy": STRATEGY}
        shown = ask(place, "pair_history", body | {"columns": columns, "freqaimodel": None})
        results = ask(place, "backtest/history")
    finally:
        server.terminate()
        server.wait(60)
    assert [result["strategy"] for result in results] == [STRATEGY]
    frame = pd.DataFrame(shown["data"], columns=shown["columns"])
    assert set(columns) <= set(frame)
    assert list(plots) == ["probability", "do_predict", "skill"]

    folder = place / "models" / "small"
    (stored,) = folder.rglob(f"*{BACKTEST_PREDICTION}")
    stored = pd.read_feather(stored)
    drawn = frame.set_index(pd.to_datetime(frame["date"])).loc[stored["date"]]
    assert len(drawn) == len(stored) == 1440
    for name in ("SHORT", "HOLD", "LONG", "do_predict"):
        np.testing.assert_allclose(drawn[name], stored[name], atol=1e-12)
    (record,) = folder.rglob(f"*{REPORT_FILE}")
    validation = json.loads(record.read_text())["validation"]
    skill = 1 - validation["log_loss"] / validation["log_loss_of_frequencies"]
    known = (drawn["do_predict"] == 1).to_numpy()
    assert known.mean() > 0.9
    assert drawn.loc[known, "skill"].to_numpy() == pytest.approx(skill)
    assert drawn[["SHORT_from", "LONG_from"]].drop_duplicates().to_numpy().tolist() == [[0.2, 0.25]]
    over = drawn["LONG"] - 0.25  # and by more than SHORT is over its own
    entered = known & (over >= 0) & ((over > drawn["SHORT"] - 0.2) | (drawn["SHORT"] < 0.2))
    np.testing.assert_array_equal(drawn["enter_long"] == 1, entered)
    assert 0 < entered.sum() < known.sum()

"""Bots in processes of their own, each against a sandbox exchange of its own."""

import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from dualwindow_freqtrade.live.status import STATUS_FILE
from dualwindow_freqtrade.live.stored_predictions import stored_predictions
from harness.places import PROGRAMS, ROOT


def small(pairs: list[str], **freqai: Any) -> dict[str, Any]:
    """Ask for a network trained in seconds, on barriers touched every minute or two."""
    sides = ("long", "short")
    labels = {f"{s}_take_profit": 0.0003 for s in sides} | {f"{s}_stop_loss": 0.0006 for s in sides}
    return {
        "exchange": {"pair_whitelist": pairs},
        "max_open_trades": len(pairs),
        "freqai": {
            "identifier": "small",
            "conv_width": 60,
            "train_period_days": 2,
            "live_retrain_hours": 0.03,
            "purge_old_models": False,
            "continual_learning": True,
            "feature_parameters": {"label_period_candles": 2},
            "model_training_parameters": {
                "kind": "lstm",
                "lstm_units": [8],
                "dense_units": [4],
                "epochs": 2,
            },
            "dual_window": {
                "pooling": "pair",
                "labels": labels,
                # Two days of noise may leave nothing but the class frequencies, on which
                # nothing is entered.
                "calibration": "none",
                "confidence": {"mode": "custom", "short": 0.05, "long": 0.05},
            },
            **freqai,
        },
    }


class Place:
    """A user data folder with candles until `end`, or last midnight, and a configuration."""

    def __init__(self, folder: Path, overlay: dict[str, Any], end: datetime | None = None) -> None:
        self.user_data = folder / "user_data"
        self.user_data.mkdir(parents=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.configure(overlay)
        self.models = self.user_data / "models" / overlay["freqai"]["identifier"]
        self.candles = self.user_data / "candles"
        pairs = [p.partition(":")[0] for p in overlay["exchange"]["pair_whitelist"]]
        days = 48 + overlay["freqai"]["train_period_days"]
        day = f"{end or datetime.now(UTC):%Y-%m-%d}"
        words = ["--days", str(days), "--end", day, "--pairs", *pairs]
        made = dualwindow("sandbox", "data", "--out", str(self.candles), *words)
        assert made.returncode == 0, made.stderr

    def configure(self, overlay: dict[str, Any]) -> None:
        """Write the configuration of bots that are started from now on."""
        overlay = overlay | {"api_server": {"listen_port": self.port}}
        (self.user_data / "over.json").write_text(json.dumps(overlay))

    @property
    def options(self) -> list[str]:
        """Options of any freqtrade command."""
        words = ["-c", "user_data/config.json", "-c", self.user_data / "over.json"]
        words += ["--userdir", self.user_data, "-d", self.candles]
        return [str(word) for word in words]

    def freqtrade(self, *words: str) -> list[str]:
        """Spell the command of a freqtrade in the sandbox."""
        run = [PROGRAMS / "dualwindow", "sandbox", "run", "--", PROGRAMS / "freqtrade"]
        return [*(str(word) for word in run), *words, *self.options]

    def download(self) -> None:
        """Fetch the candles that have closed since the bot started."""
        yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y%m%d}-"
        words = self.freqtrade("download-data", "-t", "1m", "1h", "--timerange", yesterday)
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]

    def ask(self, what: str, method: str = "GET") -> dict[str, Any]:
        """Ask the bot's REST API, or with POST, tell it to do something."""
        credentials = json.loads((self.user_data / "rest_api.json").read_text())
        login = base64.b64encode(f"freqtrader:{credentials['password']}".encode()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/{what}",
            headers={"Authorization": f"Basic {login}"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def predictions(self) -> dict[str, pd.DataFrame]:
        """Read what the bot has stored, by pair."""
        return stored_predictions(self.models)

    def status(self) -> dict[str, Any]:
        """Read what the bot has written of each pair."""
        return json.loads((self.models / STATUS_FILE).read_text())["pairs"]

    def trades(self) -> pd.DataFrame:
        """All trades, open and closed."""
        with sqlite3.connect(self.user_data / "trades.sqlite") as database:
            return pd.read_sql("select * from trades", database)


class Bot:
    """A dry run in a process."""

    def __init__(
        self, place: Place, log: Path, model: str = "DualWindowLSTM", **variables: str
    ) -> None:
        self.place, self.log = place, log
        words = ["trade", "--freqaimodel", model, "--no-color"]
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                place.freqtrade(*words),
                cwd=ROOT,
                env=os.environ | {"COLUMNS": "300"} | variables,
                stdout=out,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        """Everything in the log."""
        return self.log.read_text(errors="replace")

    def errors(self) -> list[str]:
        """Errors in the log, but for one of ccxt's, which leaves a task behind when it ends."""
        lines = self.said().replace("asyncio - ERROR", "").splitlines()
        return [line for line in lines if " - ERROR - " in line or "Traceback" in line]

    def wait_for(self, text: str, seconds: float, since: int = 0) -> None:
        """Wait until the log says something, in what comes after the first `since` characters."""
        deadline = time.monotonic() + seconds
        while text not in self.said()[since:]:
            assert self.process.poll() is None, self.said()[-3000:]
            assert time.monotonic() < deadline, f"{text!r} not in {self.said()[-3000:]}"
            time.sleep(0.5)

    @property
    def exchange(self) -> str:
        """The sandbox's address."""
        self.wait_for("the sandbox listens on", 60)
        found = re.search(r"the sandbox listens on (\S+)", self.said())
        assert found is not None
        return found[1]

    @property
    def pid(self) -> int:
        """Of freqtrade itself, the sandbox's child."""
        self.wait_for("Changing state to: RUNNING", 180)
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return int(children.read_text().split()[0])

    def stop(self, n_signals: int = 1) -> float:
        """End it as a service manager does; return the seconds that it took."""
        pid, began = self.process.pid if n_signals == 1 else self.pid, time.monotonic()
        for _ in range(n_signals):  # the sandbox may take two for one
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.001)
        self.process.wait(60)
        return time.monotonic() - began


def dualwindow(*words: str) -> subprocess.CompletedProcess:
    """Run one of our own commands to its end."""
    return subprocess.run(
        [PROGRAMS / "dualwindow", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )

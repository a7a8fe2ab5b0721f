"""Let a bot with an agent trade in the sandbox for some minutes, and decide every action again.

``python -m benchmarks.agent_live --minutes 60 --json FILE`` starts a dry run of two pairs in a
folder of its own, with an agent that is trained in seconds and again every few minutes. At the end
it fetches the candles that have closed, runs both checks, and counts what the bot did.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dualwindow_freqtrade.freqai.names import ACTION, DO_PREDICT, POSITION, TRAINED_AT
from harness.bots import Bot, Place, dualwindow, small

_PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
_AGENT = {
    "classifier_days": 1,
    "window_days": 0.5,
    "learning": {
        "timesteps": 6144,
        "steps": 128,
        "batch_size": 512,
        "policy_units": [16],
        "value_units": [16],
        "evaluate_every": 2048,
        "episode": 240,
        "learning_rate": 0.003,
    },
}


def overlay() -> dict[str, Any]:
    """Ask for barriers that are touched every few minutes, without fees, so that it trades."""
    changes = small(_PAIRS, continual_learning=False, live_retrain_hours=0.1)
    freqai = changes["freqai"]
    freqai["feature_parameters"]["label_period_candles"] = 5
    freqai["model_training_parameters"] = {"kind": "ranges", "spans": [15, 60]}
    ends = [f"{s}_{e}" for s in ("long", "short") for e in ("take_profit", "stop_loss")]
    freqai["dual_window"] |= {"labels": dict.fromkeys(ends, 0.0008), "agent": _AGENT}
    return changes | {"fee": 0.0}


def measure(folder: Path, minutes: float) -> dict[str, Any]:
    """Let the bot run, and collect what it did and what the checks say of it."""
    place = Place(folder, overlay())
    bot = Bot(place, folder / "bot.log", "DualWindowAgent")
    try:
        time.sleep(60 * minutes)
    finally:
        bot.stop()
    place.download()
    words = [*place.options, "--freqaimodel", "DualWindowAgent"]
    checks = {what: dualwindow("check", what, "--", *words) for what in ("parity", "leak")}
    trades, stored = place.trades(), place.predictions()
    decided = {pair: rows[rows[DO_PREDICT] == 1] for pair, rows in stored.items()}
    return {
        "minutes": minutes,
        "checks": {w: [done.returncode, done.stdout.splitlines()] for w, done in checks.items()},
        "errors": bot.errors(),
        "trades": len(trades),
        "exits": trades["exit_reason"].value_counts().to_dict(),
        "decided": {pair: len(rows) for pair, rows in decided.items()},
        "changes": {
            pair: int((rows[ACTION] != rows[POSITION]).sum()) for pair, rows in decided.items()
        },
        "models": {pair: int(rows[TRAINED_AT].nunique()) for pair, rows in decided.items()},
        "differences": {
            pair: state.get("position_differences") for pair, state in place.status().items()
        },
    }


def main(words: Sequence[str] | None = None) -> int:
    """Print the figures; the status is 1 if a check or the bot has found something wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--folder", type=Path, help="to keep; by default it goes at the end")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as made:
        found = measure(arguments.folder or Path(made), arguments.minutes)
    text = json.dumps(found, indent=1)
    print(text)
    if arguments.json is not None:
        arguments.json.write_text(f"{text}\n")
    is_wrong = found["errors"] or any(status for status, _ in found["checks"].values())
    return 1 if is_wrong else 0


if __name__ == "__main__":
    sys.exit(main())

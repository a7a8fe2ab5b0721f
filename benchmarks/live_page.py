"""Measure whether a bot predicts later when it renews its page."""

import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.live_faults import Goal
from harness.bots import Bot, Place, small

PAIRS = [f"{coin}/USDT:USDT" for coin in ("BTC", "ETH", "SOL", "XRP")]


def page(folder: Path, minutes: int = 6) -> tuple[dict[str, Any], list[Goal]]:
    """Run a bot without a page and one that renews it every minute, one after the other."""
    without = _delays(folder / "without", minutes, None)
    beside = _delays(folder / "with", minutes, 1)
    found = {"without a page": without, "with a page": beside}
    goals = []
    for name, key in (("candle's end to prediction", "after"), ("prediction itself", "takes")):
        before, now = (median(each[key]) for each in (without, beside))
        text = f"{1000 * before:.0f} ms without, {1000 * now:.0f} ms with"
        goals.append((f"{name}, a page every minute", text, now < before + 0.1))
    n = beside["pages"]
    return found, [*goals, ("pages in that time", f"{n} of {minutes}", n >= minutes - 1)]


def _delays(folder: Path, minutes: int, every: float | None) -> dict[str, Any]:
    """Ask the bot's status once a minute; seconds of the newest candle of every pair."""
    overlay = small(PAIRS, live_retrain_hours=1)
    overlay["freqai"]["dual_window"]["report"] = every or False
    place = Place(folder, overlay)
    told = place.models / "report" / "live" / "report.json"
    found: dict[str, Any] = {"after": [], "takes": []}
    pages = set()
    bot = Bot(place, folder / "bot.log")
    try:
        for pair in PAIRS:
            bot.wait_for(f"{pair} trained on", 600)
        time.sleep(70 + 60 - (time.time() + 10) % 60)  # every pair has predicted; in mid-minute
        for _ in range(minutes):
            time.sleep(60)
            for facts in place.status().values():
                found["after"].append(facts["seconds_after_candle"]["last"])
                found["takes"].append(facts["seconds_per_prediction"]["last"])
            if told.is_file():
                pages.add(told.stat().st_mtime_ns)
    finally:
        bot.stop()
    assert bot.errors() == []
    return found | {"pages": len(pages)}

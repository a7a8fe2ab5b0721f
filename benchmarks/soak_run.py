"""Run one bot through the schedule of one seed."""

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.soak_bot import Clock, SoakBot, exchange
from benchmarks.soak_leader import PAIRS, Leader, Left
from benchmarks.soak_schedule import schedule
from harness.bots import Place, small

SPARE = "SOL/USDT:USDT"
BEGIN = datetime(2022, 4, 5, tzinfo=UTC)  # a Tuesday; the synthetic market begins in January


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a small disk on a folder, where that is allowed; what it held is kept beside it."""
    folder.mkdir(parents=True)
    words = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(folder)]
    is_mounted = subprocess.run(words, capture_output=True, check=False).returncode == 0
    try:
        yield
    finally:
        if is_mounted:
            shutil.copytree(folder, folder.with_name(f"{folder.name}-left"))
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def overlay() -> dict[str, Any]:
    """Return a configuration of small networks that are trained every few candles."""
    options = {"identifier": "soak", "live_retrain_hours": 0.2, "purge_old_models": 2}
    found = small(PAIRS, **options)
    found["exchange"]["ccxt_config"] = {"timeout": 3000}
    return found | {"internals": {"process_throttle_secs": 1}, "max_open_trades": 3}


def run(seed: int, length: int, folder: Path, judge: Callable[[Left], Any]) -> Any:
    """Lead a bot through the schedule of a seed; return what `judge` makes of what is left."""
    place = Place(folder, overlay(), end=BEGIN)
    plan = schedule(seed, length, PAIRS, SPARE)
    start = (BEGIN + timedelta(hours=1, seconds=20)).timestamp()
    clock = Clock(folder / "clock", start)
    with small_disk(place.models), exchange(clock) as address:
        bot = SoakBot(place, address, clock)
        leader = Leader(place, bot, clock, address)
        try:
            left = Left(leader.warm_up(), length, plan, place)
            leader.lead(left)
        finally:
            bot.stop()
        left.log = bot.log.read_text(errors="replace")
        left.witness = leader.witness()
        return judge(left)

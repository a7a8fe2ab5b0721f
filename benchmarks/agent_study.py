"""Let agents trade on synthetic markets, and hold them against the rule: ``make agent``.

Candles of the sandbox, a walk-forward of boosted trees, agents of several seeds, and their
judgement on the part of the time that nothing was learnt from: all by the commands that a user
types. On the planted market there is something to be found and the agents must find it; on the
random walk there is nothing, and they must do nothing. What is finished is kept: a run that was
ended goes on.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from dualwindow.cli import main as dualwindow
from harness.places import ROOT

FOLDER = ROOT / "user_data" / "agent"
MARKETS = ("planted", "random-walk")


class Size(NamedTuple):
    """How long a study is.

    Parameters
    ----------
    days : of candles
    begin, stop : of what is predicted, YYYYMMDD
    coins : pairs
    train_days, window_days : of each training of the trees, and of what it predicts
    seeds : agents
    timesteps : that each learns
    """

    days: int
    begin: str
    stop: str
    coins: tuple[str, ...]
    train_days: int
    window_days: int
    seeds: int
    timesteps: int


QUICK = Size(150, "20231020", "20240131", ("BTC", "ETH"), 14, 14, 3, 400_000)
FULL = Size(270, "20230707", "20240131", ("BTC", "ETH", "SOL"), 30, 14, 10, 1_000_000)


def steps(market: str, size: Size, folder: Path, workers: int) -> Iterator[Sequence[str]]:
    """List the commands of a study, in order."""
    candles, pairs = folder / "candles", [f"{coin}/USDT:USDT" for coin in size.coins]
    if not candles.is_dir():
        spot = [f"{coin}/USDT" for coin in size.coins]
        asked = ["--days", str(size.days), "--market", market, "--pairs", *spot]
        yield ["sandbox", "data", "--out", str(candles), *asked]
    source = ["--pair", *pairs, "--datadir", str(candles)]
    for kind in ("trees", "ranges"):
        lengths = ["--train-days", str(size.train_days), "--window-days", str(size.window_days)]
        when = ["--timerange", f"{size.begin}-{size.stop}", "--workers", str(workers)]
        shared = ["--kind", kind, "--set", "dual_window.pooling=whitelist"]
        out = ["--out", str(folder / kind)]
        yield ["train", "--walk-forward", *source, *shared, *lengths, *when, *out]
    agents = ["--out", str(folder / "agents"), "--workers", str(workers)]
    learning = ["--seeds", str(size.seeds), "--set", f"learning.timesteps={size.timesteps}"]
    yield ["agent", "train", "--walk", str(folder / "trees"), *source, *learning, *agents]
    judged = ["--agents", str(folder / "agents"), "--baseline-walk", str(folder / "ranges")]
    yield ["agent", "evaluate", *judged]


def run(market: str, size: Size, folder: Path, workers: int) -> int:
    """Do all of them; the first that fails ends it."""
    for words in steps(market, size, folder, workers):
        print(f"\n$ dualwindow {shlex.join(words)}", flush=True)
        if status := dualwindow(words):
            return status
    return 0


def main() -> int:
    """Study the markets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, prog="agent_study")
    parser.add_argument("--quick", action="store_true", help="minutes: the planted market alone")
    parser.add_argument("--market", choices=MARKETS, nargs="+", help="default both")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FOLDER)
    chosen = parser.parse_args()
    size = QUICK if chosen.quick else FULL
    markets = chosen.market or (MARKETS[:1] if chosen.quick else MARKETS)
    length = "quick" if chosen.quick else "full"
    for market in markets:
        if status := run(market, size, chosen.out / f"{market}-{length}", chosen.workers):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())

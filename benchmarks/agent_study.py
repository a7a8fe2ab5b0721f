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


class Study(NamedTuple):
    """How long a study is, and of which candles.

    Parameters
    ----------
    days : of candles of the sandbox
    timerange : of what is predicted
    pairs : futures
    train_days, window_days : of each training of the trees, and of what it predicts
    seeds : agents
    timesteps : that each learns
    market, market_seed : of the sandbox
    files : of candles, one for each pair, instead of the sandbox's
    """

    days: int
    timerange: str
    pairs: Sequence[str]
    train_days: int
    window_days: int
    seeds: int
    timesteps: int
    market: str = MARKETS[0]
    market_seed: int = 1
    files: Sequence[Path] = ()


COINS = ("BTC/USDT:USDT", "ETH/USDT:USDT", "SOL/USDT:USDT")
QUICK = Study(150, "20231020-20240131", COINS[:2], 14, 14, 3, 400_000)
FULL = Study(270, "20230707-20240131", COINS, 30, 14, 10, 1_000_000)


def steps(study: Study, folder: Path, workers: int) -> Iterator[Sequence[str]]:
    """List the commands of a study, in order."""
    source = ["--pair", *study.pairs, "--datadir", str(folder / "candles")]
    if study.files:
        source = ["--pair", *study.pairs, "--data", *map(str, study.files)]
    elif not (folder / "candles").is_dir():
        spot = [pair.partition(":")[0] for pair in study.pairs]
        asked = ["--days", str(study.days), "--market", study.market, "--pairs", *spot]
        seed = ["--seed", str(study.market_seed)]
        yield ["sandbox", "data", "--out", str(folder / "candles"), *asked, *seed]
    for kind in ("trees", "ranges"):
        lengths = ["--train-days", str(study.train_days), "--window-days", str(study.window_days)]
        when = ["--timerange", study.timerange, "--workers", str(workers)]
        shared = ["--kind", kind, "--set", "dual_window.pooling=whitelist"]
        out = ["--out", str(folder / kind)]
        yield ["train", "--walk-forward", *source, *shared, *lengths, *when, *out]
    agents = ["--out", str(folder / "agents"), "--workers", str(workers)]
    learning = ["--seeds", str(study.seeds), "--set", f"learning.timesteps={study.timesteps}"]
    yield ["agent", "train", "--walk", str(folder / "trees"), *source, *learning, *agents]
    judged = ["--agents", str(folder / "agents"), "--baseline-walk", str(folder / "ranges")]
    yield ["agent", "evaluate", *judged]


def run(study: Study, folder: Path, workers: int) -> int:
    """Do all of them; the first that fails ends it."""
    for words in steps(study, folder, workers):
        print(f"\n$ dualwindow {shlex.join(words)}", flush=True)
        if status := dualwindow(words):
            return status
    return 0


def studies(chosen: argparse.Namespace) -> Iterator[tuple[str, Study]]:
    """Name the studies that are asked for."""
    length = "quick" if chosen.quick else "full"
    names = ("timerange", "train_days", "timesteps", "market_seed")
    given = {name: getattr(chosen, name) for name in names}
    size = (QUICK if chosen.quick else FULL)._replace(
        **{name: value for name, value in given.items() if value is not None}
    )
    if chosen.data:
        yield f"real-{length}", size._replace(pairs=chosen.pair, files=chosen.data)
        return
    for market in chosen.market or (MARKETS[:1] if chosen.quick else MARKETS):
        name = f"{market}-{size.market_seed}-{length}"
        yield name, size._replace(market=market, pairs=chosen.pair or size.pairs)


def parser_of() -> argparse.ArgumentParser:
    """Read what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, prog="agent_study")
    parser.add_argument("--quick", action="store_true", help="minutes: the planted market alone")
    parser.add_argument("--market", choices=MARKETS, nargs="+", help="default both")
    parser.add_argument("--market-seed", type=int, metavar="N", help="of the sandbox (1)")
    parser.add_argument("--timesteps", type=int, metavar="N", help="of each agent")
    parser.add_argument("--timerange", metavar="YYYYMMDD-YYYYMMDD", help="of what is predicted")
    parser.add_argument("--train-days", type=int, metavar="N", help="that trees learn from")
    parser.add_argument("--pair", nargs="+", metavar="PAIR", help="futures, as BTC/USDT:USDT")
    parser.add_argument(
        "--data",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="real candles of a minute instead of the sandbox's, a file for each --pair",
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, default=FOLDER)
    return parser


def main() -> int:
    """Study what is asked for."""
    parser = parser_of()
    chosen = parser.parse_args()
    if chosen.data and len(chosen.data) != len(chosen.pair or ()):
        parser.error("--data: give a --pair for each file")
    for name, study in studies(chosen):
        if status := run(study, chosen.out / name, chosen.workers):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())

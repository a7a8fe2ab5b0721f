"""How many candles a second accounts act on, on one core and without a policy.

    python -m benchmarks.agent_market --json market.json

Each step is all that a masked learner asks of an arena: what can be done, the step itself, what is
seen then, and accounts opened anew that are at their end. Actions are random ones, made before:
nobody trades more, and trades are what takes time. The best of several rounds counts, in seconds
of the core.
"""

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import numpy as np

from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.market.arena import Arena
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.settings import PUBLISHED, AgentSettings

ACCOUNTS = (1, 16, 64, 256)
SETTINGS = {"positions": AgentSettings(), "published": PUBLISHED}
BARRIERS, HORIZON = Barriers(0.006, 0.003, 0.006, 0.003), 60
N_CANDLES = 50_000


def random_walk(n: int, seed: int = 0) -> Tape:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, n)))
    opens = np.concatenate([close[:1], close[:-1]])
    reach = np.exp(np.abs(rng.normal(0, 0.0005, (2, n))))
    high, low = np.maximum(opens, close) * reach[0], np.minimum(opens, close) / reach[1]
    candles = Candles(np.arange(n) * 60, high, low, close, np.ones(n), 60, open=opens)
    return Tape("RND/USDT", candles, rng.dirichlet([1, 1, 1], n), np.ones(n, dtype=bool))


def microseconds(arena: Arena, n_steps: int, rounds: int) -> float:
    """Time one step of all accounts."""
    rng = np.random.default_rng(1)
    wished = rng.integers(0, arena.exchange.n_actions, (n_steps, arena.n))
    arena.reset()
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for actions in wished:
            arena.allowed()
            _, broken, over = arena.step(actions)
            ended = broken | over
            if ended.any():
                arena.reopen(ended)
            else:
                arena.seen()
        best = min(best, time.process_time() - begun)
    return best / n_steps * 1e6


def measure(n_steps: int, rounds: int) -> list[dict[str, Any]]:
    tape, found = random_walk(N_CANDLES), []
    for name, settings in SETTINGS.items():
        terms = Terms(settings.market, BARRIERS, HORIZON)
        for n in ACCOUNTS:
            taken = microseconds(Arena([tape], settings, terms, n, seed=0), n_steps, rounds)
            found.append(
                {
                    "actions": name,
                    "accounts": n,
                    "microseconds_per_step": round(taken, 1),
                    "steps_per_second": round(n / taken * 1e6),
                }
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=2000, help="of each account in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    given = parser.parse_args()
    found = measure(given.steps, given.rounds)
    print(f"{'actions':10} {'accounts':>8} {'us a step':>10} {'steps a second':>15}")
    for row in found:
        print(
            f"{row['actions']:10} {row['accounts']:8} {row['microseconds_per_step']:10.1f} "
            f"{row['steps_per_second']:15,}"
        )
    if given.json:
        told = {"machine": platform.machine(), "numpy": np.__version__, "rows": found}
        given.json.write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    main()

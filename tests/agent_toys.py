"""Markets of a few thousand candles that an agent learns in seconds."""

from pathlib import Path
from typing import Any

import numpy as np

from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers
from dualwindow_agent.learning.task import AgentTask
from dualwindow_agent.market.tape import Tape, split
from dualwindow_agent.settings import AgentSettings, LearningSettings

HORIZON = 120
BARRIERS = Barriers(0.05, 0.05, 0.05, 0.05)
_RUN = 20  # candles that a drift lasts


def toy_tape(n: int, seed: int, drift: float, pair: str = "TOY/USDT") -> Tape:
    """Prices that drift for 20 candles at a time, and predictions of the next candle's drift.

    With a drift of 0 it is a random walk, and the predictions tell nothing.
    """
    rng = np.random.default_rng(seed)
    side = np.repeat(rng.choice([-1, 0, 1], size=n // _RUN + 2), _RUN)[: n + 1]
    price = 100 * np.exp(np.cumsum(side * drift + rng.normal(0, 0.0005, n + 1)))
    opens, close = price[:-1], price[1:]
    high, low = np.maximum(opens, close) * 1.0001, np.minimum(opens, close) * 0.9999
    told = np.full((n, 3), 0.1)
    told[np.arange(n), np.append(side[2:], 0) + 1] = 0.8
    candles = Candles(np.arange(n) * 60, high, low, close, np.ones(n), 60, open=opens)
    return Tape(pair, candles, told, np.ones(n, dtype=bool))


def toy_task(
    n: int = 2000,
    drift: float = 0.0005,
    checkpoints: Path | None = None,
    tensorboard: Path | None = None,
    **learning: Any,
) -> AgentTask:
    """A training of a small network, by default over in two seconds; `learning` changes it."""
    small: dict[str, Any] = {
        "timesteps": 2048,
        "accounts": 8,
        "steps": 64,
        "batch_size": 128,
        "epochs": 2,
        "episode": 100,
        "policy_units": (4, 4),
        "value_units": (4, 4),
        "evaluate_every": 1024,
    }
    settings = AgentSettings(learning=LearningSettings(**(small | learning)))
    learn, validate = split([toy_tape(n, 1, drift)], 0.2, HORIZON)
    return AgentTask(
        tuple(learn),
        tuple(validate),
        settings,
        BARRIERS,
        HORIZON,
        {"made from": "a toy"},
        checkpoints,
        tensorboard,
    )

"""An agent inside the real FreqAI, with a policy that was made up or learnt in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dualwindow.market.labels import Labelling
from dualwindow_agent.freqai import learning
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.market.observation import joined_market, names_of
from harness.freqai_run import configuration, live_configuration

RANGES = {"kind": "ranges", "spans": [3, 10]}
SMALL = {
    "timesteps": 1024,
    "accounts": 8,
    "steps": 64,
    "batch_size": 128,
    "policy_units": [4],
    "value_units": [4],
    "episode": 100,
}
AGENT = {"classifier_days": 0.5, "window_days": 0.25, "learning": SMALL}
LABELS = {f"{s}_{end}": 0.004 for s in ("long", "short") for end in ("take_profit", "stop_loss")}


def with_agent(config: dict[str, Any], **agent: Any) -> dict[str, Any]:
    """Change a configuration of the harness; `agent` is put into the agent's block."""
    own = config["freqai"]["dual_window"] | {"labels": LABELS, "agent": AGENT | agent}
    freqai = config["freqai"] | {"dual_window": own, "model_training_parameters": RANGES}
    return config | {"freqaimodel": "DualWindowAgent", "freqai": freqai}


def agent_backtest(user_data: Path, **freqai: Any) -> dict[str, Any]:
    """Configure four windows of six hours."""
    return with_agent(configuration(user_data, **freqai))


def agent_dry_run(user_data: Path, **freqai: Any) -> dict[str, Any]:
    """Configure a dry run."""
    return with_agent(live_configuration(user_data, **freqai))


# To flat, long and short: it goes long while the market becomes wilder, short while it calms down,
# would rather keep what it holds, and tires of it. It knows no time of day: dry runs are at that of
# the test.
_LEANS = {
    "LONG": (0.0, 0.5, 0.0),
    "SHORT": (0.0, 0.0, 0.5),
    "range_15": (0.0, 1.0, -1.0),
    "range_60": (0.0, -1.0, 1.0),
    "is_long": (0.0, 0.5, 0.0),
    "is_short": (0.0, 0.0, 0.5),
    "held": (1.0, 0.0, 0.0),
}


def made_up_policy(tapes, settings, block, interrupt=None, tensorboard=None) -> Policy:
    """Give a policy that changes its mind every few candles, in one layer."""
    labelling = Labelling.of(settings)
    columns, market = names_of("default"), joined_market(tapes, "default")
    return Policy(
        block.agent,
        labelling.barriers,
        labelling.horizon,
        columns,
        np.concatenate([market.mean(axis=0), [0.5, 0.5, 0.0, 0.5]]),
        np.concatenate([market.var(axis=0) + 1e-6, [0.25, 0.25, 0.2, 0.1]]),
        (np.array([_LEANS.get(name, (0.0, 0.0, 0.0)) for name in columns]),),
        (np.array([0.8, 0.0, 0.0]),),
        {},
    )


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each training end with the policy that was made up; its tapes are made nevertheless."""
    monkeypatch.setattr(learning, "train_agent", made_up_policy)

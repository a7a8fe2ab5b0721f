"""How long an agent's training takes, beside that of freqtrade's own learner on the same candles.

    python -m benchmarks.agent_training --json training.json

Ours is a whole training with its defaults: validations too, which follow the whole of the latest
fifth. Theirs is what `ReinforcementLearner` does between getting its features and giving its model,
with freqtrade's three actions, the same network, batches and count of timesteps; its evaluations
are five walks through the latest fifth after each walk through the rest. Both act on the same
candles and see the same numbers of the market. One after the other; seconds are of the clock, and
of the cores where something else runs beside.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.agent_market import BARRIERS, HORIZON
from dualwindow.market.candles import Candles
from dualwindow_agent.learning.training import AgentTask, leave_tensorflow_out, train
from dualwindow_agent.market.observation import N_OWN, market_part, names_of
from dualwindow_agent.market.tape import Tape, split
from dualwindow_agent.settings import AgentSettings

DAYS = 30
_RUN = 20  # candles that a drift lasts


class Stopwatch:
    """Seconds of the clock, and of all cores that this process was on."""

    def __init__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def stopped(self) -> dict[str, float]:
        now = time.perf_counter(), time.process_time()
        clock, core = (after - before for after, before in zip(now, self._begun, strict=True))
        return {"seconds": clock, "core_seconds": core}


def drifting(n: int, seed: int = 0) -> Tape:
    """Make candles whose drift of 20 candles each is predicted, though not surely."""
    rng = np.random.default_rng(seed)
    side = np.repeat(rng.choice([-1, 0, 1], n // _RUN + 1), _RUN)[:n]
    close = 100 * np.exp(np.cumsum(side * 0.0003 + rng.normal(0, 0.0007, n)))
    opens = np.concatenate([close[:1], close[:-1]])
    reach = np.exp(np.abs(rng.normal(0, 0.0002, (2, n))))
    high, low = np.maximum(opens, close) * reach[0], np.minimum(opens, close) / reach[1]
    candles = Candles(np.arange(n) * 60, high, low, close, np.ones(n), 60, open=opens)
    told = rng.dirichlet([1, 1, 1], n)
    told[np.arange(n), side + 1] += 1.0
    return Tape("TOY/USDT", candles, told / told.sum(axis=1, keepdims=True), np.ones(n, dtype=bool))


def task_of(timesteps: int) -> AgentTask:
    settings = AgentSettings()
    learning = settings.learning.model_copy(update={"timesteps": timesteps})
    learn, validate = split([drifting(DAYS * 1440)], learning.validation, HORIZON)
    settings = settings.model_copy(update={"learning": learning})
    return AgentTask(tuple(learn), tuple(validate), settings, BARRIERS, HORIZON, {})


def ours(task: AgentTask, threads: int) -> dict[str, Any]:
    begun = Stopwatch()
    trained = train(task, threads=threads)
    return {
        "who": f"ours, {threads} thread{'s' * (threads > 1)}",
        "timesteps": trained.history[-1].timesteps,
        **begun.stopped(),
        "growth": max(progress.growth for progress in trained.history),
    }


def theirs(task: AgentTask, *, evaluated: bool) -> dict[str, Any]:
    """Time freqtrade's `ReinforcementLearner`, given what FreqAI would give it."""
    from freqtrade.freqai.prediction_models.ReinforcementLearner import ReinforcementLearner
    from freqtrade.freqai.RL.Base3ActionRLEnv import Base3ActionRLEnv

    class Environment(Base3ActionRLEnv):
        def calculate_reward(self, action: int) -> float:
            return float(self.get_unrealized_profit())

    learner = ReinforcementLearner.__new__(ReinforcementLearner)
    learner.MyRLEnv = Environment
    learn, validate = (_frames(tapes[0]) for tapes in (task.learn, task.validate))
    _befriend(learner, task, len(learn[0]))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        kitchen = SimpleNamespace(pair="TOY/USDT", data_path=place, full_path=place)
        begun = Stopwatch()
        features = {"train_features": learn[0], "test_features": validate[0]}
        learner.set_train_and_eval_environments(features, learn[1], validate[1], kitchen)
        if not evaluated:
            learner.eval_callback.eval_freq = 10**9
        model = learner.fit(features, kitchen)
        taken = begun.stopped()
    steps = model.num_timesteps if not evaluated else task.total
    how = "freqtrade's learner" if evaluated else "freqtrade's, never evaluated"
    return {"who": how, "timesteps": steps, **taken, "growth": None}


def _frames(tape: Tape) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lay out features and prices as FreqAI does, of the candles that are acted on."""
    names = names_of("default")[:-N_OWN]
    features = pd.DataFrame(market_part(tape, "default"), columns=list(names))
    candles = tape.candles
    prices = {"open": tape.opens, "high": candles.high, "low": candles.low, "close": candles.close}
    first = tape.first
    return tuple(
        frame.iloc[first:].reset_index(drop=True) for frame in (features, pd.DataFrame(prices))
    )


def _befriend(learner: Any, task: AgentTask, n_rows: int) -> None:
    """Set what the constructors of FreqAI's classes read from a whole configuration."""
    import torch
    from stable_baselines3 import PPO

    s = task.settings.learning
    torch.set_num_threads(1)  # as theirs does where `cpu_count` is 1, its default
    rl = {"train_cycles": s.timesteps / n_rows, "max_training_drawdown_pct": 0.8}
    learner.rl_config = rl
    learner.freqai_info = {
        "rl_config": rl,
        "model_training_parameters": {
            "learning_rate": s.learning_rate,
            "n_steps": s.steps * s.accounts,
            "batch_size": s.batch_size,
            "n_epochs": s.epochs,
            "gamma": s.gamma,
            "gae_lambda": s.gae_lambda,
            "clip_range": s.clip_range,
            "ent_coef": s.entropy,
            "seed": s.seed,
            "device": "cpu",
        },
    }
    learner.config = {
        "freqai": learner.freqai_info,
        "stake_amount": "unlimited",
        "fee": task.settings.market.fee,
    }
    learner.net_arch = {"pi": list(s.policy_units), "vf": list(s.value_units)}
    learner.reward_params = {"rr": 1, "profit_aim": 0.025}
    learner.MODELCLASS, learner.model_type, learner.policy_type = PPO, "PPO", "MlpPolicy"
    learner.dd = SimpleNamespace(model_dictionary={})
    learner.CONV_WIDTH = 1
    learner.activate_tensorboard = learner.continual_learning = learner.live = False
    learner.can_short, learner.data_provider, learner.df_raw = True, None, pd.DataFrame()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--timesteps", type=int, default=150_000, help="of each training")
    parser.add_argument("--only-ours", action="store_true", help="for a quick look")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    arguments = parser.parse_args()
    leave_tensorflow_out()
    import dualwindow_agent.learning.learner  # noqa: F401 - not part of any time

    task = task_of(arguments.timesteps)
    rows = [ours(task, 1), ours(task, 2)]
    if not arguments.only_ours:
        rows += [theirs(task, evaluated=False), theirs(task, evaluated=True)]
    for row in rows:
        row["per second"] = row["timesteps"] / row["seconds"]
    _print(rows)
    if arguments.json:
        found = {"rows": rows, "machine": platform.machine(), "python": platform.python_version()}
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")


def _print(rows: list[dict[str, Any]]) -> None:
    heads = ("timesteps", "seconds", "of cores", "a second")
    print(f"{'who':<30}" + "".join(f"{head:>10}" for head in heads) + f"{'growth/day':>12}")
    for row in rows:
        growth = "" if row["growth"] is None else f"{row['growth']:+.4f}"
        print(
            f"{row['who']:<30}{row['timesteps']:>10,}{row['seconds']:>10.1f}"
            f"{row['core_seconds']:>10.1f}{row['per second']:>10,.0f}{growth:>12}"
        )


if __name__ == "__main__":
    main()

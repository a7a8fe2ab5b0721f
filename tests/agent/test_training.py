import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from agent_toys import BARRIERS, toy_tape, toy_task

from dualwindow_agent.learning import learner as learner_module
from dualwindow_agent.learning.learner import Learner, apart
from dualwindow_agent.learning.training import (
    AgentTask,
    Trained,
    TrainingError,
    judge,
    train,
)
from dualwindow_agent.market.following import follow
from harness.places import ROOT

LAW: dict[str, Any] = {
    "timesteps": 24_576,
    "accounts": 32,
    "batch_size": 256,
    "epochs": 8,
    "episode": 300,
    "learning_rate": 0.002,
    "policy_units": (16,),
    "value_units": (16,),
    "evaluate_every": 8192,
}


def growth_on(trained: Trained, drift: float, seed: int) -> tuple[float, float]:
    """On a tape of its own: growth and trades a day."""
    policy = trained.policy
    tapes = [toy_tape(4000, seed, drift)]
    courses = follow(lambda s, a, r: policy.choose(s, a), tapes, policy.settings, policy.terms)
    return judge(courses, 60)


def in_another_process(code: str, **environment: str) -> str:
    """Run Python with the tests' own modules at hand, and give what it has printed."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout


def test_it_learns_where_the_predictions_tell_the_next_candles() -> None:
    trained = train(toy_task(8000, 0.0005, **LAW))
    growth, trades = growth_on(trained, 0.0005, seed=77)
    # A drift of 0.05 % in two thirds of 1440 candles is 0.48 a day; 48 round trips cost 0.048.
    assert 0.2 < growth < 0.48
    assert 10 < trades < 100


def test_it_ends_flat_where_there_is_nothing_to_know() -> None:
    trained = train(toy_task(8000, 0.0, **LAW))
    assert trained.history[0].trades_per_day > 5  # before it has learnt
    assert trained.history[-1].trades_per_day < 1
    assert growth_on(trained, 0.0, seed=77)[0] > -0.005


@pytest.mark.parametrize("algorithm", ["maskable_ppo", "ppo"])
def test_the_policy_in_arrays_chooses_as_that_of_torch(algorithm: str) -> None:
    task = toy_task(algorithm=algorithm, policy_units=(8, 5))
    with apart(1):
        learner = Learner(task)
        learner.learn(lambda timesteps: None, lambda: None)
    policy, rng = learner.policy(), np.random.default_rng(1)
    seen = (policy.mean + 3 * rng.normal(size=(500, len(policy.mean)))).astype(np.float32)
    seen[:20] *= 1000  # beyond where both cut it off
    allowed = rng.random((500, 3)) < 0.6
    allowed[:, 0] = True
    normalised = learner.model.get_env().normalize_obs(seen)
    with torch.no_grad():
        network = learner.model.policy
        hidden = network.mlp_extractor.forward_actor(torch.from_numpy(normalised))
        logits = network.action_net(hidden).numpy()
    np.testing.assert_allclose(policy.preferences(seen), logits, atol=1e-5)
    masks = {"action_masks": allowed} if algorithm == "maskable_ppo" else {}
    chosen, _ = learner.model.predict(normalised, deterministic=True, **masks)
    everything = np.ones_like(allowed)
    expected = policy.choose(seen, allowed if masks else everything)
    np.testing.assert_array_equal(chosen, expected)
    assert len(set(chosen.tolist())) > 1


def test_same_seed_same_weights_in_another_process() -> None:
    here = train(toy_task()).policy.weight_bytes()
    code = (
        "from agent_toys import toy_task\n"
        "from dualwindow_agent.learning.training import train\n"
        "print(train(toy_task()).policy.weight_bytes().hex())"
    )
    assert in_another_process(code).strip() == here.hex()
    assert train(toy_task(seed=43)).policy.weight_bytes() != here


def test_what_the_caller_draws_from_is_left_as_it_was() -> None:
    def draw() -> tuple[float, float, float]:
        return np.random.random_sample(), random.random(), torch.rand(1).item()  # noqa: NPY002

    def seed() -> None:
        np.random.seed(3)  # noqa: NPY002
        random.seed(3)
        torch.manual_seed(3)

    seed()
    expected = draw()
    seed()
    threads = torch.get_num_threads()
    train(toy_task(timesteps=512))
    assert draw() == expected
    assert torch.get_num_threads() == threads


def test_timesteps_are_counted_and_not_calls() -> None:
    told: list[tuple[int, int]] = []
    trained = train(
        toy_task(timesteps=2000, evaluate_every=1000),
        lambda progress: told.append((progress.timesteps, progress.total)),
    )
    # Rollouts of 8 accounts x 64 steps: 4 of them are the first that are at least 2000.
    assert told == [(n, 2048) for n in (0, 512, 1024, 1536, 2048)]
    assert [progress.timesteps for progress in trained.history] == [0, 1024, 2048]


def test_the_best_on_validation_is_kept() -> None:
    task = toy_task(learning_rate=0.02, evaluate_every=512)
    trained = train(task)
    policy = trained.policy
    found = judge(
        follow(lambda s, a, r: policy.choose(s, a), task.validate, task.settings, task.terms), 60
    )
    growths = [progress.growth for progress in trained.history]
    assert len(growths) == 5
    assert len(set(growths)) >= 3
    assert found[0] == max(growths)


def test_growth_and_trades_are_per_day_and_pair() -> None:
    task = toy_task()
    tapes = [toy_tape(1441, 5, 0.0, "A"), toy_tape(2881, 6, 0.0, "B")]  # one day and two to act on
    always_long = follow(
        lambda seen, allowed, rows: np.ones(2, dtype=np.int64), tapes, task.settings, task.terms
    )
    growth, trades = judge(always_long, 60)
    assert growth == pytest.approx(sum(course.growth.sum() for course in always_long) / 3)
    assert trades == pytest.approx(sum(course.trades for course in always_long) / 3)
    assert trades > 1


def test_an_interruption_ends_it_between_two_candles() -> None:
    n_calls = 0

    def stop() -> None:
        nonlocal n_calls
        n_calls += 1
        if n_calls == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(toy_task(), interrupt=stop)
    assert n_calls == 10


def test_tensorboard_is_written_and_tensorflow_left_out(tmp_path: Path) -> None:
    code = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from agent_toys import toy_task\n"
        "from dualwindow_agent.learning.training import train\n"
        f"train(toy_task(timesteps=1024, tensorboard=Path({str(tmp_path)!r})))\n"
        "print(json.dumps(sorted(name for name in sys.modules if '.' not in name)))"
    )
    modules = json.loads(in_another_process(code))
    assert "torch" in modules
    assert "tensorboard" in modules
    assert "tensorflow" not in modules
    assert "keras" not in modules
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(tmp_path))
    read.Reload()
    growth = read.Scalars("validation/growth_per_day")
    assert [event.step for event in growth] == [0, 1024]
    assert len(read.Scalars("train/value_loss")) >= 1


def test_without_tensorboard_nothing_is_written(tmp_path: Path) -> None:
    code = (
        "from agent_toys import toy_task\n"
        "from dualwindow_agent.learning.training import train\n"
        "train(toy_task(timesteps=512))"
    )
    in_another_process(code, TMPDIR=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_extra_is_named_with_the_way_to_it() -> None:
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"  # as if it were not installed
        "from agent_toys import toy_task\n"
        "from dualwindow_agent.learning.processes import train_apart\n"
        "from dualwindow_agent.learning.training import train\n"
        "for way in (train, train_apart):\n"
        "    try: way(toy_task())\n"
        "    except Exception as error: print(type(error).__name__, error)"
    )
    lines = in_another_process(code).splitlines()
    assert len(lines) == 2
    for line in lines:
        assert line.startswith("TrainingError training an agent needs packages that are not")
        assert "torch; install PyTorch's CPU build first" in line
        assert ".[agent]" in line
        assert "docs/agent.md" in line


@pytest.mark.parametrize("moment", ["validation", "rollout"])
def test_weights_that_are_no_numbers_end_a_training(monkeypatch, moment) -> None:
    class Diverging(Learner):
        def learn(self, at_rollout, at_step) -> None:
            def spoil() -> None:
                with torch.no_grad():
                    self.model.policy.action_net.weight.fill_(float("nan"))

            if moment == "validation":
                super().learn(lambda timesteps: (spoil(), at_rollout(timesteps)), at_step)
            else:
                super().learn(at_rollout, spoil)

    monkeypatch.setattr(learner_module, "Learner", Diverging)
    with pytest.raises(TrainingError, match="not a finite number; train with a lower learning_ra"):
        train(toy_task())


def test_another_error_of_a_value_is_not_taken_for_divergence() -> None:
    def interrupt() -> None:
        raise ValueError("of the caller")

    with pytest.raises(ValueError, match="of the caller"):
        train(toy_task(), interrupt=interrupt)


def test_a_policy_that_loses_on_validation_is_kept_flat_and_says_so() -> None:
    trained = train(toy_task())
    first = trained.history[0]
    loses, gains, even = (
        trained._replace(history=(first._replace(growth=growth), first._replace(growth=-1.0)))
        for growth in (-0.001, 0.001, 0.0)
    )
    assert gains.acting() is even.acting() is trained.policy
    flat = loses.acting()
    seen = np.random.default_rng(0).normal(size=(50, len(flat.columns)))
    assert not flat.choose(seen, np.ones((50, 3), dtype=bool)).any()
    told = {"made from": "a toy", "kept flat, growth on validation": -0.001}
    assert flat.facts == told
    assert trained.policy.facts == {"made from": "a toy"}


def test_more_than_one_pair_is_learnt_from() -> None:
    one = toy_task()
    pairs = (toy_tape(1500, 1, 0.0005, "A"), toy_tape(1000, 2, 0.0005, "B"))
    both = AgentTask(pairs, one.validate, one.settings, BARRIERS, one.horizon, {})
    assert train(both).policy.weight_bytes() != train(one).policy.weight_bytes()


def test_it_needs_no_torch_to_be_imported() -> None:
    code = (
        "import sys\n"
        "import dualwindow_agent.learning.processes, dualwindow_agent.learning.training\n"
        "print(sorted({'torch', 'tensorflow', 'stable_baselines3'} & set(sys.modules)))"
    )
    assert in_another_process(code).strip() == "[]"

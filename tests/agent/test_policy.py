import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from agent_toys import BARRIERS, HORIZON

from dualwindow_agent.learning.policy import Policy, PolicyError
from dualwindow_agent.settings import AgentSettings

NAMES = ("a", "b")


def small_policy(**changes: object) -> Policy:
    policy = Policy(
        settings=AgentSettings(),
        barriers=BARRIERS,
        horizon=HORIZON,
        columns=NAMES,
        mean=np.array([1.0, 10.0]),
        variance=np.array([4.0, 25.0]),
        weights=(np.array([[1.0], [0.5]]), np.array([[2.0, -1.0, 0.0]])),
        biases=(np.array([0.1]), np.array([0.0, 0.5, 0.25])),
        facts={"made from": "nothing"},
    )
    return replace(policy, **changes)


def test_preferences_are_those_of_the_pencil() -> None:
    # (3 - 1) / 2 = 1 and (5 - 10) / 5 = -1: tanh(1 - 0.5 + 0.1) = 0.537050, doubled and so on
    found = small_policy().preferences(np.array([[3.0, 5.0]]))
    np.testing.assert_allclose(found, [[1.074099, -0.037050, 0.25]], atol=1e-6)


def test_what_is_far_off_is_cut_at_ten_deviations() -> None:
    policy = small_policy(
        weights=(np.array([[0.01], [0.0]]), np.array([[1.0, 0.0, 0.0]])),
        biases=(np.zeros(1), np.zeros(3)),
    )
    found = policy.preferences(np.array([[1 + 2 * 10.0, 10.0], [1 + 2 * 1e6, 10.0]]))
    np.testing.assert_allclose(found[:, 0], np.tanh(0.1), atol=1e-9)


def test_only_what_is_allowed_is_chosen() -> None:
    seen = np.array([[3.0, 5.0]] * 4)
    allowed = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 0], [1, 0, 0]], dtype=bool)
    assert small_policy().choose(seen, allowed).tolist() == [0, 2, 1, 0]


def test_made_flat_it_leaves_and_never_enters() -> None:
    flat = small_policy().made_flat()
    seen = np.random.default_rng(0).normal(0, 100, (200, 2))
    allowed = np.array([[True, True, True], [True, False, True]] * 100)
    assert (flat.choose(seen, allowed) == 0).all()
    assert (small_policy().choose(seen, allowed) != 0).any()


def test_a_saved_policy_is_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    policy = small_policy()
    policy.save(tmp_path / "agent")
    loaded = Policy.load(tmp_path / "agent")
    assert loaded.to_facts() == policy.to_facts()
    assert loaded.arrays().keys() == policy.arrays().keys()
    assert len(loaded.arrays()) == 6
    for name, array in policy.arrays().items():
        assert loaded.arrays()[name].tobytes() == array.tobytes(), name
    assert loaded.weight_bytes() == policy.weight_bytes()


def test_weights_of_another_agent_are_refused(tmp_path: Path) -> None:
    """As when the machine stopped between the two files."""
    small_policy().save(tmp_path / "a")
    small_policy(mean=np.array([2.0, 10.0])).save(tmp_path / "b")
    (tmp_path / "b/policy.npz").replace(tmp_path / "a/policy.npz")
    with pytest.raises(PolicyError, match=r"policy\.npz and agent\.json are not what was"):
        Policy.load(tmp_path / "a")


@pytest.mark.parametrize("name", ["policy.npz", "agent.json"])
def test_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    small_policy().save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(PolicyError, match=r"the agent is damaged \(.*\); train it again"):
        Policy.load(tmp_path)


def test_facts_that_were_tampered_with_are_refused(tmp_path: Path) -> None:
    small_policy().save(tmp_path)
    path = tmp_path / "agent.json"
    text = path.read_text()
    assert '"fee": 0.0005' in text
    path.write_text(text.replace('"fee": 0.0005', '"fee": 0.0'))
    with pytest.raises(PolicyError, match=r"are not what was written together"):
        Policy.load(tmp_path)


def test_a_missing_one_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere: no agent is there"):
        Policy.load(tmp_path / "nowhere")


def test_another_format_is_refused(tmp_path: Path) -> None:
    small_policy().save(tmp_path)
    facts = json.loads((tmp_path / "agent.json").read_text())
    (tmp_path / "agent.json").write_text(json.dumps(facts | {"format": 7}))
    with pytest.raises(PolicyError, match=r"another version \(format 7, this one has 1\)"):
        Policy.load(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"columns": ("a",)}, id="fewer-columns"),
        pytest.param({"variance": np.ones(3)}, id="other-variance"),
        pytest.param({"biases": (np.zeros(1), np.zeros(4))}, id="other-biases"),
        pytest.param(
            {"weights": (np.ones((2, 1)), np.ones((1, 2))), "biases": (np.zeros(1), np.zeros(2))},
            id="fewer-actions",
        ),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(PolicyError, match="do not fit together"):
        small_policy(**changes)


def test_weights_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(PolicyError, match="not a finite number"):
        small_policy(mean=np.array([np.nan, 0.0]))

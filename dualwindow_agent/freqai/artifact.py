"""What a training of classifier and agent leaves behind: picklable, without PyTorch."""

import io
import json
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from dualwindow.learning.artifact import FORMAT, Artifact, FormatError
from dualwindow.learning.record import TrainingRecord
from dualwindow_agent.learning.policy import FORMAT as POLICY_FORMAT
from dualwindow_agent.learning.policy import Policy

_FORMATS = (FORMAT, POLICY_FORMAT)


class AgentFormatError(FormatError):
    """An artifact with an agent is of another format."""

    def __init__(self, found: object) -> None:
        Exception.__init__(
            self,
            f"it was written by another version of DualWindowAgent (formats {found}, this one has "
            f"{_FORMATS})",
        )


@dataclass(frozen=True)
class AgentArtifact(Artifact):
    """A trained classifier, and the agent that acts on its predictions.

    Parameters
    ----------
    weights : of the policy, as `Policy.weight_bytes` gives them
    facts : JSON of all else, as `Policy.to_facts` gives it
    """

    weights: bytes
    facts: str

    @classmethod
    def of(cls, model: Artifact, policy: Policy, seconds: float) -> "AgentArtifact":
        """Put both together.

        Parameters
        ----------
        model, policy : as they were trained
        seconds : that all of it took; the record of `model` has those of its own training, and a
            bot works out by it whether retraining keeps up
        """
        parts = {f.name: getattr(model, f.name) for f in fields(Artifact)}
        parts["record"] = model.record.model_copy(update={"seconds": seconds})
        return cls(**parts, weights=policy.weight_bytes(), facts=json.dumps(policy.to_facts()))

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (_FORMATS, {f.name: getattr(self, f.name) for f in fields(self)})

    @cached_property
    def policy(self) -> Policy:
        """The agent, unpacked once per process."""
        with np.load(io.BytesIO(self.weights), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
        return Policy.of_parts(json.loads(self.facts), found)


def _restore(found: object, state: dict[str, Any]) -> AgentArtifact:
    """Unpickle one; every later format keeps this function, so that it can be told."""
    if found != _FORMATS:
        raise AgentFormatError(found)
    record = TrainingRecord(**vars(state["record"]))
    return AgentArtifact(**{**state, "record": record})

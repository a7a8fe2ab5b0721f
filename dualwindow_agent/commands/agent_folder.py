"""The folder of a training of agents: what it is made with, all agents, and what was tried."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dualwindow.cli import CommandError
from dualwindow.learning.fingerprint import all_differences, flatten
from dualwindow.market.files import write_aside
from dualwindow_agent.learning.policy import Policy, PolicyError
from dualwindow_agent.learning.task import Progress, Trained

_PLAN, _TRIALS, _HISTORY = "agents.json", "trials.json", "history.json"
EVALUATION, COMBINATORIAL = "evaluation.json", "combinatorial.json"


@dataclass(frozen=True)
class AgentFolder:
    """The folder of ``--out``; all files are written aside and renamed.

    Parameters
    ----------
    path : of the folder
    """

    path: Path

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Write down what these agents are made with.

        Raises
        ------
        CommandError
            If the folder holds agents that were made with something else, or other files, or it
            cannot be written to.
        """
        told = json.loads(json.dumps(plan))
        path = self.path / _PLAN
        if path.is_file():
            before = self.plan()
            changed = all_differences(_named(before), _named(told))
            is_bound = any(each.name != _PLAN for each in self.path.iterdir())
            if changed and is_bound:  # a plan without agents binds nobody
                raise CommandError(
                    f"agent: {self.path} holds agents that were made with something else "
                    f"({'; '.join(changed)}); choose another folder, or delete this one"
                )
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise CommandError(
                f"agent: {self.path} is not empty and holds no {_PLAN}; choose another folder"
            )
        self.write(_PLAN, told)

    def plan(self) -> dict[str, Any]:
        """Read what `begin` has written.

        Raises
        ------
        CommandError
            If it is not there, or damaged.
        """
        return self.read(_PLAN, "there are no agents; 'dualwindow agent train' makes some")

    def write(self, name: str, facts: Any) -> None:
        """Write facts as JSON.

        Raises
        ------
        CommandError
            If they cannot be written.
        """
        path = self.path / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_aside(path, json.dumps(facts, indent=1, allow_nan=False).encode())
        except OSError as error:
            raise CommandError(
                f"agent: {path} cannot be written ({error.strerror}); what is finished is kept, "
                "run again once it can"
            ) from error

    def read(self, name: str, otherwise: str) -> Any:
        """Read facts; `otherwise` says what is to be done where there are none.

        Raises
        ------
        CommandError
            If they are not there, or damaged.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise CommandError(f"agent: {path}: {otherwise}") from error
        except (OSError, ValueError) as error:
            raise CommandError(
                f"agent: {path} is damaged ({error}); choose another folder, or delete this one"
            ) from error

    def save(self, name: str, trained: Trained) -> None:
        """Keep an agent and how it came to be.

        Raises
        ------
        CommandError
            If it cannot be written.
        """
        try:
            trained.policy.save(self.path / name)
        except OSError as error:
            raise CommandError(
                f"agent: {self.path / name} cannot be written ({error.strerror}); its checkpoint "
                "is kept, run again once it can"
            ) from error
        # Last: where it is, the agent is whole.
        self.write(f"{name}/{_HISTORY}", [list(each) for each in trained.history])

    def load(self, name: str) -> Trained | None:
        """Find a finished agent.

        Raises
        ------
        CommandError
            If it is damaged.
        """
        if not (self.path / name / _HISTORY).is_file():
            return None
        history = tuple(Progress(*each) for each in self.read(f"{name}/{_HISTORY}", ""))
        try:
            return Trained(Policy.load(self.path / name), history)
        except PolicyError as error:
            raise CommandError(
                f"agent: {error}; delete {self.path / name} and run 'dualwindow agent train' again"
            ) from error

    def remember(self, tried: Mapping[str, float]) -> int:
        """Count what was tried here so far: each of these agents, and all that were before.

        Parameters
        ----------
        tried : best growth on validation of each, by its name

        Returns
        -------
        How many in all.
        """
        found = self.read(_TRIALS, "") if (self.path / _TRIALS).is_file() else {}
        found.update(tried)
        self.write(_TRIALS, found)
        return len(found)

    def n_trials(self) -> int:
        """Tell how many were tried here."""
        return len(self.read(_TRIALS, "no agent is finished; run 'dualwindow agent train' again"))


def _named(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Flatten a plan, with settings named as ``--set`` takes them."""
    return {name.removeprefix("settings."): value for name, value in flatten(plan).items()}

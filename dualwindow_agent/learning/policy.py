"""What an agent has learnt: a small network in plain arrays, which needs no PyTorch to act."""

import io
import json
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.learning.fingerprint import digest
from dualwindow.market.files import is_of_machine, write_aside
from dualwindow.market.labels import Barriers
from dualwindow_agent.market.accounts import N_ACTIONS, Terms
from dualwindow_agent.settings import AgentSettings

FORMAT = 1
_WEIGHTS, _FACTS = "policy.npz", "agent.json"
_DIGEST = "digest"  # of both files, without itself
_EPSILON, _CLIP = 1e-8, 10.0  # as VecNormalize of stable-baselines3 has them


class PolicyError(ValueError):
    """A policy that cannot be used."""


@dataclass(frozen=True)
class Policy:
    """A network of tanh layers over normalised observations.

    Parameters
    ----------
    settings, barriers, horizon : that it has learnt by
    columns : names of the observation's numbers, in order
    mean, variance : (c,) of these numbers while it learnt
    weights, biases : of each layer, (units before, units) and (units,); the last has a unit for
        each action
    facts : what it was made from, and how it learnt, for whoever reads it
    """

    settings: AgentSettings
    barriers: Barriers
    horizon: int
    columns: tuple[str, ...]
    mean: FloatArray
    variance: FloatArray
    weights: tuple[FloatArray, ...]
    biases: tuple[FloatArray, ...]
    facts: dict[str, Any]

    def __post_init__(self) -> None:
        units = [len(self.columns), *(w.shape[1] for w in self.weights)]
        shapes = [w.shape for w in self.weights] + [b.shape for b in self.biases]
        fitting = [*pairwise(units), *((n,) for n in units[1:])]
        normalised = self.mean.shape == self.variance.shape == (units[0],)
        if not normalised or shapes != fitting or units[-1] != self.n_actions:
            raise PolicyError(
                f"{len(self.columns)} numbers seen, arrays of {shapes} and {self.n_actions} "
                "actions do not fit together"
            )
        if not all(np.isfinite(array).all() for array in self.arrays().values()):
            raise PolicyError("a weight is not a finite number; train with a lower learning_rate")

    @property
    def n_actions(self) -> int:
        """How many actions it chooses from."""
        return N_ACTIONS[self.settings.market.actions]

    @property
    def terms(self) -> Terms:
        """By which its accounts trade."""
        return Terms(self.settings.market, self.barriers, self.horizon)

    def preferences(self, seen: FloatArray) -> FloatArray:
        """Compute the logits of the actions: (n, actions); of (n, c) observations."""
        x = (seen - self.mean) / np.sqrt(self.variance + _EPSILON)
        x = np.clip(x, -_CLIP, _CLIP)
        for w, b in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = np.tanh(x @ w + b)
        return x @ self.weights[-1] + self.biases[-1]

    def choose(self, seen: FloatArray, allowed: BoolArray) -> IntArray:
        """Take the most preferred action of those allowed: (n,)."""
        return np.where(allowed, self.preferences(seen), -np.inf).argmax(axis=1)

    def made_flat(self) -> "Policy":
        """Give the same network with a last layer that always prefers the first action.

        With the three positions that is to be flat.
        """
        first = np.zeros_like(self.biases[-1])
        first[0] = 1.0
        nothing = np.zeros_like(self.weights[-1])
        return replace(
            self, weights=(*self.weights[:-1], nothing), biases=(*self.biases[:-1], first)
        )

    def save(self, folder: Path) -> None:
        """Write it into a folder: JSON and plain arrays, no pickle.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        weights = self.weight_bytes()
        facts = self.to_facts()
        facts |= {_DIGEST: _digest_of(weights, facts)}
        write_aside(folder / _WEIGHTS, weights)
        write_aside(folder / _FACTS, json.dumps(facts, indent=1).encode())

    def arrays(self) -> dict[str, FloatArray]:
        """Name all of its arrays."""
        named = {"mean": self.mean, "variance": self.variance}
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            named |= {f"weights_{i}": w, f"biases_{i}": b}
        return named

    def weight_bytes(self) -> bytes:
        """Lay the arrays out as npz; the same ones make the same bytes."""
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **self.arrays())
        return buffer.getvalue()

    def to_facts(self) -> dict[str, Any]:
        """Lay out all that is no array."""
        return {
            "format": FORMAT,
            "settings": self.settings.model_dump(mode="json"),
            "barriers": vars(self.barriers),
            "horizon": self.horizon,
            "columns": list(self.columns),
            **self.facts,
        }

    @classmethod
    def load(cls, folder: Path) -> "Policy":
        """Read what `save` has written.

        Raises
        ------
        PolicyError
            If it is not there, damaged or of another format.
        OSError
            If it cannot be read for now.
        """
        try:
            facts = json.loads((folder / _FACTS).read_text())
            weights = (folder / _WEIGHTS).read_bytes()
            _refuse_other_format(facts)
            if facts.pop(_DIGEST, None) != _digest_of(weights, facts):
                raise ValueError(f"{_WEIGHTS} and {_FACTS} are not what was written together")
            with np.load(io.BytesIO(weights), allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
            return cls.of_parts(facts, found)
        except PolicyError:
            raise
        except FileNotFoundError as error:
            raise PolicyError(f"{folder}: no agent is there ({error.filename})") from error
        except Exception as error:  # damaged archives raise whatever they like
            if is_of_machine(error):
                raise
            raise PolicyError(
                f"{folder}: the agent is damaged ({type(error).__name__}: {error}); train it again"
            ) from error

    @classmethod
    def of_parts(cls, facts: dict[str, Any], arrays: dict[str, FloatArray]) -> "Policy":
        """Put it together again from `to_facts` and `arrays`."""
        _refuse_other_format(facts)
        named = ("format", "settings", "barriers", "horizon", "columns")
        n_layers = sum(name.startswith("weights_") for name in arrays)
        return cls(
            AgentSettings.model_validate(facts["settings"]),
            Barriers(**facts["barriers"]),
            facts["horizon"],
            tuple(facts["columns"]),
            arrays["mean"],
            arrays["variance"],
            tuple(arrays[f"weights_{i}"] for i in range(n_layers)),
            tuple(arrays[f"biases_{i}"] for i in range(n_layers)),
            {name: value for name, value in facts.items() if name not in named},
        )


def _digest_of(weights: bytes, facts: dict[str, Any]) -> str:
    return digest([weights, json.dumps(facts, sort_keys=True).encode()])


def _refuse_other_format(facts: dict[str, Any]) -> None:
    if facts.get("format") != FORMAT:
        raise PolicyError(
            f"the agent was written by another version (format {facts.get('format')}, this one "
            f"has {FORMAT}); train it again"
        )

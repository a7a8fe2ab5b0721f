"""Read what `dualwindow agent evaluate` has found, as the JSON that it has written."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dualwindow.cli import CommandError
from dualwindow.judging.findings import AgentRow, Agents

_FILE = "evaluation.json"
_MORE = {
    "profit": "profit",
    "drawdown": "drawdown",
    "sharpe": "Sharpe ratio of a year",
    "trades": "trades a day and pair",
    "in_market": "share of time in the market",
}


def agents_of(folder: Path) -> Agents:
    """Lay out all agents, and what they are held against.

    Raises
    ------
    CommandError
        If they have not been evaluated, or the file is damaged.
    """
    path = folder / _FILE if folder.is_dir() else folder
    if not path.is_file():
        raise CommandError(
            f"report: --agents {folder}: there is no {_FILE}; dualwindow agent evaluate --agents "
            f"{folder} writes it"
        )
    try:
        return _laid_out(json.loads(path.read_text()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(
            f"report: {path} is damaged ({type(error).__name__}: {error}); evaluate the agents "
            "again"
        ) from error


def _laid_out(told: Mapping[str, Any]) -> Agents:
    flat = list(told.get("kept flat", []))
    notes = [str(note) for note in told.get("notes", [])]
    if flat:
        notes.append(f"kept flat, because they lose on validation: {', '.join(flat)}")
    notes.append(f"best on validation, which one would have taken: {told['best on validation']}")
    if (sharpe := told.get("deflated sharpe of best on validation")) is not None:
        notes.append(f"deflated Sharpe ratio of it, of {told['trials']} tried: {sharpe:.2f}")
    if (luck := told.get("probability of overfitting")) is not None:
        notes.append(f"probability of overfitting among the agents: {luck:.2f}")
    agents, others = told["agents"], told["others"]
    return Agents(
        rows=(
            *(_row(name, facts, is_baseline=False) for name, facts in agents.items()),
            *(_row(name, facts, is_baseline=True) for name, facts in others.items()),
        ),
        median=_growth(told["median"], agents),
        worst=_growth(told["worst"], agents),
        notes=tuple(notes),
        positions={},
    )


def _row(name: str, facts: Mapping[str, Any], *, is_baseline: bool) -> AgentRow:
    more = {words: facts.get(key) for key, words in _MORE.items()}
    return AgentRow(name=name, is_baseline=is_baseline, growth=facts["growth"], more=more)


def _growth(name: str, agents: Mapping[str, Any]) -> str:
    growth = agents[name]["growth"]
    return f"{name}: the log of its account grows {100 * growth:+.3f} % a day and pair"

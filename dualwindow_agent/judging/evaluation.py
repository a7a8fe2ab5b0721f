"""Let all agents of a training and those whom they have to beat live through the same days."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dualwindow.arrays import BoolArray, FloatArray, IntArray
from dualwindow.judging.decisions import ConfidenceError
from dualwindow.judging.overfitting import deflated_sharpe, sharpe_of
from dualwindow_agent.judging import baselines, worth
from dualwindow_agent.judging.baselines import Ground
from dualwindow_agent.judging.worth import Worth, worth_of
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.market.accounts import Terms
from dualwindow_agent.market.following import Course, follow
from dualwindow_agent.market.tape import Tape
from dualwindow_agent.settings import AgentSettings

BY_CHANCE = 10  # random agents; their median counts


@dataclass(frozen=True)
class Evaluation:
    """What all have come to.

    Parameters
    ----------
    agents : courses of each agent, by its name
    others : courses of each that they are held against
    step : seconds of a candle
    notes : who was left out, and why
    """

    agents: dict[str, list[Course]]
    others: dict[str, list[Course]]
    step: int
    notes: tuple[str, ...] = ()

    def median(self) -> str:
        """Name the agent in the middle; of an even number, the lower of the two."""
        return self._in_order()[(len(self.agents) - 1) // 2]

    def worst(self) -> str:
        """Name the one that has grown least."""
        return self._in_order()[0]

    def _in_order(self) -> list[str]:
        growth = {name: self.worth(name).growth for name in self.agents}
        return sorted(growth, key=lambda name: growth[name])

    def worth(self, name: str) -> Worth:
        """Measure one of all."""
        return worth_of(self.courses(name), self.step)

    def courses(self, name: str) -> list[Course]:
        """Give those of one of all."""
        return self.agents[name] if name in self.agents else self.others[name]

    def facts(self, best: str, n_trials: int) -> dict[str, Any]:
        """Lay all out for JSON.

        Parameters
        ----------
        best : the one that was best on validation, which one would have taken
        n_trials : how many agents were tried in all
        """
        worths = {name: self.worth(name) for name in self.agents}
        growth = np.array([worth.daily_growth(c)[1].mean(axis=1) for c in self.agents.values()])
        return {
            "median": self.median(),
            "worst": self.worst(),
            "best on validation": best,
            "growth": worth.summary(list(worths.values())),
            "agents": {name: each.facts() for name, each in worths.items()},
            "others": {name: self.worth(name).facts() for name in self.others},
            "median against": self._against(self.median()),
            "deflated sharpe of best on validation": self.deflated(best, n_trials),
            "trials": n_trials,
            "probability of overfitting": worth.overfitting(growth),
            "notes": list(self.notes),
        }

    def deflated(self, name: str, n_trials: int) -> float | None:
        """Estimate how likely an agent's Sharpe ratio is above 0; None where it never trades."""
        returns = {each: worth.daily_returns(c) for each, c in self.agents.items()}
        tried = [sharpe_of(each) for each in returns.values()]
        found = deflated_sharpe(returns[name], tried, n_trials)
        return found if np.isfinite(found) else None

    def _against(self, name: str) -> dict[str, Any]:
        mine = self.agents[name]
        return {
            other: worth.interval_facts(worth.difference(mine, courses))
            for other, courses in self.others.items()
        }


def evaluate(
    policies: dict[str, Policy],
    tapes: Sequence[Tape],
    baseline: Sequence[Tape] | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Follow all through tapes.

    Parameters
    ----------
    policies : of the same settings but for the seed, by name
    tapes : that nothing was learnt from
    baseline : the same candles with the predictions of ``ranges``, or None
    report : is told what is done next
    """
    report(f"{len(policies)} agents live through what nothing was learnt from")
    first = next(iter(policies.values()))
    agents = follow_all(policies, tapes, first.settings, first.terms)
    report("those whom they have to beat do")
    ground = Ground.of(tapes, first.settings, first.terms)
    others = {
        "always flat": baselines.always_flat(ground),
        "buy and hold": baselines.buy_and_hold(ground),
    }
    notes = []
    try:
        others["expected value"] = baselines.expected_value(ground)
        if baseline is not None:
            of_ranges = Ground.of(baseline, first.settings, first.terms)
            others["ranges, expected value"] = baselines.expected_value(of_ranges)
    except ConfidenceError as error:
        notes.append(f"the rule of the expected value is left out: {error}")
    found = Evaluation(agents, others, tapes[0].candles.step, tuple(notes))
    report(f"{BY_CHANCE} do by chance, as often as the median agent")
    by_chance = baselines.same_turnover(ground, agents[found.median()], BY_CHANCE)
    by_chance.sort(key=lambda courses: worth_of(courses, found.step).growth)
    others["random, same turnover"] = by_chance[(BY_CHANCE - 1) // 2]
    others["random, first turnover"] = baselines.uniform(ground)
    return found


def follow_all(
    policies: dict[str, Policy], tapes: Sequence[Tape], settings: AgentSettings, terms: Terms
) -> dict[str, list[Course]]:
    """Follow several policies at once, which takes about as long as one."""
    n = len(tapes)

    def choose(seen: FloatArray, allowed: BoolArray, rows: IntArray) -> IntArray:
        parts = [
            policy.choose(seen[i * n : (i + 1) * n], allowed[i * n : (i + 1) * n])
            for i, policy in enumerate(policies.values())
        ]
        return np.concatenate(parts)

    courses = follow(choose, list(tapes) * len(policies), settings, terms)
    return {name: courses[i * n : (i + 1) * n] for i, name in enumerate(policies)}

"""Train an agent for every choice of groups held out, and judge it on these."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dualwindow.arrays import FloatArray
from dualwindow.cli import CommandError
from dualwindow.outside import cores
from dualwindow_agent.commands.agent_folder import COMBINATORIAL
from dualwindow_agent.commands.trainings import make_task, seeded, train_missing
from dualwindow_agent.judging import worth
from dualwindow_agent.judging.evaluation import follow_all
from dualwindow_agent.judging.splits import (
    CombinatorialSplit,
    acted_on,
    combinatorial_splits,
    within,
)
from dualwindow_agent.learning.policy import Policy
from dualwindow_agent.market.tape import Tape, common_step

if TYPE_CHECKING:
    from dualwindow_agent.commands.agent_folder import AgentFolder
    from dualwindow_agent.market.tables import Told
    from dualwindow_agent.settings import AgentSettings


def train_combinatorial(
    arguments: argparse.Namespace,
    folder: "AgentFolder",
    settings: "AgentSettings",
    told: "Told",
    boundary: int,
) -> int:
    """Do it for every seed, print what each split came to, and write it down.

    What is chosen on is the latest share of what is learnt from, purged like all else; what is
    judged on, nothing was chosen on.

    Raises
    ------
    CommandError
        If there are no more groups than are held out.
    TapeError
        If the groups cannot be made.
    """
    step = told.tapes[0].candles.step
    # A pair whose predictions begin later has nothing here.
    early = acted_on([tape.between(0, boundary - told.horizon * step) for tape in told.tapes])
    splits = _splits_of(early, arguments.combinatorial, told.horizon)
    first = settings.learning.seed
    seeds = range(first, first + arguments.seeds)
    tasks, held = {}, {}
    for each in splits:
        parts = _parts(early, each, settings.learning.validation, told.horizon)
        for seed in seeds:
            name = f"splits/{each.name}/{seed}"
            tasks[name] = make_task(folder, name, seeded(settings, seed), told, parts)
            held[name] = within(early, each.held_out)
    found = train_missing(folder, tasks, arguments.workers or cores())
    folder.remember({name: trained.best.growth for name, trained in found.items()})
    growths = {name: _growth_on(name, found[name].acting(), held[name]) for name in found}
    facts = _facts(growths, [each.name for each in splits], list(seeds))
    folder.write(COMBINATORIAL, facts)
    _tell(facts, folder)
    return 0


def _splits_of(tapes: list[Tape], groups: Sequence[int], horizon: int) -> list[CombinatorialSplit]:
    n_groups, n_held_out = groups
    if not 1 <= n_held_out < n_groups:
        raise CommandError(
            "agent: --combinatorial needs more groups than are held out. Received: "
            f"{n_groups} and {n_held_out}"
        )
    return combinatorial_splits(tapes, n_groups, n_held_out, horizon)


def _parts(
    tapes: list[Tape], chosen: CombinatorialSplit, share: float, horizon: int
) -> tuple[list[Tape], list[Tape]]:
    """Divide what is learnt from once more, at one moment: the latest is for choosing the best."""
    dates = np.concatenate(
        [tape.candles.date[tape.first :] for tape in within(tapes, chosen.learn)]
    )
    boundary = int(np.quantile(dates, 1 - share, method="nearest"))
    purged = boundary - horizon * common_step(tapes)
    early = tuple((a, min(b, purged)) for a, b in chosen.learn if a < purged)
    late = tuple((max(a, boundary), b) for a, b in chosen.learn if b > boundary)
    return within(tapes, early), within(tapes, late)


def _growth_on(name: str, policy: Policy, tapes: list[Tape]) -> dict[int, float]:
    """Follow an agent through what was held out: growth of each day, mean of the pairs."""
    courses = follow_all({name: policy}, tapes, policy.settings, policy.terms)[name]
    days, table = worth.daily_growth(courses)
    n_pairs = len({tape.pair for tape in tapes})
    return dict(zip(days.tolist(), (table.sum(axis=1) / n_pairs).tolist(), strict=True))


def _facts(
    growths: dict[str, dict[int, float]], splits: list[str], seeds: list[int]
) -> dict[str, Any]:
    table = {name: {str(s): _mean(growths[f"splits/{name}/{s}"]) for s in seeds} for name in splits}
    found = [growth for of_split in table.values() for growth in of_split.values()]
    return {
        "splits": table,
        "median": float(np.median(found)),
        "worst": min(found),
        "share above 0": float(np.mean(np.array(found) > 0)),
        "probability of overfitting": worth.overfitting(_by_seed(growths, seeds)),
    }


def _by_seed(growths: dict[str, dict[int, float]], seeds: list[int]) -> FloatArray:
    """Average each seed's growth of a day over all splits that held the day out: (seeds, days)."""
    days = sorted({day for of_days in growths.values() for day in of_days})
    table = np.zeros((len(seeds), len(days)))
    for row, seed in enumerate(seeds):
        mine = [of for name, of in growths.items() if name.endswith(f"/{seed}")]
        for column, day in enumerate(days):
            table[row, column] = np.mean([of[day] for of in mine if day in of])
    return table


def _mean(of_days: dict[int, float]) -> float:
    return float(np.mean(list(of_days.values())))


def _tell(facts: dict[str, Any], folder: "AgentFolder") -> None:
    for name, of_seeds in facts["splits"].items():
        told = ", ".join(f"{100 * growth:+.3f}" for growth in of_seeds.values())
        print(f"held out {name}: growth a day and pair, %: {told}")
    overfit = facts["probability of overfitting"]
    chance = "" if overfit is None else f"; probability of overfitting among seeds {overfit:.2f}"
    print(
        f"median {100 * facts['median']:+.3f} %, worst {100 * facts['worst']:+.3f} %, above 0 in "
        f"{100 * facts['share above 0']:.0f} % of all{chance}; {folder.path / COMBINATORIAL}"
    )

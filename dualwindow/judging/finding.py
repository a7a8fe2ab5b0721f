"""Compute a whole report from what was seen."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from dualwindow.judging.baseline import foreseen
from dualwindow.judging.cautions import cautions
from dualwindow.judging.comparison import block_mean
from dualwindow.judging.days import days_to_show
from dualwindow.judging.evidence import Evidence
from dualwindow.judging.findings import Bin, Deal, Findings, Returns
from dualwindow.judging.funnel import funnel
from dualwindow.judging.outcomes import Costs
from dualwindow.judging.reliability import reliability
from dualwindow.judging.returns import of_deals, of_signals
from dualwindow.judging.rungs import Decider, or_none
from dualwindow.judging.seen import Seen, all_seen, seconds_of
from dualwindow.judging.signals import threshold_table, ways
from dualwindow.judging.skill import skill_of
from dualwindow.judging.subject import entered_from, subject_of
from dualwindow.judging.trying import trials_of
from dualwindow.judging.verdict import verdict
from dualwindow.judging.wanted import with_wanted
from dualwindow.judging.windows import dropped, learning_curves
from dualwindow.market.labels import Labelling

_DAY = 86400


def find(evidence: Evidence, now: float) -> Findings:
    """Compute all numbers and words of a report.

    What is said of a window looks at its own candles, at those before it and, for how trades and
    labels end, at the horizon after it.

    Parameters
    ----------
    evidence : see there; nothing in it is changed
    now : seconds since 1970 UTC, when the report is made
    """
    walk = next(iter(evidence.walks.values()))
    settings = walk.records[-1].settings
    decider = Decider(evidence.rule, evidence.fallback, evidence.can_short)
    costs = Costs(Labelling.of(settings), evidence.fees)
    seen = all_seen(walk, evidence.candles, evidence.vetoed, costs)
    baseline = foreseen(walk, seen)
    skill, remarks = skill_of(evidence.walks, baseline, decider)
    level, deals = entered_from(decider), evidence.deals or ()
    n_deals = None if evidence.deals is None else len(deals)
    profit, profit_error, profit_days = _worth(deals)
    found = Findings(
        subject=subject_of(evidence, walk, seconds_of(walk), now),
        verdict=(),
        skill=skill,
        ways=ways(seen, decider, evidence.confidence),
        thresholds=threshold_table(seen, decider),
        entered_from=level,
        reliability=_reliability(seen, settings.horizon),
        learning=learning_curves(walk),
        dropped=dropped(walk),
        importances=evidence.importances,
        funnel=funnel(seen, decider, settings, n_deals, evidence.deals_lost),
        exits=dict(Counter(deal.reason for deal in deals if deal.closed is not None)),
        days=days_to_show(seen, decider, level, deals, evidence.actions, evidence.day),
        deals=len(deals),
        profit=profit,
        profit_error=profit_error,
        profit_days=profit_days,
        live=evidence.live,
        trials=trials_of(evidence.walks, _seen_by_all(evidence, seen, costs), decider),
        agents=with_wanted(evidence.agents, seen, evidence.actions),
        warnings=(),
        returns=_returns(evidence, seen, decider),
    )
    warnings = (*evidence.warnings, *remarks, *cautions(found, baseline))
    found = found.model_copy(update={"warnings": warnings})
    return found.model_copy(update={"verdict": verdict(found)})


def _reliability(seen: Sequence[Seen], horizon: int) -> dict[str, tuple[Bin, ...]]:
    probabilities = np.concatenate([each.probabilities[each.judged] for each in seen])
    labels = np.concatenate([each.labels[each.judged] for each in seen])
    # Pairs move together, so all of them tell about as much as one.
    return reliability(probabilities, labels, horizon * len(seen))


def _worth(deals: Sequence[Deal]) -> tuple[float | None, float | None, int | None]:
    """Add profits up; give the error of their mean, and of how many days it is made.

    As of signals, only whole days are independent of each other: pairs move together.
    """
    ended = [(deal.profit, deal.opened // _DAY) for deal in deals if deal.profit is not None]
    if not ended:
        return None, None, None
    profits, days = np.array(ended).T
    found = block_mean(profits, days)
    return float(profits.sum()), or_none(found.error), found.blocks


def _seen_by_all(
    evidence: Evidence, seen: Sequence[Seen], costs: Costs
) -> Mapping[str, Sequence[Seen]]:
    """Lay the predictions of the others beside the same candles; the first are there already."""
    first, *others = evidence.walks
    laid_out = {
        name: all_seen(evidence.walks[name], evidence.candles, {}, costs, seen) for name in others
    }
    return {first: seen, **laid_out}


def _returns(evidence: Evidence, seen: Sequence[Seen], decider: Decider) -> Returns | None:
    first = min(int(each.date.min()) for each in seen)
    last = max(int(each.date.max()) for each in seen) + 1
    if evidence.deals:
        return of_deals(evidence.deals, first, last, len(seen))
    if decider.rule is None or any(each.candles is None for each in seen):
        return None
    return of_signals(seen, decider, first, last)

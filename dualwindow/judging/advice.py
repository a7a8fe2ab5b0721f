"""Say what a person should do next with what was found."""

from dualwindow.judging.comparison import LEAST_BLOCKS
from dualwindow.judging.findings import Findings, Signals, Tone, Way

ENOUGH = 30  # independent signals, below which what they met is mostly chance
_SURE = 2.0  # standard errors


def advice(found: Findings, way: Way | None, foresight: tuple[bool, bool]) -> tuple[str, Tone]:
    """Name the next step; the first obstacle in the way decides.

    Parameters
    ----------
    found : all else
    way : the rule that decides on entries
    foresight : whether it is foreseen that a barrier is touched, and which one
    """
    mean = found.skill.mean
    if mean.mean is None:
        text = "Next: predict candles whose future is known; the funnel says where they were lost."
        return text, "neutral"
    if mean.low is None:
        n = len({row.start for row in found.skill.rows if row.judged})
        return (
            f"Next: predict more windows of time, {LEAST_BLOCKS} at least and better 20 (there are "
            f"{n}); what is seen may be chance.",
            "neutral",
        )
    if mean.low <= 0:
        return _nothing_foreseen(found), "bad"
    if found.subject.kind != found.skill.baseline and _is_no_better(found):
        gap = found.skill.against_baseline
        much = "more" if gap is not None and (gap.high or 0) < 0 else "as much"
        return (
            f"Next: take kind {found.skill.baseline}, which knows {much} and trains in a second, "
            "or give the model more days and pairs (preset production).",
            "neutral",
        )
    return _entries(found, way, foresight)


def _nothing_foreseen(found: Findings) -> str:
    days = found.subject.train_days
    more = "" if days is None else f" than {days:g}"
    return (
        f"Next: do not trade it. Train on more days{more} (preset production), or look with "
        "`dualwindow plan` for barriers that three numbers can foresee."
    )


def _is_no_better(found: Findings) -> bool:
    gap = found.skill.against_baseline
    return gap is not None and gap.low is not None and gap.low <= 0


def _entries(found: Findings, way: Way | None, foresight: tuple[bool, bool]) -> tuple[str, Tone]:
    if way is None:
        return "Next: see the threshold table for where an entry would have paid.", "neutral"
    sides = [way.short, way.long]
    if any(_pays(each) for each in sides):
        return (
            "Next: try it on a later timerange that nobody has looked at yet, then for weeks in a "
            "dry run.",
            "good",
        )
    if not any(each.signals for each in sides):
        return "Next: see the threshold table for where entries begin; none were made.", "neutral"
    if (better := _better_threshold(found)) is not None:
        return f"Next: {better}", "neutral"
    if foresight[0] and not foresight[1]:
        return (
            "Next: do not bet on its direction. Use it to know when the market moves, or look with "
            "`dualwindow plan` for other barriers.",
            "neutral",
        )
    if all((each.independent or 0) < ENOUGH for each in sides):
        return (
            "Next: predict more weeks: of so few independent signals, whether they pay cannot be "
            "told.",
            "neutral",
        )
    return (
        "Next: not for money yet: signals do not pay their fees beyond doubt. Try wider barriers "
        "(`dualwindow plan`) or lower fees.",
        "neutral",
    )


def _pays(each: Signals) -> bool:
    """Tell whether signals are worth more than 0 beyond doubt, and are not a handful."""
    if each.value is None or each.error is None or (each.independent or 0) < ENOUGH:
        return False
    return each.value > _SURE * each.error


def _better_threshold(found: Findings) -> str | None:
    """Find the lowest probability from which on entries would have paid beyond doubt."""
    for name, rows in found.thresholds.items():
        for each in rows:
            if _pays(each):
                return (
                    f"{name} would have paid from a probability of {each.threshold:.2f} on; try "
                    "that threshold on a later timerange, because it was found on this one."
                )
    return None

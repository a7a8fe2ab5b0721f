"""Say what a person should do next with what was found."""

import math
from collections.abc import Sequence

from dualwindow.judging.comparison import LEAST_BLOCKS, student
from dualwindow.judging.findings import Findings, Signals, Tone, Way, Window
from dualwindow.judging.questions import Question, is_undecided

ENOUGH = 30  # independent signals, below which what they met is mostly chance


def advice(
    found: Findings, way: Way | None, foresight: tuple[Question, Question]
) -> tuple[str, Tone]:
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
        n = n_blocks(found.skill.rows)
        return (
            f"Next: predict more windows of time, by a longer timerange: {LEAST_BLOCKS} at least, "
            f"better 20 (there {'is' if n == 1 else 'are'} {n}); what is seen may be chance.",
            "neutral",
        )
    if is_undecided(mean):
        text = "Next: predict more windows of time, or more pairs; it may be chance, or more."
        return text, "neutral"
    if mean.low <= 0:
        if way is not None and any(pays(each) for each in way.sides.values()):
            return _only_order(), "neutral"
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
    # A bot counts from the first candle that it has: 1.999 days are 2.
    more = "" if days is None else f" than {days:.0f}" if days >= 100 else f" than {days:.3g}"
    return (
        f"Next: do not trade it. Train on more days{more} (preset production), or look with "
        "`dualwindow plan` for barriers that three numbers can foresee."
    )


def _only_order() -> str:
    return (
        "Next: try another `calibration` on a later timerange that nobody has looked at yet. Its "
        "entries would have paid, though its probabilities are no better than the class "
        "frequencies: their order may be right and their size wrong."
    )


def _is_no_better(found: Findings) -> bool:
    gap = found.skill.against_baseline
    return gap is not None and gap.low is not None and gap.low <= 0 and not is_undecided(gap)


def _entries(
    found: Findings, way: Way | None, foresight: tuple[Question, Question]
) -> tuple[str, Tone]:
    if way is None:
        return "Next: see the threshold table for where an entry would have paid.", "neutral"
    sides = way.sides.values()
    if any(pays(each) for each in sides):
        return (
            "Next: try it on a later timerange that nobody has looked at yet, then for weeks in a "
            "dry run.",
            "good",
        )
    if not any(each.signals for each in sides):
        return "Next: see the threshold table for where entries begin; none were made.", "neutral"
    if (better := _better_threshold(found)) is not None:
        return f"Next: {better}", "neutral"
    if foresight[0].state == "yes" and foresight[1].state == "no":
        return (
            "Next: do not bet on its direction. Use it to know when the market moves, or look with "
            "`dualwindow plan` for other barriers.",
            "neutral",
        )
    if not any(is_enough(each) for each in sides):
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


def n_blocks(rows: Sequence[Window]) -> int:
    """Count the blocks of time in which something was judged."""
    return len({row.block for row in rows if row.judged})


def countable(each: Signals) -> int | None:
    """Count independent signals, those of the busiest pair only: pairs move together."""
    return each.independent if each.busiest is None else each.busiest


def is_enough(each: Signals) -> bool:
    """Tell whether signals are more than a handful."""
    return (countable(each) or 0) >= ENOUGH


def pays(each: Signals) -> bool:
    """Tell whether signals are worth more than 0 beyond doubt, and are not a handful."""
    if each.value is None or not is_enough(each):
        return False
    return each.value > off(each)


def off(each: Signals) -> float:
    """Tell by how much the value of signals may well be off; infinite where nobody knows.

    That is half of its 95 % interval, over as many days as there are.
    """
    if each.error is None or each.days is None:
        return math.inf
    return student(each.days) * each.error


def _better_threshold(found: Findings) -> str | None:
    """Find where entries would have paid best, if beyond doubt and better than everywhere."""
    better = [
        (each.value or 0.0, name, each)
        for name, rows in found.thresholds.items()
        for each in rows
        if pays(each) and _beats(each, rows[0])
    ]
    if not better:
        return None
    _, name, best = max(better, key=lambda one: one[0])
    n = sum(each.signals > 0 for rows in found.thresholds.values() for each in rows)
    return (
        f"{name} would have paid from a probability of {best.threshold:.2f} on, the best of {n} "
        "thresholds that were searched; try it on a later timerange, because the best of many "
        "looks good by chance, too."
    )


def _beats(each: Signals, everywhere: Signals) -> bool:
    if each.value is None or everywhere.value is None:
        return False
    return each.value - everywhere.value > math.hypot(off(each), off(everywhere))

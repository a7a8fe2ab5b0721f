"""Say what signals and trades were worth, in the tone that their value has."""

from collections.abc import Iterator

from dualwindow.judging.advice import ENOUGH, countable, is_enough, off, pays
from dualwindow.judging.comparison import student
from dualwindow.judging.findings import Findings, Sentence, Signals, Step, Tone, Way


def of_signals(found: Findings, way: Way | None) -> Iterator[Sentence]:
    """Say what the signals of each direction met, a sentence each."""
    if way is None:
        return
    sides = {name: way.sides[name] for name in ("LONG", "SHORT") if name in way.sides}
    sides = {name: each for name, each in sides.items() if each.signals}
    if not sides:
        yield Sentence(topic="signals", tone="neutral", text=_no_signals(found))
    for name, each in sides.items():
        yield Sentence(topic=name.lower(), tone=_tone(each), text=_side(name, each))


def _tone(each: Signals) -> Tone:
    """Judge by value alone: most entries end at the horizon, of which a hit rate says nothing."""
    if each.value is None or not is_enough(each):
        return "neutral"
    if pays(each):
        return "good"
    return "bad" if each.value < -off(each) else "neutral"


def _is_below(each: Signals) -> bool:
    return each.needed is not None and each.hit_rate is not None and each.hit_rate < each.needed


def _side(name: str, each: Signals) -> str:
    n = each.independent
    rests = "" if n is None else f", {n:,} of them independent"
    needed = "" if each.needed is None else f", {_per_cent(each.needed)} needed"
    if needed:
        needed += " if every miss were a full stop"
    chance = "" if each.base_rate is None else f", {_per_cent(each.base_rate)} by chance"
    parts = [
        f"{each.signals:,} {name} signal{'' if each.signals == 1 else 's'}{rests}, "
        f"{_number(each.per_day)} a day and pair",
        f"{_per_cent(each.hit_rate or 0.0)} come true{needed}{chance}",
    ]
    if each.value is not None:
        parts.append(f"worth {100 * each.value:+.2f} % each{_error(each.error)}")
    text = "; ".join(parts)
    if n is not None and not is_enough(each):
        busiest = "" if countable(each) == n else f", {countable(each)} in the busiest pair"
        return f"{text}: too few to judge{busiest}."
    if pays(each) and _is_below(each):
        return f"{text}: it pays by closes at the horizon, not by take-profits."
    return f"{text}."


def _error(error: float | None) -> str:
    return "" if error is None else f" (standard error {100 * error:.2f})"


def _per_cent(value: float) -> str:
    return f"{100 * value:.0f} %"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _no_signals(found: Findings) -> str:
    """Name the step of the funnel that took the entries."""
    steps = {step.name: step for step in found.funnel}
    passing, entered = steps.get("sure enough"), steps.get("not refused by the host")
    start = "The rule would have entered nowhere"
    if passing is not None and not passing.count:
        if not _count(steps.get("predicted")):
            return f"{start}: nothing was predicted."
        levels = {name: level for name, level in found.entered_from.items() if level is not None}
        told = " and ".join(f"{name} {level:.2f}" for name, level in levels.items())
        return f"{start}: no probability passes {told or 'it'}."
    if passing is not None and entered is not None and not entered.count:
        return f"{start}: the host refused all {passing.count:,} candles that were sure enough."
    if entered is not None:
        return f"Of {entered.count:,} entries, none has a known label yet."
    return f"{start} that can be judged."


def _count(step: Step | None) -> int:
    return 0 if step is None else step.count


def of_trades(found: Findings) -> Iterator[Sentence]:
    """Say what trades that have ended brought, and how many have not."""
    if not found.deals:
        return
    ended = sum(found.exits.values())
    running = max(found.deals - ended, 0)
    if not ended or found.profit is None:
        text = f"{_trades(running)} open, none has ended."
        yield Sentence(topic="trades", tone="neutral", text=text)
        return
    mean, error = found.profit / ended, found.profit_error
    still = f"; {running:,} more {'is' if running == 1 else 'are'} open" if running else ""
    text = (
        f"{_trades(ended)} brought {100 * found.profit:+.1f} % of one stake, "
        f"{100 * mean:+.2f} % each{_error(error)}{still}."
    )
    tone: Tone = "neutral"
    if ended >= ENOUGH and error is not None and found.profit_days is not None:
        reach = student(found.profit_days) * error
        tone = "good" if mean > reach else "bad" if mean < -reach else "neutral"
    yield Sentence(topic="trades", tone=tone, text=text)


def _trades(n: int) -> str:
    return f"{n:,} trade{'' if n == 1 else 's'}"

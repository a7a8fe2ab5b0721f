"""Put what was found into a few sentences that a trader reads in ten seconds."""

from collections.abc import Iterator

import numpy as np

from dualwindow.judging.advice import ENOUGH, advice
from dualwindow.judging.comparison import block_interval
from dualwindow.judging.findings import Findings, Live, Measured, Sentence, Signals, Tone, Way

_LIKELY_LUCK, _HARDLY_LUCK = 0.5, 0.2  # probability of overfitting
_SURE = 0.95  # deflated Sharpe ratio, as its authors have it


def verdict(found: Findings) -> tuple[Sentence, ...]:
    """Say what was found, the most important first, and at last what to do next."""
    return tuple(_sentences(found))


def deciding(found: Findings) -> Way | None:
    """Give the rule that decides on entries; None where nothing but the probabilities is known."""
    return found.ways[-1] if len(found.ways) > 1 else None


def foresight(found: Findings) -> tuple[bool, bool]:
    """Tell whether it is foreseen that a barrier is touched, and which one, by more than noise.

    Of too few windows to tell noise, the sign of the whole counts.
    """
    return _foreseen(found, "touch"), _foreseen(found, "direction")


def _foreseen(found: Findings, question: str) -> bool:
    rows = [row for row in found.skill.rows if getattr(row, question) is not None]
    whole = getattr(found.skill, question)
    if not rows or whole is None:
        return False
    values = np.array([getattr(row, question) for row in rows])
    interval = block_interval(values, np.array([row.start for row in rows]))
    return bool(whole > 0 and (np.isnan(interval.low) or interval.low > 0))


def _sentences(found: Findings) -> Iterator[Sentence]:
    yield _skill(found)
    if found.skill.mean.mean is not None:
        yield _against_three_numbers(found)
        yield _questions(found)
        yield from _hits(found)
    yield from _trades(found)
    if found.live is not None:
        yield _parity(found.live)
    yield from _lost(found)
    yield from _luck(found)
    text, tone = advice(found, deciding(found), foresight(found))
    yield Sentence(topic="next", tone=tone, text=text)


def _skill(found: Findings) -> Sentence:
    mean, skill = found.skill.mean, found.skill
    if mean.mean is None:
        text = "Nothing can be judged: no candle has both a prediction and a known label."
        return Sentence(topic="skill", tone="neutral", text=text)
    where = f"above 0 in {skill.above_zero} of {skill.windows} windows"
    against = f"skill {_between(mean)} against the class frequencies, {where}."
    if mean.low is None or mean.high is None:
        text = f"{against[0].upper()}{against[1:-1]}: too few windows to tell it from chance."
        return Sentence(topic="skill", tone="neutral", text=text)
    if mean.low > 0:
        return Sentence(topic="skill", tone="good", text=f"It foresees something: {against}")
    if mean.high < 0:
        text = f"It is worse than quoting the class frequencies: {against}"
        return Sentence(topic="skill", tone="bad", text=text)
    text = f"It foresees no more than chance would: {against}"
    return Sentence(topic="skill", tone="bad", text=text)


def _between(found: Measured) -> str:
    if found.low is None or found.high is None:
        return f"{found.mean:+.3f}"
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _turned(found: Measured) -> str:
    """Say by how much it is less, where it is less."""
    turned = [-value for value in (found.mean, found.high, found.low) if value is not None]
    mean, low, high = turned
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _against_three_numbers(found: Findings) -> Sentence:
    gap, who = found.skill.against_baseline, f"three numbers (kind {found.skill.baseline})"
    if gap is None or gap.mean is None:
        text = "Three numbers could not be asked about the same candles, so it is not held against"
        return Sentence(topic="baseline", tone="neutral", text=f"{text} them.")
    better = "better" if gap.mean > 0 else "worse"
    if found.skill.baseline is not None and found.subject.kind == found.skill.baseline:
        text = f"It is the baseline itself; with its defaults, it would lag by {_between(gap)}."
        return Sentence(topic="baseline", tone="neutral", text=text)
    if gap.low is None or gap.high is None:
        text = (
            f"{better.capitalize()} than {who} by {abs(gap.mean):.3f}; of so few windows that says "
        )
        return Sentence(topic="baseline", tone="neutral", text=f"{text}little.")
    if gap.low > 0:
        text = f"Better than {who} by {_between(gap)}: more than noise."
        return Sentence(topic="baseline", tone="good", text=text)
    if gap.high < 0:
        text = f"Worse than {who} by {_turned(gap)}: more than noise."
        return Sentence(topic="baseline", tone="bad", text=text)
    text = f"No better than {who}: {_between(gap)} is no more than noise."
    return Sentence(topic="baseline", tone="neutral", text=text)


def _questions(found: Findings) -> Sentence:
    touch, direction = foresight(found)
    how = f"whether the price moves far enough ({_signed(found.skill.touch)})"
    which = f"which way ({_signed(found.skill.direction)})"
    if touch and direction:
        text, tone = f"Foreseen is both {how} and {which}.", "good"
    elif touch:
        text, tone = f"Foreseen is {how}, not {which}: volatility, not direction.", "neutral"
    elif direction:
        text, tone = f"Foreseen is {which}, not {how}.", "neutral"
    else:
        text, tone = f"Foreseen is neither {how} nor {which}.", "bad"
    if found.skill.mean.low is None:
        tone = "neutral"  # of so few windows, it may be chance
    return Sentence.model_validate({"topic": "direction", "tone": tone, "text": text})


def _signed(value: float | None) -> str:
    return "never asked" if value is None else f"{value:+.3f}"


def _hits(found: Findings) -> Iterator[Sentence]:
    way = deciding(found)
    if way is None:
        return
    sides = {
        name: each for name, each in (("LONG", way.long), ("SHORT", way.short)) if each.signals
    }
    if not sides:
        yield Sentence(topic="signals", tone="neutral", text=_no_signals(found))
        return
    # Of a handful, neither is said to be good or bad.
    telling = [each for each in sides.values() if (each.independent or 0) >= ENOUGH]
    told = "; ".join(_hit(name, each) for name, each in sides.items())
    yield Sentence(topic="hits", tone=_tone_of_hits(telling), text=f"{told}.")
    a_day = sum(each.per_day for each in sides.values())
    independent = [each.independent for each in sides.values() if each.independent is not None]
    rests = f", resting on {sum(independent):,} independent ones" if independent else ""
    worth = "; ".join(_worth(name, each) for name, each in sides.items() if each.value is not None)
    text = f"{_number(a_day)} signals a day and pair{rests}{f': {worth}' if worth else ''}."
    yield Sentence(topic="signals", tone=_tone_of_value(telling), text=text)


def _no_signals(found: Findings) -> str:
    levels = {name: level for name, level in found.entered_from.items() if level is not None}
    told = " and ".join(f"{name} {level:.2f}" for name, level in levels.items())
    return f"The rule would have entered nowhere: no probability passes {told or 'it'}."


def _hit(name: str, each: Signals) -> str:
    needed = "" if each.needed is None else f", {100 * each.needed:.0f} % needed after fees"
    by_chance = "" if each.base_rate is None else f", {100 * each.base_rate:.0f} % by chance"
    return f"{name} signals come true in {100 * (each.hit_rate or 0):.0f} %{needed}{by_chance}"


def _worth(name: str, each: Signals) -> str:
    error = "" if each.error is None else f" ± {100 * each.error:.2f}"
    return f"{name} {100 * (each.value or 0):+.2f}{error} % each"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _tone_of_hits(sides: list[Signals]) -> Tone:
    known = [each for each in sides if each.needed is not None and each.hit_rate is not None]
    above = [(each.hit_rate or 0) >= (each.needed or 0) for each in known]
    if not above or (any(above) and not all(above)):
        return "neutral"
    return "good" if all(above) else "bad"


def _tone_of_value(sides: list[Signals]) -> Tone:
    """Call it good only where two standard errors say so."""
    known = [(each.value, each.error) for each in sides if each.value is not None]
    if any(value - 2 * error > 0 for value, error in known if error is not None):
        return "good"
    return "bad" if known and all(value < 0 for value, _ in known) else "neutral"


def _trades(found: Findings) -> Iterator[Sentence]:
    if found.deals and found.profit is not None:
        tone: Tone = "good" if found.profit > 0 else "bad"
        mean = found.profit / found.deals
        text = (
            f"{found.deals:,} trades brought {100 * found.profit:+.1f} % of one stake, "
            f"{100 * mean:+.2f} % each."
        )
        yield Sentence(topic="trades", tone=tone, text=text)


def _parity(live: Live) -> Sentence:
    parity = live.parity
    if parity.problems:
        text = f"Live and backtest differ: {parity.problems[0]}"
        return Sentence(topic="parity", tone="bad", text=text)
    if not parity.checked:
        text = "Whether live predicts what a backtest does was not looked at: `check parity` does."
        return Sentence(topic="parity", tone="neutral", text=text)
    text = f"Live has predicted what a backtest predicts, in {parity.checked:,} candles looked at."
    return Sentence(topic="parity", tone="good", text=text)


def _lost(found: Findings) -> Iterator[Sentence]:
    steps = {step.name: step for step in found.funnel}
    if (step := steps.get("predicted")) is None or not step.lost:
        return
    asked = found.funnel[0].count
    reason = max(step.lost, key=lambda name: step.lost[name])
    share = 100 * sum(step.lost.values()) / max(asked, 1)
    text = f"{share:.1f} % of the candles have no prediction, most because: {reason}."
    yield Sentence(topic="dropped", tone="neutral", text=text)


def _luck(found: Findings) -> Iterator[Sentence]:
    trials = found.trials
    if trials is None:
        return
    parts, tone = [f"Chosen among {trials.tried}"], "neutral"
    if trials.overfitting is not None:
        parts.append(
            f"probability that the best is below the middle elsewhere {trials.overfitting:.2f}"
        )
        if trials.overfitting >= _LIKELY_LUCK:
            tone = "bad"
        elif trials.overfitting <= _HARDLY_LUCK:
            tone = "good"
    if (sharpe := trials.deflated_sharpe) is not None:
        sure = "" if sharpe >= _SURE else f", {_SURE} would be sure"
        parts.append(f"deflated Sharpe ratio {sharpe:.2f}{sure}")
        if sharpe < _SURE and tone == "good":
            tone = "neutral"
    text = f"{'; '.join(parts)}."
    yield Sentence.model_validate({"topic": "trials", "tone": tone, "text": text})

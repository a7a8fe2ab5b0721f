"""Put what was found into a few sentences that a trader reads in ten seconds."""

from collections.abc import Iterator

from dualwindow.judging.advice import advice
from dualwindow.judging.findings import Findings, Live, Measured, Sentence, Way
from dualwindow.judging.payoff import of_signals, of_trades
from dualwindow.judging.questions import between, foresight, is_undecided, questions

_LIKELY_LUCK, _HARDLY_LUCK = 0.5, 0.2  # probability of overfitting
_SURE = 0.95  # deflated Sharpe ratio, as its authors have it


def verdict(found: Findings) -> tuple[Sentence, ...]:
    """Say what was found, the most important first, and at last what to do next."""
    return tuple(_sentences(found))


def deciding(found: Findings) -> Way | None:
    """Give the rule that decides on entries; None where nothing but the probabilities is known."""
    return found.ways[-1] if len(found.ways) > 1 else None


def _sentences(found: Findings) -> Iterator[Sentence]:
    parity = None if found.live is None else _parity(found.live)
    if parity is not None and parity.tone == "bad":
        yield parity
    yield _skill(found)
    if found.skill.mean.mean is not None:
        yield _against_three_numbers(found)
        yield questions(found)
        if not found.subject.can_short:
            text = "Signals are those of LONG alone, because the strategy cannot short; skill is of"
            yield Sentence(topic="sides", tone="neutral", text=f"{text} all three classes.")
        yield from of_signals(found, deciding(found))
    yield from of_trades(found)
    if parity is not None and parity.tone != "bad":
        yield parity
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
    against = f"skill {_between(mean)} over class frequencies, {where}."
    if mean.low is None or mean.high is None:
        text = f"{against[0].upper()}{against[1:-1]}: too few windows to tell it from chance."
        return Sentence(topic="skill", tone="neutral", text=text)
    if mean.low > 0:
        return Sentence(topic="skill", tone="good", text=f"It foresees something: {against}")
    if mean.high < 0:
        text = f"It is worse than quoting the class frequencies: {against}"
        return Sentence(topic="skill", tone="bad", text=text)
    if is_undecided(mean):
        text = f"It cannot be told from chance yet: {against}"
        return Sentence(topic="skill", tone="neutral", text=text)
    text = f"It foresees no more than chance would: {against}"
    return Sentence(topic="skill", tone="bad", text=text)


def _between(found: Measured) -> str:
    return f"{found.mean:+.3f}{between(found)}"


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
    if is_undecided(gap):
        text = f"Whether it is better than {who} cannot be told yet: {_between(gap)}."
        return Sentence(topic="baseline", tone="neutral", text=text)
    text = f"No better than {who}: {_between(gap)} is no more than noise."
    return Sentence(topic="baseline", tone="neutral", text=text)


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
    parts, tone = [f"One among {trials.tried} that were tried"], "neutral"
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

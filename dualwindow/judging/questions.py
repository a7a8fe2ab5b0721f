"""Tell whether touch and direction are foreseen, and where neither yes nor no can be said."""

from typing import Literal, NamedTuple

import numpy as np

from dualwindow.judging.comparison import block_interval
from dualwindow.judging.findings import Findings, Measured, Sentence, Tone
from dualwindow.judging.rungs import measured

SMALL = 0.01  # skill: what is below is not looked for

State = Literal["yes", "no", "cannot tell"]


class Question(NamedTuple):
    """What is known of one question: over all candles, its interval over windows, the answer."""

    whole: float | None
    between: Measured
    state: State


def foresight(found: Findings) -> tuple[Question, Question]:
    """Tell whether it is foreseen that a barrier is touched, and which one, by more than noise."""
    return _question(found, "touch"), _question(found, "direction")


def is_undecided(found: Measured) -> bool:
    """Tell whether both nothing and something worth having would look like this."""
    if found.low is None or found.high is None:
        return True
    return found.low <= 0 and found.high > SMALL


def between(found: Measured) -> str:
    """Show an interval, where there is one."""
    if found.low is None or found.high is None:
        return ""
    return f" ({found.low:+.3f} to {found.high:+.3f})"


def _question(found: Findings, name: str) -> Question:
    rows = [row for row in found.skill.rows if getattr(row, name) is not None]
    whole = getattr(found.skill, name)
    if not rows or whole is None:
        return Question(whole, Measured(mean=None, low=None, high=None), "cannot tell")
    values = np.array([getattr(row, name) for row in rows])
    interval = measured(block_interval(values, np.array([row.block for row in rows])))
    if is_undecided(interval):
        return Question(whole, interval, "cannot tell")
    is_foreseen = whole > 0 and (interval.low or 0.0) > 0
    return Question(whole, interval, "yes" if is_foreseen else "no")


def questions(found: Findings) -> Sentence:
    """Say of both whether they are foreseen."""
    touch, direction = foresight(found)
    if found.skill.mean.low is None:
        wholes = f"{_signed(touch.whole)}, {_signed(direction.whole)}"
        text = (
            "Of so few windows neither whether the price moves far enough nor which way can be "
            f"told ({wholes})."
        )
        return Sentence(topic="direction", tone="neutral", text=text)
    text, tone = _answer(
        (f"whether the price moves far enough, {_told(touch)}", touch.state),
        (f"which way, {_told(direction)}", direction.state),
    )
    return Sentence(topic="direction", tone=tone, text=text)


def _answer(touch: tuple[str, State], direction: tuple[str, State]) -> tuple[str, Tone]:
    (how, is_touch), (which, is_direction) = touch, direction
    match is_touch, is_direction:
        case "yes", "yes":
            return f"Foreseen is both {how}, and {which}.", "good"
        case "no", "no":
            return f"Foreseen is neither {how}, nor {which}.", "bad"
        case "yes", "no":
            return f"Foreseen is {how}; not {which}: volatility, not direction.", "neutral"
        case "cannot tell", "cannot tell":
            return f"Cannot be told yet: {how}, and {which}.", "neutral"
    known = {"yes": "Foreseen is", "no": "Not foreseen is", "cannot tell": "Cannot be told yet:"}
    first, second = known[is_touch], known[is_direction]
    return f"{first} {how}. {second} {which}.", "neutral"


def _told(question: Question) -> str:
    return f"{_signed(question.whole)}{between(question.between)}"


def _signed(value: float | None) -> str:
    return "never asked" if value is None else f"{value:+.3f}"

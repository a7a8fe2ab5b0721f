"""Say what a report found in plain lines, for a log or a terminal."""

import textwrap
from collections.abc import Sequence

from dualwindow.judging.findings import Findings, Sentence

_WIDTH, _MOST = 110, 12
_TIED = "\N{NO-BREAK SPACE}%"
_MARKS = {"good": "+", "bad": "-", "neutral": " "}
_LAST = ("dropped", "trials", "trades", "parity")  # left out first where there is too much to say
_KEPT = ("skill", "direction", "sides", "next")


def spoken(findings: Findings) -> list[str]:
    """Lay the verdict out: at most twelve lines of 110 columns.

    What is bad is always said; where that is too much, its longest sentences end in ``...``.

    A line begins with ``+`` where it is good, with ``-`` where it is bad.
    """
    subject = findings.subject
    pairs = ", ".join(subject.pairs)
    head = textwrap.shorten(
        f"What {subject.kind} found, out of sample, on {pairs}:", _WIDTH, placeholder=" ..."
    )
    told = [(each, _lines(each)) for each in findings.verdict]
    most = _MOST - 1 - bool(findings.warnings)
    lines = [head, *(line for own in _kept(told, most) for line in own)]
    return [*lines, *_note(findings.warnings, min(2, _MOST - len(lines)))]


def _note(warnings: Sequence[str], most: int) -> list[str]:
    """Say the first warning in so many lines at most, and how many there are."""
    if not warnings:
        return []
    n = len(warnings)
    name = "note" if n == 1 else f"note (1 of {n}, see the report)"
    return textwrap.wrap(
        f"{name}: {warnings[0]}",
        _WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
        max_lines=most,
        placeholder=" ...",
    )


def _kept(told: list[tuple[Sentence, list[str]]], most: int) -> list[list[str]]:
    """Leave out what is too much, neutral ones first; what is bad is never left out, only cut."""
    kept = list(told)
    for each in sorted(told, key=lambda one: _rank(one[0])):
        if sum(len(lines) for _, lines in kept) <= most or each[0].tone == "bad":
            break
        kept.remove(each)
    lines = [own for _, own in kept]
    while sum(map(len, lines)) > most and max(map(len, lines)) > 1:
        longest = max(lines, key=len)
        place = next(i for i, own in enumerate(lines) if own is longest)
        last = textwrap.shorten(longest[-2].strip(), _WIDTH - 6, placeholder="")
        indent = "  " if len(longest) > 2 else ""
        lines[place] = [*longest[:-2], f"{indent}{last} ..."]
    return lines


def _lines(sentence: Sentence) -> list[str]:
    wrapped = textwrap.wrap(
        sentence.text.replace(" %", _TIED),
        _WIDTH,
        initial_indent=f"{_MARKS[sentence.tone]} ",
        subsequent_indent="  ",
    )
    return [line.replace(_TIED, " %") for line in wrapped]


def _rank(sentence: Sentence) -> tuple[bool, bool, bool, int]:
    """Order what is left out first: neutral before good, and bad last."""
    topic = sentence.topic
    place = _LAST.index(topic) if topic in _LAST else len(_LAST)
    return sentence.tone == "bad", topic in _KEPT, sentence.tone == "good", place

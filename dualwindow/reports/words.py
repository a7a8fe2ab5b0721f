"""Say what a report found in plain lines, for a log or a terminal."""

import textwrap

from dualwindow.judging.findings import Findings, Sentence

_WIDTH, _MOST = 110, 12
_TIED = "\N{NO-BREAK SPACE}%"
_MARKS = {"good": "+", "bad": "-", "neutral": " "}
_LAST = ("dropped", "trials", "trades", "parity")  # left out first where there is too much to say


def spoken(findings: Findings) -> list[str]:
    """Lay the verdict out: at most twelve lines of 110 columns.

    A line begins with ``+`` where it is good, with ``-`` where it is bad.
    """
    subject = findings.subject
    pairs = ", ".join(subject.pairs)
    head = textwrap.shorten(
        f"What {subject.kind} found, out of sample, on {pairs}:", _WIDTH, placeholder=" ..."
    )
    told = [(each, _lines(each)) for each in findings.verdict]
    for topic in _LAST:
        if 1 + sum(len(lines) for _, lines in told) <= _MOST - bool(findings.warnings):
            break
        told = [(each, lines) for each, lines in told if each.topic != topic]
    lines = [head, *(line for _, own in told for line in own)]
    if n := len(findings.warnings):
        more = "" if n == 1 else f" (and {n - 1} more in the report)"
        lines.append(
            textwrap.shorten(
                f"  note: {findings.warnings[0]}", _WIDTH - len(more), placeholder="..."
            )
            + more
        )
    return lines[:_MOST]


def _lines(sentence: Sentence) -> list[str]:
    wrapped = textwrap.wrap(
        sentence.text.replace(" %", _TIED),
        _WIDTH,
        initial_indent=f"{_MARKS[sentence.tone]} ",
        subsequent_indent="  ",
    )
    return [line.replace(_TIED, " %") for line in wrapped]

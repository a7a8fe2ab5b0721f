"""The files of a report, and its words for a log."""

import json

import pandas as pd
import pytest
from examples_evidence import by_hand, evidence
from examples_findings import hostile, one_class, poor, rich

from dualwindow.judging.decisions import Thresholds
from dualwindow.judging.finding import find
from dualwindow.judging.findings import Findings, Returns, Sentence
from dualwindow.market.labels import LONG
from dualwindow.reports.files import returns_csv, write_report
from dualwindow.reports.words import spoken

RETURNS = Returns(of="signals", date=(1704758400, 1704844800), value=(0.015, -1 / 3))


@pytest.mark.parametrize("make", [rich, poor, hostile, one_class])
def test_twelve_lines_of_110_columns_at_most(make):
    findings = make()
    lines = spoken(findings)
    assert 2 <= len(lines) <= 12
    assert max(map(len, lines)) <= 110
    text = " ".join(line.strip("+- ") for line in lines)
    assert findings.verdict[0].text[:40] in text
    if findings.warnings:
        assert "  note" in "\n".join(lines)


def test_what_is_said_is_the_verdict_itself():
    findings = find(evidence(), 0.0)
    text = " ".join(" ".join(line.split()) for line in spoken(findings))
    for topic in ("skill", "direction", "next"):
        (sentence,) = (each for each in findings.verdict if each.topic == topic)
        assert sentence.text in text
    assert "A/USDT" in spoken(findings)[0]


def test_what_is_bad_is_said_and_neutral_ones_are_left_out_first():
    long = "word " * 60  # three lines
    tones = {"parity": "bad", "skill": "good", "long": "neutral", "short": "good", "dropped": "bad"}
    told = tuple(Sentence(topic=t, tone=tone, text=f"{t} {long}") for t, tone in tones.items())
    lines = spoken(rich(verdict=told, warnings=("one", "two", "three")))
    assert len(lines) <= 12
    text = " ".join(lines)
    assert lines[1].startswith("- parity")
    assert "- dropped" in text
    assert "+ skill" in text
    assert "long word" not in text
    assert lines[-1] == "  note (1 of 3, see the report): one"


def test_all_that_is_bad_is_said_though_each_is_long():
    names = [f"topic{i}" for i in range(7)]
    told = tuple(Sentence(topic=t, tone="bad", text=f"{t} {'word ' * 60}") for t in names)
    lines = spoken(rich(verdict=told, warnings=("one",)))
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 110
    assert all(any(line.startswith(f"- {name}") for line in lines) for name in names)


def test_all_files_are_there_and_say_the_same(tmp_path):
    findings = find(evidence(), 0.0)
    page = write_report(findings, tmp_path / "deep" / "report")
    assert page.name == "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "report.html",
        "report.json",
        "returns.csv",
    ]
    assert Findings.from_json((page.parent / "report.json").read_text()) == findings
    daily = pd.read_csv(page.parent / "returns.csv", index_col="date", parse_dates=True)["return"]
    assert daily.tolist() == pytest.approx(list(findings.returns.value), rel=1e-14)


def test_returns_keep_every_bit_and_an_old_file_does_not_stay(tmp_path):
    findings = rich(returns=RETURNS)
    assert returns_csv(findings).splitlines() == [
        "date,return",
        "2024-01-09,0.015",
        "2024-01-10,-0.3333333333333333",
    ]
    write_report(findings, tmp_path)
    write_report(findings.model_copy(update={"returns": None}), tmp_path)
    assert not (tmp_path / "returns.csv").exists()


def test_what_cannot_be_written_leaves_nothing_half_written(tmp_path, full_disk):
    folder = tmp_path / "report"
    folder.mkdir()
    write_report(poor(), folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with full_disk("report.html"), pytest.raises(OSError, match="No space left on device"):
        write_report(rich(), folder)
    assert (folder / "report.html").read_bytes() == before["report.html"]
    json.loads((folder / "report.json").read_text())


def test_days_without_a_signal_are_in_the_returns():
    findings = find(
        evidence(by_hand([[0.1, 0.2, 0.7]] * 30, [LONG] * 30), rule=Thresholds(0.9, 0.9, 0.9)), 0.0
    )
    assert findings.returns.value == (0.0,)

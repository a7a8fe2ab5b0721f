"""Sort a report into the sections of its page: words, tables and charts, top to bottom."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dualwindow.judging.findings import Agents, Findings, Live, Signals, Subject, Trials, Way
from dualwindow.reports.charts import charts
from dualwindow.reports.charts_decisions import SIGNALS_HEAD, signals_cells
from dualwindow.reports.charts_importance import importance_words
from dualwindow.reports.figures import Chart, Table
from dualwindow.reports.numbers import (
    UNKNOWN,
    between,
    count,
    duration,
    listed,
    moment,
    number,
    percent,
    skill,
)
from dualwindow.reports.words_of_page import (
    EMPTY,
    GLOSSARY,
    INTRODUCTIONS,
    SHORT_TITLES,
    SOURCES,
    TITLES,
)

_WIDTHS = {
    "threshold-short": "half",
    "threshold-long": "half",
    "reliability-short": "third",
    "reliability-hold": "third",
    "reliability-long": "third",
    "importance-groups": "half",
    "importance-features": "half",
    "exits": "half",
    "dropped": "half",
    "learning": "half",
    "label-mix": "half",
}


@dataclass(frozen=True)
class Tile:
    """A large number, what it is, and what it has to be held against."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """One part of the page; what is empty is not shown."""

    name: str
    words: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    charts: tuple[Chart, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    style: str = "facts-list"

    @property
    def title(self) -> str:
        """Title, as the page shows it."""
        return TITLES[self.name]

    @property
    def short_title(self) -> str:
        """Title, as the navigation shows it."""
        return SHORT_TITLES.get(self.name, self.title)

    def width(self, chart: Chart) -> str:
        """Share of the page's width that a chart takes where there is room."""
        if chart.name.startswith(("confusion-", "validation-")):
            return "half"
        return _WIDTHS.get(chart.name, "")


def tiles(findings: Findings) -> Iterator[Tile]:
    """Choose the few numbers that stand at the top."""
    found = findings.skill
    if found.mean.mean is not None:
        yield Tile("Skill", skill(found.mean.mean), _range(between(found.mean)))
    if found.windows:
        yield Tile("Windows above 0", f"{found.above_zero} of {found.windows}")
    if found.against_baseline is not None and found.against_baseline.mean is not None:
        more = found.against_baseline
        yield Tile("Over three numbers", skill(more.mean), _range(between(more)))
    yield from _of_decisions(findings)


def _of_decisions(findings: Findings) -> Iterator[Tile]:
    if findings.ways:
        for side, signals in findings.ways[-1].sides.items():
            if signals.signals:
                yield Tile(f"{side} hit rate", percent(signals.hit_rate), _need(signals))
    if findings.profit is not None:
        profit = percent(findings.profit, 2, sign=True)
        ended = sum(findings.exits.values())
        yield Tile("Profit", profit, f"of one stake; {count(ended)} trades that ended")
    if findings.live is not None and findings.live.parity.checked:
        differ = len(findings.live.parity.problems)
        note = f"{count(differ)} problems" if differ else "as a backtest says"
        yield Tile("Predictions checked", count(findings.live.parity.checked), note)


def _range(text: str) -> str:
    return f"95 %: {text}" if text else ""


def _need(signals: Signals) -> str:
    needed = "" if signals.needed is None else f"{percent(signals.needed)} at full stops; "

    return f"{needed}{count(signals.signals)} signals"


def sections(findings: Findings) -> tuple[Section, ...]:
    """Lay out all sections that have something to say, or a reason why not."""
    drawn = charts(findings)
    made = [
        Section("warnings", items=findings.warnings),
        *(_charted(name, drawn, findings) for name in EMPTY),
        *_others(findings, drawn),
        Section("subject", terms=_facts(findings.subject)),
        Section("glossary", terms=GLOSSARY, style="glossary"),
    ]
    return tuple(each for each in made if each.words or each.items or each.terms or each.charts)


def _charted(name: str, drawn: Sequence[Chart], findings: Findings) -> Section:
    own = tuple(chart for chart in drawn if chart.section == name)
    tables = {"Ways of deciding": ways_table(findings.ways)} if name == "decisions" else {}
    if not own:
        return Section(name, (EMPTY[name],))
    words = (INTRODUCTIONS[name],) if name in INTRODUCTIONS else ()
    items: tuple[str, ...] = ()
    if name == "importance":
        items = tuple(map(importance_words, findings.importances))
    return Section(name, words, items, tables if findings.ways else {}, own)


def _others(findings: Findings, drawn: Sequence[Chart]) -> Iterator[Section]:
    """Lay out what only some reports have."""
    if findings.trials is not None:
        yield _trials(findings.trials)
    if findings.agents is not None:
        own = tuple(chart for chart in drawn if chart.section == "agents")
        yield _agents(findings.agents, own)
    if findings.live is not None:
        yield _live(findings.live)


def _trials(found: Trials) -> Section:
    terms = {
        "tried": count(found.tried),
        "probability of overfitting": percent(found.overfitting, 0),
        "deflated Sharpe ratio": number(found.deflated_sharpe, ".2f"),
    }
    return Section("trials", (INTRODUCTIONS["trials"],), found.notes, terms=terms)


def _agents(found: Agents, own: tuple[Chart, ...]) -> Section:
    words: tuple[str, ...] = tuple(text for text in (found.median, found.worst) if text)
    if not (words or own or found.notes):
        words = ("Nothing has been evaluated yet: `dualwindow agent evaluate` does.",)
    return Section("agents", words, found.notes, charts=own)


def _live(found: Live) -> Section:
    parity = found.parity
    if not parity.checked and not parity.problems:
        verdict = "Parity was not looked at: `dualwindow check parity` does."
    elif parity.problems:
        verdict = f"Parity: {count(parity.checked)} predictions were checked, and these differ."
    else:
        verdict = (
            f"Parity: all {count(parity.checked)} predictions checked are what a backtest says."
        )
    tables = {"Pairs": _pairs_table(found)} if found.pairs else {}
    return Section("live", (verdict,), (*parity.problems, *parity.notes), tables)


def _pairs_table(found: Live) -> Table:
    head: tuple[str, ...] = (
        "pair",
        "predictions",
        "without",
        "trainings",
        "failed",
        "after the candle, s",
    )
    head += ("kept out", "last error")
    rows = tuple(
        (
            pair.pair,
            count(pair.predictions),
            count(pair.without),
            count(pair.trainings),
            count(pair.failed_trainings),
            number(pair.seconds_after_candle, ".1f"),
            ", ".join(f"{why}: {count(n)}" for why, n in pair.kept_out.items()) or UNKNOWN,
            pair.last_error or UNKNOWN,
        )
        for pair in found.pairs
    )
    return Table(head, rows, (0, 6, 7))


def ways_table(ways: Sequence[Way]) -> Table:
    """Lay out what each way of deciding met, direction by direction."""
    rows = tuple(
        (way.name, side, *signals_cells(met)) for way in ways for side, met in way.sides.items()
    )
    return Table(("way", "direction", *SIGNALS_HEAD), rows, (0, 1))


def _facts(about: Subject) -> dict[str, str]:
    days = UNKNOWN if about.train_days is None else f"{about.train_days:g} days"
    facts = {
        "source": f"{SOURCES[about.source]} {about.name}",
        "made": f"{moment(about.made_at)} UTC",
        "pairs": listed(about.pairs) if about.pairs else UNKNOWN,
        "predicted": f"{moment(about.first)} to {moment(about.last)} UTC",
        "candles": f"of {duration(about.step)}",
        "model": about.kind,
        "training": f"{days}, looks back {count(about.history)} candles",
        "labels": f"{about.labels}; horizon {count(about.horizon)} candles",
        "fees": f"{percent(about.fees, 2)}, entry and exit together",
        "confidence": about.confidence,
    }
    if not about.can_short:
        facts["entries"] = "LONG alone: the strategy cannot short"
    if about.versions:
        facts["versions"] = ", ".join(f"{name} {v}" for name, v in about.versions.items())
    return facts

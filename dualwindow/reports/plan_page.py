"""Write a plan as one HTML page that needs nothing but a browser."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dualwindow.judging.findings import Sentence
from dualwindow.judging.planned import Plan
from dualwindow.reports.charts_plan import all_rows, cost_chart, map_chart
from dualwindow.reports.figures import Chart, Table
from dualwindow.reports.numbers import count, day, duration, listed, moment, number, percent, skill
from dualwindow.reports.page import laid_out
from dualwindow.reports.plan_table import plan_words
from dualwindow.reports.sections import Tile

_WORDS = {
    "needs": "The hit rate at which wins, stops and fees add up to nothing.",
    "points above chance": "How much that is above the share of entries that a price which goes "
    "nowhere in particular would bring to the take-profit before the stop. It is what fees ask a "
    "model to know.",
    "moves": "SHORT and LONG candles, each of which begins when the one before has reached its "
    "take-profit: as many independent examples there are in the days of a training. Where pairs "
    "share one, those of the pair that has most: pairs move together, so what another does at the "
    "same time is no example of its own.",
    "skill": "Share that three numbers, the mean ranges of candles over three spans, save of the "
    "log loss of quoting class frequencies, out of sample. A network sees more; that of which "
    "three numbers foresee nothing seldom repays it.",
    "touch, direction": "Skill in two questions: is a barrier touched, and which one. Three "
    "numbers see no direction by their form, so its skill is about 0 or below.",
    "hint": "Worth a training: nothing here speaks against it. No promise: to be foreseen is not "
    "yet to be traded at a profit.",
}


@dataclass(frozen=True)
class _Section:
    """One part of the page, as the template of all pages takes it."""

    name: str
    title: str
    words: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    charts: tuple[Chart, ...] = ()
    terms: Mapping[str, str] = field(default_factory=dict)
    style: str = "glossary"

    @property
    def short_title(self) -> str:
        return self.title

    def width(self, chart: Chart) -> str:
        return ""


def plan_page(plan: Plan) -> str:
    """Lay a plan out as a page; it is about 5 MB long, most of which is plotly."""
    pairs = listed(plan.pairs)
    return laid_out(
        verdict=[Sentence(topic="plan", tone="neutral", text=text) for text in plan_words(plan)],
        title=f"Plan for {pairs}",
        kicker=f"DualWindow plan · made {moment(plan.made_at)} UTC",
        facts=" · ".join(
            (
                f"{day(plan.first)} to {day(plan.last - plan.step)}",
                f"candles of {duration(plan.step)}",
                f"labels {plan.rule}",
                f"fees {percent(plan.fees, 2)} for entry and exit",
            )
        ),
        tiles=list(_tiles(plan)),
        sections=list(_sections(plan)),
        made=f"Made {moment(plan.made_at)} UTC, before any training. All times UTC.",
    )


def _tiles(plan: Plan) -> Iterator[Tile]:
    worth = sum(row.hint == "worth a training" for row in plan.rows)
    yield Tile("Worth a training", f"{worth} of {len(plan.rows)}")
    for row in plan.rows:
        if row.is_configured:
            yield Tile("Configured: skill", skill(row.skill), f"± {number(row.error, '.3f')}")
            yield Tile("Configured: needs", percent(max(row.break_even.values())), "hit rate")
            moves = " / ".join(count(row.moves[side]) for side in ("SHORT", "LONG"))
            whose = ", of one pair" if len(plan.pairs) > 1 else ""
            told = f"SHORT / LONG in {plan.train_days:g} days{whose}"
            yield Tile("Configured: moves", moves, told)


def _sections(plan: Plan) -> Iterator[_Section]:
    yield _Section("map", "The grid", charts=(map_chart(plan), cost_chart(plan)))
    tables = {"All combinations": all_rows(plan, plan.rows)}
    yield _Section("rows", "All combinations", tables=tables)
    for i, (pair, rows) in enumerate(plan.of_pairs.items()):
        yield _Section(f"pair-{i}", pair, tables={pair: all_rows(plan, rows)})
    yield _Section("glossary", "Words", terms=_WORDS)

"""Pages in a real Chromium: drawn as given, read without eyes or mouse, on a desk and a phone."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import examples_findings
import pytest
from axe_playwright_python.sync_playwright import Axe
from examples_findings import HOSTILE
from playwright.sync_api import Browser

from dualwindow.judging.findings import Findings
from dualwindow.reports.charts import charts
from harness.browser import DESKTOP, PHONE, Visit, problems, visit

LOOKS = [
    ("rich", DESKTOP, "light"),
    ("rich", PHONE, "dark"),
    ("one-class", PHONE, "light"),
    ("hostile", DESKTOP, "dark"),
    ("hostile", PHONE, "light"),
    ("live", PHONE, "light"),
    ("agents", DESKTOP, "light"),
    ("agents", PHONE, "dark"),
]
# A pair's name that is longer than a phone is wide.
CUT = f"cut off: {[HOSTILE.replace('%{', '% {')]}"


@pytest.fixture
def opened(started: Browser, page_of: Callable[[str], Path]):
    @contextmanager
    def at(name: str, width: int = DESKTOP, theme: str = "light") -> Iterator[Visit]:
        with visit(started, page_of(name), width, theme) as seen:
            yield seen
            assert seen.complaints == []

    return at


def number(text: str) -> float | None:
    """Read a cell back; a dash is what is unknown."""
    plain = text.replace("\u2212", "-").replace(",", "").removesuffix(" %")
    return None if plain in ("", "\u2013") else float(plain)


def agrees(text: str, value: float | None, digits: int) -> bool:
    told = number(text)
    if told is None or value is None:
        return told is value is None
    return abs(told - value) <= 0.5001 * 10**-digits


@pytest.mark.parametrize(("name", "width", "theme"), LOOKS)
def test_every_chart_is_drawn_as_given_and_fits(started, page_of, name, width, theme):
    found = problems(started, page_of(name), width, theme)
    assert [each for each in found if not each.endswith(CUT)] == []


def test_problems_are_found(started, page_of, tmp_path):
    text = page_of("one-class").read_text()
    assert problems(started, page_of("one-class")) == []
    faults = {
        "pixels too wide": ("<h1>", "<h1 style='width: 2000px'>"),
        "nothing is drawn": ("Plotly.react(place, figure.data,", "Plotly.react(place, [],"),
        "is not what the page's JSON says": ("textContent = text;", "textContent = '7';"),
        "warning: !": ("const views =", "console.warn('!'); const views ="),
        "request: https": ("<title>", "<img src='https://example.org/x.png'><title>"),
    }
    for old, new in faults.values():
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "faulty.html"
    path.write_text(text)
    found = problems(started, path)
    assert [fault for fault in faults if not any(fault in each for each in found)] == []


def test_charts_of_the_page_are_those_of_the_findings(opened):
    wanted = {chart.name: chart for chart in charts(examples_findings.rich())}
    with opened("rich") as seen:
        seen.draw_all()
        drawn = {each.name: each for each in seen.charts()}
    assert set(drawn) == set(wanted)
    for name, chart in wanted.items():
        traces = [{k: t.get(k) for k in "xyz"} for t in chart.views[0].figure["data"]]
        assert drawn[name].shown == json.loads(json.dumps(traces))
        assert chart.views[0].spoken in drawn[name].label


def tables_of(seen: Visit, chart: str) -> list[list[str]]:
    head, *rows = seen.page.eval_on_selector_all(
        f"#chart-{chart} table tr",
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))",
    )
    assert len({len(row) for row in [head, *rows]}) == 1
    return rows


def test_numbers_on_the_page_are_those_of_the_findings(opened):
    found: Findings = examples_findings.rich()
    with opened("rich") as seen:
        seen.open_tables()
        ladder = tables_of(seen, "ladder")
        windows = tables_of(seen, "skill-over-time")
        bins = tables_of(seen, "reliability-long")
        signals = tables_of(seen, "threshold-short")
        confusion = tables_of(seen, "confusion-2")
        groups = tables_of(seen, "importance-groups")
        tiles = dict(
            seen.page.eval_on_selector_all(
                ".tile", "all => all.map(t => [...t.children].slice(0, 2).map(c => c.textContent))"
            )
        )
    for row, rung in zip(ladder, found.skill.ladder, strict=True):
        assert row[0] == rung.name
        assert agrees(row[1], rung.skill.mean, 3)
        assert agrees(row[3], 100 * rung.above_zero, 0)
        assert agrees(row[7], rung.calibration_error, 3)
        assert number(row[8]) == rung.signals
    for row, window in zip(windows, found.skill.rows, strict=True):
        assert row[0] == window.pair
        assert number(row[3]) == window.judged
        assert agrees(row[5], window.log_loss, 4)
        assert agrees(row[7], window.skill, 3)
        assert agrees(row[10], window.baseline_skill, 3)
    for row, each in zip(bins, found.reliability["LONG"], strict=True):
        assert agrees(row[0], each.told, 3)
        assert agrees(row[1], each.happened, 3)
        assert number(row[4]) == each.count
    for row, each in zip(signals, found.thresholds["SHORT"], strict=True):
        count, independent = row[1].removesuffix(")").split(" (")
        assert (number(count), number(independent)) == (each.signals, each.independent)
        hit, needed = row[3].removesuffix(")").split(" (")
        assert agrees(hit, 100 * each.hit_rate, 1)
        assert agrees(needed, 100 * each.needed, 1)
        value, error = row[6].split(" ± ")
        assert agrees(value, 100 * each.value, 2)
        assert agrees(error, None if each.error is None else 100 * each.error, 2)
    counts = [[number(cell) for cell in row[1:4]] for row in confusion[:3]]
    assert counts == [list(row) for row in found.ways[1].confusion]
    losses = {row.name: row.loss for row in found.importances[0].rows if row.is_group}
    assert all(agrees(row[1], losses[row[0]], 4) for row in groups)
    assert len(groups) == len(losses)
    assert agrees(tiles["Skill"], found.skill.mean.mean, 3)
    assert tiles["Windows above 0"] == f"{found.skill.above_zero} of {found.skill.windows}"
    assert agrees(tiles["LONG hit rate"], 100 * found.ways[1].long.hit_rate, 1)
    assert agrees(tiles["Profit"], 100 * found.profit, 2)


def test_words_are_there_before_plotly_is_read_and_charts_when_they_come_near(opened, started):
    with opened("large") as seen:
        seen.page.add_init_script(
            "document.addEventListener('DOMContentLoaded', () => {"
            " window.early = [typeof Plotly, document.querySelectorAll('.verdict li').length]; })"
        )
        seen.page.reload()
        assert seen.page.evaluate("early") == ["undefined", 5]
        assert seen.seconds_to_first_paint() < 60  # figures belong to docs/report.md
        seen.page.wait_for_selector("#chart-skill-over-time[data-drawn]")
        assert seen.page.query_selector("#chart-validation-1[data-drawn]") is None
        seen.page.eval_on_selector("#chart-validation-1", "card => card.scrollIntoView()")
        seen.page.wait_for_selector("#chart-validation-1[data-drawn]")


def test_another_view_is_chosen_with_the_keyboard(opened):
    found = charts(examples_findings.rich())
    (day,) = (chart for chart in found if chart.name == "day")
    with opened("rich") as seen:
        seen.draw_all()
        seen.open_tables()
        seen.page.focus("#chart-day select")
        seen.page.keyboard.press("ArrowDown")
        seen.page.wait_for_function(
            "pair => document.querySelector('#chart-day .chart').ariaLabel.includes(pair)",
            arg="ETH/USDT",
        )
        (drawn,) = (each for each in seen.charts() if each.name == "day")
        rows = tables_of(seen, "day")
    wanted = json.loads(json.dumps(day.views[1].figure["data"]))
    assert drawn.shown == [{k: t.get(k) for k in "xyz"} for t in wanted]
    assert rows[5] == list(day.views[1].table.rows[5])
    assert len(rows) == 1440


FOCUS = """() => { const at = document.activeElement; const style = getComputedStyle(at);
  return [at.tagName, at.href ?? at.id ?? '', style.outlineStyle, parseFloat(style.outlineWidth)]; }
"""


def test_all_can_be_reached_with_the_keyboard_in_the_order_of_the_page(opened):
    with opened("agents") as seen:
        keys = seen.page.keyboard
        keys.press("Tab")
        tag, where, *_ = seen.page.evaluate(FOCUS)
        assert (tag, where.partition("#")[2]) == ("A", "main")
        keys.press("Enter")
        assert seen.page.evaluate("document.activeElement.id") == "main"
        seen.page.reload()
        seen.draw_all()
        wanted = seen.page.evaluate(
            "[...document.querySelectorAll('a, button, select, summary, .box')]"
            ".filter(e => e.checkVisibility()).length"
        )
        reached, tags = 0, []
        seen.page.evaluate("window.order = []")
        for _ in range(wanted):
            keys.press("Tab")
            tag, _, style, width = seen.page.evaluate(FOCUS)
            tags.append(tag)
            assert style != "none", tag
            assert width >= 2, tag
            reached += 1
            seen.page.evaluate("order.push(document.activeElement)")
        assert {"A", "BUTTON", "SELECT", "SUMMARY", "DIV"} == set(tags)
        assert reached == wanted > 40
        assert seen.page.evaluate("new Set(order).size") == wanted
        follows = "order.every((e, i) => !i || order[i - 1].compareDocumentPosition(e) & 4)"
        assert seen.page.evaluate(follows)


# What is inside of a picture nobody reads: it has a label, which the other tests look at.
PICTURES_LEFT_OUT = {"exclude": [[".chart > *"]]}


@pytest.mark.parametrize(("name", "theme"), [("agents", "light"), ("live", "dark")])
def test_axe_finds_nothing_that_hinders_a_reader(opened, name, theme):
    with opened(name, DESKTOP, theme) as seen:
        seen.draw_all()
        seen.page.eval_on_selector_all(
            "#chart-confusion-1 details, #chart-exits details", "all => all.map(d => d.open = true)"
        )
        found = Axe().run(seen.page, context=PICTURES_LEFT_OUT)
    assert len(found.response["passes"]) > 15  # of the rules that apply
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []


def test_outline_of_headings_and_landmarks(opened):
    with opened("rich") as seen:
        levels = seen.page.eval_on_selector_all("h1, h2, h3", "all => all.map(h => +h.tagName[1])")
        for landmark in ("header", "nav", "main", "footer"):
            assert seen.page.locator(landmark).count() == 1
        assert seen.page.title() == seen.page.text_content("h1") == "Backtest production-1"
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))


def test_theme_is_the_systems_until_one_is_chosen(opened):
    ground = "document.querySelector('#chart-ladder .chart').layout.paper_bgcolor"
    with opened("rich", DESKTOP, "dark") as seen:
        seen.draw_all()
        assert seen.page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert seen.page.evaluate(ground) == "#151b23"
        seen.page.click("#theme")
        seen.page.wait_for_function(f"{ground} === '#ffffff'")
        seen.page.reload()
        assert seen.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_all_is_drawn_for_a_printer(opened):
    with opened("rich") as seen:
        seen.page.wait_for_selector("#chart-skill-over-time[data-drawn]")
        assert seen.page.query_selector("#chart-validation-1[data-drawn]") is None
        paper = seen.page.pdf()
        seen.page.wait_for_selector("#chart-validation-1[data-drawn]", state="attached")
        assert paper.startswith(b"%PDF")


def test_verdict_and_tables_need_no_javascript(started, page_of):
    context = started.new_context(java_script_enabled=False, offline=True)
    try:
        page = context.new_page()
        page.goto(page_of("live").as_uri())
        assert page.locator(".verdict li").count() == 5
        assert "need JavaScript" in page.inner_text("noscript")
        assert page.locator("#live td", has_text="no space left on device").is_visible()
    finally:
        context.close()

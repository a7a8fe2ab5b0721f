"""A report's page is a pure function of the findings, and whatever they say stays text."""

import json
import math
import re
import subprocess
import sys

import examples_findings
import pytest
from examples_findings import CLASSES, EXAMPLES, HOSTILE

from dualwindow.reports.charts import charts
from dualwindow.reports.figures import COLOURS, DASHES, MARKS, THEMES, painted
from dualwindow.reports.page import page
from dualwindow.reports.sections import sections, tiles
from dualwindow.reports.words_of_page import EMPTY, TITLES


def scripts(text: str) -> dict[str, str]:
    found = re.findall(r'<script type="([^"]+)" id="([^"]+)">(.*?)</script>', text, re.DOTALL)
    return {name: content for _, name, content in found}


@pytest.mark.parametrize("name", EXAMPLES)
def test_same_findings_same_page_and_all_views_in_it(name):
    found = EXAMPLES[name]()
    text = page(found)
    assert page(EXAMPLES[name]()) == text
    there = scripts(text)
    drawn = charts(found)
    assert set(there) == {"plotly", *(f"views-{chart.name}" for chart in drawn)}
    for chart in drawn:
        views = json.loads(there[f"views-{chart.name}"])
        assert [view["label"] for view in views] == [view.label for view in chart.views]
        given = [json.loads(json.dumps(view.figure)) for view in chart.views]
        assert [view["figure"] for view in views] == given


@pytest.mark.parametrize("name", EXAMPLES)
def test_page_asks_for_nothing_and_has_no_open_template(name):
    text = page(EXAMPLES[name]())
    own = text.replace(scripts(text)["plotly"], "")
    asked = re.findall(r'<[^>]+\s(?:src|href)="([^"]*)"', own)
    assert len(asked) > 5
    assert [url for url in asked if not url.startswith(("#", "data:"))] == []
    assert "@import" not in own
    assert not re.search(r"url\(", own)
    assert "{{" not in own.partition("</style>")[0]


def test_hostile_names_stay_text():
    text = page(examples_findings.hostile())
    assert HOSTILE not in text
    assert "<script>alert" not in text
    assert text.count("&lt;script&gt;alert") >= 8
    ours = [name for name in scripts(text) if name.startswith("views-")]
    assert len(ours) == len(charts(examples_findings.hostile()))  # none of them ended early


def test_poor_findings_say_why_each_section_has_nothing():
    text = page(examples_findings.poor())
    for name in EMPTY:
        assert f'<section id="{name}"' in text
    for section in ("warnings", "trials", "agents", "live"):
        assert f'<section id="{section}"' not in text
    assert "nan" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL).lower().split()


@pytest.mark.parametrize(
    ("name", "some", "none"),
    [
        ("rich", ["warnings", "trials"], ["agents", "live"]),
        ("agents", ["agents"], ["live"]),
        ("live", ["live"], ["agents"]),
    ],
)
def test_sections_come_and_go(name, some, none):
    there = [section.name for section in sections(EXAMPLES[name]())]
    assert set(some) <= set(there)
    assert not set(none) & set(there)
    order = list(TITLES)
    assert sorted(there, key=order.index) == there


@pytest.mark.parametrize("name", EXAMPLES)
def test_plotly_knows_every_word_of_every_figure(name):
    import plotly.graph_objects as go

    drawn = [view for chart in charts(EXAMPLES[name]()) for view in chart.views[:1]]
    for view in drawn:
        made = go.Figure(painted(view.figure, "dark"))
        assert len(made.data) == len(view.figure["data"])
    assert drawn or name == "poor"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_chart_has_a_table_words_and_a_name_of_its_own(name):
    drawn = charts(EXAMPLES[name]())
    assert len({chart.name for chart in drawn}) == len(drawn)
    for chart in drawn:
        assert re.fullmatch(r"[a-z0-9-]+", chart.name)
        assert chart.title
        assert chart.choice or len(chart.views) == 1
        for view in chart.views:
            assert view.spoken
            assert view.table.rows
            assert {len(row) for row in view.table.rows} == {len(view.table.head)}


def contrast(one: str, other: str) -> float:
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # WCAG's own example


@pytest.mark.parametrize("theme", THEMES)
def test_marks_can_be_seen_and_words_be_read(theme):
    colours = THEMES[theme]
    for name in ("ink", "muted"):
        assert contrast(colours[name], colours["ground"]) >= 4.5
        assert contrast(colours["ink"], colours["heat-high"]) >= 4.5
    for name in ("short", "hold", "long", "model", "baseline"):
        assert contrast(colours[name], colours["ground"]) >= 3
    assert set(colours) == set(THEMES["light"])


def as_seen_without_red_or_green(colour: str, kind: str) -> tuple[float, float, float]:
    """Simulate a missing cone (Vienot, Brettel and Mollon, 1999), in linear RGB."""
    r, g, b = (
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4
        for p in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    if kind == "protan":
        yellow, blue = 0.11238 * r + 0.88762 * g, 0.00401 * r - 0.00401 * g + b
    else:
        yellow, blue = 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b
    return yellow, yellow, blue


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("kind", ["protan", "deutan"])
def test_classes_differ_for_the_colour_blind_too(theme, kind):
    seen = [as_seen_without_red_or_green(THEMES[theme][name], kind) for name in ("short", "long")]
    assert math.dist(*seen) > 0.1
    for looks in (MARKS, DASHES, COLOURS):
        assert len({looks[name] for name in CLASSES}) == 3


def test_a_page_is_small_even_for_fifty_windows_of_three_pairs():
    found = examples_findings.large()
    assert len(found.skill.rows) == 150
    assert {len(day.date) for day in found.days} == {1440}
    assert len(page(found).encode()) < 8e6


def test_other_commands_do_not_pay_for_plotly():
    code = "import sys, dualwindow.reports.page, dualwindow.reports.pictures;"
    code += "print({'plotly', 'jinja2', 'kaleido'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


def test_the_profit_is_that_of_trades_that_have_ended():
    found = examples_findings.rich().model_copy(update={"deals": 95})  # 2 are open
    notes = {tile.name: tile.note for tile in tiles(found)}
    assert notes["Profit"] == "of one stake; 93 trades that ended"

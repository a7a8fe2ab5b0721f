"""The page of walk-forwards that have really been predicted, judged by `find`, in Chromium."""

import pytest
import walks
from examples_evidence import evidence, walked

from dualwindow.judging.evidence import Evidence
from dualwindow.judging.finding import find
from dualwindow.judging.findings import Findings
from dualwindow.reports.charts import charts
from dualwindow.reports.files import JSON, write_report
from harness.browser import DESKTOP, PHONE, problems, visit


def of_two() -> Evidence:
    """One walk-forward, and another that was tried beside it."""
    both = {"toy": walked(walks.settings()), "other": walked(walks.settings(penalty=1.0))}
    return evidence(walks=both)


@pytest.mark.parametrize(
    ("make", "width", "theme"),
    [
        pytest.param(evidence, DESKTOP, "dark", id="one-walk"),
        pytest.param(of_two, PHONE, "light", id="two-walks"),
    ],
)
def test_page_of_a_walk(started, tmp_path, make, width, theme):
    path = write_report(find(make(), 1_700_000_000.0), tmp_path)
    assert problems(started, path, width, theme) == []
    found = Findings.from_json((tmp_path / JSON).read_text())
    with visit(started, path, width, theme) as seen:
        told = seen.page.locator(".verdict li > span:last-child").all_inner_texts()
        names = seen.page.locator(".card").evaluate_all("all => all.map(e => e.dataset.name)")
    assert [text.replace("`", "") for text in told] == [
        sentence.text.replace("`", "") for sentence in found.verdict
    ]
    assert set(names) == {chart.name for chart in charts(found)}
    assert {"skill-over-time", "ladder", "threshold-long", "day", "funnel"} <= set(names)

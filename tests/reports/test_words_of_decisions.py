"""What the page says of hit rates: a miss is not always a full stop."""

from examples_findings import rich

from dualwindow.reports.charts_decisions import decision_charts
from dualwindow.reports.words_of_page import GLOSSARY


def test_needed_is_said_to_assume_full_stops():
    charts = [each for each in decision_charts(rich()) if each.name.startswith("threshold-")]
    assert len(charts) == 2
    for text in (*(chart.hint for chart in charts), GLOSSARY["hit rate, needed"]):
        assert "needed if every miss were a full stop" in text
        assert "costs money on average" not in text

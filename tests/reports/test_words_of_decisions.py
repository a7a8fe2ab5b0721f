"""What the page says of decisions: a miss is not always a full stop, nor every rule a line."""

import json

from examples_findings import deal, rich

from dualwindow.judging.findings import Findings
from dualwindow.reports.charts_day import day_charts
from dualwindow.reports.charts_decisions import decision_charts
from dualwindow.reports.words_of_page import GLOSSARY


def test_needed_is_said_to_assume_full_stops():
    charts = [each for each in decision_charts(rich()) if each.name.startswith("threshold-")]
    assert len(charts) == 2
    for text in (*(chart.hint for chart in charts), GLOSSARY["hit rate, needed"]):
        assert "needed if every miss were a full stop" in text
        assert "costs money on average" not in text


def without_levels() -> Findings:
    nowhere, found = {"SHORT": None, "LONG": None}, rich()
    days = tuple(day.model_copy(update={"entered_from": nowhere}) for day in found.days)
    return found.model_copy(update={"entered_from": nowhere, "days": days})


def test_lines_of_where_the_rule_enters_are_spoken_of_where_they_are():
    """As where the most probable class may be entered below."""
    for found, is_said in ((rich(), True), (without_levels(), False)):
        (day,) = day_charts(found)
        curves = [each for each in decision_charts(found) if each.name.startswith("threshold-")]
        assert len(curves) == 2
        assert ("the level lines are where the rule enters." in day.hint) == is_said
        assert ('"LONG from"' in json.dumps(day.views[0].figure)) == is_said
        assert day.hint.endswith(".")
        for curve in curves:
            assert ("The upright line is where the rule enters." in curve.hint) == is_said
            n_lines = len(curve.views[0].figure["layout"]["shapes"])
            assert n_lines == 1 + is_said  # that of a value of 0, and the upright one


def test_a_trade_that_begins_within_the_last_candle_is_drawn():
    found = rich()
    shown, *_ = found.days
    end = shown.date[-1] + 60
    late = deal(shown.pair, "LONG", end, 100.0, 0.01).model_copy(update={"opened": end - 0.5})
    days = (shown.model_copy(update={"deals": (late,)}), shown.model_copy(update={"deals": ()}))
    views = day_charts(found.model_copy(update={"days": days}))[0].views
    first, last = 1000 * shown.date[0], 1000 * shown.date[-1]
    ranges = [view.figure["layout"]["xaxis"]["range"] for view in views]
    assert ranges == [[first, 1000 * end], [first, last]]

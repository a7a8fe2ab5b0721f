"""The page of a plan in a real browser."""

import pytest
import walks
from pages import chromium_or_skip

from dualwindow.judging.plan import Asked, plan
from dualwindow.judging.planned import Plan
from dualwindow.judging.survey import Point
from dualwindow.learning.parallel import Workers
from dualwindow.market.labels import Barriers
from dualwindow.reports.plan_page import plan_page
from harness.browser import PHONE, visit


@pytest.fixture(scope="module")
def planned() -> Plan:
    points = [
        Point(Barriers(take, stop, take, stop), horizon)
        for take in (0.004, 0.006)
        for stop in (0.003, 0.005)
        for horizon in (6, 12)
    ]
    pairs = {pair.pair: pair.candles for pair in walks.pairs()}
    asked = Asked(walks.settings(), points, points[3], 0.001, 0.5, 0.1, 3, Workers())
    return plan(pairs, asked, now=1.0)


def test_each_chart_shows_what_the_plan_says(planned, tmp_path):
    path = tmp_path / "plan.html"
    path.write_text(plan_page(planned))
    n_drawn = 0
    with (
        chromium_or_skip() as started,
        visit(started, path, PHONE) as seen,
    ):  # where room is scarcest
        seen.draw_all()
        for chart in seen.charts():
            assert chart.marks, chart.name
            assert chart.shown == chart.given, chart.name
            assert not chart.clipped, chart.name
            n_drawn += 1
        assert seen.overflow() <= 0
        assert not seen.complaints
        seen.page.select_option("select", label="HOLD, % of candles")
        (chart, _) = seen.charts()
        (twelve,) = (row for row in planned.rows if row.is_configured)
        drawn = {
            (float(take), float(stop)): value
            for take, line in zip(
                chart.shown[1]["x"], zip(*chart.shown[1]["z"], strict=True), strict=True
            )
            for stop, value in zip(chart.shown[1]["y"], line, strict=True)
        }
        place = 100 * twelve.long_take_profit, 100 * twelve.long_stop_loss
        assert drawn[place] == pytest.approx(100 * twelve.shares["HOLD"])
    assert n_drawn == 2

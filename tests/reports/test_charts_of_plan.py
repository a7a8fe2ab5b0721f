"""What the map of a plan draws where there are more horizons than it has room for."""

import pytest
import walks

from dualwindow.judging.plan import Asked, plan
from dualwindow.judging.survey import Point
from dualwindow.learning.parallel import Workers
from dualwindow.market.labels import Barriers
from dualwindow.reports.charts_plan import map_chart


@pytest.mark.parametrize(
    ("n_horizons", "configured", "drawn", "said"),
    [
        (12, 12, range(1, 13), None),
        (14, 3, range(1, 13), "2 more"),
        (14, 14, [*range(1, 12), 14], "2 more"),
    ],
)
def test_the_configured_horizon_is_always_drawn(n_horizons, configured, drawn, said):
    barriers = Barriers(0.004, 0.003, 0.004, 0.003)
    points = [Point(barriers, horizon) for horizon in range(1, n_horizons + 1)]
    (pair,) = walks.pairs(names=("A/USDT",))
    asked = Asked(walks.settings(), points, points[configured - 1], 0.001, 0.5, 0.1, 0, Workers())
    chart = map_chart(plan({pair.pair: pair.candles}, asked, now=1.0))
    for view in chart.views:
        layout = view.figure["layout"]
        captions = [note["text"] for note in layout["annotations"]]
        assert captions == [f"<b>within {horizon} candles</b>" for horizon in drawn]
        (frame,) = layout["shapes"]
        place = [*drawn].index(configured)
        assert frame["xref"] == ("x" if place == 0 else f"x{place + 1}")
        assert len(view.table.rows) == n_horizons
    assert (said is None) == ("no room" not in chart.hint)
    assert said is None or said in chart.hint

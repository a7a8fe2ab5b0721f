"""A column of a table that has nothing to say is not there."""

import pytest
from examples_findings import agents, rich

from dualwindow.reports.charts_agents import agent_charts


@pytest.mark.parametrize("is_counted", [True, False])
def test_trades_of_agents_are_a_column_where_they_were_counted(is_counted):
    found = agents(("A",))
    if not is_counted:
        rows = tuple(row.model_copy(update={"trades": None}) for row in found.rows)
        found = found.model_copy(update={"rows": rows})
    table = agent_charts(rich(agents=found))[0].views[0].table
    assert ("trades" in table.head) == is_counted
    assert {len(row) for row in table.rows} == {len(table.head)}

"""A column of a table that has nothing to say is not there."""

from examples_findings import agents, rich

from dualwindow.reports.charts_agents import agent_charts


def test_what_no_agent_was_asked_for_is_no_column():
    found = agents(("A",))
    table = agent_charts(rich(agents=found))[0].views[0].table
    assert table.head[3:] == ("time in the market", "drawdown")
    rows = tuple(
        row.model_copy(update={"more": row.more | {"drawdown": None}}) for row in found.rows
    )
    found = found.model_copy(update={"rows": rows})
    table = agent_charts(rich(agents=found))[0].views[0].table
    assert table.head[3:] == ("time in the market",)
    assert {len(row) for row in table.rows} == {len(table.head)}

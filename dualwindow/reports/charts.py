"""All charts of a report, in the order of the page."""

from dualwindow.judging.findings import Findings
from dualwindow.reports.charts_agents import agent_charts
from dualwindow.reports.charts_day import day_charts
from dualwindow.reports.charts_decisions import decision_charts
from dualwindow.reports.charts_funnel import funnel_charts
from dualwindow.reports.charts_importance import importance_charts
from dualwindow.reports.charts_learning import learning_charts
from dualwindow.reports.charts_skill import skill_charts
from dualwindow.reports.figures import Chart


def charts(findings: Findings) -> tuple[Chart, ...]:
    """Lay out every chart that has something to show."""
    return (
        *skill_charts(findings),
        *decision_charts(findings),
        *day_charts(findings),
        *funnel_charts(findings),
        *learning_charts(findings),
        *importance_charts(findings),
        *agent_charts(findings),
    )

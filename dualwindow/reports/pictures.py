"""Write the charts of a report as pictures, for those who have only a terminal."""

import copy
import re
import tempfile
from pathlib import Path
from typing import Any

from dualwindow.judging.findings import Findings
from dualwindow.market.files import write_aside
from dualwindow.reports.charts import charts
from dualwindow.reports.figures import Chart, Figure, Theme, View, painted, shown

_TITLE = 44  # pixels
_SCALE = 2
_MOST_VIEWS = 6  # of one chart: a long walk-forward has hundreds of trainings
_WIDTHS = {"confusion": 620, "validation": 620, "reliability": 620}


class PictureError(OSError):
    """There is nothing here that can draw pictures."""


def write_pictures(findings: Findings, folder: Path, theme: Theme = "light") -> list[Path]:
    """Draw every chart as a PNG, from the same figures as the page.

    Of a chart with several views (days, trainings, pairs), the first six are drawn.

    Parameters
    ----------
    findings : see there
    folder : made if it is not there; files of the same name are replaced
    theme : colours

    Returns
    -------
    The files, in the order of the page.

    Raises
    ------
    PictureError
        If kaleido is not installed, or finds no browser; nothing has been written then.
    """
    wanted = [(name, figure) for chart in charts(findings) for name, figure in _of(chart, theme)]
    if not wanted:
        return []
    with tempfile.TemporaryDirectory() as aside:
        _draw([(Path(aside) / name, figure) for name, figure in wanted])
        folder.mkdir(parents=True, exist_ok=True)
        for name, _ in wanted:
            write_aside(folder / name, (Path(aside) / name).read_bytes(), durable=False)
    return [folder / name for name, _ in wanted]


def _of(chart: Chart, theme: Theme) -> list[tuple[str, Figure]]:
    """Name the picture of each view, and make its figure."""
    found: dict[str, Figure] = {}
    for view in chart.views[:_MOST_VIEWS]:
        word = re.sub(r"\W+", "-", view.label).strip("-").lower()
        name = f"{chart.name}-{word}" if word and len(chart.views) > 1 else chart.name
        while f"{name}.png" in found:
            name += "-again"
        found[f"{name}.png"] = _titled(chart, view, theme)
    return list(found.items())


def _titled(chart: Chart, view: View, theme: Theme) -> Figure:
    """Put above a figure what the page writes beside it."""
    figure = copy.deepcopy(view.figure)
    layout = figure["layout"]
    title = f"<b>{shown(chart.title)}</b>"
    if view.label:
        title += f"  {shown(view.label)}"
    layout["title"] = {"text": title, "x": 0, "xref": "paper", "y": 1, "yref": "container"}
    layout["title"] |= {"yanchor": "top", "pad": {"t": 14}, "font": {"size": 16, "color": "@ink"}}
    layout["margin"] = {side: n + 12 for side, n in layout["margin"].items()}
    layout["margin"]["t"] += _TITLE
    layout["height"] += _TITLE + 24
    plain = 1000 if layout["height"] > 400 else 760
    layout["width"] = _WIDTHS.get(chart.name.partition("-")[0], plain)
    legend = layout["legend"]
    if legend.get("yref") == "container":
        layout["legend"] = legend | {"y": 1 - (_TITLE + 4) / layout["height"]}
    return painted(figure, theme)


def _draw(wanted: list[tuple[Path, Figure]]) -> None:
    """Let kaleido draw, which drives a browser.

    It would look for MathJax in the internet, which no figure here needs.
    """
    try:
        import kaleido
        from choreographer.errors import BrowserFailedError, ChromeNotFoundError
    except ImportError as error:
        raise PictureError(
            "pictures are drawn by kaleido, which is not installed: pip install 'dualwindow[png]'"
        ) from error
    tasks: list[dict[str, Any]] = [
        {"fig": figure, "path": str(path), "opts": {"format": "png", "scale": _SCALE}}
        for path, figure in wanted
    ]
    try:
        kaleido.write_fig_from_object_sync(
            tasks, cancel_on_error=True, kopts={"n": 1, "mathjax": False}
        )
    except (ChromeNotFoundError, BrowserFailedError) as error:
        raise PictureError(
            "pictures are drawn by a Chrome or Chromium, and none was found that starts: install "
            "one (apt-get install chromium), or say where it is with BROWSER_PATH=/path/to/it"
        ) from error

"""Write a report into a folder: the numbers, the page made of them, and daily returns."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

from dualwindow.judging.findings import Findings
from dualwindow.market.files import write_aside

JSON, PAGE, RETURNS = "report.json", "report.html", "returns.csv"


def write_report(findings: Findings, folder: Path) -> Path:
    """Write all files; each is whole, or what was there before.

    Parameters
    ----------
    findings : see there
    folder : made if it is not there

    Returns
    -------
    The page.

    Raises
    ------
    OSError
        If a file cannot be written; it names the file.
    """
    # Not above: plotly and Jinja2 are an extra's, and numbers can be written without them.
    from dualwindow.reports.page import page

    text = findings.to_json()
    contents = {JSON: text, PAGE: page(Findings.from_json(text))}
    if (returns := returns_csv(findings)) is not None:
        contents[RETURNS] = returns
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        write_aside(folder / name, content.encode())
    if returns is None:
        (folder / RETURNS).unlink(missing_ok=True)  # an earlier report's
    return folder / PAGE


def returns_csv(findings: Findings) -> str | None:
    """Lay daily returns out as ``date,return``; None where there is nothing to tell."""
    if findings.returns is None:
        return None
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["date", "return"])
    for day, value in zip(findings.returns.date, findings.returns.value, strict=True):
        writer.writerow([f"{datetime.fromtimestamp(day, UTC):%Y-%m-%d}", repr(value)])
    return text.getvalue()

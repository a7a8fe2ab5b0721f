"""Write the report of an identifier to where it belongs."""

from pathlib import Path

from dualwindow.judging.evidence import Evidence
from dualwindow.outside import epoch_seconds
from dualwindow_freqtrade.reporting.backtest import backtest_evidence
from dualwindow_freqtrade.reporting.live import live_evidence

REPORT = "report"  # folder in that of the identifier
_RENEWED = 28  # days of a bot that a page is of which it renews itself


def report_folder(folder: Path, *, is_live: bool) -> Path:
    """Say where the report of an identifier lies."""
    return folder / REPORT / ("live" if is_live else "backtest")


def evidence_in(folder: Path, *, is_live: bool, days: int | None = None) -> Evidence:
    """Gather what there is of an identifier; of a bot, of its last days alone, if they are given.

    Raises
    ------
    RunError
        If there is nothing, or something is damaged or not finished.
    """
    return live_evidence(folder, days=days) if is_live else backtest_evidence(folder)


def write_report_of(folder: Path, *, is_live: bool) -> Path:
    """Gather, judge and write; return the path of the page.

    Of a bot, only what its last weeks were: a page that is renewed must not take longer and longer.

    Raises
    ------
    RunError
        As `evidence_in` does.
    OSError
        If it cannot be written.
    """
    from dualwindow.judging.finding import find
    from dualwindow.reports.files import write_report

    found = find(evidence_in(folder, is_live=is_live, days=_RENEWED), epoch_seconds())
    return write_report(found, report_folder(folder, is_live=is_live))

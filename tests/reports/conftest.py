"""A browser, and pages of all examples."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from examples_findings import EXAMPLES, large
from pages import chromium_or_skip
from playwright.sync_api import Browser

from dualwindow.judging.findings import Findings
from dualwindow.reports.page import page


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with chromium_or_skip() as one:
        yield one


@pytest.fixture(scope="session")
def page_of(tmp_path_factory) -> Callable[[str], Path]:
    """Write the page of an example once, and say where it is."""
    folder, there = tmp_path_factory.mktemp("pages"), EXAMPLES | {"large": large}

    def written(name: str) -> Path:
        path = folder / f"{name}.html"
        if not path.exists():
            path.write_text(page(Findings.from_json(there[name]().to_json())))
        return path

    return written

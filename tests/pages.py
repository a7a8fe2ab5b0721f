"""A browser for tests of pages, where there is one; continuous integration may not be without."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser

from harness.browser import browser, chromium


def need_chromium() -> None:
    """Skip without one, or fail where it should have been installed."""
    if chromium() is None:
        if os.environ.get("DUALWINDOW_BROWSER") == "needed":
            pytest.fail("there is no chromium, and .ci/run should have installed it")
        pytest.skip("needs chromium (apt-get install chromium)")


@contextmanager
def chromium_or_skip() -> Iterator[Browser]:
    """Start Chromium; while it is there, nothing else in this process can run an event loop."""
    need_chromium()
    with browser() as started:
        yield started

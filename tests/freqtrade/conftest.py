from pathlib import Path

import pytest

from dualwindow.cli import main


@pytest.fixture(scope="session")
def candles(tmp_path_factory) -> Path:
    """Thirty-five days of made-up candles, until February; nobody writes to them."""
    folder = tmp_path_factory.mktemp("candles")
    assert main(["sandbox", "data", "--out", str(folder), "--days", "35"]) == 0
    return folder

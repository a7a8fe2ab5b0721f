from collections.abc import Callable

import pytest

from dualwindow.cli import main


@pytest.fixture(params=[1, 2, 3])
def seed(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def said(capsys) -> Callable[..., tuple[int, str, str]]:
    """Run a command: status, output, complaint."""

    def run(*words: object) -> tuple[int, str, str]:
        try:
            status = main([str(word) for word in words])
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return run

import errno
import os
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

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


@pytest.fixture
def full_disk():
    """Let the disk be full, for all files or for those with a name that contains a part."""

    @contextmanager
    def full(part=""):
        def sync(descriptor):
            if part in Path(f"/proc/self/fd/{descriptor}").resolve().name:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", sync)
            yield

    return full

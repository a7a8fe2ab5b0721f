"""Time and chance come from one place."""

import subprocess
import sys
import time

import pytest

from dualwindow import outside
from harness.places import PROGRAMS, ROOT


def test_time_is_the_machine_s():
    assert abs(outside.epoch_seconds() - time.time()) < 60
    before = outside.elapsed()
    assert outside.elapsed() >= before


def test_a_seed_fixes_the_numbers():
    assert outside.chance((1, 2)).random(3).tolist() == outside.chance((1, 2)).random(3).tolist()
    assert outside.chance(1).random() != outside.chance(2).random()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux forgets the peak of before")
def test_the_peak_of_memory_is_that_since_the_watch_began():
    large = b"x" * 300_000_000
    with outside.watched_memory() as peak:
        held = peak()
        del large
        more = b"x" * 50_000_000
        assert held > 300e6
    with outside.watched_memory() as peak:
        assert len(more) == 50_000_000
        assert peak() < held - 200e6


def test_where_nothing_can_be_watched_the_peak_is_unknown(monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(outside.Path, "write_text", refuse)
    with outside.watched_memory() as peak:
        assert peak() is None


@pytest.mark.parametrize("folder", ["dualwindow", "dualwindow_freqtrade", "dualwindow_sandbox"])
@pytest.mark.parametrize(
    "text",
    [
        "import time\n\ntime.time()\n",
        "from time import monotonic\n\nmonotonic()\n",
        "from datetime import UTC, datetime\n\ndatetime.now(UTC)\n",
        "import pandas as pd\n\npd.Timestamp.now()\n",
        "import random\n\nrandom.random()\n",
        "import numpy as np\n\nnp.random.default_rng()\n",
    ],
)
def test_the_linter_bans_them_elsewhere(folder, text):
    assert refused(f"{folder}/any.py", text)
    assert not refused("dualwindow/outside.py", text)


def refused(name: str, text: str) -> bool:
    words = [PROGRAMS / "ruff", "check", "--select", "TID251", "--stdin-filename", name, "-"]
    done = subprocess.run(words, input=text, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return "TID251" in done.stdout

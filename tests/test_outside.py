"""Time and chance come from one place."""

import subprocess
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

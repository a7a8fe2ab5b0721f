"""Where the repository, the candles and the programs are; freqtrade run there."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
PROGRAMS = Path(sys.executable).parent


def in_sandbox(
    words: list[Any], cwd: Path, overlay: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a freqtrade command in the sandbox, with the shipped configuration and an overlay."""
    command = [PROGRAMS / "dualwindow", "sandbox", "run", "--", PROGRAMS / "freqtrade", *words]
    command += ["--freqaimodel", "DualWindowLSTM", "--no-color", "-c", "user_data/config.json"]
    command += ["-c", overlay]
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "200", **variables},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

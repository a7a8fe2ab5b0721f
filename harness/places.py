"""Where the repository, the recorded candles and the installed programs are."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
PROGRAMS = Path(sys.executable).parent

"""What TensorFlow writes while it is imported, and what else is written meanwhile."""

import os
import subprocess
import sys

NOTICES = """WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 port.cc:153] oneDNN custom operations are on. You may see slightly different results
I0000 cudart_stub.cc:31] Could not find cuda drivers on your machine, GPU will not be used.
"""


def stderr_of(code: str) -> str:
    variables = {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=variables, capture_output=True, text=True, check=True)
    return done.stderr


def test_a_network_is_imported_in_silence():
    code = """
from dualwindow.settings import LstmSettings
from dualwindow_freqtrade.freqai.threads import cap_threads
cap_threads(LstmSettings(), 1)
import sys
assert "tensorflow" in sys.modules
"""
    assert stderr_of(code) == ""


def test_every_other_line_passes_in_order_and_nothing_is_held_back_afterwards():
    code = f"""
import os, subprocess, sys
from dualwindow.models.notices import without_notices
with without_notices():
    print("before", file=sys.stderr)
    sys.stderr.flush()
    os.write(2, {NOTICES.encode()!r})
    subprocess.run(["sh", "-c", "echo from a child >&2"])
    os.write(2, b"E0000 something that matters\\n")
    sys.stderr.write("no end of line")
os.write(2, {NOTICES.encode()!r})
"""
    passed = "before\nfrom a child\nE0000 something that matters\nno end of line"
    assert stderr_of(code) == passed + NOTICES


def test_where_tensorflow_is_there_already_nothing_is_looked_at():
    code = f"""
import os, sys
from dualwindow.models.notices import without_notices
sys.modules["tensorflow"] = None
with without_notices():
    os.write(2, {NOTICES.encode()!r})
"""
    assert stderr_of(code) == NOTICES
    assert stderr_of("import os; os.close(2)\n" + code.replace("os.write", "print")) == ""


def test_ctrl_c_at_any_moment_leaves_stderr_as_it_was():
    code = """
import os, sys
from dualwindow.models import notices
for name in ("start", "dup2", "close"):
    owner = notices.Thread if name == "start" else notices.os
    kept = getattr(owner, name)
    def once(*words, name=name, owner=owner, kept=kept):
        setattr(owner, name, kept)
        kept(*words)
        raise KeyboardInterrupt
    setattr(owner, name, once)
    try:
        with notices.without_notices():
            pass
        raise SystemExit("it was not stopped")
    except KeyboardInterrupt:
        print("stopped in", name, file=sys.stderr)
"""
    assert stderr_of(code) == "stopped in start\nstopped in dup2\nstopped in close\n"

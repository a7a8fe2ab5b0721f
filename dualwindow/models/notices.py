"""Keep TensorFlow's notices off the terminal, which it writes before it reads how much to say."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Lock, Thread

# What is written while TensorFlow is imported, whatever TF_CPP_MIN_LOG_LEVEL is, and no reason for
# anybody to do anything; what a training ran on is said with the training.
_NOTICES = (
    b"All log messages before absl::InitializeLog() is called are written to STDERR",
    b"oneDNN custom operations are on.",
    b"Could not find cuda drivers on your machine, GPU will not be used.",
)
_LOCK = Lock()


@contextmanager
def without_notices() -> Iterator[None]:
    """Drop the known notices among the lines that are written to stderr meanwhile; all others pass.

    TensorFlow writes past Python, so the file descriptor itself leads through a pipe until then.
    Nothing happens where TensorFlow has been imported before.
    """
    with _LOCK:
        if "tensorflow" in sys.modules or not _is_open(2):
            yield
            return
        shown = os.dup(2)
        source, sink = os.pipe()
        passing = Thread(target=_pass_on, args=(source, os.dup(shown)), daemon=True)
        passing.start()
        try:  # from here on Ctrl-C may come anywhere, and must not leave stderr in the pipe
            os.dup2(sink, 2)
            os.close(sink)
            yield
        finally:
            with suppress(AttributeError, ValueError, OSError):  # there may be no sys.stderr
                sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
            # A child that was started meanwhile writes on through the pipe, and is not waited for.
            passing.join(1)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _pass_on(source: int, sink: int) -> None:
    with os.fdopen(source, "rb") as lines, os.fdopen(sink, "wb", buffering=0) as shown:
        for line in lines:
            if not any(notice in line for notice in _NOTICES):
                shown.write(line)

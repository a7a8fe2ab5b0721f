"""Run a command whose freqtrade sees the sandbox instead of the exchange."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from dualwindow_sandbox.exchange import running
from dualwindow_sandbox.pointing import environment, without_overrides, written
from dualwindow_sandbox.venues import Venues

CONFIGURATION_ERROR_STATUS = 2
COMMAND_NOT_FOUND_STATUS = 127
# freqtrade reports a broken configuration with this text, and then exits with status 0.
_CONFIGURATION_ERROR = b"Configuration error"


def _terminal() -> dict[str, str]:
    """Let a child that writes into our pipes draw as wide, and as lively, as we could."""
    if not sys.stdout.isatty():
        return {}
    columns, lines = shutil.get_terminal_size()
    return {"COLUMNS": str(columns), "LINES": str(lines), "TTY_COMPATIBLE": "1"}


async def _pass_on(source: asyncio.StreamReader, sink: BinaryIO) -> bool:
    """Copy bytes as they come; tell whether freqtrade's complaint was among them."""
    seen = False
    tail = b""
    while chunk := await source.read(1 << 16):
        sink.write(chunk)
        sink.flush()
        tail += chunk
        seen = seen or _CONFIGURATION_ERROR in tail
        tail = tail[1 - len(_CONFIGURATION_ERROR) :]
    return seen


@contextlib.contextmanager
def _forwarding(child: asyncio.subprocess.Process) -> Iterator[None]:
    """Pass SIGINT and SIGTERM on to the child instead of dying of them."""
    loop = asyncio.get_running_loop()

    def forward(number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _watch(command: Sequence[str], variables: Mapping[str, str]) -> int:
    child = await asyncio.create_subprocess_exec(
        *command,
        # In its own process group Ctrl-C reaches the child once, through us, not twice; there it
        # may not read the terminal, and must not wait for it either.
        process_group=0,
        stdin=asyncio.subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONUNBUFFERED": "1", **_terminal(), **variables},
    )
    assert child.stdout is not None
    assert child.stderr is not None
    with _forwarding(child):
        try:
            complaints = await asyncio.gather(
                _pass_on(child.stdout, sys.stdout.buffer), _pass_on(child.stderr, sys.stderr.buffer)
            )
        except BrokenPipeError:
            child.terminate()
            raise
        finally:
            status = await child.wait()
    if status < 0:
        return 128 - status  # as a shell reports a signal
    return CONFIGURATION_ERROR_STATUS if status == 0 and any(complaints) else status


def run(
    command: Sequence[str],
    venues: Venues,
    further: Mapping[str, Any] | None,
    port: int,
    announce: Callable[[str], None],
) -> int:
    """Run `command` beside a sandbox exchange; return its exit status.

    Parameters
    ----------
    command : words
    venues : what the exchange sells
    further : keys of a configuration file that is put on top of those that the command names, with
        what points it at the exchange; None for a command that takes no ``-c``, which gets
        variables instead
    port : of the exchange; 0 takes any free one
    announce : is told the exchange's base address before the command starts

    Returns
    -------
    The command's own status; 2 if it printed freqtrade's ``Configuration error`` and yet exited
    with 0; 128 + n if signal n ended it; 127 if there is no such command.
    """
    if shutil.which(command[0]) is None:
        print(f"dualwindow: {command[0]}: command not found", file=sys.stderr)
        return COMMAND_NOT_FOUND_STATUS

    async def beside_the_exchange() -> int:
        async with running(venues, port=port) as address:
            announce(address)
            if further is None:
                return await _watch(command, {**os.environ, **environment(address)})
            with TemporaryDirectory(prefix="dualwindow-sandbox-") as folder:
                file = written(Path(folder), address, further)
                variables = without_overrides(os.environ, address)
                return await _watch([*command, "-c", str(file)], variables)

    try:
        return asyncio.run(beside_the_exchange())
    except BrokenPipeError:  # nobody reads our output any more
        return 128 + signal.SIGPIPE

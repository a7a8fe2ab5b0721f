"""Run a command whose freqtrade sees the sandbox instead of the exchange."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import BinaryIO

from dualwindow_sandbox.exchange import running
from dualwindow_sandbox.venues import Venues

CONFIGURATION_ERROR_STATUS = 2
COMMAND_NOT_FOUND_STATUS = 127
# freqtrade reports a broken configuration with this text, and then exits with status 0.
_CONFIGURATION_ERROR = b"Configuration error"


def environment(address: str) -> dict[str, str]:
    """Return the variables that point freqtrade at the sandbox on `address`.

    Three addresses are rewritten; every other one ccxt knows, now or in later versions, is https,
    and the sandbox is their proxy: it refuses them and nothing leaves. One variable for each of
    ccxt's two dozen addresses would do the same at fifty lines of log per freqtrade command.
    """
    ccxt = "FREQTRADE__EXCHANGE__CCXT_CONFIG__"
    return {
        "FREQTRADE__DRY_RUN": "true",
        "FREQTRADE__EXCHANGE__NAME": "binance",
        f"{ccxt}URLS__API__public": f"{address}/api/v3",
        f"{ccxt}URLS__API__fapiPublic": f"{address}/fapi/v1",
        f"{ccxt}URLS__API__dapiPublic": f"{address}/dapi/v1",
        f"{ccxt}httpsProxy": address,
        # Websockets and the archive of old candles are not among ccxt's addresses.
        "FREQTRADE__EXCHANGE__ENABLE_WS": "false",
        "FREQTRADE__EXCHANGE__ONLY_FROM_CCXT": "true",
    }


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
        env={**os.environ, "PYTHONUNBUFFERED": "1", **_terminal(), **variables},
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
    variables: Mapping[str, str],
    port: int,
    announce: Callable[[str], None],
) -> int:
    """Run `command` beside a sandbox exchange; return its exit status.

    Parameters
    ----------
    command : words
    venues : what the exchange sells
    variables : environment of the command, beside that which points it at the exchange
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
            return await _watch(command, {**environment(address), **variables})

    try:
        return asyncio.run(beside_the_exchange())
    except BrokenPipeError:  # nobody reads our output any more
        return 128 + signal.SIGPIPE

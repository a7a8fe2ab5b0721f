"""The HTTP side of the sandbox: a small aiohttp server that only ever listens on loopback."""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from dualwindow.outside import epoch_seconds
from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.api import RequestError, endpoints
from dualwindow_sandbox.faults import faulty
from dualwindow_sandbox.venues import Venues

logger = logging.getLogger(__name__)

Clock = Callable[[], int]


def wall_clock() -> int:
    """Return the milliseconds since 1970 UTC."""
    return int(1000 * epoch_seconds())


def answering(venues: Venues, clock: Clock) -> Callable[[web.BaseRequest], Awaitable[web.Response]]:
    """Return what answers one request; `clock` gives the milliseconds that count as now.

    There is no router in front of it, as that would swallow the CONNECT with which ccxt asks
    for the addresses that are not ours.
    """
    routes = endpoints(venues)

    async def answer(request: web.BaseRequest) -> web.Response:
        try:
            if request.method != "GET" or request.path not in routes:
                asked = f"{request.method} {request.raw_path}"
                raise RequestError(404, -1, f"The sandbox does not answer {asked}.")
            return web.json_response(routes[request.path](request.query, clock()))
        except RequestError as problem:
            logger.info("%s %s: %s", request.method, request.raw_path, problem)
            return web.json_response(problem.payload, status=problem.status)

    return answer


def loopback(host: str, option: str = "--host") -> str:
    """Return the loopback address `host` names; `option` is where the user wrote it.

    Raises
    ------
    SandboxError
        If it is any other address: the sandbox is not built to be seen by others.
    """
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise SandboxError(
            f"{option}: {host} is not a loopback address; the sandbox serves this machine only, "
            "use 127.0.0.1"
        )
    return str(address)


@contextlib.asynccontextmanager
async def running(
    venues: Venues, host: str = "127.0.0.1", port: int = 0, clock: Clock = wall_clock
) -> AsyncIterator[str]:
    """Serve while the context is open, and give the base address, without a slash at the end.

    Port 0 takes any free one. Once a replayed recording has run out, that is logged.

    Raises
    ------
    SandboxError
        If `host` is not loopback, or the port cannot be had.
    """
    handler = faulty(answering(venues, clock), clock)
    # Cancellation ends a request that is never answered when its client gives up.
    server = web.Server(handler, access_log=None, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=1.0)
    address = loopback(host)
    await runner.setup()
    end = asyncio.get_running_loop().call_later(
        (venues.ends - clock()) / 1000,
        logger.warning,
        "The recording has run out: there are no more candles; start an earlier --replay.",
    )
    try:
        site = web.TCPSite(runner, address, port)
        try:
            await site.start()
        except OSError as problem:
            reason = "is in use" if problem.errno == errno.EADDRINUSE else str(problem)
            raise SandboxError(
                f"--port: {port} on {address} {reason}; stop what uses it or choose another, "
                "0 takes any free one"
            ) from problem
        taken = runner.addresses[0][1]
        yield f"http://{f'[{address}]' if ':' in address else address}:{taken}"
    finally:
        end.cancel()
        await runner.cleanup()


async def _serve(venues: Venues, host: str, port: int, announce: Callable[[str], None]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with running(venues, host, port) as address:
        announce(address)
        await stopped.wait()


def serve(venues: Venues, host: str, port: int, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `announce` is told the base address once it answers."""
    asyncio.run(_serve(venues, host, port, announce))

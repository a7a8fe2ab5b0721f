"""Ask a sandbox exchange that is running for a fault."""

import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.exchange import loopback
from dualwindow_sandbox.faults import PATH
from dualwindow_sandbox.payloads import Json


def _connection(url: str) -> http.client.HTTPConnection:
    """Connect to the address itself: no proxy and no redirection can lead anywhere else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if host is None or port is None or parts.scheme != "http":
        raise SandboxError(
            "--url: must be the address that the sandbox printed when it started, like "
            f"http://127.0.0.1:8080. Received: {url}"
        )
    return http.client.HTTPConnection(loopback(host, "--url"), port, timeout=10)


def request_fault(url: str, wanted: Mapping[str, Json]) -> None:
    """Send the fault `wanted` to the sandbox whose base address is `url`.

    Raises
    ------
    SandboxError
        If `url` is not on loopback, no sandbox answers there, or it refuses the fault.
    """
    connection = _connection(url)
    try:
        connection.request("POST", PATH, json.dumps(wanted))
        response = connection.getresponse()
        answer = json.load(response)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise SandboxError(f"--url: no sandbox answers on {url}: {problem}; is it running?") from (
            problem
        )
    finally:
        connection.close()
    if response.status != 200:
        raise SandboxError(str(answer.get("error", f"--url: {url} is not a sandbox: {answer}")))

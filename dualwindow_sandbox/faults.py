"""What the exchange does wrong when it is asked to, so that a bot can be watched through it.

========== ====================================================================================
429        refuses with ``Retry-After``, as if there had been too many requests
503        refuses, as if the exchange were down
timeout    never answers; the client has to give up
disconnect cuts the connection in the middle of the answer
empty      answers ``[]`` for klines
duplicate  answers with every kline twice
missing    leaves out the 1m kline of the minute in which it was asked for, once that has closed
clock      tells a ``serverTime`` that is `offset_seconds` ahead
========== ====================================================================================

The minute that is missing is one that no bot has seen yet: what it keeps from earlier answers,
it does not miss.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError, model_validator

from dualwindow_sandbox import FaultKind
from dualwindow_sandbox.ohlcv import MINUTE
from dualwindow_sandbox.payloads import Json

PATH = "/sandbox/faults"

_STOPPING = (
    FaultKind.TOO_MANY_REQUESTS,
    FaultKind.UNAVAILABLE,
    FaultKind.TIMEOUT,
    FaultKind.DISCONNECT,
)


class Fault(BaseModel, frozen=True, extra="forbid", strict=True, allow_inf_nan=False):
    """One fault, as it is asked for; without `seconds` and `count` it lasts until it is ended."""

    kind: FaultKind
    seconds: float | None = Field(None, gt=0, description="how long it lasts")
    count: int | None = Field(None, ge=1, description="how many requests it hits")
    path: str = Field("", description="hits only requests whose path and query contain this")
    offset_seconds: float = Field(0, description="of the clock; may be negative")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Fault":
        if self.seconds is not None and self.count is not None:
            raise ValueError("seconds and count: only one can end a fault; leave out the other")
        if (self.kind is FaultKind.CLOCK) != (self.offset_seconds != 0):
            raise ValueError("offset_seconds: needed, and not 0, for the clock and nothing else")
        is_short = self.seconds is not None and self.seconds <= 60
        if self.kind is FaultKind.MISSING and is_short:
            raise ValueError(
                "seconds: a minute is only missing once it has closed, so more than 60 are needed"
            )
        return self


@dataclass
class Standing:
    """A fault that has been asked for, and what has become of it; times are milliseconds."""

    fault: Fault
    since: int
    until: float
    hits: int = 0

    def is_active(self, now: int) -> bool:
        """Tell whether it can still hit a request."""
        has_hits_left = self.fault.count is None or self.hits < self.fault.count
        return now < self.until and has_hits_left


class Faults:
    """The faults asked for since the exchange was started."""

    def __init__(self) -> None:
        self._standing: list[Standing] = []

    def ask(self, fault: Fault, now: int) -> None:
        """Let `fault` happen from `now` (milliseconds) on."""
        seconds = math.inf if fault.seconds is None else fault.seconds
        self._standing.append(Standing(fault, now, now + 1000 * seconds))

    def end(self, now: int) -> None:
        """End all of them."""
        for standing in self._standing:
            standing.until = min(standing.until, now)

    def active(self, now: int) -> list[Standing]:
        """Return those that can hit a request, the oldest first."""
        return [standing for standing in self._standing if standing.is_active(now)]

    def listed(self, now: int) -> Json:
        """Return all of them, with the number of requests that each has hit."""
        found: Json = {"active": [], "ended": []}
        for standing in self._standing:
            row = {**standing.fault.model_dump(mode="json"), "hits": standing.hits}
            found["active" if standing.is_active(now) else "ended"].append(row)
        return found


def _problems(error: ValidationError) -> str:
    texts = []
    for item in error.errors():
        text, place = item["msg"].removeprefix("Value error, "), ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            text = f"unknown; leave it out, or use one of {', '.join(Fault.model_fields)}"
        texts.append(f"{place}: {text}. Received: {item['input']!r}" if place else text)
    return "; ".join(texts)


async def _controlled(faults: Faults, request: web.BaseRequest, now: int) -> web.Response:
    try:
        if request.method == "POST":
            faults.ask(Fault.model_validate_json(await request.read()), now)
        elif request.method == "DELETE":
            faults.end(now)
        elif request.method != "GET":
            error = f"{request.method} {PATH}: must be POST, GET or DELETE"
            return web.json_response({"error": error}, status=405)
    except ValidationError as error:
        return web.json_response({"error": f"{PATH}: {_problems(error)}"}, status=400)
    return web.json_response(faults.listed(now))


async def _stopped(
    standing: Standing, request: web.BaseRequest, whole: web.Response, now: int
) -> web.StreamResponse:
    if standing.fault.kind is FaultKind.TOO_MANY_REQUESTS:
        wait = math.ceil((standing.until - now) / 1000) if standing.until < math.inf else 1
        refusal = {"code": -1003, "msg": "The sandbox was asked to find these too many requests."}
        return web.json_response(refusal, status=429, headers={"Retry-After": str(wait)})
    if standing.fault.kind is FaultKind.UNAVAILABLE:
        return web.Response(status=503, text="The sandbox was asked to be unavailable.")
    if standing.fault.kind is FaultKind.TIMEOUT:
        await asyncio.Event().wait()  # for the cancellation that comes when the client leaves
    assert isinstance(whole.body, bytes)
    half = web.StreamResponse(headers={"Content-Length": str(len(whole.body))})
    await half.prepare(request)
    await half.write(whole.body[: len(whole.body) // 2])
    assert request.transport is not None
    request.transport.close()
    return half


def _changed(standing: Standing, path: str, payload: Json, now: int) -> Json:
    """Return a wrong answer instead of `payload`, or `payload` where the fault has no place."""
    fault = standing.fault
    if fault.kind is FaultKind.CLOCK:
        if "serverTime" not in payload:
            return payload
        return {**payload, "serverTime": payload["serverTime"] + round(1000 * fault.offset_seconds)}
    if not path.lower().endswith("klines"):
        return payload
    if fault.kind is FaultKind.EMPTY:
        return []
    if fault.kind is FaultKind.DUPLICATE:
        return [row for row in payload for _ in range(2)]
    minute = standing.since - standing.since % MINUTE
    closed = min(now, minute + MINUTE)  # of longer klines, none closes within a minute
    return [row for row in payload if row[0] != minute or row[6] >= closed]


def faulty(
    answer: Callable[[web.BaseRequest], Awaitable[web.Response]], clock: Callable[[], int]
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """Return `answer` with the faults that are asked for on `PATH`.

    Active faults hit a request one after the other, the oldest first, until one refuses it. One
    that does not change the answer does not hit.
    """
    faults = Faults()

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        now = clock()
        if request.path == PATH:
            return await _controlled(faults, request, now)
        response = await answer(request)
        for standing in faults.active(now) if request.method == "GET" else ():
            if standing.fault.path not in request.raw_path:
                continue
            if standing.fault.kind in _STOPPING:
                standing.hits += 1
                return await _stopped(standing, request, response, now)
            payload = json.loads(response.text or "")
            spoiled = _changed(standing, request.path, payload, now)
            if spoiled != payload and response.status == 200:
                standing.hits += 1
                response = web.json_response(spoiled)
        return response

    return handle

"""Sandbox exchanges in threads, for the tests that ask them over HTTP."""

import asyncio
import json
import urllib.error
import urllib.request
from contextlib import contextmanager
from threading import Event, Thread

import pytest

from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.exchange import running
from dualwindow_sandbox.market import SyntheticMarket
from dualwindow_sandbox.ohlcv import HOUR, MINUTE
from dualwindow_sandbox.pointing import environment
from dualwindow_sandbox.venues import Venues

NOW = 1_706_745_600_000 + 7 * HOUR + 13 * MINUTE + 30_000
MARKET = SyntheticMarket(MarketKind.PLANTED, 1)
SYNTHETIC = Venues(MARKET, MARKET, MARKET)


@contextmanager
def serving(venues, clock):
    """Run the exchange in a thread of its own, as the tests block in theirs."""
    ready, stopped, addresses = Event(), [], []

    async def serve():
        async with running(venues, clock=clock) as address:
            stopped.append((asyncio.get_running_loop(), asyncio.Event()))
            addresses.append(address)
            ready.set()
            await stopped[0][1].wait()

    thread = Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(10)
    yield addresses[0]
    loop, event = stopped[0]
    loop.call_soon_threadsafe(event.set)
    thread.join(10)
    assert not thread.is_alive()


def get(url):
    with urllib.request.urlopen(url, timeout=60) as response:
        return json.load(response)


def refusal(url):
    with pytest.raises(urllib.error.HTTPError) as problem:
        urllib.request.urlopen(url, timeout=60)
    with problem.value as response:
        return response.code, json.load(response)


def ccxt_settings(address):
    found = environment(address)
    prefix = "FREQTRADE__EXCHANGE__CCXT_CONFIG__"
    urls = {key.split("__")[-1]: url for key, url in found.items() if f"{prefix}URLS" in key}
    return {"urls": {"api": urls}, "httpsProxy": found[f"{prefix}httpsProxy"]}

"""Faults on request: what each does to whom, for how long, and as ccxt sees it."""

import asyncio
import http.client
import json
import socket
import urllib.error
import urllib.request

import aiohttp
import ccxt
import ccxt.async_support
import pytest
from exchanges import NOW, SYNTHETIC, ccxt_settings, get, refusal, serving

from dualwindow.cli import main
from dualwindow_sandbox import FaultKind
from dualwindow_sandbox.exchange import running
from dualwindow_sandbox.ohlcv import HOUR, MINUTE

KLINES = "/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=5"
KINDS = [
    {"kind": kind} | ({"offset_seconds": -30} if kind == "clock" else {}) for kind in FaultKind
]


@pytest.fixture
def moment():
    return [NOW]


@pytest.fixture
def address(moment):
    with serving(SYNTHETIC, lambda: moment[0]) as found:
        yield found


def faults(address, method="GET", wanted=None):
    body = None if wanted is None else json.dumps(wanted).encode()
    request = urllib.request.Request(f"{address}/sandbox/faults", body, method=method)
    return get(request)


def ask(address, kind, **wanted):
    return faults(address, "POST", {"kind": kind, **wanted})["active"][-1]


def opening_times(address, query=KLINES):
    return [(row[0] - NOW) // MINUTE for row in get(address + query)]


# --- what each kind does


def test_too_many_requests(address):
    ask(address, "429", seconds=20)
    with pytest.raises(urllib.error.HTTPError) as problem:
        get(address + KLINES)
    with problem.value as answer:
        assert (answer.code, answer.headers["Retry-After"]) == (429, "20")
        assert json.load(answer)["code"] == -1003


def test_unavailable(address):
    ask(address, "503")
    with pytest.raises(urllib.error.HTTPError) as problem:
        get(address + KLINES)
    with problem.value as answer:
        assert answer.code == 503


def test_no_answer_until_the_client_gives_up(address):
    ask(address, "timeout", count=1)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(address + KLINES, timeout=0.3)
    assert len(get(address + KLINES)) == 5
    assert faults(address)["ended"][0]["hits"] == 1


def test_a_client_that_gives_up_leaves_nothing_behind():
    async def leave():
        async with running(SYNTHETIC) as address, aiohttp.ClientSession(address) as session:
            await session.post("/sandbox/faults", json={"kind": "timeout"})
            with pytest.raises(TimeoutError):
                await session.get("/api/v3/time", timeout=aiohttp.ClientTimeout(0.2))
            await asyncio.sleep(0.1)
            return len(asyncio.all_tasks())

    assert asyncio.run(leave()) == 1


def test_an_answer_that_is_cut(address):
    whole = len(json.dumps(get(address + KLINES)))
    ask(address, "disconnect", count=1)
    with (
        urllib.request.urlopen(address + KLINES, timeout=10) as answer,
        pytest.raises(http.client.IncompleteRead) as cut,
    ):
        answer.read()
    assert (len(cut.value.partial), cut.value.expected) == (whole // 2, whole - whole // 2)


@pytest.mark.parametrize("path", ["/api/v3/klines", "/fapi/v1/klines", "/fapi/v1/markPriceKlines"])
def test_wrong_klines(address, path):
    query = f"{path}?symbol=BTCUSDT&interval=1h&limit=3"
    rows = get(address + query)
    ask(address, "empty", count=1)
    assert get(address + query) == []
    ask(address, "duplicate", count=1)
    assert get(address + query) == [rows[0], rows[0], rows[1], rows[1], rows[2], rows[2]]
    assert get(address + query) == rows


def test_a_minute_is_missing_once_it_has_closed(address, moment):
    ask(address, "missing")
    for now, expected in [
        (NOW, [-5, -4, -3, -2, -1]),  # rounded down: the last one has been open for 30 s
        (NOW + MINUTE, [-4, -3, -2, 0]),
        (NOW + 2 * MINUTE, [-3, -2, 0, 1]),
        (NOW + 9 * MINUTE, [4, 5, 6, 7, 8]),
    ]:
        moment[0] = now
        assert opening_times(address) == expected
        assert opening_times(address) == expected
    assert faults(address)["active"][0]["hits"] == 4
    hours = "/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=2"
    assert len(get(address + hours)) == 2
    moment[0] = NOW + 2 * MINUTE
    faults(address, "DELETE")
    assert opening_times(address) == [-3, -2, -1, 0, 1]


def test_an_hour_is_never_missing(moment):
    moment[0] = NOW - 13 * MINUTE  # the first minute of an hour opens with the hour
    with serving(SYNTHETIC, lambda: moment[0]) as address:
        ask(address, "missing")
        moment[0] += 2 * HOUR
        for interval, count in (("1h", 3), ("1m", 200), ("3m", 50)):
            query = f"/api/v3/klines?symbol=BTCUSDT&interval={interval}&limit={count}"
            assert len(get(address + query)) == count - (interval == "1m")


@pytest.mark.parametrize("offset", [-30, 2.5])
def test_a_wrong_clock(address, offset):
    ask(address, "clock", offset_seconds=offset)
    for path in ("/api/v3/time", "/fapi/v1/time", "/fapi/v1/exchangeInfo"):
        assert get(address + path)["serverTime"] == NOW + 1000 * offset
    assert opening_times(address)[-1] == -1
    assert faults(address)["active"][0]["hits"] == 3


# --- whom, and for how long


@pytest.mark.parametrize("wanted", KINDS, ids=list(FaultKind))
def test_every_kind_ends_when_told(address, wanted):
    paths = [KLINES, "/api/v3/time"]
    before = [get(address + path) for path in paths]
    assert ask(address, **wanted)["kind"] == wanted["kind"]
    listing = faults(address, "DELETE")
    assert (listing["active"], len(listing["ended"])) == ([], 1)
    assert [get(address + path) for path in paths] == before


def test_a_count_of_requests(address):
    assert ask(address, "empty", count=2)["hits"] == 0
    get(f"{address}/api/v3/time")  # has no klines that could be empty
    answers = [len(get(address + KLINES)) for _ in range(3)]
    assert answers == [0, 0, 5]
    listing = faults(address)
    assert listing["active"] == []
    assert listing["ended"] == [
        {
            "kind": "empty",
            "seconds": None,
            "count": 2,
            "path": "",
            "offset_seconds": 0,
            "hits": 2,
        }
    ]


def test_a_number_of_seconds(address, moment):
    ask(address, "503", seconds=20)
    moment[0] = NOW + 19_999
    with pytest.raises(urllib.error.HTTPError):
        get(address + KLINES)
    moment[0] = NOW + 20_000
    assert len(get(address + KLINES)) == 5
    assert faults(address)["ended"][0]["hits"] == 1


@pytest.mark.parametrize("text", ["klines", "symbol=BTCUSDT", "/fapi/"])
def test_only_requests_that_match(address, text):
    ask(address, "503", path=text)
    with pytest.raises(urllib.error.HTTPError):
        get(address + KLINES)
    assert get(f"{address}/api/v3/depth?symbol=ETHUSDT&limit=5")["bids"]
    assert faults(address)["active"][0]["hits"] == 1


def test_faults_hit_one_after_the_other(address, moment):
    ask(address, "missing")
    ask(address, "duplicate", count=3)
    ask(address, "503", count=1)
    ask(address, "timeout", count=1)
    moment[0] += 2 * MINUTE
    with pytest.raises(urllib.error.HTTPError):
        get(address + KLINES)
    with pytest.raises(TimeoutError):
        urllib.request.urlopen(address + KLINES, timeout=0.3)
    assert opening_times(address) == [-3, -3, -2, -2, 0, 0, 1, 1]
    assert opening_times(address) == [-3, -2, 0, 1]
    listing = faults(address)
    assert [row["hits"] for row in listing["active"] + listing["ended"]] == [4, 3, 1, 1]


def test_a_fault_that_changes_nothing_does_not_hit(address):
    ask(address, "empty", count=1)
    ask(address, "duplicate", count=1)
    ask(address, "clock", offset_seconds=5)
    assert [len(get(address + KLINES)) for _ in range(3)] == [0, 10, 5]
    assert get(f"{address}/api/v3/time")["serverTime"] == NOW + 5000
    assert [row["hits"] for row in faults(address)["ended"]] == [1, 1]


def test_a_refusal_stays_a_refusal(address):
    for kind in ("empty", "duplicate", "missing"):
        ask(address, kind)
    url = f"{address}/api/v3/klines?symbol=XXUSDT&interval=1m"
    assert refusal(url)[1]["code"] == -1121
    ask(address, "503")
    request = urllib.request.Request(address + KLINES, method="POST")
    assert refusal(request)[0] == 404
    assert [row["hits"] for row in faults(address)["active"]] == [0, 0, 0, 0]


# --- mistakes


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param("{", "Invalid JSON", id="not-json"),
        pytest.param("[]", "object", id="not-an-object"),
        pytest.param("{}", "kind: Field required", id="no-kind"),
        pytest.param('{"kind": "418"}', "'429', '503', 'timeout'", id="kind"),
        pytest.param('{"kind": "503", "second": 1}', "second: unknown; leave it out", id="unknown"),
        pytest.param('{"kind": "503", "seconds": 0}', "seconds: Input should be", id="seconds-0"),
        pytest.param('{"kind": "503", "seconds": "9"}', "Received: '9'", id="seconds-text"),
        pytest.param('{"kind": "503", "count": 0}', "count: Input should be", id="count-0"),
        pytest.param('{"kind": "503", "count": 1.5}', "count: Input should be", id="count-broken"),
        pytest.param('{"kind": "503", "path": 7}', "path: Input should be", id="path"),
        pytest.param(
            '{"kind": "503", "seconds": 1, "count": 1}', "only one can end a fault", id="both"
        ),
        pytest.param('{"kind": "clock"}', "offset_seconds: needed", id="no-offset"),
        pytest.param(
            '{"kind": "clock", "offset_seconds": NaN}', "offset_seconds", id="offset-not-a-number"
        ),
        pytest.param(
            '{"kind": "empty", "offset_seconds": 1}', "the clock and nothing else", id="offset"
        ),
        pytest.param('{"kind": "missing", "seconds": 60}', "more than 60", id="missing-too-short"),
    ],
)
def test_bad_requests_are_told_why(address, body, message):
    request = urllib.request.Request(f"{address}/sandbox/faults", body.encode(), method="POST")
    status, payload = refusal(request)
    assert status == 400
    assert payload["error"].startswith("/sandbox/faults: ")
    assert message in payload["error"]
    assert faults(address) == {"active": [], "ended": []}


def test_limits_are_possible(address):
    assert ask(address, "missing", seconds=60.5)["seconds"] == 60.5
    assert ask(address, "503", seconds=0.1, path="nothing")["seconds"] == 0.1


def test_no_other_method_is_answered(address):
    status, payload = refusal(urllib.request.Request(f"{address}/sandbox/faults", method="PUT"))
    assert (status, payload["error"]) == (405, "PUT /sandbox/faults: must be POST, GET or DELETE")


# --- as ccxt sees it


@pytest.mark.parametrize(
    ("kind", "error", "asynchronous_error"),
    [
        # what ccxt makes of 429 for Binance; for others it is RateLimitExceeded
        ("429", ccxt.DDoSProtection, ccxt.DDoSProtection),
        ("503", ccxt.ExchangeNotAvailable, ccxt.ExchangeNotAvailable),
        ("timeout", ccxt.RequestTimeout, ccxt.RequestTimeout),
        ("disconnect", ccxt.NetworkError, ccxt.ExchangeError),  # its two halves do not agree
    ],
)
def test_ccxt_gets_the_error_and_then_the_candles(address, kind, error, asynchronous_error):
    settings = {**ccxt_settings(address), "timeout": 500}
    binance = ccxt.binance(settings)
    binance.load_markets()
    ask(address, kind, count=2, path="klines")
    with pytest.raises(error):
        binance.fetch_ohlcv("BTC/USDT:USDT", "1m", limit=5)

    async def asynchronously():
        other = ccxt.async_support.binance(settings)
        try:
            with pytest.raises(asynchronous_error):
                await other.fetch_ohlcv("BTC/USDT:USDT", "1m", limit=5)
        finally:
            await other.close()

    asyncio.run(asynchronously())
    assert faults(address)["ended"][0]["hits"] == 2
    assert len(binance.fetch_ohlcv("BTC/USDT:USDT", "1m", limit=5)) == 5


def test_ccxt_sees_wrong_answers(address):
    binance = ccxt.binance(ccxt_settings(address))
    binance.load_markets()
    ask(address, "empty", count=1)
    ask(address, "clock", offset_seconds=-90)
    assert binance.fetch_ohlcv("BTC/USDT:USDT", "1m", limit=5) == []
    assert binance.fetch_time() == NOW - 90_000


# --- the command line


def outcome(capsys, *words):
    try:
        status = main(("sandbox", "fault", *words))
    except SystemExit as stop:
        status = stop.code
    return status, *capsys.readouterr()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("503",), {"kind": "503"}),
        (("429", "--seconds", "20"), {"kind": "429", "seconds": 20}),
        (("empty", "--count", "3", "--path", "klines"), {"count": 3, "path": "klines"}),
        (("clock", "--offset", "-2.5"), {"kind": "clock", "offset_seconds": -2.5}),
    ],
)
def test_a_fault_is_asked_for(address, capsys, words, expected):
    status, said, complained = outcome(capsys, *words, "--url", address)
    assert (status, complained) == (0, "")
    assert said.startswith(f"{words[0]}: GET {address}/sandbox/faults")
    (active,) = faults(address)["active"]
    assert active | expected == active


def test_a_proxy_is_not_asked(address, capsys, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert outcome(capsys, "503", "--url", address.replace("127.0.0.1", "localhost"))[0] == 0


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://example.com:80", "--url: example.com is not a loopback address"),
        ("http://127.0.0.1@example.com:80", "--url: example.com is not a loopback address"),
        ("http://0.0.0.0:80", "--url: 0.0.0.0 is not a loopback address"),
        ("https://127.0.0.1:80", "Received: https://127.0.0.1:80"),
        ("http://127.0.0.1", "Received: http://127.0.0.1"),
        ("http://127.0.0.1:x", "Received: http://127.0.0.1:x"),
        ("http://[::1", "Received: http://[::1"),
        ("127.0.0.1:80", "Received: 127.0.0.1:80"),
    ],
)
def test_only_loopback_is_asked(capsys, monkeypatch, url, message):
    def connect(*_, **__):
        pytest.fail("a connection was opened")

    monkeypatch.setattr(socket, "create_connection", connect)
    status, said, complained = outcome(capsys, "503", "--url", url)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert message in complained


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("418",), "invalid choice: '418'"),
        (("503", "--seconds", "1", "--count", "1"), "not allowed with argument"),
        (("503", "--seconds", "0"), "at least 1"),
        (("clock",), "offset_seconds: needed"),
        (("missing", "--seconds", "60"), "more than 60"),
    ],
)
def test_mistakes_are_told_in_one_line(address, capsys, words, message):
    status, said, complained = outcome(capsys, *words, "--url", address)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert message in complained


def test_an_exchange_that_is_not_there(capsys):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    status, _, complained = outcome(capsys, "503", "--url", f"http://127.0.0.1:{port}")
    assert (status, complained.count("\n")) == (2, 1)
    assert f"no sandbox answers on http://127.0.0.1:{port}" in complained

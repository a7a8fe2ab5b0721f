"""The sandbox exchange over real HTTP, as ccxt sees it, and freqtrade run against it."""

import asyncio
import json
import logging
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import ccxt
import ccxt.async_support
import numpy as np
import pandas as pd
import pytest
from exchanges import MARKET, NOW, SYNTHETIC, ccxt_settings, get, refusal, serving

from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.exchange import loopback, running, wall_clock
from dualwindow_sandbox.market import FIRST
from dualwindow_sandbox.ohlcv import DAY, HOUR, MINUTE
from dualwindow_sandbox.recorded import RecordedMarket
from dualwindow_sandbox.venues import Venues

DUALWINDOW = str(Path(sys.executable).with_name("dualwindow"))
FREQTRADE = str(Path(sys.executable).with_name("freqtrade"))


@pytest.fixture(scope="module")
def address():
    with serving(SYNTHETIC, lambda: NOW) as found:
        yield found


def opening_times(rows):
    return [row[0] for row in rows]


# --- payloads


def test_ping_and_time(address):
    for path in ("/api/v3", "/fapi/v1"):
        assert get(f"{address}{path}/ping") == {}
        assert get(f"{address}{path}/time") == {"serverTime": NOW}


def test_a_kline_row_is_binances(address):
    (row,) = get(f"{address}/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime={FIRST}&limit=1")
    candle = MARKET.minutes("BTC/USDT", FIRST, FIRST + MINUTE)
    assert len(row) == 12
    assert [row[0], row[6]] == [FIRST, FIRST + MINUTE - 1]
    assert [float(value) for value in row[1:6]] == [
        candle.open[0],
        candle.high[0],
        candle.low[0],
        candle.close[0],
        candle.volume[0],
    ]
    assert all(isinstance(row[i], str) for i in (1, 2, 3, 4, 5, 7, 9, 10, 11))
    assert float(row[7]) == pytest.approx(candle.volume[0] * candle.close[0], rel=1e-3)
    assert isinstance(row[8], int)


@pytest.mark.parametrize(
    ("path", "query", "first", "count", "step"),
    [
        pytest.param("api/v3", "interval=1m", NOW // MINUTE - 499, 500, MINUTE, id="default-500"),
        pytest.param(
            "api/v3", "interval=1m&limit=5000", NOW // MINUTE - 999, 1000, MINUTE, id="spot-1000"
        ),
        pytest.param(
            "fapi/v1", "interval=1m&limit=5000", NOW // MINUTE - 1499, 1500, MINUTE, id="swap-1500"
        ),
        pytest.param(
            "fapi/v1", "interval=1h&startTime=0&limit=3", FIRST // HOUR, 3, HOUR, id="earliest"
        ),
        pytest.param(
            "fapi/v1",
            "interval=1h&startTime=0&limit=3",
            FIRST // HOUR,
            3,
            HOUR,
            id="earliest-futures",
        ),
        pytest.param(
            "api/v3",
            f"interval=1m&startTime={FIRST + 1}&limit=2",
            FIRST // MINUTE + 1,
            2,
            MINUTE,
            id="start-between-candles",
        ),
        pytest.param(
            "api/v3",
            f"interval=1h&startTime={FIRST}&endTime={FIRST + 2 * HOUR}",
            FIRST // HOUR,
            3,
            HOUR,
            id="end-is-included",
        ),
        pytest.param(
            "api/v3",
            f"interval=1d&endTime={FIRST + 9 * DAY}&limit=2",
            FIRST // DAY + 8,
            2,
            DAY,
            id="last-before-the-end",
        ),
        pytest.param(
            "api/v3",
            f"interval=4h&startTime={NOW - 9 * HOUR}",
            NOW // (4 * HOUR) - 1,
            2,
            4 * HOUR,
            id="forming-candle-last",
        ),
        pytest.param(
            "api/v3", f"interval=1h&startTime={NOW + DAY}", 0, 0, HOUR, id="nothing-of-the-future"
        ),
    ],
)
def test_which_klines(address, path, query, first, count, step):
    rows = get(f"{address}/{path}/klines?symbol=ETHUSDT&{query}")
    assert opening_times(rows) == [(first + n) * step for n in range(count)]


def test_the_last_kline_moves(address):
    moment = [NOW]
    with serving(SYNTHETIC, lambda: moment[0]) as moving:
        url = f"{moving}/api/v3/klines?symbol=BTCUSDT&interval=1h&limit=2"
        before = get(url)
        moment[0] += 20_000
        after = get(url)
    assert before[0] == after[0]
    assert before[1][:2] == after[1][:2]
    assert before[1][4] != after[1][4]
    assert float(before[1][5]) < float(after[1][5])


def test_markets_ask_for_what_freqtrade_reads(address):
    spot = get(f"{address}/api/v3/exchangeInfo")["symbols"]
    futures = get(f"{address}/fapi/v1/exchangeInfo")["symbols"]
    assert get(f"{address}/dapi/v1/exchangeInfo")["symbols"] == []
    assert len(spot) == len(futures) == len(MARKET.listings)
    assert {item["contractType"] for item in futures} == {"PERPETUAL"}
    (bitcoin,) = (item for item in spot if item["symbol"] == "BTCUSDT")
    filters = {item["filterType"]: item for item in bitcoin["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.1"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001"
    assert filters["NOTIONAL"]["minNotional"] == "5"


def test_depth_surrounds_the_last_price(address):
    last = float(get(f"{address}/api/v3/ticker/price?symbol=BTCUSDT")["price"])
    book = get(f"{address}/fapi/v1/depth?symbol=BTCUSDT&limit=5")
    bids, asks = ([float(price) for price, _ in book[side]] for side in ("bids", "asks"))
    assert bids == pytest.approx([last - n / 10 for n in range(1, 6)])
    assert asks == pytest.approx([last + n / 10 for n in range(1, 6)])
    best = get(f"{address}/api/v3/ticker/bookTicker?symbol=BTCUSDT")
    assert [float(best["bidPrice"]), float(best["askPrice"])] == [bids[0], asks[0]]


def test_day_ticker_sums_the_day(address):
    ticker = get(f"{address}/fapi/v1/ticker/24hr?symbol=SOLUSDT")
    hours = get(f"{address}/fapi/v1/klines?symbol=SOLUSDT&interval=1h&limit=25")
    assert ticker["lastPrice"] == hours[-1][4]
    assert float(ticker["highPrice"]) == max(float(row[2]) for row in hours)
    assert float(ticker["volume"]) == pytest.approx(sum(float(row[5]) for row in hours))


def test_tickers_of_some_and_of_all(address):
    some = get(f"{address}/api/v3/ticker/24hr?symbols=%5B%22ETHUSDT%22,%22ADAUSDT%22%5D")
    assert [row["symbol"] for row in some] == ["ETHUSDT", "ADAUSDT"]
    assert len(get(f"{address}/api/v3/ticker/price")) == len(MARKET.listings)


def test_funding(address):
    url = f"{address}/fapi/v1/fundingRate?symbol=BTCUSDT"
    rows = get(f"{url}&startTime={FIRST + 1}&limit=2")
    assert [row["fundingTime"] for row in rows] == [FIRST + 8 * HOUR, FIRST + 16 * HOUR]
    assert {row["fundingRate"] for row in rows} == {"0.00010000"}
    assert get(url)[-1]["fundingTime"] == NOW // (8 * HOUR) * 8 * HOUR
    premium = get(f"{address}/fapi/v1/premiumIndex?symbol=BTCUSDT")
    assert premium["nextFundingTime"] == (NOW // (8 * HOUR) + 1) * 8 * HOUR
    assert premium["lastFundingRate"] == "0.00010000"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        pytest.param("api/v3/klines?symbol=XXUSDT&interval=1m", 400, -1121, id="symbol"),
        pytest.param("fapi/v1/depth?symbol=btcusdt", 400, -1121, id="case-counts"),
        pytest.param("api/v3/klines?interval=1m", 400, -1102, id="no-symbol"),
        pytest.param("api/v3/klines?symbol=BTCUSDT&interval=7m", 400, -1120, id="interval"),
        pytest.param("api/v3/klines?symbol=BTCUSDT", 400, -1120, id="no-interval"),
        pytest.param(
            "api/v3/klines?symbol=BTCUSDT&interval=1m&limit=-1", 400, -1100, id="negative"
        ),
        pytest.param("api/v3/ticker/24hr?symbols=ETHUSDT", 400, -1100, id="symbols-not-json"),
        pytest.param("sapi/v1/margin/allPairs", 404, -1, id="not-served"),
    ],
)
def test_refusals_are_binances(address, path, status, code):
    found, payload = refusal(f"{address}/{path}")
    assert (found, payload["code"]) == (status, code)
    assert payload["msg"]


def test_a_recording_is_served_at_its_own_dates():
    candles = MARKET.minutes("BTC/USDT", FIRST, FIRST + 2 * DAY)
    recorded = RecordedMarket({"BTC": candles[np.arange(2 * 1440) % 1440 != 7]}, {})
    with serving(Venues(recorded, recorded, recorded), wall_clock) as replay:
        url = f"{replay}/api/v3/klines?symbol=BTCUSDT"
        last = get(f"{url}&interval=1h&limit=2")
        assert opening_times(last) == [FIRST + 46 * HOUR, FIRST + 47 * HOUR]
        first = get(f"{url}&interval=1m&startTime=0&limit=10")
        assert opening_times(first) == [FIRST + n * MINUTE for n in range(10) if n != 7]
        assert (
            float(get(f"{replay}/api/v3/ticker/price?symbol=BTCUSDT")["price"])
            == (candles.close[-1])
        )
        assert refusal(f"{url[:-7]}ETHUSDT&interval=1m")[1]["code"] == -1121


def test_klines_take_milliseconds(address):
    url = f"{address}/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=499"
    get(url)
    seconds = []
    for _ in range(20):
        begin = time.perf_counter()
        get(url)
        seconds.append(time.perf_counter() - begin)
    assert sorted(seconds)[10] < 0.05  # 6 ms on two busy cores


# --- ccxt


def test_ccxt_reads_spot_and_swap(address):
    binance = ccxt.binance(ccxt_settings(address))
    markets = binance.load_markets()
    assert len(markets) == 2 * len(MARKET.listings)
    assert markets["BTC/USDT"]["spot"]
    assert markets["BTC/USDT:USDT"]["linear"]
    assert markets["BTC/USDT:USDT"]["precision"] == markets["BTC/USDT"]["precision"]
    expected = MARKET.minutes("BTC/USDT", NOW - DAY, NOW - DAY + 3 * MINUTE)
    for pair in ("BTC/USDT", "BTC/USDT:USDT"):
        rows = binance.fetch_ohlcv(pair, "1m", since=NOW - DAY, limit=len(expected))
        assert [row[0] for row in rows] == expected.time.tolist()
        assert [row[4] for row in rows] == expected.close.tolist()
        assert binance.fetch_order_book(pair, 5)["bids"][0][0] < rows[-1][4] * 2
    assert "DOGE/USDT:USDT" in binance.fetch_tickers(params={"type": "swap"})
    assert binance.fetch_tickers(["ETH/USDT"])["ETH/USDT"]["bid"] > 0
    bids_asks = binance.fetch_bids_asks(params={"type": "swap"})
    assert bids_asks["ETH/USDT:USDT"]["bid"] > 0
    assert binance.fetch_funding_rate("ETH/USDT:USDT")["fundingRate"] == 1e-4


def test_no_address_of_ccxt_leaves_the_sandbox(address, caplog):
    caplog.set_level(logging.INFO, logger="dualwindow_sandbox.exchange")
    settings = ccxt_settings(address)
    binance = ccxt.binance(settings)
    kept = {name: url for name, url in binance.urls["api"].items() if address not in url}
    assert len(kept) >= 15
    for name, url in kept.items():
        assert url.startswith("https://"), f"{name} would not go through the proxy"
        caplog.clear()
        with pytest.raises(ccxt.NetworkError):
            binance.fetch(f"{url}/ping")
        assert any("CONNECT" in record.getMessage() for record in caplog.records), name


def test_neither_does_one_of_its_asynchronous_half(address, caplog):
    caplog.set_level(logging.INFO, logger="dualwindow_sandbox.exchange")

    async def ask():
        binance = ccxt.async_support.binance(ccxt_settings(address))
        try:
            assert len(await binance.fetch_ohlcv("BTC/USDT:USDT", "1m", limit=2)) == 2
            with pytest.raises(ccxt.ExchangeError):
                await binance.fetch(binance.urls["api"]["sapi"] + "/ping")
        finally:
            await binance.close()

    asyncio.run(ask())
    assert [r.getMessage().split()[0] for r in caplog.records] == ["CONNECT"]


# --- who may listen, and where


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.7", "example.com", "::", ""])
def test_only_loopback_is_served(host):
    with pytest.raises(SandboxError, match=r"--host: .* is not a loopback address"):
        loopback(host)


@pytest.mark.parametrize(
    ("host", "expected"), [("localhost", "127.0.0.1"), ("127.0.0.2", "127.0.0.2"), ("::1", "::1")]
)
def test_loopback_addresses(host, expected):
    assert loopback(host) == expected


def test_a_port_in_use_is_an_error():
    async def try_port(port):
        async with running(SYNTHETIC, port=port):
            pytest.fail("two servers on one port")

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SandboxError, match=rf"--port: {port} on 127.0.0.1 is in use"):
            asyncio.run(try_port(port))


# --- running commands


def sandbox_run(*command, **options):
    return subprocess.run(
        [DUALWINDOW, "sandbox", "run", "--", *command],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def python(code):
    return sandbox_run(sys.executable, "-c", code)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        pytest.param("pass", 0, id="success"),
        pytest.param("raise SystemExit(7)", 7, id="failure"),
        pytest.param("import os; os.kill(os.getpid(), 9)", 137, id="signal"),
        pytest.param("print('Configuration error: x')", 2, id="configuration-error"),
        pytest.param(
            "import sys; print('- ERROR - Configuration error: x', file=sys.stderr)",
            2,
            id="configuration-error-on-stderr",
        ),
        pytest.param(
            "import time; print('Configur', end=''); time.sleep(.3); print('ation error')",
            2,
            id="configuration-error-in-two-pieces",
        ),
        pytest.param("print('Configuration error'); raise SystemExit(5)", 5, id="own-status-wins"),
    ],
)
def test_the_childs_status_is_returned(code, status):
    assert python(code).returncode == status


def test_streams_stay_separate():
    result = python("import sys; print('out'); print('err', file=sys.stderr)")
    assert (result.stdout, result.stderr) == ("out\n", "err\n")


def test_a_command_that_does_not_exist():
    result = sandbox_run("no-such-command")
    assert result.returncode == 127
    assert result.stderr == "dualwindow: no-such-command: command not found\n"


def test_the_child_is_given_the_exchange_and_the_port_is_freed():
    result = python(
        "import os, urllib.request as r;"
        "base = os.environ['FREQTRADE__EXCHANGE__CCXT_CONFIG__httpsProxy'];"
        "public = os.environ['FREQTRADE__EXCHANGE__CCXT_CONFIG__URLS__API__public'];"
        "print(base, os.environ['FREQTRADE__DRY_RUN'], r.urlopen(public + '/ping').read())"
    )
    base, dry, pong = result.stdout.split()
    assert (dry, pong) == ("true", "b'{}'")
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"{base}/api/v3/ping", timeout=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_are_passed_on_once_and_waited_for(number):
    code = (
        "import signal, time, sys\n"
        "seen = []\n"
        f"signal.signal({int(number)}, lambda *_: seen.append(1))\n"
        "print('ready', flush=True)\n"
        "while not seen: time.sleep(.01)\n"
        "time.sleep(.3)\n"
        "print(len(seen)); sys.exit(13)\n"
    )
    with subprocess.Popen(
        [DUALWINDOW, "sandbox", "run", "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, number)  # a terminal's Ctrl-C goes to the whole group
        assert process.stdout.read() == "1\n"
        assert process.wait(10) == 13


def test_a_reader_that_leaves_ends_the_child():
    code = "import itertools, time\nfor n in itertools.count(): print(n); time.sleep(.01)"
    with subprocess.Popen(
        [DUALWINDOW, "sandbox", "run", "--", sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"0\n"
        process.stdout.close()
        assert process.wait(20) == 128 + signal.SIGPIPE
        assert process.stderr.read() == b""


def test_a_terminals_width_reaches_the_child():
    ours, theirs = pty.openpty()
    code = "import os; print(*(os.environ.get(k) for k in ('COLUMNS', 'TTY_COMPATIBLE')))"
    environ = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        [DUALWINDOW, "sandbox", "run", "--", sys.executable, "-c", code],
        stdin=theirs,
        stdout=theirs,
        env={**environ, "COLUMNS": "97"},
    ) as process:
        assert process.wait(30) == 0
    assert os.read(ours, 100).strip() == b"97 1"
    os.close(ours)
    os.close(theirs)


# --- freqtrade itself


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(
        json.dumps(
            {
                "stake_currency": "USDT",
                "trading_mode": "futures",
                "margin_mode": "isolated",
                "exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT:USDT"]},
            }
        )
    )
    return path


def freqtrade(config, *words):
    userdir = config.parent / "user_data"
    userdir.mkdir(exist_ok=True)
    return sandbox_run(
        FREQTRADE, words[0], "-c", str(config), "--userdir", str(userdir), *words[1:]
    )


def test_freqtrade_lists_the_sandboxs_pairs_whatever_its_exchange(config):
    config.write_text(config.read_text().replace("binance", "kraken"))
    result = freqtrade(config, "list-pairs", "--print-json")
    assert result.returncode == 0, result.stderr
    pairs = json.loads(result.stdout.strip().splitlines()[-1])
    assert sorted(pairs) == sorted(f"{item.pair}:USDT" for item in MARKET.listings)


def test_freqtrade_downloads_what_the_market_made(config, tmp_path):
    first, days = "20240101", "20240101-20240103"
    result = freqtrade(
        config, "download-data", "-d", str(tmp_path / "d"), "-t", "1m", "--timerange", days
    )
    assert result.returncode == 0, result.stderr
    assert not re.search(r" - (ERROR|WARNING) - ", result.stderr), result.stderr
    frame = pd.read_feather(tmp_path / "d" / "futures" / "BTC_USDT_USDT-1m-futures.feather")
    start = round(pd.Timestamp(first, tz="UTC").timestamp() * 1000)
    assert len(frame) >= 2 * 1440  # whole pages of 499
    expected = MARKET.minutes("BTC/USDT", start, start + len(frame) * MINUTE)
    for name in ("open", "high", "low", "close", "volume"):
        assert frame[name].tolist() == getattr(expected, name).tolist()


def test_a_broken_configuration_is_not_a_success(config):
    config.write_text(config.read_text().replace('"margin_mode": "isolated",', ""))
    result = freqtrade(config, "trade")
    assert "Configuration error" in result.stderr
    assert result.returncode == 2

"""A recording replayed as now: the same candles at other dates, and nothing of their future."""

import json
import shutil
import sys
import time
import urllib.error
from pathlib import Path

import ccxt
import numpy as np
import pandas as pd
import pytest
from exchanges import MARKET, ccxt_settings, get, serving

from dualwindow.cli import main
from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.api import endpoints
from dualwindow_sandbox.candle_files import write_candles
from dualwindow_sandbox.ohlcv import DAY, HOUR, MINUTE
from dualwindow_sandbox.recorded import RecordedMarket, recorded_venues
from dualwindow_sandbox.replay import replayed_venues, shift_between
from dualwindow_sandbox.venues import INTERVALS, Venues

END = 1_706_745_600_000  # 2024-02-01
START = END - 3 * DAY
ASKED = END - DAY - 5 * HOUR
NOW = 1_790_000_000_000 // HOUR * HOUR + 13 * MINUTE + 30_000
SHIFT = NOW - 13 * MINUTE - 30_000 - ASKED
SHOWN = NOW - SHIFT
PRICES = ["open", "high", "low", "close", "volume"]


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    directory = tmp_path_factory.mktemp("recording")
    write_candles(directory, MARKET, ["BTC/USDT", "ETH/USDT"], START, END)
    return directory


@pytest.fixture(scope="module")
def address(recording):
    with serving(replayed_venues(recording, SHIFT, NOW), lambda: NOW) as found:
        yield found


def klines(address, path, interval="1m", **query):
    words = "".join(f"&{name}={value}" for name, value in query.items())
    return get(f"{address}/{path}?symbol=BTCUSDT&interval={interval}{words}")


def recorded(directory, name):
    frame = pd.read_feather(directory / name)
    frame["time"] = frame["date"].to_numpy("datetime64[ms]").astype(np.int64)
    return frame


# --- the moment


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        pytest.param(ASKED, ASKED + 13 * MINUTE + 30_000, id="the-minute-of-this-hour"),
        pytest.param(ASKED + 13 * MINUTE, ASKED + 13 * MINUTE + 30_000, id="at-once"),
        pytest.param(ASKED + 14 * MINUTE, ASKED + HOUR + 13 * MINUTE + 30_000, id="never-before"),
    ],
)
def test_the_moment_shown_is_the_first_after_the_one_asked_for(asked, shown):
    shift = shift_between(asked, NOW)
    assert shift % HOUR == 0
    assert NOW - shift == shown


@pytest.mark.parametrize("asked", [START - DAY, START - HOUR, END, END + DAY])
def test_a_moment_outside_the_recording_is_refused(recording, asked):
    reach = "2024-01-29 00:00 to 2024-02-01 00:00"
    with pytest.raises(SandboxError, match=rf"--replay: .* not in the recording, .* {reach}"):
        replayed_venues(recording, shift_between(asked, NOW), NOW)


@pytest.mark.parametrize("asked", [START, END - HOUR])
def test_the_ends_of_the_recording_can_be_replayed(recording, asked):
    venues = replayed_venues(recording, shift_between(asked, NOW), NOW)
    with serving(venues, lambda: NOW) as found:
        assert klines(found, "fapi/v1/klines", limit=1)[0][0] == NOW // MINUTE * MINUTE


# --- what is shown


@pytest.mark.parametrize(
    ("path", "interval", "name"),
    [
        ("api/v3/klines", "1m", "BTC_USDT-1m.feather"),
        ("api/v3/klines", "1h", "BTC_USDT-1h.feather"),
        ("fapi/v1/klines", "1m", "futures/BTC_USDT_USDT-1m-futures.feather"),
        ("fapi/v1/klines", "1h", "futures/BTC_USDT_USDT-1h-futures.feather"),
        ("fapi/v1/markPriceKlines", "1h", "futures/BTC_USDT_USDT-1h-mark.feather"),
    ],
)
def test_a_replayed_candle_is_the_recorded_one_later(address, recording, path, interval, name):
    expected = recorded(recording, name)
    expected = expected[expected["time"] + INTERVALS[interval] <= SHOWN].tail(900)
    rows = klines(address, path, interval, limit=len(expected) + 1)
    assert len(rows) == len(expected) + 1 > 40
    assert [row[0] for row in rows[:-1]] == (expected["time"] + SHIFT).tolist()
    served = np.array([row[1:6] for row in rows[:-1]], dtype=float)
    np.testing.assert_allclose(served, expected[PRICES].to_numpy(), rtol=1e-12)


def test_nothing_is_known_after_now(recording):
    venues = replayed_venues(recording, SHIFT, NOW)
    for market in (venues.spot, venues.futures):
        assert market.span("BTC/USDT", NOW) == (START + SHIFT, NOW)


def test_the_earliest_candle_is_the_first_recorded_one(address):
    assert klines(address, "fapi/v1/klines", startTime=0, limit=1)[0][0] == START + SHIFT


def test_fundings_are_moved_likewise(address):
    rows = get(f"{address}/fapi/v1/fundingRate?symbol=BTCUSDT&startTime=0")
    assert [row["fundingTime"] - SHIFT for row in rows] == list(range(START, SHOWN, 8 * HOUR))


@pytest.mark.parametrize("path", ["api/v3/klines", "fapi/v1/klines"])
def test_hours_are_made_of_their_minutes(address, path):
    hours = klines(address, path, "1h", limit=5)
    minutes = klines(address, path, startTime=hours[0][0])
    assert len(minutes) == 4 * 60 + 14
    for hour in hours:
        inside = [row for row in minutes if row[0] // HOUR == hour[0] // HOUR]
        assert [hour[1], hour[4]] == [inside[0][1], inside[-1][4]]
        assert float(hour[2]) == max(float(row[2]) for row in inside)
        assert float(hour[3]) == min(float(row[3]) for row in inside)
        assert float(hour[5]) == pytest.approx(sum(float(row[5]) for row in inside))


@pytest.mark.parametrize("path", ["api/v3/klines", "fapi/v1/klines"])
def test_the_forming_candle_is_its_open(address, recording, path):
    whole = recorded(recording, "BTC_USDT-1m.feather").set_index("time").loc[SHOWN - 30_000]
    assert whole["high"] > whole["low"]
    assert whole["close"] != whole["open"]
    row = klines(address, path, limit=1)[0]
    assert row[0] == NOW - 30_000
    assert [float(value) for value in row[1:6]] == [whole["open"]] * 4 + [0]


def test_the_forming_mark_price_is_the_hours_open(address, recording):
    mark = recorded(recording, "futures/BTC_USDT_USDT-1h-mark.feather").set_index("time")
    row = klines(address, "fapi/v1/markPriceKlines", "1h", limit=1)[0]
    assert row[0] == NOW // HOUR * HOUR
    assert [float(value) for value in row[1:5]] == [mark["open"].loc[ASKED]] * 4


def test_time_goes_on(recording):
    moment = [NOW]
    expected = recorded(recording, "BTC_USDT-1m.feather").set_index("time")
    with serving(replayed_venues(recording, SHIFT, NOW), lambda: moment[0]) as moving:
        for passed in range(3):
            moment[0] = NOW + passed * MINUTE
            closed, forming = klines(moving, "fapi/v1/klines", limit=2)
            assert forming[0] == moment[0] - 30_000
            assert float(closed[4]) == expected["close"].loc[closed[0] - SHIFT]
            price = float(get(f"{moving}/api/v3/ticker/price?symbol=BTCUSDT")["price"])
            assert price == expected["open"].loc[forming[0] - SHIFT]


def with_another_future(recording, directory):
    """Copy the recording, and change all of it that `SHOWN` does not know."""
    shutil.copytree(recording, directory)
    for file in directory.rglob("*.feather"):
        frame = recorded(directory, file.relative_to(directory))
        length = HOUR if "-1h" in file.name else MINUTE
        forming = (frame["time"] <= SHOWN) & (frame["time"] + length > SHOWN)
        later = frame["time"] > SHOWN
        for name in set(frame) & {*PRICES, "funding_rate"}:
            rows = later if name in ("open", "funding_rate") else later | forming
            frame.loc[rows, name] = (frame.loc[rows, name] + 100).round(5)
            assert rows.any()
        frame.drop(columns="time").to_feather(file)
    return directory


def test_no_answer_knows_the_future(address, recording, tmp_path):
    changed = with_another_future(recording, tmp_path / "changed")
    checked = 0
    with serving(replayed_venues(changed, SHIFT, NOW), lambda: NOW) as found:
        for path in endpoints(replayed_venues(recording, SHIFT, NOW)):
            intervals = list(INTERVALS) if "lines" in path else [""]
            for interval in intervals:
                for until in ("", f"&endTime={NOW + DAY}", f"&startTime={NOW - 2 * HOUR}"):
                    url = f"{path}?symbol=BTCUSDT&interval={interval}{until}"
                    assert get(f"{found}{url}") == get(f"{address}{url}"), url
                    checked += 1
    assert checked == 3 * (3 * len(INTERVALS) + 17)  # 7 other paths of spot, 9 of futures, 1 dapi


# --- gaps and the end


def test_prices_stand_still_in_a_gap():
    candles = MARKET.minutes("BTC/USDT", START, END)
    gap = (candles.time >= SHOWN - 10 * MINUTE) & (candles.time < SHOWN + 10 * MINUTE)
    market = RecordedMarket({"BTC": candles[~gap]}, {})
    before = candles.close[candles.time < SHOWN - 10 * MINUTE][-1]
    after = candles.time[candles.time >= SHOWN + 10 * MINUTE][0]
    for moment in (SHOWN, SHOWN - 30_000, int(after)):  # amid a minute, and at the very beginning
        with serving(Venues(market, market, market), lambda moment=moment: moment) as found:
            price = float(get(f"{found}/api/v3/ticker/price?symbol=BTCUSDT")["price"])
            assert price == before
            assert klines(found, "api/v3/klines", limit=1)[0][0] == SHOWN - 30_000 - 10 * MINUTE


def test_a_recording_that_runs_out_says_so_once(recording, caplog):
    now = END + SHIFT - 300
    moment = [now]
    with serving(replayed_venues(recording, SHIFT, now), lambda: moment[0]) as found:
        assert klines(found, "fapi/v1/klines", limit=1)[0][0] == END + SHIFT - MINUTE
        assert caplog.messages == []
        time.sleep(0.5)
        for minutes in range(3):
            moment[0] = END + SHIFT + minutes * MINUTE
            rows = klines(found, "fapi/v1/klines", limit=2)
            assert [row[0] for row in rows] == [END + SHIFT - 2 * MINUTE, END + SHIFT - MINUTE]
        assert float(get(f"{found}/fapi/v1/ticker/price?symbol=BTCUSDT")["price"]) > 0
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith("The recording has run out")


def test_ccxt_sees_the_replay(address, recording):
    rows = ccxt.binance(ccxt_settings(address)).fetch_ohlcv("BTC/USDT:USDT", "1m", limit=3)
    expected = recorded(recording, "BTC_USDT-1m.feather").set_index("time")
    assert [row[0] for row in rows] == [NOW - 30_000 - n * MINUTE for n in (2, 1, 0)]
    assert [row[4] for row in rows[:2]] == [
        expected["close"].loc[row[0] - SHIFT] for row in rows[:2]
    ]


# --- the command line


def outcome(capfd, *words):
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    return status, *capfd.readouterr()


@pytest.mark.parametrize("command", [("run",), ("serve", "--port", "0")])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--replay", "2024-01-10"), "--replay: only recorded candles can be replayed; add --data"),
        (("--replay", "tomorrow", "--data", "."), "must be a date like 2024-01-10, or 2024-01-10T"),
        (("--replay", "2024-01-10T12:00:00", "--data", "."), "Received: 2024-01-10T12:00:00"),
        (("--replay", "2024-03-01", "--data", "RECORDING"), "is not in the recording"),
        (("--replay", "2024-01-31", "--data", "."), "no 1m candles"),
        (("--replay", "2024-01-31", "--data", ".", "--seed", "1"), "drop them"),
    ],
)
def test_mistakes_are_told_in_one_line(command, words, message, recording, capfd, monkeypatch):
    monkeypatch.chdir(recording.parent)
    given = [str(recording) if word == "RECORDING" else word for word in words]
    after = ["--", "true"] if command == ("run",) else []
    status, said, complained = outcome(capfd, "sandbox", *command, *given, *after)
    assert (status, said, complained.count("\n")) == (2, "", 1)
    assert message in complained


CHILD = """
import json, os, time, urllib.request
url = os.environ["FREQTRADE__EXCHANGE__CCXT_CONFIG__URLS__API__fapiPublic"]
with urllib.request.urlopen(f"{url}/klines?symbol=ETHUSDT&interval=1m&limit=2") as answer:
    print(json.dumps([time.time(), *json.load(answer)[0][:6]]))
"""


@pytest.mark.parametrize("asked", ["2024-01-30", "2024-01-30T12:00"])
def test_a_command_sees_the_recording_as_now(recording, capfd, asked):
    words = ["sandbox", "run", "--data", str(recording), "--replay", asked, "--"]
    status, said, complained = outcome(capfd, *words, sys.executable, "-c", CHILD)
    assert status == 0
    seconds, opened, *prices = json.loads(said)
    assert opened == int(seconds) // 60 * 60_000 - MINUTE
    shown = pd.Timestamp(complained.removeprefix("dualwindow: ")[:16])
    hours = int(complained.split()[-3])
    assert complained.count("\n") == 1
    assert pd.Timedelta(0) <= shown - pd.Timestamp(asked) < pd.Timedelta("1h")
    expected = recorded(recording, "futures/ETH_USDT_USDT-1m-futures.feather").set_index("time")
    row = expected.loc[opened - hours * HOUR]
    assert [float(price) for price in prices] == row[PRICES].tolist()


def data_folder(said: str) -> Path:
    words = said.split()
    return Path(words[words.index("-d") + 1])


def test_each_start_of_a_replay_trades_in_a_folder_of_its_own(
    recording, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "freqtrade"
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    words = ["sandbox", "run", "--data", str(recording), "--replay", "2024-01-30T12:00", "--"]
    folders = []
    for options in ([], [], ["--userdir", "mine"]):
        status, said, complained = outcome(capfd, *words, str(program), "trade", *options)
        assert status == 0
        assert "dualwindow: the sandbox listens on http://127.0.0.1:" in complained
        folders.append(data_folder(said))
        time.sleep(1)
    first, second, mine = folders
    assert len({first.name, second.name, mine.name}) == 3
    for folder in folders:
        assert folder.name.startswith("replay-2024-01-30-at-20")
    assert first == Path("user_data/sandbox", first.name, "data", first.name)
    assert mine == Path("mine/data", mine.name)
    assert not first.exists()
    status, said, _ = outcome(capfd, *words, str(program), "backtesting")
    assert data_folder(said) == recording


def test_the_port_can_be_chosen(recording, capfd):
    with serving(recorded_venues(recording), lambda: NOW) as taken:
        port = taken.rsplit(":", 1)[1]
        words = ["sandbox", "run", "--port", port, "--", sys.executable, "-c", CHILD]
        status, _, complained = outcome(capfd, *words)
        assert (status, complained.count("\n")) == (2, 1)
        assert f"--port: {port} on 127.0.0.1 is in use" in complained
    code = "import os; print(os.environ['FREQTRADE__EXCHANGE__CCXT_CONFIG__httpsProxy'])"
    status, said, complained = outcome(capfd, *words[:-1], code)
    assert (status, said, complained) == (0, f"http://127.0.0.1:{port}\n", "")
    with pytest.raises(urllib.error.URLError, match="refused"):
        get(f"http://127.0.0.1:{port}/api/v3/ping")

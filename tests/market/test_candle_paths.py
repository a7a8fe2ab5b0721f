"""Candle files as freqtrade names and writes them, and what is said of those that are not there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualwindow.market.candle_files import CandleFileError, candle_path, read_candles, seconds


def frame(n: int = 3) -> pd.DataFrame:
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=n), "close": np.arange(n)})


@pytest.mark.parametrize(
    ("timeframe", "expected"),
    [("1m", 60), ("15m", 900), ("10m", 600), ("4h", 14400), ("1d", 86400), ("2w", 1209600)],
)
def test_table_of_seconds(timeframe, expected):
    assert seconds(timeframe) == expected


@pytest.mark.parametrize("timeframe", ["", "m", "5", "0m", "05m", "-5m", "5M", "5s", "5m ", "1h1m"])
def test_what_is_no_timeframe_is_refused(timeframe):
    with pytest.raises(ValueError, match=r"^timeframe: must be like 1m, 5m or 1h\.") as error:
        seconds(timeframe)
    assert str(error.value).endswith(f"Received: {timeframe!r}")


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("BTC/USDT", "data/BTC_USDT-5m"),
        ("BTC/USDT:USDT", "data/futures/BTC_USDT_USDT-5m-futures"),
    ],
)
def test_files_are_named_as_freqtrade_names_them(pair, expected):
    assert candle_path(Path("data"), pair, "5m") == Path(expected)


@pytest.mark.parametrize("ending", ["feather", "parquet"])
@pytest.mark.parametrize("pair", ["BTC/USDT", "BTC/USDT:USDT"])
def test_both_forms_are_read_back(pair, ending, tmp_path):
    path = Path(f"{candle_path(tmp_path, pair, '1h')}.{ending}")
    path.parent.mkdir(exist_ok=True)
    getattr(frame(), f"to_{ending}")(path)
    pd.testing.assert_frame_equal(read_candles(tmp_path, pair, "1h"), frame())


def test_feather_is_read_where_both_are_there(tmp_path):
    frame(5).to_parquet(tmp_path / "A_B-1m.parquet")
    frame(3).to_feather(tmp_path / "A_B-1m.feather")
    assert len(read_candles(tmp_path, "A/B", "1m")) == 3


@pytest.mark.parametrize("ending", ["feather", "parquet"])
def test_a_damaged_file_is_named(ending, tmp_path):
    path = tmp_path / f"A_B-1m.{ending}"
    path.write_bytes(b"no candles")
    with pytest.raises(CandleFileError) as error:
        read_candles(tmp_path, "A/B", "1m")
    message = str(error.value)
    assert message.startswith(f"A/B: {path} is damaged ({error.value.__cause__}")
    assert message.endswith("); download these candles again")


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "A_B-1m.feather"
    frame(0).to_feather(path)
    with pytest.raises(CandleFileError) as error:
        read_candles(tmp_path, "A/B", "1m")
    assert str(error.value) == f"A/B: {path} holds no candles; download them again"


@pytest.mark.parametrize(
    ("pair", "files", "there"),
    [
        pytest.param("A/B", [], "it holds no 5m candles", id="an-empty-folder"),
        pytest.param(
            "A/B",
            ["Z_B-5m.parquet", "C_B-5m.feather", "C_B-1h.feather", "D_B-5m.json"],
            "there are: C_B-5m, Z_B-5m",
            id="other-pairs-of-the-timeframe",
        ),
        pytest.param(
            "A/B:B",
            ["C_B-5m.feather", "futures/C_B_B-5m-futures.feather"],
            "there are: C_B_B-5m-futures",
            id="futures-lie-in-their-own-folder",
        ),
    ],
)
def test_a_file_that_is_not_there_is_said_with_those_that_are(pair, files, there, tmp_path):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    stem = candle_path(tmp_path, pair, "5m")
    with pytest.raises(CandleFileError) as error:
        read_candles(tmp_path, pair, "5m")
    assert str(error.value) == (
        f"{pair}: no {stem.name}.feather or .parquet in {stem.parent} ({there}); freqtrade "
        f"download-data -p {pair} -t 5m 1h --timerange YYYYMMDD- fetches it, with the "
        "configuration of the market (pairs of futures are written BTC/USDT:USDT)"
    )


def test_a_folder_that_is_not_there_is_said(tmp_path):
    folder = tmp_path / "nowhere"
    with pytest.raises(CandleFileError) as error:
        read_candles(folder, "A/B", "1m")
    assert f" in {folder} ({folder} does not exist); freqtrade" in str(error.value)

"""Candles as freqtrade keeps them, and what is said when they are not there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history.datahandlers.featherdatahandler import FeatherDataHandler
from freqtrade.enums import CandleType

from dualwindow.market.candle_files import CandleFileError, candle_path, read_candles, seconds
from dualwindow.samples.pair_data import PairData

ENDINGS = [".feather", ".parquet"]


def candles(n: int = 50, step: str = "1min") -> pd.DataFrame:
    date = pd.date_range("2024-01-01", periods=n, freq=step, tz="UTC").as_unit("ms")
    prices = dict.fromkeys(("open", "high", "low", "close"), 1.0 + np.arange(n))
    return pd.DataFrame({"date": date, **prices, "volume": 1.0})


def write(folder: Path, name: str, frame: pd.DataFrame) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    getattr(frame, "to_feather" if path.suffix == ".feather" else "to_parquet")(path)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("pair", "name"),
    [
        pytest.param("BTC/USDT", "BTC_USDT-1m", id="spot"),
        pytest.param("BTC/USDT:USDT", "futures/BTC_USDT_USDT-1m-futures", id="futures"),
    ],
)
def test_what_freqtrade_has_written_is_read(pair, name, ending, tmp_path):
    write(tmp_path, name + ending, candles())
    pd.testing.assert_frame_equal(read_candles(tmp_path, pair, "1m"), candles())


@pytest.mark.parametrize("timeframe", ["1m", "5m", "1h", "1d", "1w"])
@pytest.mark.parametrize(
    ("pair", "kind"),
    [
        ("BTC/USDT", "spot"),
        ("1000PEPE/USDT", "spot"),
        ("$WIF.E/USD@X+", "spot"),
        ("BTC/USDT:USDT", "futures"),
        ("BTC/USDT:USDT-240329", "futures"),
    ],
)
def test_names_are_freqtrades(pair, kind, timeframe):
    expected = FeatherDataHandler._pair_data_filename(
        Path("data"), pair, timeframe, CandleType(kind)
    )
    assert candle_path(Path("data"), pair, timeframe).name == expected.stem
    assert candle_path(Path("data"), pair, timeframe).parent == expected.parent


def test_a_missing_file_is_named_with_where_it_should_be_and_what_is_there(tmp_path):
    for name in ("ETH_USDT-1m.feather", "XRP_USDT-1m.parquet", "BTC_USDT-1h.feather"):
        write(tmp_path, name, candles())
    (tmp_path / "notes-1m.txt").write_text("")
    with pytest.raises(CandleFileError) as missing:
        read_candles(tmp_path, "BTC/USDT", "1m")
    assert str(missing.value) == (
        f"BTC/USDT: no BTC_USDT-1m.feather or .parquet in {tmp_path} (there are: ETH_USDT-1m, "
        "XRP_USDT-1m); freqtrade download-data -p BTC/USDT -t 1m 1h --timerange YYYYMMDD- fetches "
        "it, with the configuration of the market (pairs of futures are written BTC/USDT:USDT)"
    )


def test_missing_futures_are_looked_for_in_their_folder(tmp_path):
    write(tmp_path, "BTC_USDT-1m.feather", candles())
    message = rf"no BTC_USDT_USDT-1m-futures\.feather or \.parquet in {tmp_path / 'futures'} \(it "
    with pytest.raises(CandleFileError, match=f"{message}holds no 1m candles"):
        read_candles(tmp_path, "BTC/USDT:USDT", "1m")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(CandleFileError, match=rf"\({tmp_path / 'none'} does not exist\)"):
        read_candles(tmp_path / "none", "BTC/USDT", "1m")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda found: b"", id="nothing"),
        pytest.param(lambda found: found[: len(found) // 2], id="half"),
        pytest.param(lambda found: found[:-20] + bytes(20), id="another-end"),
        pytest.param(lambda found: b"date,open\n1,2\n", id="another-format"),
    ],
)
def test_a_damaged_file_is_named(ending, damage, tmp_path):
    path = write(tmp_path, f"BTC_USDT-1m{ending}", candles(5000))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CandleFileError, match=rf"^BTC/USDT: {path} is damaged .*download"):
        read_candles(tmp_path, "BTC/USDT", "1m")


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_file_is_named(ending, tmp_path):
    path = write(tmp_path, f"BTC_USDT-1m{ending}", candles(0))
    with pytest.raises(CandleFileError, match=f"^BTC/USDT: {path} holds no candles"):
        read_candles(tmp_path, "BTC/USDT", "1m")


@pytest.mark.parametrize(
    ("timeframe", "expected"), [("1m", 60), ("15m", 900), ("4h", 14400), ("1d", 86400)]
)
def test_seconds_of_a_timeframe(timeframe, expected):
    assert seconds(timeframe) == expected


@pytest.mark.parametrize("timeframe", ["", "m", "0m", "1", "1s", "1M", "-1m", "1 m", "1m "])
def test_what_is_no_timeframe_is_refused(timeframe):
    with pytest.raises(ValueError, match="must be like 1m, 5m or 1h"):
        seconds(timeframe)


def test_a_pair_has_the_features_of_both_files(tmp_path):
    write(tmp_path, "BTC_USDT-1m.feather", candles(3000))
    write(tmp_path, "BTC_USDT-1h.parquet", candles(50, "1h"))
    pair = PairData.read(tmp_path, "BTC/USDT", "1m")
    assert pair.pair == "BTC/USDT"
    assert pair.features.shape == (3000, len(pair.feature_names))
    known = np.isfinite(pair.features)
    assert known[:, pair.feature_names.index("price_to_ma1440")].argmax() == 24 * 60 - 1
    assert not known[:, pair.feature_names.index("price_to_ma43200")].any()


@pytest.mark.parametrize("timeframe", ["1m", "1h"])
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda f: f.assign(date=f["date"].where(f.index != 3)), "no date", id="date"),
        pytest.param(
            lambda frame: frame.drop(columns="low"), r"\['low'\] are missing", id="column"
        ),
    ],
)
def test_broken_candles_are_told_with_pair_and_timeframe(timeframe, spoil, message, tmp_path):
    for step, name in (("1min", "1m"), ("1h", "1h")):
        frame = spoil(candles(50, step)) if name == timeframe else candles(50, step)
        write(tmp_path, f"BTC_USDT-{name}.feather", frame.reset_index(drop=True))
    with pytest.raises(ValueError, match=f"BTC/USDT, {timeframe}: candles: .*{message}"):
        PairData.read(tmp_path, "BTC/USDT", "1m")

"""The core reads candle files by itself; what it reads must be what freqtrade gives a strategy."""

import numpy as np
import pandas as pd
import pytest
from freqtrade.data.history import load_pair_history
from freqtrade.enums import CandleType

from dualwindow.market.candle_files import read_candles

COLUMNS = ["date", "open", "high", "low", "close", "volume"]


def minutes(n: int = 200, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, n)))
    frame = pd.DataFrame({"date": pd.date_range("2024-01-01", periods=n, freq="1min", tz="UTC")})
    frame["date"] = frame["date"].dt.as_unit("ms")
    return frame.assign(
        open=close, high=close * 1.001, low=close * 0.999, close=close, volume=rng.random(n)
    )


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    again = frame.iloc[[50]].assign(high=999.0, volume=7.0)
    return pd.concat([frame, again], ignore_index=True)


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param(lambda f: f, id="whole"),
        pytest.param(lambda f: f.drop(index=[5, 6, 7, 90]), id="missing"),
        pytest.param(twice, id="a-date-twice"),
        pytest.param(lambda f: f.iloc[::-1], id="backwards"),
        pytest.param(lambda f: f.assign(close=f["close"].mask(f.index == 9)), id="no-price"),
    ],
)
def test_what_is_read_is_what_freqtrade_reads(tmp_path, spoiled):
    frame = spoiled(minutes()).reset_index(drop=True)
    frame.to_feather(tmp_path / "BTC_USDT-1m.feather")
    theirs = load_pair_history(
        pair="BTC/USDT",
        timeframe="1m",
        datadir=tmp_path,
        candle_type=CandleType.SPOT,
        data_format="feather",
    )
    ours = read_candles(tmp_path, "BTC/USDT", "1m")
    pd.testing.assert_frame_equal(ours[COLUMNS], theirs[COLUMNS], check_freq=False)
    assert len(ours) == 200

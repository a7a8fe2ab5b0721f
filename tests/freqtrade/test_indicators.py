"""The second strategy: indicators without units, in the real FreqAI."""

import json

import numpy as np
import pandas as pd
import pytest

from harness.freqai_run import PAIR, backtest, configuration, load_strategy, market, out_of_sample
from harness.places import SHARED

# Of the published pipeline, by its names.
PUBLISHED = [
    *("open", "high", "low", "close", "volume", "rsi", "macd", "macd_signal", "macd_hist"),
    *("bb_upper", "bb_lower", "bb_percent", "volume_ma", "volume_ratio", "obv"),
    *("price_change", "high_low_range", "close_open_range"),
    *(f"{kind}_{n}" for kind in ("sma", "ema") for n in (5, 10, 20, 50)),
]
WITH_INDICATORS = {"strategy": "DualWindowIndicators"}


@pytest.fixture(scope="module")
def minutes() -> pd.DataFrame:
    return market()["1m"]


@pytest.fixture(scope="module")
def strategy(tmp_path_factory):
    config = configuration(tmp_path_factory.mktemp("user_data")) | WITH_INDICATORS
    return load_strategy(config, market())


def features(strategy, candles: pd.DataFrame) -> pd.DataFrame:
    found = strategy.feature_engineering_standard(candles.copy(), {"pair": PAIR, "tf": "1m"})
    return found[[c for c in found if c.startswith("%-")]]


def test_they_are_the_published_ones_and_known_after_fifty_candles(strategy, minutes):
    found = features(strategy, minutes)
    assert sorted(found) == sorted(f"%-{name}" for name in PUBLISHED)
    assert len(PUBLISHED) == 26
    assert found.iloc[49:].notna().all().all()
    assert np.isfinite(found.iloc[49:]).all().all()


def test_no_candle_sees_a_later_one(strategy, minutes):
    later = minutes.copy()
    later.loc[1500:, ["open", "high", "low", "close", "volume"]] *= 3
    one, other = features(strategy, minutes), features(strategy, later)
    pd.testing.assert_frame_equal(one.iloc[:1500], other.iloc[:1500])
    assert (one.iloc[1500:] != other.iloc[1500:]).any().all()


def test_they_have_no_unit(strategy, minutes):
    other = minutes.copy()
    other[["open", "high", "low", "close"]] *= 1000
    other["volume"] /= 7
    one, scaled = features(strategy, minutes), features(strategy, other)
    np.testing.assert_allclose(one, scaled, rtol=1e-6, atol=1e-9)


def test_they_do_not_depend_on_where_the_candles_begin(strategy, minutes):
    """As live, which knows no more than the startup candles and the window."""
    whole = features(strategy, minutes).iloc[-180:]
    tail = features(strategy, minutes.tail(720 + 180).reset_index(drop=True)).iloc[-180:]
    np.testing.assert_allclose(whole, tail, rtol=1e-6, atol=1e-9)


def test_indicators_by_pencil(strategy, minutes):
    """Oracle: plain pandas, where talib was asked."""
    found, close = features(strategy, minutes), minutes["close"]
    for n in (5, 50):
        expected = close.rolling(n).mean() / close - 1
        np.testing.assert_allclose(found[f"%-sma_{n}"], expected, atol=1e-9)
    deviation = close.rolling(20).std(ddof=0)
    width = 4 * deviation / close
    np.testing.assert_allclose(found["%-bb_upper"] - found["%-bb_lower"], width, atol=1e-9)
    up, down = close.diff().clip(lower=0), -close.diff().clip(upper=0)
    gain, loss = (x.ewm(alpha=1 / 14, adjust=False).mean() for x in (up, down))
    rsi = gain / (gain + loss)
    np.testing.assert_allclose(found["%-rsi"].iloc[500:], rsi.iloc[500:], atol=1e-6)
    side = np.sign(close.diff())
    obv = (side * minutes["volume"]).cumsum()
    expected = (obv - obv.shift(20)) / minutes["volume"].rolling(20).sum()
    np.testing.assert_allclose(found["%-obv"].iloc[21:], expected.iloc[21:], atol=1e-9)


def test_what_cannot_be_divided_is_unknown(strategy, minutes):
    flat = minutes.copy()
    flat.loc[1000:, ["open", "high", "low", "close"]] = 100.0
    flat.loc[1000:, "volume"] = 0.0
    found = features(strategy, flat).iloc[-1]
    assert found[["%-bb_percent", "%-volume_ratio", "%-obv"]].isna().all()
    assert found["%-price_change"] == 0


def test_a_backtest_trains_on_them(tmp_path):
    config = configuration(tmp_path, feature_parameters={"include_timeframes": ["1m"]})
    _, result = backtest(config | WITH_INDICATORS, market())
    predicted = out_of_sample(result)
    assert (predicted["do_predict"] == 1).mean() > 0.8
    (report, *_) = (tmp_path / "models").rglob("*_dualwindow.json")
    assert len(json.loads(report.read_text())["features"]) == 26


def test_on_recorded_candles_nearly_all_are_known(strategy):
    path = SHARED / "binance" / "BTC_USDT-1m.feather"
    if not path.is_file():
        pytest.skip("needs ../shared/data")
    found = features(strategy, pd.read_feather(path).head(20_000))
    assert found.iloc[50:].notna().all(axis=1).mean() > 0.99

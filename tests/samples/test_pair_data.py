"""A pair's candle files become candles with the features that a classifier learns from."""

import numpy as np
import pandas as pd
import pytest
from examples import random_candles

from dualwindow.market.candle_files import CandleFileError
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import join_hours
from dualwindow.samples.pair_data import PairData

START = 472_222 * 3600
N_HOURS = 725  # five more than the longest average takes


def frame(candles: Candles, step: int, start: int) -> pd.DataFrame:
    date = pd.to_datetime(start + step * np.arange(len(candles)), unit="s", utc=True)
    prices = {"high": candles.high, "low": candles.low, "close": candles.close}
    return pd.DataFrame({"date": date, "open": candles.close, **prices, "volume": candles.volume})


@pytest.mark.parametrize(
    ("pair", "name"),
    [("A/USDT", "A_USDT-{}"), ("A/USDT:USDT", "futures/A_USDT_USDT-{}-futures")],
)
def test_features_are_those_of_the_candles_and_of_one_hour(pair, name, seed, tmp_path):
    """The last hours, of 300 seconds a candle; the averages are known in the very last of them."""
    hours = frame(random_candles(N_HOURS, seed), 3600, START)
    minutes = frame(random_candles(100, seed + 10), 300, START + 717 * 3600)
    (tmp_path / "futures").mkdir()
    for timeframe, content in (("1h", hours), ("5m", minutes)):
        content.to_feather(tmp_path / f"{name.format(timeframe)}.feather")
    found = PairData.read(tmp_path, pair, "5m")
    candles = Candles.from_frame(minutes, 300)
    opened = START + 3600 * np.arange(N_HOURS)
    levels = join_hours(candles, opened, hours["close"].to_numpy(), hours["volume"].to_numpy())
    assert found.pair == pair
    assert found.feature_names == FEATURES
    assert found.candles.step == 300
    np.testing.assert_array_equal(found.candles.date, candles.date)
    np.testing.assert_array_equal(found.candles.close, candles.close)
    np.testing.assert_array_equal(found.features, candle_features(candles, levels))
    known = np.isfinite(found.features).all(axis=1)
    assert 0 < known.sum() < 100
    assert known[-1]


@pytest.mark.parametrize("missing", ["1h", "5m"])
def test_a_file_that_is_missing_is_named(missing, tmp_path):
    for timeframe in {"1h", "5m"} - {missing}:
        frame(random_candles(3, 1), 300, START).to_feather(tmp_path / f"A_B-{timeframe}.feather")
    with pytest.raises(CandleFileError, match=rf"^A/B: no A_B-{missing}\.feather"):
        PairData.read(tmp_path, "A/B", "5m")

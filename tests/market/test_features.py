import numpy as np
import pytest
from examples import make_candles, random_candles

from dualwindow.market.features import FEATURES, candle_features
from dualwindow.market.hours import HourlyLevels


def flat_levels(n: int, price: float = 100.0, volume: float = 60.0) -> HourlyLevels:
    return HourlyLevels(*(np.full(n, v) for v in (price, price, volume, volume)))


def test_features_table():  # worked out by hand
    candles = make_candles([100, 102], high=[100, 104], low=[100, 99], volume=[1, 3])
    row = candle_features(candles, flat_levels(2, price=120.0, volume=60.0))[1]
    expected = {
        "high_change": 0.04,
        "low_change": -0.01,
        "close_change": 0.02,
        "volume_change": 0.5,  # (3 - 1) / (3 + 1)
        "price_to_ma1440": -0.15,
        "price_to_ma43200": -0.15,
        "volume_to_ma1440": 0.5,  # 60 an hour are 1 a minute
        "volume_to_ma43200": 0.5,
    }
    assert dict(zip(FEATURES, row.round(12).tolist(), strict=True)) == expected


def test_zero_volumes_are_numbers_not_infinities():
    candles = make_candles([100] * 4, volume=[1, 0, 0, 1])
    features = candle_features(candles, flat_levels(4, volume=0.0))
    assert features[1:, 3].tolist() == [-1, 0, 1]
    assert features[1:, 6].tolist() == [0, 0, 1]


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -5.0])
def test_an_unusable_price_spoils_its_row_and_the_next(price):
    close = [100.0] * 5
    close[2] = price
    unknown = np.isnan(candle_features(make_candles(close), flat_levels(5)))
    assert unknown.any(axis=1).tolist() == [True, False, True, True, False]
    assert unknown[2].all()


def test_the_first_candle_after_a_gap_is_unknown():
    candles = make_candles([100] * 4, minute=[0, 1, 5, 6])
    unknown = np.isnan(candle_features(candles, flat_levels(4))).any(axis=1)
    assert unknown.tolist() == [True, False, True, False]


def test_nothing_after_a_candle_changes_its_features(seed):
    candles, other = random_candles(300, seed), random_candles(300, seed + 100)
    levels = HourlyLevels(*np.random.default_rng(seed).random((4, 300)))
    changed = candles[slice(200)].followed_by(other[slice(200, None)])
    before, after = candle_features(candles, levels), candle_features(changed, levels)
    np.testing.assert_array_equal(before[:200], after[:200])
    assert (before[201:] != after[201:]).all(axis=1).any()


@pytest.mark.parametrize("volume", [-1.0, np.nan, np.inf])
def test_an_unusable_volume_spoils_its_row_and_the_next(volume):
    candles = make_candles([100.0] * 5, volume=[1, 1, volume, 1, 1])
    features = candle_features(candles, flat_levels(5))
    assert np.isnan(features[:, 3]).tolist() == [True, False, True, True, False]
    assert np.isnan(features[:, 6]).tolist() == [False, False, True, False, False]
    assert np.isfinite(features[1:, :3]).all()  # the prices are known

"""Candles that a file lacks, filled in by pencil; tests/freqtrade compares them with freqtrade."""

import numpy as np
import pandas as pd
import pytest

from dualwindow.market.candle_files import completed, read_candles

NAN = float("nan")
COLUMNS = ["open", "high", "low", "close", "volume"]


def frame(rows: list[tuple]) -> pd.DataFrame:
    """Rows of minute, open, high, low, close and volume."""
    made = pd.DataFrame(rows, columns=["minute", *COLUMNS])
    minute = pd.to_timedelta(made.pop("minute"), unit="m")
    date = (pd.Timestamp("2024-01-01", tz="UTC") + minute).dt.as_unit("ms")
    made.insert(0, "date", date)
    return made


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        pytest.param(
            [(0, 1, 3, 0.5, 2, 9), (3, 4, 6, 3, 5, 8)],
            [(1, 3, 0.5, 2, 9), (2, 2, 2, 2, 0), (2, 2, 2, 2, 0), (4, 6, 3, 5, 8)],
            id="two-are-missing",
        ),
        pytest.param(
            [(0, 1, 3, 0.5, 2, 9), (1, NAN, NAN, NAN, NAN, NAN)],
            [(1, 3, 0.5, 2, 9), (2, 2, 2, 2, 0)],
            id="nothing-is-known-of-one",
        ),
        pytest.param(
            [(0, 1, 3, 0.5, 2, 9), (1, 2, NAN, 1, 4, 7)],
            [(1, 3, 0.5, 2, 9), (2, 4, 1, 4, 7)],
            id="one-price-is-unknown",
        ),
        pytest.param(
            [(1, 4, 6, 3, 5, 8), (0, 1, 3, 0.5, 2, 9), (1, 7, 9, 2, 6, 1)],
            [(1, 3, 0.5, 2, 9), (4, 9, 2, 6, 8)],
            id="out-of-order-and-a-date-twice",
        ),
        pytest.param([(0, 1, 3, 0.5, 2, 9)], [(1, 3, 0.5, 2, 9)], id="one"),
    ],
)
def test_what_is_missing_is_flat_at_the_close_before(rows, expected):
    given = frame(rows)
    before = given.copy()
    made = completed(given, 60)
    np.testing.assert_array_equal(made[COLUMNS].to_numpy(), np.array(expected, dtype=float))
    assert list(made) == ["date", *COLUMNS]
    assert made["date"].dtype == given["date"].dtype
    assert (made["date"].diff().dropna() == pd.Timedelta("1min")).all()
    pd.testing.assert_frame_equal(given, before)


def test_the_step_is_that_of_the_timeframe(tmp_path):
    rows = [(0, 1, 3, 0.5, 2, 9), (180, 4, 6, 3, 5, 8)]
    frame(rows).to_feather(tmp_path / "BTC_USDT-1h.feather")
    assert len(read_candles(tmp_path, "BTC/USDT", "1h")) == 4
    assert len(completed(frame(rows), 60)) == 181


def test_a_frame_that_is_no_candles_is_handed_on_as_it_is(tmp_path):
    whole = frame([(0, 1, 3, 0.5, 2, 9), (2, 4, 6, 3, 5, 8)])
    dateless = whole.assign(date=whole["date"].where(whole.index != 1))
    for spoiled in (whole.drop(columns="volume"), whole.drop(columns="date"), dateless):
        spoiled.to_feather(tmp_path / "BTC_USDT-1m.feather")
        assert len(read_candles(tmp_path, "BTC/USDT", "1m")) == 2

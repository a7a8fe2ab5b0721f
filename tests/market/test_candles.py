"""Candles know which rows are neighbours, and refuse rows without a time."""

import numpy as np
import pandas as pd
import pytest
from examples import make_candles

from dualwindow.market.candles import Candles, count_ahead, count_back


def frame(dates: list[str | None]) -> pd.DataFrame:
    prices = dict.fromkeys(("high", "low", "close", "volume"), np.arange(1.0, len(dates) + 1))
    return pd.DataFrame({"date": pd.to_datetime(dates, utc=True), **prices})


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["2024-01-01 00:00", None], "row 1 of 2 has no date"),
        ([None, "2024-01-01 00:00"], "row 0 of 2 has no date"),
        ([None], "row 0 of 1 has no date"),
        (["2024-01-01 00:01"] * 2, r"row 1 \(2024-01-01 00:01:00\+00:00\) does not"),
        (["2024-01-01 00:01", "2024-01-01 00:02", "2024-01-01 00:01"], "row 2 "),
    ],
    ids=["last", "first", "only", "duplicate", "backwards"],
)
def test_a_row_without_its_own_later_date_is_refused(dates, message):
    with pytest.raises(ValueError, match=message):
        Candles.from_frame(frame(dates), 60)


def test_the_error_says_how_to_fix_the_order():
    with pytest.raises(ValueError, match=r"; sort the candles by date and drop duplicates$"):
        Candles.from_frame(frame(["2024-01-01 00:01"] * 2), 60)


def test_columns_are_taken_by_name_and_as_numbers():
    dates = ["2024-01-01 00:00:00", "2024-01-01 00:00:01", "2024-01-01 00:01:00"]
    columns = {"volume": [1, 2, 3], "close": [4, 5, 6], "low": [7, 8, 9], "high": [10, 11, 12]}
    given = pd.DataFrame({**columns, "date": pd.to_datetime(dates, utc=True)})
    candles = Candles.from_frame(given, 60)
    assert candles.date.tolist() == [1704067200, 1704067201, 1704067260]
    assert candles.date.dtype == np.int64
    for name, values in columns.items():
        assert getattr(candles, name).tolist() == values
        assert getattr(candles, name).dtype == np.float64
    assert candles.step == 60
    assert len(Candles.from_frame(given.head(0), 60)) == 0


def test_missing_columns_are_named():
    given = frame(["2024-01-01"]).drop(columns=["low", "volume"])
    message = r"columns \['low', 'volume'\] are missing\. Received: \['date', 'high', 'close'\]"
    with pytest.raises(ValueError, match=message):
        Candles.from_frame(given, 60)


@pytest.mark.parametrize(
    ("date", "breaks"),
    [
        pytest.param([0, 60, 120], [True, False, False], id="neighbours"),
        pytest.param([0, 60, 180], [True, False, True], id="one-is-missing"),
        pytest.param([0, 60, 90, 150], [True, False, True, False], id="closer-than-a-step"),
        pytest.param([7], [True], id="nothing-before-the-first"),
        pytest.param([], [], id="none"),
    ],
)
def test_breaks_table(date, breaks):
    ones = np.ones(len(date))
    candles = Candles(np.array(date, dtype=np.int64), ones, ones, ones, ones, 60)
    assert candles.breaks.tolist() == breaks


@pytest.mark.parametrize("column", ["high", "low", "close"])
@pytest.mark.parametrize("price", [np.nan, np.inf, -np.inf, 0.0, -1.0])
def test_a_candle_is_priced_if_all_its_prices_are(column, price):
    values = {name: [1e-9, 1.0, 1e9] for name in ("close", "high", "low")}
    values[column][1] = price
    assert make_candles(**values).priced.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("volume", "minute", "run"),
    [
        pytest.param([1, 0, 0, 2, 0], None, [0, 1, 2, 0, 1], id="counts-up"),
        pytest.param([0, 0, 1], None, [1, 2, 0], id="from-the-first"),
        pytest.param([0, 0, 0, 0], [0, 1, 5, 6], [1, 2, 1, 2], id="a-gap-starts-anew"),
        pytest.param([0, np.nan, 0, -1.0, 0], None, [1, 0, 1, 0, 1], id="unknown-is-not-untraded"),
    ],
)
def test_untraded_run_table(volume, minute, run):
    candles = make_candles(np.ones(len(volume)), volume=volume, minute=minute)
    assert candles.untraded_run.tolist() == run


def test_counts_are_those_of_the_slow_loop(seed):
    mask = np.random.default_rng(seed).random(40) < 0.5
    for length in (-2, 0, 1, 2, 7, 39, 40, 60):
        back = [mask[max(t + 1 - max(length, 0), 0) : t + 1].sum() for t in range(40)]
        assert count_back(mask, length).tolist() == back
    for first, last in ((0, 0), (0, 3), (1, 1), (1, 5), (3, 7), (1, 60), (50, 60), (6, 5)):
        ahead = [mask[t + first : max(t + last + 1, 0)].sum() for t in range(40)]
        assert count_ahead(mask, first, last).tolist() == ahead

"""What is wrong with a file of candles is counted, one thing at a time."""

import numpy as np
import pandas as pd
import pytest

from dualwindow.market.candle_files import completed, in_hours
from dualwindow.market.quality import quality_of

SOUND = {
    "unknown": 0,
    "not_positive": 0,
    "crossed": 0,
    "duplicates": 0,
    "backwards": 0,
    "gaps": 0,
    "missing": 0,
    "longest_gap": 0,
    "untraded": 0,
    "longest_untraded": 0,
}


def frame(n: int = 20, step: int = 60) -> pd.DataFrame:
    date = pd.to_datetime(np.arange(n) * step, unit="s", utc=True).as_unit("ms")
    close = np.arange(1.0, n + 1)
    return pd.DataFrame(
        {"date": date, "open": close, "high": close + 1, "low": close - 0.5, "close": close}
    ).assign(volume=1.0)


def put(column: str, rows: list[int], value: float):
    return lambda f: f.assign(**{column: f[column].mask(f.index.isin(rows), value)})


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        pytest.param(lambda f: f, {}, id="sound"),
        pytest.param(put("close", [3, 4], np.nan), {"unknown": 2}, id="nan"),
        pytest.param(put("volume", [3], np.inf), {"unknown": 1}, id="inf"),
        pytest.param(put("low", [3], 0.0), {"not_positive": 1}, id="zero"),
        pytest.param(put("high", [3], 0.1), {"crossed": 1}, id="crossed"),
        pytest.param(
            put("volume", [3, 4, 9], 0.0), {"untraded": 3, "longest_untraded": 2}, id="idle"
        ),
        pytest.param(
            lambda f: f.drop(index=[3, 7, 8]),
            {"gaps": 2, "missing": 3, "longest_gap": 2},
            id="gaps",
        ),
        pytest.param(lambda f: pd.concat([f, f[-1:]]), {"duplicates": 2}, id="twice"),
        pytest.param(lambda f: f.iloc[[0, 2, 1, *range(3, 20)]], {"backwards": 1}, id="order"),
    ],
)
def test_each_fault_is_counted_by_itself(spoil, found):
    quality = quality_of(spoil(frame()), 60)._asdict()
    assert quality.pop("candles") == len(spoil(frame()))
    assert quality.pop("first") == "1970-01-01T00:00:00"
    assert quality.pop("last") == "1970-01-01T00:19:00"
    assert quality == SOUND | found


def test_hours_are_made_of_their_candles_and_the_last_one_only_if_it_is_over():
    minutes = frame(3 * 12 + 5, step=300)
    hours = in_hours(minutes)
    assert hours["date"].dt.hour.tolist() == [0, 1, 2]
    assert hours["open"].tolist() == [1, 13, 25]
    assert hours["high"].tolist() == [13, 25, 37]
    assert hours["low"].tolist() == [0.5, 12.5, 24.5]
    assert hours["close"].tolist() == [12, 24, 36]
    assert hours["volume"].tolist() == [12, 12, 12]
    assert len(in_hours(frame(36, step=300))) == 3
    assert len(in_hours(frame(35, step=300))) == 2


def test_an_hour_without_trades_is_as_freqtrade_completes_it():
    minutes = completed(frame(48, step=300).drop(index=range(12, 24)), 300)
    hour = in_hours(minutes).iloc[1]
    assert (hour["open"], hour["high"], hour["low"], hour["close"], hour["volume"]) == (12,) * 4 + (
        0,
    )


def test_an_hour_without_its_beginning_is_none():
    assert in_hours(frame(36, step=300).iloc[5:])["date"].dt.hour.tolist() == [1, 2]

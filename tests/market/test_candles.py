"""Candles know which rows are neighbours, and refuse rows without a time."""

import numpy as np
import pandas as pd
import pytest

from dualwindow.market.candles import Candles


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

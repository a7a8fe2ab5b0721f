"""What sums a window up, against plain loops and by pencil."""

import dataclasses
import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from examples import make_candles, random_candles

from dualwindow.market import summaries as module
from dualwindow.market.candles import Candles
from dualwindow.market.summaries import mean_log_ranges, summaries, summary_names

SPANS = (3, 20)
ENDS = np.array([19, 50, 119, 50])


def column(name: str, found: np.ndarray, spans: tuple[int, ...] = SPANS) -> np.ndarray:
    return found[:, summary_names(spans).index(name)]


def test_names_are_those_of_the_columns():
    names = summary_names(SPANS)
    assert names == (
        *("range_3", "volatility_3", "return_3"),
        *("range_20", "volatility_20", "return_20"),
        "volume_3_to_20",
        *("day_sine", "day_cosine", "half_day_sine", "half_day_cosine", "weekend"),
    )
    assert summaries(random_candles(120, 0), ENDS, SPANS).shape == (4, len(names))
    assert len(summary_names((15, 60, 180))) == 4 * 3 + 4


def test_table_by_pencil():
    """Returns of +1, -2, +2 in log; the last three volumes are 2, 2, 8, those before 0."""
    close = np.exp([0.0, 1.0, -1.0, 1.0])
    candles = make_candles(close, high=close * np.e, low=close, volume=[0.0, 2.0, 2.0, 8.0])
    found = summaries(candles, np.array([3]), (2, 4))
    expected = {
        "range_2": 0.0,
        "volatility_2": np.log(2.0),
        "return_2": 2 / 2,
        "range_4": 0.0,
        "volatility_4": np.log(np.sqrt(9 / 3)),
        "return_4": 1 / np.sqrt(9),
        "volume_2_to_4": np.log(5 / 3),
    }
    for name, value in expected.items():
        assert column(name, found, (2, 4)) == pytest.approx([value], abs=1e-12), name


def uneven_candles(seed: int) -> Candles:
    """Random ones with a time without trades, one without moves, and one without both."""
    candles = random_candles(400, seed)
    for rows in (slice(60, 90), slice(140, 170)):
        candles.volume[rows] = 0.0
    for rows in (slice(100, 130), slice(155, 200)):
        for prices in (candles.high, candles.low, candles.close):
            prices[rows] = 100.0
    begins = np.random.default_rng(seed).integers(1_600_000_000, 1_700_000_000)
    return dataclasses.replace(candles, date=begins + 3600 * np.arange(400), step=3600)


def plain_row(candles: Candles, end: int, spans: tuple[int, ...]) -> list[float]:
    row, volumes = [], {}
    for span in spans:
        ranges = squares = volume = 0.0
        for t in range(end - span + 1, end + 1):
            ranges += math.log(candles.high[t] / candles.low[t])
            volume += candles.volume[t]
            if t > end - span + 1:
                squares += math.log(candles.close[t] / candles.close[t - 1]) ** 2
        volatility = max(math.sqrt(squares / (span - 1)), 1e-6)
        moved = math.log(candles.close[end] / candles.close[end - span + 1])
        row += [math.log(max(ranges / span, 1e-6)), math.log(volatility)]
        row.append(moved / (volatility * math.sqrt(span - 1)))
        volumes[span] = volume / span
    whole = volumes.pop(max(spans))
    row += [math.log(max(part / whole, 1e-3)) if whole else 0.0 for part in volumes.values()]
    when = datetime.fromtimestamp(int(candles.date[end]), tz=UTC)
    turns = (when.hour * 3600 + when.minute * 60 + when.second) / 86400
    for n in (1, 2):
        row += [math.sin(2 * math.pi * n * turns), math.cos(2 * math.pi * n * turns)]
    return [*row, float(when.weekday() >= 5)]


@pytest.mark.parametrize("spans", [(3, 20), (20, 2, 7), (5,)], ids=str)
def test_matches_a_plain_loop(seed, spans):
    candles, ends = uneven_candles(seed), np.arange(19, 400)
    expected = [plain_row(candles, end, spans) for end in ends]
    found = summaries(candles, ends, spans)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    assert all(np.ptp(values) > 0 for values in found.T)
    order = np.random.default_rng(seed).permutation(len(ends))
    np.testing.assert_array_equal(summaries(candles, ends[order], spans), found[order])


def test_only_the_candles_of_the_window_matter_to_the_last_bit(seed):
    candles = random_candles(200, seed)
    ends = np.array([60, 61, 99])
    whole = summaries(candles, ends, SPANS)
    changed = dataclasses.replace(
        candles, **{n: getattr(candles, n).copy() for n in ("high", "low", "close", "volume")}
    )
    for name in ("high", "low", "close", "volume"):
        getattr(changed, name)[:41] *= 1e6
        getattr(changed, name)[100:] = np.nan
    np.testing.assert_array_equal(summaries(changed, ends, SPANS), whole)
    for end, row in zip(ends, whole, strict=True):
        alone = candles[slice(end - 19, end + 1)]
        np.testing.assert_array_equal(summaries(alone, np.array([19]), SPANS)[0], row)


def test_many_windows_are_summed_up_as_one_is(seed, monkeypatch):
    candles, ends = random_candles(200, seed), np.arange(19, 200)
    whole = summaries(candles, ends, SPANS)
    monkeypatch.setattr(module, "_CHUNK", 7)
    np.testing.assert_array_equal(summaries(candles, ends, SPANS), whole)
    assert summaries(candles, ends[:0], SPANS).shape == (0, whole.shape[1])


def test_no_number_has_a_unit(seed):
    candles = random_candles(120, seed)
    other = Candles(
        candles.date,
        candles.high * 1000,
        candles.low * 1000,
        candles.close * 1000,
        candles.volume / 7,
        60,
    )
    np.testing.assert_allclose(
        summaries(other, ENDS, SPANS), summaries(candles, ENDS, SPANS), atol=1e-9
    )


def test_what_does_not_move_or_trade_gives_finite_numbers():
    flat = make_candles(np.full(30, 7.0), volume=np.zeros(30))
    found = summaries(flat, np.arange(19, 30), SPANS)
    assert np.isfinite(found).all()
    assert (column("return_20", found) == 0).all()
    assert (column("volume_3_to_20", found) == 0).all()
    thin = make_candles(np.full(30, 7.0), volume=[1.0] * 26 + [0.0] * 4)
    assert column("volume_3_to_20", summaries(thin, np.array([29]), SPANS)) == np.log(1e-3)


@pytest.mark.parametrize("name", ["high", "low", "close", "volume"])
def test_what_is_unknown_spoils_the_windows_that_hold_it_and_no_others(name):
    candles = random_candles(60, 0)
    getattr(candles, name)[30] = np.nan
    found = summaries(candles, np.arange(19, 60), SPANS)
    spoilt = np.isnan(found).any(axis=1)
    assert np.flatnonzero(spoilt).tolist() == list(range(30 - 19, 50 - 19))


@pytest.mark.parametrize(
    ("name", "spoilt"),
    [
        ("high", {"range", "volatility", "return"}),  # a candle without one price has none
        ("volume", {"volume"}),
    ],
)
def test_what_is_unknown_spoils_the_numbers_whose_candles_hold_it_and_no_others(name, spoilt):
    candles = random_candles(60, 0)
    getattr(candles, name)[30] = np.nan
    ends, n_checked = np.array([32, 33, 49, 50]), 0
    for end, row in zip(ends, summaries(candles, ends, SPANS), strict=True):
        for column_name, value in zip(summary_names(SPANS), row, strict=True):
            what, *spans = column_name.replace("_to", "").split("_")
            longest = max(int(span) for span in spans) if what in spoilt else 0
            assert np.isnan(value) == (end - longest < 30), (end, column_name)
            n_checked += 1
    assert n_checked == 4 * 12


def test_times_are_those_of_the_calendar():
    dates = pd.date_range("2023-11-03 22:00", "2023-11-06 02:00", freq="30min", tz="UTC")
    n = len(dates)
    candles = dataclasses.replace(make_candles(np.ones(n)), date=dates.as_unit("s").asi8, step=1800)
    found = summaries(candles, np.arange(1, n), (2,))
    day = (dates.hour + dates.minute / 60)[1:] / 24 * 2 * np.pi
    np.testing.assert_allclose(column("day_sine", found, (2,)), np.sin(day), atol=1e-12)
    np.testing.assert_allclose(column("day_cosine", found, (2,)), np.cos(day), atol=1e-12)
    np.testing.assert_allclose(column("half_day_sine", found, (2,)), np.sin(2 * day), atol=1e-12)
    np.testing.assert_allclose(column("half_day_cosine", found, (2,)), np.cos(2 * day), atol=1e-12)
    weekend = np.asarray(dates.dayofweek[1:] >= 5, dtype=float)
    np.testing.assert_array_equal(column("weekend", found, (2,)), weekend)
    assert 0 < weekend.sum() < len(weekend)


def test_inputs_are_untouched():
    candles = random_candles(120, 0)
    for name in ("date", "high", "low", "close", "volume"):
        getattr(candles, name).flags.writeable = False
    summaries(candles, ENDS, SPANS)
    mean_log_ranges(candles, ENDS, SPANS)


RANGE_SPANS = (1, 3, 20)


def test_table_of_mean_log_ranges():
    candles = make_candles(np.ones(4), high=np.exp([1.0, 2.0, 3.0, 6.0]), low=np.ones(4))
    got = mean_log_ranges(candles, np.array([1, 2, 3]), (1, 2))
    np.testing.assert_allclose(np.exp(got), [[2, 1.5], [3, 2.5], [6, 4.5]])


def test_mean_log_ranges_match_a_plain_loop(seed):
    candles = random_candles(120, seed)
    ends = np.array([19, 50, 119, 50])
    expected = []
    for end in ends:
        row = []
        for span in RANGE_SPANS:
            total = 0.0
            for t in range(end - span + 1, end + 1):
                total += np.log(candles.high[t]) - np.log(candles.low[t])
            row.append(np.log(total / span))
        expected.append(row)
    np.testing.assert_allclose(mean_log_ranges(candles, ends, RANGE_SPANS), expected)


def test_only_the_candles_of_the_span_matter_to_their_last_bit(seed):
    candles = random_candles(200, seed)
    ends = np.array([60, 61, 99])
    whole = mean_log_ranges(candles, ends, RANGE_SPANS)
    changed = dataclasses.replace(candles, high=candles.high.copy(), low=candles.low.copy())
    changed.high[:41] *= 1e6
    changed.low[100:] = np.nan
    np.testing.assert_array_equal(mean_log_ranges(changed, ends, RANGE_SPANS), whole)
    for end, row in zip(ends, whole, strict=True):
        alone = candles[slice(end - 19, end + 1)]
        np.testing.assert_array_equal(mean_log_ranges(alone, np.array([19]), RANGE_SPANS)[0], row)


def test_flat_candles_give_finite_numbers_and_unknown_prices_none():
    flat = make_candles(np.full(30, 7.0))
    assert np.isfinite(mean_log_ranges(flat, np.arange(19, 30), RANGE_SPANS)).all()
    high = np.full(30, 7.0)
    high[25] = np.nan
    got = mean_log_ranges(
        make_candles(np.full(30, 7.0), high=high), np.array([24, 25]), RANGE_SPANS
    )
    assert np.isnan(got).any(axis=1).tolist() == [False, True]

import numpy as np
import pytest
from examples import make_candles, random_candles, shared_frame

from dualwindow.market.candles import Candles
from dualwindow.samples.splits import split_at, validation_start
from dualwindow.samples.windows import (
    Rejection,
    broken_windows,
    count_rejections,
    gather,
    whole,
    window_view,
)


def whole_of(candles: Candles, usable=None, history: int = 3, max_untraded: int = 1):
    usable = np.ones(len(candles), dtype=bool) if usable is None else np.array(usable, dtype=bool)
    return broken_windows(candles, usable, history, max_untraded)


def test_windows_are_read_only_views():
    rows = np.arange(20.0).reshape(10, 2)
    view = window_view(rows, 3)
    assert view.shape == (8, 6)
    assert np.shares_memory(view, rows)
    assert not view.flags.writeable


def test_gathered_windows_hold_their_own_row_numbers():
    rows = np.arange(50.0).repeat(3).reshape(50, 3)
    ends = np.array([4, 30, 49, 4])
    windows = gather(rows, ends, history=5)
    assert windows.shape == (4, 5, 3)
    for window, end in zip(windows, ends, strict=True):
        assert (window == np.arange(end - 4, end + 1)[:, None]).all()


def test_a_window_is_whole_only_with_neighbours_and_usable_rows():
    candles = make_candles([1.0] * 8, minute=[0, 1, 2, 3, 9, 10, 11, 12])
    usable = [1, 1, 1, 1, 1, 1, 1, 0]
    broken = whole_of(candles, usable)
    assert whole(broken).tolist() == [0, 0, 1, 1, 0, 0, 1, 0]
    assert count_rejections(broken) == {
        Rejection.HISTORY.value: 2,
        Rejection.GAP.value: 2,
        Rejection.UNTRADED.value: 0,
        Rejection.FEATURE.value: 1,
    }


def test_a_row_counts_under_its_first_reason_however_many_come_between():
    reasons = {
        Rejection.GAP: np.array([True, False, False]),
        Rejection.FEATURE: np.array([False, True, False]),
        Rejection.FUTURE: np.array([True, True, True]),
    }
    assert list(count_rejections(reasons).values()) == [1, 1, 1]


@pytest.mark.parametrize("history", [2, 5, 16])
def test_matches_the_slow_loop(history, seed):
    rng = np.random.default_rng(seed)
    minute = np.cumsum(1 + (rng.random(300) < 0.03))
    volume = (rng.random(300) < 0.6).astype(float)
    candles, usable = (
        make_candles(np.ones(300), volume=volume, minute=minute),
        rng.random(300) > 0.02,
    )
    expected = []
    for t in range(300):
        rows = slice(t - history + 1, t + 1)
        fine = t >= history - 1 and minute[t] - minute[t - history + 1] == history - 1
        fine = fine and usable[rows].all()
        idle = "".join("x" if v == 0 else "-" for v in volume[rows]) if fine else ""
        expected.append(bool(fine and "xxx" not in idle))
    broken = broken_windows(candles, usable, history, max_untraded=2)
    assert whole(broken).tolist() == expected
    assert 0 < sum(expected) < 300


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("high", np.nan),
        ("low", 0.0),
        ("close", np.inf),
        ("volume", np.nan),
        ("volume", -1.0),
        ("volume", np.inf),
    ],
)
def test_a_candle_that_is_unknown_spoils_its_windows_whatever_the_features(name, value):
    candles = make_candles(np.ones(20))
    getattr(candles, name)[9] = value
    broken = broken_windows(candles, np.ones(20, dtype=bool), 4, max_untraded=2)
    assert np.flatnonzero(broken[Rejection.FEATURE]).tolist() == [9, 10, 11, 12]
    assert np.flatnonzero(~candles.known).tolist() == [9]


def test_a_window_is_judged_by_its_own_rows_alone(seed):
    rng = np.random.default_rng(seed)
    candles = make_candles(np.ones(200), volume=(rng.random(200) < 0.4).astype(float))
    judged = whole(broken_windows(candles, np.ones(200, dtype=bool), 20, 3))
    for t in range(19, 200):
        alone = candles[slice(t - 19, t + 1)]
        assert whole(broken_windows(alone, np.ones(20, dtype=bool), 20, 3))[-1] == judged[t]
    assert 0 < judged.sum() < 181


def test_no_window_spans_the_real_outage():
    candles = Candles.from_frame(shared_frame("gap/BTC_USDT-1m.feather"), 60)
    fine = whole(broken_windows(candles, np.ones(len(candles), dtype=bool), 180, 180))
    ends = np.flatnonzero(fine)
    assert (candles.date[ends] - candles.date[ends - 179] == 179 * 60).all()
    assert len(ends) == len(candles) - 179 - 179


def test_no_window_spans_the_real_outage_as_freqtrade_fills_it():
    frame = shared_frame("gap/BTC_USDT-1m.feather").set_index("date")
    filled = frame.resample("1min").agg({"volume": "sum", "close": "last"})
    filled["close"] = filled["close"].ffill()
    filled = filled.assign(high=filled["close"], low=filled["close"]).reset_index()
    candles = Candles.from_frame(filled, 60)
    # the exchange itself sent 72 candles without a trade before it stopped sending
    assert (candles.volume == 0).sum() == 72 + 80
    fine = whole(broken_windows(candles, np.ones(len(candles), dtype=bool), 180, 15))
    assert (~fine).sum() == 179 + (152 - 15) + (180 - 16)


def test_purge_leaves_no_training_label_that_looks_into_validation(seed):
    rng = np.random.default_rng(seed)
    date = np.cumsum(60 * (1 + (rng.random(500) < 0.05)))
    split = split_at(date, 30 * 60, validation_start(date, 0.2))
    first = date[split.validation].min()
    assert split.validation.sum() == 100
    assert (date[split.train] + 30 * 60 < first).all()
    assert (date[split.purged] + 30 * 60 >= first).all()
    assert (split.train.astype(int) + split.purged + split.validation == 1).all()


@pytest.mark.parametrize(
    ("share", "parts"),
    [
        pytest.param(0.3, (5, 2, 3), id="some"),
        pytest.param(0.04, (10, 0, 0), id="rounds-to-nothing"),
        pytest.param(0.96, (0, 0, 10), id="rounds-to-everything"),
    ],
)
def test_split_table(share, parts):
    split = split_at(np.arange(10), 2, validation_start(np.arange(10), share))
    assert tuple(int(mask.sum()) for mask in split) == parts


def test_inputs_are_untouched(seed):
    candles = random_candles(100, seed)
    usable = np.ones(100, dtype=bool)
    arrays = (candles.date, candles.high, candles.low, candles.close, candles.volume, usable)
    before = [a.copy() for a in arrays]
    for array in arrays:
        array.setflags(write=False)
    broken_windows(candles, usable, 10, 2)
    split_at(candles.date, 60, validation_start(candles.date, 0.2))
    assert all((a == b).all() for a, b in zip(arrays, before, strict=True))

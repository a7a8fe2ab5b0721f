"""Rows without prices: what is left of candles, and what becomes of them again."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from examples import random_candles, small_settings

from dualwindow.learning.group import prepare
from dualwindow.market.candles import Candles, joined
from dualwindow.market.labels import UNKNOWN, Labelling
from dualwindow.market.ready_files import ONE_HOT, SINGLE, ready_bytes, ready_table
from dualwindow.samples.data import TrainingError
from dualwindow.samples.ready_data import READY_NAMES, ReadyRows, is_undated, ready_pair, ready_rows
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.samples.windows import Rejection, broken_windows, whole
from dualwindow.settings import Settings

HOUR, START = 3600, 400_000 * 3600
SETTINGS = Settings(horizon=5)
LABELLING = Labelling.of(SETTINGS)
FOREVER = (-np.inf, np.inf)


def hourly(n: int, seed: int) -> Candles:
    candles = random_candles(n, seed, 0.006)
    return replace(candles, date=START + candles.date * 60, step=HOUR)


def rows_of(candles: Candles, start: float = -np.inf, stop: float = np.inf) -> ReadyRows:
    return ready_rows(candles, LABELLING, start, stop)


def frame_of(rows: ReadyRows, columns=ONE_HOT) -> pd.DataFrame:
    return pd.read_feather(io.BytesIO(ready_bytes(*rows[:3], columns)))


def test_rows_without_a_month_before_or_a_future_after_are_left_out(seed):
    candles = hourly(800, seed)
    rows = rows_of(candles)
    np.testing.assert_array_equal(rows.date, candles.date[719:795])
    assert list(rows.left_out.values()) == [719, 0, 0, 5]
    np.testing.assert_array_equal(rows.labels, LABELLING.label(candles)[719:795])
    assert len(np.unique(rows.labels)) == 3


def test_a_span_looks_back_before_it_and_not_beyond(seed):
    candles = hourly(800, seed)
    start, stop = candles.date[[730, 780]].tolist()
    rows, all_rows = rows_of(candles, start, stop), rows_of(candles)
    np.testing.assert_array_equal(rows.date, candles.date[730:775])
    np.testing.assert_array_equal(rows.features, all_rows.features[11:56])
    assert sum(rows.left_out.values()) == 5


def test_the_future_beyond_the_horizon_changes_no_row(seed):
    candles, other = hourly(800, seed), hourly(800, seed + 1)
    t = 760
    late = np.arange(800) > t + LABELLING.horizon
    names = ("high", "low", "close", "volume")
    mixed = {n: np.where(late, getattr(other, n), getattr(candles, n)) for n in names}
    one, two = rows_of(candles), rows_of(replace(candles, **mixed))
    n = t - 719 + 1
    for a, b in zip(one[:3], two[:3], strict=True):
        np.testing.assert_array_equal(a[:n], b[:n])
    assert (one.features[n:] != two.features[n:]).any()


@pytest.mark.parametrize(("n_idle", "n_lost"), [(15, 15), (16, 16), (20, 20)])
def test_candles_without_trades_are_no_rows(n_idle, n_lost, seed):
    """A change from nothing is unknown: all but the first of a run are lost, and the one after."""
    candles = hourly(800, seed)
    volume = candles.volume.copy()
    volume[740 : 740 + n_idle] = 0
    rows = rows_of(replace(candles, volume=volume))
    lost = set(candles.date[719:795]) - set(rows.date)
    of_labels = rows.left_out["future unknown"] - 5
    assert len(lost) - of_labels == n_lost
    assert rows.left_out["in an outage (untraded candles)"] == n_idle - 15
    assert candles.date[740 + n_idle] in lost


def test_a_table_that_is_written_and_read_is_the_same(seed):
    rows = rows_of(hourly(800, seed))
    for columns in (ONE_HOT, SINGLE):
        frame = frame_of(rows, columns)
        assert list(frame)[8:] == [*columns, "timestamp"]
        assert {str(frame[c].dtype) for c in columns} == {"uint8"}
        assert str(frame["timestamp"].dtype) == "datetime64[ms, UTC]"
        pair = ready_pair("A/B", ready_table(frame, columns), HOUR)
        np.testing.assert_array_equal(pair.candles.date, rows.date)
        np.testing.assert_array_equal(pair.features, rows.features)
        np.testing.assert_array_equal(pair.labels, rows.labels)
        assert pair.feature_names == READY_NAMES
        assert not pair.candles.has_prices
        assert not is_undated(pair.candles)


def test_labels_that_look_at_or_beyond_the_end_are_unknown(seed):
    rows = rows_of(hourly(800, seed))
    pair = ready_pair("A/B", ready_table(frame_of(rows), ONE_HOT), HOUR)
    assert (pair.between(*FOREVER, LABELLING).labels != UNKNOWN).all()
    cut = pair.between(-np.inf, float(rows.date[50]), LABELLING)
    assert len(cut.candles) == 50
    np.testing.assert_array_equal(cut.labels[:45], rows.labels[:45])
    assert (cut.labels[45:] == UNKNOWN).all()


def test_without_dates_rows_follow_each_other(seed):
    frame = frame_of(rows_of(hourly(800, seed))).drop(columns="timestamp")
    pair = ready_pair("A/B", ready_table(frame, ONE_HOT), HOUR)
    assert pair.candles.date.tolist() == [HOUR * i for i in range(len(frame))]
    assert is_undated(pair.candles)


def test_an_index_of_dates_is_as_good_as_a_column(seed):
    frame = frame_of(rows_of(hourly(800, seed)))
    by_column = ready_pair("A/B", ready_table(frame, ONE_HOT), HOUR)
    by_index = ready_pair("A/B", ready_table(frame.set_index("timestamp"), ONE_HOT), HOUR)
    np.testing.assert_array_equal(by_index.candles.date, by_column.candles.date)


def test_no_window_spans_rows_that_were_left_out(seed):
    frame = frame_of(rows_of(hourly(820, seed)))
    pair = ready_pair("A/B", ready_table(frame.drop(index=30), ONE_HOT), HOUR)
    n = len(pair.candles)
    broken = broken_windows(pair.candles, np.ones(n, dtype=bool), 4, 15)
    assert np.flatnonzero(broken[Rejection.GAP]).tolist() == [0, 1, 2, 30, 31, 32]
    assert np.flatnonzero(~whole(broken)).tolist() == [0, 1, 2, 30, 31, 32]


def test_candles_that_should_have_prices_and_lack_them_stay_broken(seed):
    """An outage is no file without prices: only what says so is exempt."""
    candles = hourly(40, seed)
    nothing = np.full(40, np.nan)
    columns = dict.fromkeys(("high", "low", "close", "volume"), nothing)
    outage = replace(candles, **columns)
    usable = np.ones(40, dtype=bool)
    assert not whole(broken_windows(outage, usable, 4, 15)).any()
    assert not outage.known.any()
    without = replace(outage, has_prices=False)
    assert whole(broken_windows(without, usable, 4, 15)).sum() == 37
    assert without[3:9].has_prices is False
    assert joined([without[:5], without[5:]]).has_prices is False
    assert joined([candles[:0], without]).has_prices is False
    assert not LABELLING.known_futures(without).any()
    with pytest.raises(ValueError, match="cannot be joined"):
        without[:20].followed_by(candles[20:])


def data_without_prices(seed: int):
    rows = rows_of(hourly(1400, seed))
    pair = ready_pair("A/B", ready_table(frame_of(rows), ONE_HOT), HOUR)
    return pair.between(*FOREVER, LABELLING)


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("lstm", {}),
        ("gru", {"spans": [2]}),
        ("ranges", {}),
        ("trees", {}),
        ("ensemble", {}),
        ("ensemble", {"members": [{"kind": "published"}, {"kind": "ranges"}]}),
    ],
)
def test_kinds_that_look_at_prices_are_refused_without(kind, model, seed):
    settings = small_settings(12, 5, kind, **model)
    assert settings.model.needs_prices
    with pytest.raises(TrainingError, match=rf"^A/B: there are no prices, which the kind '{kind}'"):
        prepare([data_without_prices(seed)], settings, FeatureScaler("standard"))


@pytest.mark.parametrize("kind", ["published", "lstm", "gru", "bilstm", "dlstm", "ensemble"])
def test_kinds_that_look_at_features_alone_are_not(kind, seed):
    model = {} if kind in ("published", "ensemble") else {"spans": []}
    if kind == "ensemble":
        model = {"members": [{"kind": "published"}, {"kind": "gru", "spans": []}]}
    settings = small_settings(12, 5, kind, **model)
    assert not settings.model.needs_prices
    prepared = prepare([data_without_prices(seed)], settings, FeatureScaler("standard"))
    assert len(prepared.training.ends) > 100


def test_pairs_with_and_without_prices_do_not_learn_together(seed):
    data = data_without_prices(seed)
    priced = replace(data, pair="C/D", candles=hourly(len(data.candles), seed))
    settings = small_settings(12, 5, "published")
    with pytest.raises(
        TrainingError, match=r"all must have prices or none\. Received none of A/B;"
    ):
        prepare([data, priced], settings, FeatureScaler("standard"))


def test_rows_without_times_that_are_not_numbered_through_are_refused():
    frame = frame_of(rows_of(hourly(800, 1))).drop(columns="timestamp")
    with pytest.raises(ValueError, match="rows are missing: there are no times"):
        ready_table(frame.drop(index=[3, 4]), ONE_HOT)

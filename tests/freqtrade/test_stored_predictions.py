"""Live predictions that have left memory: in the real FreqAI's drawer, without its loop."""

import errno
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from pandas import DataFrame

import dualwindow.market.files
from dualwindow_freqtrade.freqai.names import (
    COLUMNS,
    DATE_OF_PREDICTION,
    DO_PREDICT,
    OLDER_PREDICTIONS,
    PRICES,
    STORED_PREDICTIONS,
    STORED_PREDICTIONS_BACKUP,
    TARGET,
    TRAINED_AT,
)
from dualwindow_freqtrade.live import drawer as live_drawer
from dualwindow_freqtrade.live.folder import repair_folder
from dualwindow_freqtrade.live.stored_predictions import (
    LEAST_OLDER,
    missing_columns,
    store_older,
    stored_predictions,
)
from harness.freqai_run import PAIR, live_configuration

START = pd.Timestamp("2026-11-01", tz="UTC").as_unit("ms")
STATISTICS = [f"{name}_{statistic}" for name in COLUMNS for statistic in ("mean", "std")]
CANDLES, FEW = 20, 10  # that the strategy is given; that make a file of older predictions


def made_up(n: int, first: int = 0) -> DataFrame:
    """Predictions of n candles, each of which holds its own number."""
    minute = np.arange(first, first + n)
    columns = {TARGET: pd.Series(["LONG"] * n, dtype=object)}
    columns |= dict.fromkeys((*COLUMNS, *STATISTICS, *PRICES, TRAINED_AT), minute.astype(float))
    columns |= {DO_PREDICT: np.ones(n), DATE_OF_PREDICTION: dates(first, n)}
    return DataFrame(columns)


def dates(first: int, n: int) -> pd.DatetimeIndex:
    return pd.date_range(START + pd.Timedelta(minutes=first), periods=n, freq="1min").as_unit("ms")


def start(user_data: Path, **freqai) -> FreqaiDataDrawer:
    """What the model does with FreqAI's drawer when a process begins."""
    user_data.mkdir(exist_ok=True)
    config, folder = live_configuration(user_data, **freqai), user_data / "models" / "test"
    folder.mkdir(parents=True, exist_ok=True)
    repair_folder(folder)
    drawer = FreqaiDataDrawer(folder, config)
    live_drawer.take_over(drawer)
    return drawer


def show(drawer: FreqaiDataDrawer, minute: int) -> None:
    """Hand FreqAI the first frame of a process, before its newest candle is predicted."""
    candles = candles_until(minute)
    first = DataFrame({TARGET: "HOLD", **dict.fromkeys(COLUMNS, 0.0)}, index=range(CANDLES))
    if PAIR not in drawer.historic_predictions:
        drawer.historic_predictions[PAIR] = made_up(CANDLES, minute - CANDLES + 1).assign(
            **{DO_PREDICT: 0}
        )
    drawer.set_initial_return_values(PAIR, first, candles)


def candles_until(minute: int) -> DataFrame:
    prices = dict.fromkeys(("high", "low", "close"), float(minute))
    return DataFrame({"date": dates(minute - CANDLES + 1, CANDLES), **prices})


def predict(drawer: FreqaiDataDrawer, minute: int) -> None:
    """A candle whose prediction holds the number of its minute."""
    statistics = dict.fromkeys(COLUMNS, 0.0)
    facts = {"labels_mean": statistics, "labels_std": statistics}
    dk = SimpleNamespace(data=facts | {"extra_returns_per_train": {TRAINED_AT: 7}})
    row = DataFrame({TARGET: ["LONG"], **dict.fromkeys(COLUMNS, float(minute))}, index=[0])
    drawer.append_model_predictions(PAIR, row, np.ones(1, np.int_), dk, candles_until(minute))


def minutes_predicted(rows: DataFrame) -> list[int]:
    made = rows[rows[DO_PREDICT] == 1]
    minute = (made[DATE_OF_PREDICTION] - START) // pd.Timedelta("1min")
    np.testing.assert_array_equal(made["LONG"], minute)  # each in its own place
    assert (made[TARGET] == "LONG").all()
    return list(minute)


def in_order(rows: DataFrame) -> bool:
    return bool((rows[DATE_OF_PREDICTION].diff().dropna() == pd.Timedelta("1min")).all())


@pytest.fixture(autouse=True)
def few_rows_make_a_file(monkeypatch):
    monkeypatch.setattr(live_drawer, "LEAST_OLDER", FEW)


def test_all_predictions_are_kept_though_memory_holds_the_newest(tmp_path):
    drawer = start(tmp_path)
    show(drawer, 0)
    predicted = [m for m in range(1, 100) if m % 7]  # every seventh candle is skipped
    for minute in predicted:
        predict(drawer, minute)
        assert len(drawer.historic_predictions[PAIR]) < CANDLES + FEW
        assert len(drawer.model_return_values[PAIR]) == CANDLES
    drawer.save_historic_predictions_to_disk()
    found = stored_predictions(drawer.full_path)[PAIR]
    in_memory = drawer.historic_predictions[PAIR]
    assert minutes_predicted(found) == predicted
    assert in_order(found)
    assert len(found) == CANDLES + 99
    skipped = found[found[DO_PREDICT] == 0].tail(10)
    assert (skipped[[TARGET, "LONG", TRAINED_AT]] == 0).all(axis=None)
    pd.testing.assert_frame_equal(found.tail(len(in_memory)).reset_index(drop=True), in_memory)
    assert str(found[DATE_OF_PREDICTION].dtype) == "datetime64[ms, UTC]"
    assert len(list(drawer.full_path.glob(f"{OLDER_PREDICTIONS}/BTC_USDT_USDT/*.parquet"))) >= 5


def test_what_live_statistics_are_fitted_to_stays_in_memory(tmp_path):
    drawer = start(tmp_path, fit_live_predictions_candles=40)
    show(drawer, 0)
    for minute in range(1, 80):
        predict(drawer, minute)
    assert 40 <= len(drawer.historic_predictions[PAIR]) < 40 + FEW


class Killed(BaseException):
    """Nothing is tidied up after it, as after kill -9."""


def kill_at(monkeypatch, nth: int) -> list[int]:
    """End the process before the nth time that the disk is asked to do something lasting."""
    calls: list[int] = []

    def counted(function):
        def call(*arguments):
            calls.append(1)
            if len(calls) == nth:
                raise Killed
            return function(*arguments)

        return call

    files = dualwindow.market.files
    monkeypatch.setattr(files.os, "fsync", counted(files.os.fsync))
    monkeypatch.setattr(Path, "replace", counted(Path.replace))
    return calls


def test_a_kill_at_any_moment_costs_no_more_than_what_was_not_saved(tmp_path, monkeypatch):
    n_kills, is_over = 0, False
    while not is_over:
        drawer, saved = start(tmp_path / str(n_kills)), []
        show(drawer, 0)
        with monkeypatch.context() as patch:
            kill_at(patch, n_kills + 1)
            try:
                for minute in range(1, 40):
                    predict(drawer, minute)
                    if minute % 12 == 0:
                        drawer.save_historic_predictions_to_disk()
                        saved = list(range(1, minute + 1))
                is_over = True
            except Killed:
                n_kills += 1
        again = start(tmp_path / str(n_kills - (not is_over)))
        show(again, 45)
        for minute in range(46, 61):
            predict(again, minute)
        again.save_historic_predictions_to_disk()
        found = stored_predictions(again.full_path)[PAIR]
        assert found[DATE_OF_PREDICTION].is_monotonic_increasing
        assert found[DATE_OF_PREDICTION].is_unique
        made = minutes_predicted(found)
        assert made[: len(saved)] == saved
        assert made[-15:] == list(range(46, 61))
        assert not list(again.full_path.rglob("*.tmp"))
    # Files of older predictions and savings; each is on the disk, then renamed, once or twice.
    assert n_kills == 3 * 2 + 2 + 2 * 3


def test_an_unsaved_day_survives_a_kill_where_it_has_left_memory(tmp_path):
    drawer = start(tmp_path)
    show(drawer, 0)
    drawer.save_historic_predictions_to_disk()
    for minute in range(1, 80):
        predict(drawer, minute)
    again = start(tmp_path)  # and the one before has never saved again
    show(again, 82)
    predict(again, 83)
    again.save_historic_predictions_to_disk()
    found = stored_predictions(again.full_path)[PAIR]
    assert len(set(found[DATE_OF_PREDICTION])) == len(found)
    made = minutes_predicted(found)
    assert made == [*range(1, made[-2] + 1), 83]
    assert len(made) > 79 - CANDLES - FEW


def test_a_saving_while_rows_leave_memory_still_has_them(tmp_path, monkeypatch):
    drawer = start(tmp_path)
    show(drawer, 0)

    def killed(*arguments) -> None:
        drawer.save_historic_predictions_to_disk()  # as the thread that trains may do
        raise Killed

    for minute in range(1, FEW):
        predict(drawer, minute)
    monkeypatch.setattr(live_drawer, "store_older", killed)
    with pytest.raises(Killed):
        predict(drawer, FEW)
    assert minutes_predicted(stored_predictions(drawer.full_path)[PAIR]) == list(range(1, FEW + 1))


def full(*arguments) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_on_a_full_disk_predictions_stay_in_memory_until_there_is_space(
    tmp_path, caplog, monkeypatch
):
    drawer = start(tmp_path)
    show(drawer, 0)
    with monkeypatch.context() as patch:
        patch.setattr(dualwindow.market.files.os, "fsync", full)
        for minute in range(1, 50):
            predict(drawer, minute)
    assert caplog.text.count("Predictions stay in memory") == 1
    assert len(drawer.historic_predictions[PAIR]) == CANDLES + 49
    predict(drawer, 50)
    assert len(drawer.historic_predictions[PAIR]) == CANDLES
    drawer.save_historic_predictions_to_disk()
    found = stored_predictions(drawer.full_path)[PAIR]
    assert minutes_predicted(found) == list(range(1, 51))
    assert in_order(found)


def test_a_saving_writes_once_and_what_was_there_is_the_backup(tmp_path, monkeypatch):
    drawer = start(tmp_path)
    path, backup = (drawer.full_path / n for n in (STORED_PREDICTIONS, STORED_PREDICTIONS_BACKUP))
    drawer.historic_predictions[PAIR] = made_up(1)
    drawer.save_historic_predictions_to_disk()
    first = path.read_bytes()
    drawer.historic_predictions[PAIR] = made_up(2)
    calls = kill_at(monkeypatch, 0)
    drawer.save_historic_predictions_to_disk()
    assert len(calls) == 3  # one is written, two are renamed
    assert backup.read_bytes() == first
    assert len(cloudpickle.loads(path.read_bytes())[PAIR]) == 2
    path.unlink()  # as while a bot renames them
    assert len(stored_predictions(drawer.full_path)[PAIR]) == 1
    backup.unlink()
    assert stored_predictions(drawer.full_path) == {}


def test_a_month_of_a_bot_of_before_leaves_memory_at_the_start(tmp_path):
    drawer = start(tmp_path)
    old = {PAIR: made_up(43_200), "ETH/USDT:USDT": made_up(10)}
    drawer.historic_predictions_path.write_bytes(cloudpickle.dumps(old))
    again = start(tmp_path)
    assert len(again.historic_predictions[PAIR]) == 1500
    assert again.historic_predictions_path.stat().st_size < 500_000
    found = stored_predictions(again.full_path)
    assert found.keys() == old.keys()
    for pair, rows in old.items():
        pd.testing.assert_frame_equal(found[pair], rows)
    (path,) = again.full_path.glob(f"{OLDER_PREDICTIONS}/*/*.parquet")
    assert path.name == "20261101T000000-20261129T225900.parquet"
    assert len(start(tmp_path).historic_predictions[PAIR]) == 1500


def foreign() -> DataFrame:
    """What a model of two classes of its own has stored."""
    rows = made_up(60)
    return rows.drop(columns=[*COLUMNS, *STATISTICS]).assign(up=0.6, down=0.4)


@pytest.mark.parametrize(
    ("stored", "named"),
    [
        (foreign(), "SHORT, HOLD, LONG, SHORT_raw"),
        (made_up(60).drop(columns="LONG_std"), "LONG_std"),
    ],
    ids=["another-model", "another-version"],
)
def test_predictions_with_other_columns_are_set_aside_and_the_pair_begins_anew(
    tmp_path, caplog, stored, named
):
    drawer = start(tmp_path)
    store_older(drawer.full_path, PAIR, made_up(30, first=-30))
    both = {PAIR: stored, "ETH/USDT:USDT": made_up(60)}
    drawer.historic_predictions_path.write_bytes(cloudpickle.dumps(both))
    again = start(tmp_path)
    assert again.historic_predictions.keys() == {"ETH/USDT:USDT"}
    aside = again.full_path / OLDER_PREDICTIONS / "BTC_USDT_USDT.damaged"
    assert f"without the columns {named}" in caplog.text
    assert str(aside) in caplog.text
    kept = cloudpickle.loads((aside / STORED_PREDICTIONS).read_bytes())[PAIR]
    pd.testing.assert_frame_equal(kept[stored.columns.to_list()], stored)
    assert len(list(aside.glob("*.parquet"))) == 1
    assert start(tmp_path).historic_predictions.keys() == {"ETH/USDT:USDT"}
    assert len(list(aside.parent.iterdir())) == 1  # once
    show(again, 100)
    predict(again, 101)
    again.save_historic_predictions_to_disk()
    assert minutes_predicted(stored_predictions(again.full_path)[PAIR]) == [101]


def test_a_memory_of_skipped_candles_alone_goes_on(tmp_path):
    drawer = start(tmp_path)
    skipped = made_up(60).assign(**{TARGET: np.zeros(60, dtype=object), DO_PREDICT: 0.0})
    drawer.historic_predictions_path.write_bytes(cloudpickle.dumps({PAIR: skipped}))
    again = start(tmp_path)
    show(again, 60)
    predict(again, 61)
    assert again.historic_predictions[PAIR][TARGET].iloc[-1] == "LONG"


def test_a_prediction_that_is_stored_twice_is_read_as_what_it_was(tmp_path):
    lost = made_up(60).assign(**{TARGET: 0, "LONG": 0.0, DO_PREDICT: 0.0})
    path = tmp_path / STORED_PREDICTIONS
    path.write_bytes(cloudpickle.dumps({PAIR: lost}))
    store_older(tmp_path, PAIR, made_up(50))
    store_older(tmp_path, PAIR, lost.head(55))
    found = stored_predictions(tmp_path)[PAIR]
    assert len(found) == 60
    assert minutes_predicted(found) == list(range(50))


def test_files_of_before_some_days_are_not_read_but_for_the_newest_of_them(tmp_path):
    day, other = 1440, "AAA/USDT:USDT"
    newest = {PAIR: made_up(FEW, 40 * day), other: made_up(0)}
    (tmp_path / STORED_PREDICTIONS).write_bytes(cloudpickle.dumps(newest))
    for pair, number in ((PAIR, 10), (PAIR, 11), (PAIR, 12), (PAIR, 13), (other, 10)):
        store_older(tmp_path, pair, made_up(FEW, number * day))
    for path in sorted((tmp_path / OLDER_PREDICTIONS).glob("*/20261111*")):
        path.write_bytes(b"damaged")  # reading it fails
    found = stored_predictions(tmp_path, days=28)  # since the last candle of the twelfth day's
    expected = [range(n * day, n * day + FEW) for n in (11, 12, 13, 40)]
    assert minutes_predicted(found[PAIR]) == [minute for each in expected for minute in each]
    assert len(found[other]) == 0
    with pytest.raises(OperationalException, match=r"are damaged .*Parquet"):
        stored_predictions(tmp_path)
    (tmp_path / STORED_PREDICTIONS).unlink()
    with pytest.raises(
        OperationalException, match=r"are damaged .*Parquet"
    ):  # nothing tells which would be too old
        stored_predictions(tmp_path, days=28)


def test_names_are_complete():
    assert missing_columns(made_up(1)) == []
    assert missing_columns(DataFrame()) == [
        TARGET,
        *COLUMNS,
        *STATISTICS,
        DO_PREDICT,
        *PRICES,
        DATE_OF_PREDICTION,
    ]
    assert LEAST_OLDER >= 240

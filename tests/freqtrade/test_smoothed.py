"""Smoothed labels inside the real FreqAI: each window finds its delta, and is judged by it."""

import json

import numpy as np
import pandas as pd
import pytest

from dualwindow.learning.record import TrainingRecord
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, LONG, SHORT, UNKNOWN, Labelling
from dualwindow.samples.splits import validation_start
from dualwindow_freqtrade.freqai.names import REPORT_FILE
from dualwindow_freqtrade.reporting.backtest import backtest_evidence
from harness.freqai_run import (
    DUAL_WINDOW,
    PAIR,
    at,
    backtest,
    configuration,
    dry_run,
    live_configuration,
    market,
    out_of_sample,
    train_now,
)

SMOOTHED = {"labels": {"rule": "smoothed"}, "confidence": {"mode": "balanced"}}
TREND = {"kind": "trend", "spans": [5, 10]}


@pytest.fixture(scope="module")
def frames():
    return market()


@pytest.fixture(scope="module")
def run(frames, tmp_path_factory):
    config = configuration(
        tmp_path_factory.mktemp("user_data"),
        dual_window=DUAL_WINDOW | SMOOTHED,
        model_training_parameters=TREND,
    )
    return config, *backtest(config, frames)


def records_of(config) -> list[TrainingRecord]:
    reports = sorted((config["user_data_dir"] / "models" / "test").rglob(f"*{REPORT_FILE}"))
    return [TrainingRecord.from_json(path.read_text()) for path in reports]


def test_each_window_finds_its_delta_in_its_own_training_part(run, frames):
    """Oracle: moves of the minutes that FreqAI gave it, whose future ends before validation."""
    records = records_of(run[0])
    assert len(records) == 4
    close = frames["1m"].set_index("date")["close"]
    for record in records:
        known = close[record.first_candle : record.last_candle]
        moves = known[::-1].rolling(20).mean()[::-1].shift(-1) / known.rolling(20).mean().shift(1)
        seconds = (known.index - pd.Timestamp(0, tz="UTC")) // pd.Timedelta("1s")
        ends = seconds.to_numpy() + 20 * 60 < validation_start(seconds.to_numpy(), 0.2)
        sizes = (moves[ends].dropna() - 1).abs()
        assert len(sizes) > 1000
        assert record.settings.labels.delta == pytest.approx(np.median(sizes), rel=1e-9)
        counts = record.training_labels
        assert abs(counts.HOLD - counts.total / 2) <= 1
    assert len({record.settings.labels.delta for record in records}) == 4


def test_a_baseline_that_sees_the_trend_tells_falls_from_rises(run):
    """On a random walk: half of the label has happened."""
    for record in records_of(run[0]):
        assert min(record.validation.auc_short, record.validation.auc_long) > 0.6


def test_the_report_labels_each_window_by_its_own_delta(run, frames):
    config, _, predicted = run
    path = config["user_data_dir"] / "futures" / "BTC_USDT_USDT-1m-futures.feather"
    path.parent.mkdir()
    frames["1m"].to_feather(path)
    (walk,) = backtest_evidence(config["user_data_dir"] / "models" / "test").walks.values()
    candles, checked = Candles.from_frame(predicted, 60), 0
    first = int(np.searchsorted(candles.date, walk.folds[0].start))
    for i, record in enumerate(records_of(config)):
        labels = Labelling.of(record.settings).label(candles)
        mine = walk.table[walk.table["fold"] == i]["label"].to_numpy()
        window = slice(first + 360 * i, first + 360 * (i + 1))
        np.testing.assert_array_equal(mine, labels[window])
        others = Labelling.of(records_of(config)[i - 1].settings).label(candles)
        assert (mine != others[window]).any()
        checked += int((mine != UNKNOWN).sum())
    assert checked == 4 * 360 - 20


def test_a_given_delta_is_the_label_of_every_window(frames, tmp_path):
    labels = {"rule": "smoothed", "delta": 0.001}
    config = configuration(
        tmp_path,
        dual_window=DUAL_WINDOW | SMOOTHED | {"labels": labels},
        model_training_parameters=TREND,
    )
    backtest(config, frames)
    assert {record.settings.labels.delta for record in records_of(config)} == {0.001}


def test_live_finds_the_delta_that_the_record_tells(tmp_path):
    config = live_configuration(
        tmp_path, dual_window=DUAL_WINDOW | SMOOTHED, model_training_parameters=TREND
    )
    strategy, minutes = dry_run(config)
    at(strategy, minutes, 2799)
    dk = train_now(strategy)
    (report,) = dk.data_path.glob(f"*{REPORT_FILE}")
    assert 0.0001 < json.loads(report.read_text())["settings"]["labels"]["delta"] < 0.02
    shown = at(strategy, minutes, 2800).iloc[-1]
    assert shown["do_predict"] == 1
    assert shown[list(CLASSES)].sum() == pytest.approx(1)


def test_predictions_are_worth_something_and_trades_have_both_sides(run):
    result = out_of_sample(run[2])
    strategy = run[1]
    entered = strategy.populate_entry_trend(result.copy(), {"pair": PAIR})
    sides = {code: int((strategy._decide(result) == code).sum()) for code in (SHORT, LONG)}
    assert min(sides.values()) > 20
    assert entered["enter_tag"].notna().sum() == sum(sides.values())

"""What a backtest gathers while it runs is what its files say afterwards, and what FreqAI gave."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from dualwindow.judging.decisions import Thresholds, decide
from dualwindow.judging.finding import find
from dualwindow.market.candle_files import candle_path
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES, LONG, SHORT, UNKNOWN, Labelling
from dualwindow_freqtrade.freqai.names import RAW_SCORES, REPORT_FILE
from dualwindow_freqtrade.reporting import telling
from dualwindow_freqtrade.reporting.backtest import backtest_evidence, run_of_backtest
from dualwindow_freqtrade.reporting.run_file import BACKTEST_FILE, BEGUN_FILE, RunError
from harness.freqai_run import (
    DUAL_WINDOW,
    PAIR,
    backtest,
    configuration,
    load_strategy,
    market,
    out_of_sample,
)

OTHER = "ETH/USDT:USDT"
CUSTOM = {"confidence": {"mode": "custom", "short": 0.31, "long": 0.32}}
RANGES = {"kind": "ranges", "spans": [3, 9]}
QUARTER = 6 * 3600


def keep(user_data, frames, pair=PAIR):
    """Write minutes as freqtrade keeps them."""
    path = candle_path(user_data, pair, "1m")
    path = path.with_name(f"{path.name}.feather")
    path.parent.mkdir(parents=True, exist_ok=True)
    frames["1m"].to_feather(path)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Two pairs, a quarter of a day each window; what it gathered, and what FreqAI gave back."""
    user_data = tmp_path_factory.mktemp("report")
    config = configuration(
        user_data, dual_window=DUAL_WINDOW | CUSTOM, model_training_parameters=RANGES
    )
    config["exchange"]["pair_whitelist"] = [PAIR, OTHER]
    frames = {PAIR: market(), OTHER: market(seed=1)}
    frames[PAIR]["1m"].loc[2000, "volume"] = np.nan  # windows with this candle are no predictions
    gathered, given = [], {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(telling, "tell", gathered.append)
        strategy = load_strategy(config, frames[PAIR])
        strategy.dp.others[OTHER] = frames[OTHER]
        for pair in (PAIR, OTHER):
            assert gathered == []  # nothing is said before the last pair
            given[pair] = strategy.advise_indicators(frames[pair]["1m"].copy(), {"pair": pair})
            keep(user_data, frames[pair], pair)
    (evidence,) = gathered
    return strategy.freqai.full_path, evidence, given


def test_the_table_holds_what_freqai_gave_the_strategy(run):
    _, evidence, given = run
    (walk,) = evidence.walks.values()
    assert len(walk.folds) == len(walk.records) == 8
    checked = 0
    for pair, frame in given.items():
        mine = walk.table[walk.table["pair"] == pair]
        theirs = frame[frame["date"] >= "2024-02-02"].reset_index(drop=True)
        assert mine["date"].tolist() == theirs["date"].tolist()
        predicted = np.isclose(theirs[list(CLASSES)].sum(axis=1), 1)
        np.testing.assert_array_equal(mine["valid"], predicted)
        for name in (*CLASSES, *RAW_SCORES):
            np.testing.assert_array_equal(mine[name][predicted], theirs[name][predicted])
            assert mine[name][~predicted].isna().all()
        np.testing.assert_array_equal(evidence.vetoed[pair], theirs["do_predict"] != 1)
        checked += int(predicted.sum())
    assert 2800 < checked < 2880  # the candle of an unknown volume spoils those after it


def test_labels_are_made_anew_of_the_candles(run):
    _, evidence, given = run
    (walk,) = evidence.walks.values()
    for pair, frame in given.items():
        labels = Labelling.of(walk.records[0].settings).label(Candles.from_frame(frame, 60))
        mine = walk.table[walk.table["pair"] == pair]["label"].to_numpy()
        np.testing.assert_array_equal(mine, labels[-1440:])
        assert (mine[-20:] == UNKNOWN).all()
        assert (mine[:-20] != UNKNOWN).all()


def test_folds_are_windows_with_their_records(run):
    _, evidence, _ = run
    (walk,) = evidence.walks.values()
    day = int(pd.Timestamp("2024-02-02").timestamp())
    assert [(f.pair, f.number, f.train_from, f.start, f.stop) for f in walk.folds] == [
        (pair, i, day - 86400 + i * QUARTER, day + i * QUARTER, day + (i + 1) * QUARTER)
        for i in range(4)
        for pair in (PAIR, OTHER)
    ]
    assert [record.pair for record in walk.records] == [PAIR, OTHER] * 4
    assert len(set(walk.table["made_by"])) == 8


def test_files_say_the_same_as_the_running_backtest(run):
    folder, evidence, _ = run
    again = backtest_evidence(folder)
    (mine,), (theirs,) = evidence.walks.values(), again.walks.values()
    pd.testing.assert_frame_equal(mine.table, theirs.table, check_exact=True)
    assert (mine.records, mine.folds) == (theirs.records, theirs.folds)
    assert evidence.rule == again.rule == Thresholds(0.31, 0.45, 0.32)
    assert evidence.can_short
    assert again.can_short
    assert (again.fees, again.confidence) == (0.001, "SHORT from 0.31, LONG from 0.32")
    for pair in (PAIR, OTHER):
        np.testing.assert_array_equal(evidence.vetoed[pair], again.vetoed[pair])
        for name in ("date", "high", "low", "close"):
            mine_of, theirs_of = evidence.candles[pair], again.candles[pair]
            np.testing.assert_array_equal(getattr(mine_of, name), getattr(theirs_of, name))
    (warning,) = again.warnings  # nobody has traded
    assert "has no result of this backtest (--export none writes none)" in warning


def test_on_spot_signals_of_long_alone_are_counted(tmp_path, capsys):
    """Told by the running backtest, and by its files."""
    low = {"confidence": {"mode": "custom", "short": 0.05, "long": 0.05}}
    config = configuration(
        tmp_path, dual_window=DUAL_WINDOW | low, model_training_parameters=RANGES
    )
    frames = market()
    keep(tmp_path, frames)
    strategy, result = backtest(config | {"trading_mode": "spot"}, frames)
    told = out_of_sample(result)[list(CLASSES)].to_numpy()
    wanted = decide(told, Thresholds(0.05, 0.45, 0.05)).tolist()
    assert min(wanted.count(SHORT), wanted.count(LONG)) > 5
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("Signals are those of LONG alone, because the strategy cannot short") == 1
    assert ("LONG signal" in said, "SHORT signal" in said) == (True, False)
    again = find(backtest_evidence(strategy.freqai.full_path), 0.0)
    assert not again.subject.can_short
    assert (list(again.thresholds), list(again.ways[1].sides)) == (["LONG"], ["LONG"])
    step = {step.name: step for step in again.funnel}["sure enough"]
    assert step.count == wanted.count(LONG)
    assert step.lost["SHORT, which cannot be entered"] == wanted.count(SHORT)


def first_of(folder, pattern):
    return sorted(folder.rglob(pattern))[0]


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


def age(path):
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 2}))


def shorten(path):
    pd.read_feather(path).head(1500).to_feather(path)


PREDICTION, CANDLES = "cb_btc*_prediction.feather", "BTC*-1m-futures.feather"
BREAKING = {
    "prediction gone": (PREDICTION, lambda path: path.unlink()),
    "prediction damaged": (PREDICTION, cut),
    "old record": (f"*{REPORT_FILE}", age),
    "record gone": (f"*{REPORT_FILE}", lambda path: path.unlink()),
    "run damaged": (BACKTEST_FILE, cut),
    "still going": (BACKTEST_FILE, lambda path: path.replace(path.with_name(BEGUN_FILE))),
    "older version": (BACKTEST_FILE, lambda path: path.unlink()),
    "no candles": (CANDLES, lambda path: path.unlink()),
    "candles damaged": (CANDLES, cut),
    "other candles": (CANDLES, shorten),
}


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("prediction gone", "is gone, which the newest backtest has read; run the backtest again"),
        ("prediction damaged", r"prediction.feather is damaged \(.*; delete it and run"),
        ("old record", r"_dualwindow.json is damaged, or of another version \(1 validation"),
        ("record gone", "the record of a training, is gone; run the backtest again under another"),
        ("run damaged", "dualwindow_backtest.json is damaged, or of another version"),
        ("still going", r"has not ended \(8 windows are predicted\); wait for it, or run it again"),
        ("older version", "8 predicted windows, but no backtest of this version"),
        ("no candles", "no BTC_USDT_USDT-1m-futures.feather or .parquet in"),
        ("candles damaged", "BTC_USDT_USDT-1m-futures.feather is damaged"),
        ("other candles", "has no longer the candles that the backtest had; download them again"),
    ],
)
def test_what_is_broken_is_named(run, tmp_path, what, says):
    user_data = run[0].parents[1]
    shutil.copytree(user_data, tmp_path / "copy")
    folder = tmp_path / "copy" / "models" / "test"
    run_file = folder / BACKTEST_FILE
    run_file.write_text(run_file.read_text().replace(str(user_data), str(tmp_path / "copy")))
    backtest_evidence(folder)
    pattern, break_it = BREAKING[what]
    break_it(first_of(tmp_path / "copy", pattern))
    with pytest.raises(RunError, match=says):
        backtest_evidence(folder)


def test_a_strategy_that_cannot_say_its_rule_costs_nobody_a_backtest(tmp_path, caplog):
    config = configuration(tmp_path, model_training_parameters=RANGES)
    frames = market()
    strategy = load_strategy(config, frames)
    strategy.confidence_in_effect = lambda: 1 / 0
    predicted = strategy.advise_indicators(frames["1m"].copy(), {"pair": PAIR})
    assert predicted["do_predict"].sum() > 0
    assert caplog.text.count("What this backtest found cannot be said: division by zero") == 1
    assert not (strategy.freqai.full_path / BEGUN_FILE).exists()


def test_a_backtest_that_failed_leaves_the_notes_of_the_one_before(run, tmp_path):
    config = configuration(tmp_path, model_training_parameters=RANGES)
    frames = market()
    keep(tmp_path, frames)
    strategy, _ = backtest(config, frames)
    folder = strategy.freqai.full_path
    before = run_of_backtest(folder)
    assert not (folder / BEGUN_FILE).exists()
    config["freqai"]["conv_width"] = 12
    with pytest.raises(Exception, match="were made with other settings"):
        backtest(config, frames)
    assert run_of_backtest(folder) == before
    assert not (folder / BEGUN_FILE).exists()
    (folder / BEGUN_FILE).write_text("{}")
    assert "has begun since" in " ".join(backtest_evidence(folder).warnings)

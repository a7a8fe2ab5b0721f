"""A model that gives all candles the same probabilities, inside the real FreqAI."""

import json

import pytest

from benchmarks.report_backtest import prediction_row
from dualwindow.market.labels import CLASSES
from dualwindow_freqtrade.freqai.names import BACKTEST_PREDICTION, REPORT_FILE
from harness.freqai_run import (
    PAIR,
    at,
    backtest,
    configuration,
    dry_run,
    live_configuration,
    market,
    out_of_sample,
    status_of,
    train_now,
)

# Coefficients that are held at 0 this strongly know nothing but how common the classes are.
NOTHING = {"kind": "ranges", "penalty": 1e15, "spans": [3, 10]}
NAMES = list(CLASSES)


def entries(strategy, frame) -> int:
    """Entries of a rule that takes whatever comes."""
    strategy.mode.value = "custom"
    strategy.entry_short.value = strategy.entry_long.value = 0.001
    strategy.confidence = strategy.confidence.model_copy(update={"fallback": "argmax"})
    entered = strategy.populate_entry_trend(frame.copy(), {"pair": PAIR})
    return int("enter_tag" in entered and entered["enter_tag"].notna().sum())


def test_a_backtest_shows_them_and_enters_on_none(tmp_path, caplog):
    caplog.set_level("INFO")
    config = configuration(tmp_path, model_training_parameters=NOTHING)
    strategy, result = backtest(config, market())
    seen = out_of_sample(result)
    assert (seen["do_predict"] == 0).all()
    assert seen[NAMES].sum(axis=1).to_numpy() == pytest.approx(1)
    assert len(seen[NAMES].round(9).drop_duplicates()) == 4  # of four trainings
    assert (seen["&-signal"] == "HOLD").all()
    assert entries(strategy, seen) == 0
    assert entries(strategy, seen.assign(do_predict=1)) > 0
    assert caplog.text.count("it tells no two candles apart: do_predict is 0 for all") == 4
    folder = tmp_path / "models" / "test"
    facts = [json.loads(path.read_text()) for path in folder.rglob(f"*{REPORT_FILE}")]
    assert [f["is_constant"] for f in facts] == [True] * 4
    rows = [prediction_row(path, PAIR) for path in folder.rglob(f"*{BACKTEST_PREDICTION}")]
    assert [row[2:] for row in rows] == [["360", "0"]] * 4


def test_a_model_that_tells_candles_apart_is_asked(tmp_path):
    config = configuration(tmp_path, model_training_parameters={**NOTHING, "penalty": 1.0})
    seen = out_of_sample(backtest(config, market())[1])
    assert (seen["do_predict"] == 1).all()
    assert len(seen[NAMES].drop_duplicates()) > 1000


def test_a_bot_shows_them_says_so_and_enters_on_none(tmp_path, caplog):
    strategy, minutes = dry_run(live_configuration(tmp_path, model_training_parameters=NOTHING))
    at(strategy, minutes, 2799)
    train_now(strategy)
    for row in (2799, 2800, 2801):
        seen = at(strategy, minutes, row)
    newest = seen.iloc[-1]
    assert newest["do_predict"] == 0
    assert newest[NAMES].sum() == pytest.approx(1)
    assert len(seen[NAMES].tail(2).astype(float).round(9).drop_duplicates()) == 1
    assert entries(strategy, seen) == 0
    status = status_of(strategy)["pairs"][PAIR]
    assert list(status["keeps_out"]) == ["constant probabilities"]
    assert status["counts"]["constant probabilities"] == 3
    assert (status["predictions"], status["candles_without_prediction"]) == (0, 3)
    assert caplog.text.count("constant probabilities (the model tells no two candles apart)") == 1

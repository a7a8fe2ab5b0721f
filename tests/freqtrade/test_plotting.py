"""What FreqUI is given to draw: thresholds, and what the model of a candle was worth."""

import json

import numpy as np
import pandas as pd
import pytest
from freqtrade.strategy import IStrategy

from dualwindow.judging.decisions import ExpectedValue, Thresholds
from dualwindow.market.labels import Barriers
from dualwindow_freqtrade.freqai.names import KEPT_RECORDS, REPORT_FILE, TRAINED_AT
from dualwindow_freqtrade.freqai.plotting import (
    SKILL,
    add_thresholds,
    plot_config,
    with_skill,
)
from harness.freqai_run import (
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


def skill_in(path) -> float:
    """Work it out of the text of a record, by hand."""
    validation = json.loads(path.read_text())["validation"]
    return 1 - validation["log_loss"] / validation["log_loss_of_frequencies"]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(Thresholds(0.7, 0.3, 0.6), {"SHORT_from": 0.7, "LONG_from": 0.6}, id="mode"),
        # (0.25 + 0.125) / (0.5 + 0.25), and for SHORT (0.25 + 0.125) / (0.25 + 0.25)
        pytest.param(
            ExpectedValue(Barriers(0.5, 0.25, 0.25, 0.25), fees=0.125, margin=0.0),
            {"SHORT_from": 0.75, "LONG_from": 0.5},
            id="break-even",
        ),
    ],
)
def test_thresholds_are_those_of_the_rule(rule, expected):
    frame = pd.DataFrame({"close": [1.0, 2.0]})
    add_thresholds(frame, rule, can_short=True)
    assert frame.drop(columns="close").iloc[-1].to_dict() == expected
    only_long = pd.DataFrame({"close": [1.0]})
    add_thresholds(only_long, rule, can_short=False)
    assert list(only_long) == ["close", "LONG_from"]


def test_every_window_shows_the_skill_of_its_own_model(tmp_path):
    config = configuration(tmp_path)
    strategy, result = backtest(config, market())
    result = strategy.advise_entry(result, {"pair": PAIR})
    tested = out_of_sample(result)
    records = {p.parent.name: skill_in(p) for p in tmp_path.rglob(f"*{REPORT_FILE}")}
    by_model = tested.groupby(TRAINED_AT)[SKILL].agg(["nunique", "first"])
    by_model = by_model[by_model.index > 0]
    assert len(by_model) == 4
    assert (by_model["nunique"] == 1).all()
    for second, skill in by_model["first"].items():
        assert skill == records[f"sub-train-BTC_{int(second)}"]
    assert by_model["first"].nunique() > 1
    assert result.loc[result[TRAINED_AT] == 0, SKILL].isna().all()
    drawn = {n for lines in strategy.plot_config["subplots"].values() for n in lines}
    assert drawn == {"LONG", "HOLD", "SHORT", "LONG_from", "SHORT_from", "do_predict", SKILL}
    assert drawn <= set(result)


def test_live_shows_what_a_backtest_would_and_nothing_before_a_model(tmp_path):
    strategy, minutes = dry_run(live_configuration(tmp_path))
    before = at(strategy, minutes, 2500)
    assert before[SKILL].isna().all()
    folder = train_now(strategy).data_path
    (record,) = folder.glob(f"*{REPORT_FILE}")
    frame = strategy.advise_entry(at(strategy, minutes, 2501), {"pair": PAIR})
    assert frame[SKILL].iloc[-1] == skill_in(record)
    assert frame[SKILL].iloc[:-1].isna().all()  # candles that no model has predicted
    assert frame["LONG_from"].iloc[-1] == strategy._rule().entered_from[2]
    kept = folder.parent / KEPT_RECORDS / folder.name
    kept.mkdir(parents=True)
    record.rename(kept / record.name)  # as where its model is purged
    second = float(folder.name.rpartition("_")[2])
    other = pd.DataFrame({TRAINED_AT: [0.0, np.nan, second]}).assign(SHORT=0, HOLD=0.5, LONG=0.5)
    shown = with_skill(other, "BTC/USDT:OTHER", strategy.freqai)[SKILL]  # not cached by this pair
    np.testing.assert_array_equal(shown, [np.nan, np.nan, skill_in(kept / record.name)])


def test_a_record_that_cannot_be_read_shows_nothing(tmp_path):
    folder = tmp_path / "sub-train-ETH_7"
    folder.mkdir()
    (folder / f"cb_eth_7{REPORT_FILE}").write_text("{")

    class Model:
        full_path = tmp_path

    frame = with_skill(
        pd.DataFrame({TRAINED_AT: [7, 8], "SHORT": 0.2, "HOLD": 0.5, "LONG": 0.3}),
        "ETH/USDT",
        Model(),
    )
    assert frame[SKILL].isna().all()
    assert with_skill(pd.DataFrame({"close": [1.0]}), "ETH/USDT", Model())[SKILL].isna().all()


def test_an_agent_shows_positions_and_spot_no_shorts():
    assert set(plot_config(can_short=True, is_agent=True)["subplots"]["probability"]) == {
        "LONG",
        "HOLD",
        "SHORT",
    }
    assert "action" in plot_config(can_short=True, is_agent=True)["subplots"]["position"]
    assert "SHORT_from" not in plot_config(can_short=False)["subplots"]["probability"]


def test_a_strategy_that_inherits_keeps_its_own_plots(tmp_path):
    config = configuration(tmp_path)
    code = "from DualWindowStrategy import DualWindowStrategy\n\n\n"
    code += (
        "class Mine(DualWindowStrategy):\n    plot_config = {'subplots': {'mine': {'rsi': {}}}}\n"
    )
    code = f"import sys\nsys.path.append({config['strategy_path']!r})\n{code}"
    (tmp_path / "Mine.py").write_text(code)
    from freqtrade.resolvers import StrategyResolver

    mine: IStrategy = StrategyResolver.load_strategy(
        config | {"strategy": "Mine", "strategy_path": str(tmp_path)}
    )
    assert list(mine.plot_config["subplots"]) == ["mine"]

"""The strategy of docs/strategy.md, as it stands there, in the real FreqAI."""

import re
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from types import SimpleNamespace

import numpy as np

from harness.freqai_run import backtest, configuration, market, out_of_sample
from harness.places import ROOT


def test_the_smallest_strategy_trains_predicts_and_enters(tmp_path):
    text = (ROOT / "docs" / "strategy.md").read_text()
    code, plots = (dedent(part) for part in re.findall(r"```python\n(.*?)```", text, re.S))
    (tmp_path / "MyStrategy.py").write_text(code)
    config = configuration(tmp_path, feature_parameters={"include_timeframes": ["1m"]})
    config |= {"strategy": "MyStrategy", "strategy_path": str(tmp_path)}
    strategy, result = backtest(config, market())
    predicted = out_of_sample(result)
    known = predicted["do_predict"] == 1
    assert known.mean() > 0.8
    np.testing.assert_allclose(predicted.loc[known, ["SHORT", "HOLD", "LONG"]].sum(axis=1), 1)
    likely = predicted.assign(LONG=np.where(known, 0.5, 0.5), SHORT=0.2, HOLD=0.3)
    entered = strategy.populate_entry_trend(likely, {"pair": "BTC/USDT"})["enter_long"]
    np.testing.assert_array_equal(entered == 1, known)

    opened = datetime(2024, 2, 2, tzinfo=UTC)
    trade = SimpleNamespace(open_date_utc=opened)
    left = [
        strategy.custom_exit("", trade, opened + timedelta(minutes=n), 1, 0) for n in (119, 120)
    ]
    assert left == [None, "horizon"]

    imported, _, rest = plots.partition("\n")
    drawn: dict = {}
    exec(f"{imported}\n{rest.partition('return')[0]}", drawn)
    names = {n for lines in drawn["plot_config"]["subplots"].values() for n in lines}
    shown = drawn["with_skill"](predicted, "BTC/USDT:USDT", strategy.freqai)
    assert names - {"LONG_from"} <= set(shown)
    assert shown.loc[known, "skill"].notna().all()

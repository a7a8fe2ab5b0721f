"""What further horizons do not tell."""

import numpy as np
import pandas as pd
from agent import examples_tables as examples
from agent.examples_tables import BEGIN, PAIRS, STEP, candles_of

from dualwindow.market.labels import CLASSES
from dualwindow_agent.market.tables import read_tapes

BTC = PAIRS[0]


def test_nothing_is_entered_where_a_further_prediction_is_missing(tmp_path):
    first = examples.walk_forward(tmp_path / "first", pairs=(BTC,))
    other = examples.walk_forward(
        tmp_path / "other", pairs=(BTC,), settings=examples.settings_of(12, pooling="whitelist")
    )
    lost = pd.Timestamp(BEGIN + 100 * STEP, unit="s", tz="UTC")

    def without_one(table: pd.DataFrame) -> pd.DataFrame:
        which = table["date"] == lost
        assert which.sum() == 1
        return table.assign(
            valid=table["valid"] & ~which,
            **{name: table[name].mask(which) for name in CLASSES},
        )

    examples.rewrite_table(other, without_one)
    candles = {BTC: candles_of(BTC)}
    (alone,) = read_tapes(first, candles).tapes
    (tape,) = read_tapes(first, candles, further=[other]).tapes
    assert alone.valid[alone.first + 100]
    assert (np.flatnonzero(alone.valid != tape.valid) - tape.first).tolist() == [100]
    assert np.isnan(tape.probabilities[tape.first + 100]).all()

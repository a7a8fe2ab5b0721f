"""Decide again on the candles of a live run, and compare with what was decided."""

import numpy as np
import pandas as pd
from pandas import DataFrame

from dualwindow.learning.artifact import Prediction
from dualwindow.market.candles import Candles
from dualwindow_agent.freqai.acting import Held, decide, is_close_call
from dualwindow_agent.freqai.artifact import AgentArtifact
from dualwindow_agent.freqai.frames import acted_of, padded_tape, seconds
from dualwindow_agent.market.observation import market_part
from dualwindow_freqtrade.freqai.names import DATE_OF_PREDICTION, DO_PREDICT

_WORDS = {1: "long", -1: "short", 0: "flat"}


def other_actions(
    model: AgentArtifact, candles: Candles, prediction: Prediction, live: DataFrame
) -> list[str]:
    """Name the stored actions that the agent would not take again, holding what was held then.

    Where rounding may have chosen between two actions, both are right. A guard's doubt leaves a row
    without a prediction, and all as it was: that is right where a backtest has a prediction, and
    may be where it has none.

    Parameters
    ----------
    model : that has decided
    candles : with those that are looked back on
    prediction : of the last n of them, as in a backtest
    live : stored rows that were decided on, each of one of these candles
    """
    policy, acted = model.policy, acted_of(live)
    sound = prediction.valid & (not model.record.is_constant)
    tape = padded_tape(model.record.pair, candles, prediction.probabilities, sound)
    market = market_part(tape, policy.settings.observation)
    rows = np.searchsorted(tape.candles.date, seconds(live, DATE_OF_PREDICTION))
    doubted = (live[DO_PREDICT] != 1).to_numpy()
    found = []
    parts = (rows, doubted, *acted)
    for row, is_doubted, wanted, *held in zip(*(part.tolist() for part in parts), strict=True):
        before, may_enter = Held(*held), bool(tape.valid[row])
        accounts = before.account(float(tape.candles.close[row]))
        stays = model.record.is_constant or (is_doubted and (may_enter or wanted == before.side))
        again = before.side
        if not stays:
            again = decide(policy, market[row], accounts, may_enter=may_enter)
        pair = (wanted, again)
        if wanted != again and (stays or not is_close_call(policy, market[row], accounts, pair)):
            at = pd.Timestamp(int(tape.candles.date[row]), unit="s")
            found.append(
                f"{at}Z live {_WORDS[wanted]}, as a backtest {_WORDS[again]}, holding "
                f"{_WORDS[before.side]}"
            )
    return found

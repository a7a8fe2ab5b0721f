"""The generator's own probabilities are right."""

from dataclasses import replace

import numpy as np
import pytest

from dualwindow.learning.metrics import log_loss
from dualwindow.market.candles import Candles
from dualwindow.market.labels import Barriers, Labelling, exclusive, first_touch
from dualwindow_sandbox import MarketKind
from dualwindow_sandbox.dynamics import PLANTED
from dualwindow_sandbox.listings import COINS
from dualwindow_sandbox.market import FIRST, SyntheticMarket
from dualwindow_sandbox.ohlcv import DAY
from dualwindow_sandbox.oracle import class_probabilities

HORIZON = 60
LABELLING = Labelling(exclusive, Barriers(0.006, 0.003, 0.006, 0.003), HORIZON, 60)


def test_the_true_probabilities_match_what_happens():
    market = SyntheticMarket(MarketKind.PLANTED, seed=2)
    n = 8 * 7 * 1440
    m = market.minutes("BTC/USDT", FIRST, FIRST + 56 * DAY)
    candles = Candles(m.time // 1000, m.high, m.low, m.close, m.volume, 60)
    rows = np.arange(0, n - HORIZON, HORIZON)
    truth = LABELLING.label(candles)[rows]
    regime, volatility = market.hidden("BTC/USDT", FIRST, FIRST + 56 * DAY)
    level = np.log(candles.close[rows] / COINS["BTC"][0])
    p = class_probabilities(PLANTED, level, volatility[rows], regime[rows], LABELLING, n_paths=100)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    shares = np.bincount(truth, minlength=3) / len(truth)
    error = np.sqrt(shares * (1 - shares) / len(truth))
    assert (np.abs(p.mean(axis=0) - shares) < 4 * error + 0.01).all()
    reference = log_loss(np.broadcast_to(shares, p.shape), truth)
    assert log_loss(p, truth) < 0.95 * reference
    # and no blunter or sharper forecast of the same kind does better
    for power in (0.7, 1.4):
        bent = p**power / (p**power).sum(axis=1, keepdims=True)
        assert log_loss(p, truth) < log_loss(bent, truth)


@pytest.mark.parametrize("regime", [-1, 1])
def test_an_up_trend_makes_long_likelier(regime):
    one = np.array([regime], dtype=np.int8)
    longer = replace(LABELLING, horizon=120)
    p = class_probabilities(PLANTED, np.zeros(1), np.full(1, 4e-4), one, longer)[0]
    assert (p[2] > 2 * p[0]) if regime == 1 else (p[0] > 2 * p[2])


def test_another_rule_is_refused():
    with pytest.raises(ValueError, match=r"rule 'exclusive' can be told\. Received: first_touch"):
        class_probabilities(
            PLANTED, np.zeros(1), np.ones(1), np.zeros(1), replace(LABELLING, rule=first_touch)
        )

import itertools

import numpy as np
import pytest
from agent.examples_agent import ByHand, random_tape, settings_of, terms_of

from dualwindow.market.labels import Barriers
from dualwindow_agent.accounts import Accounts
from dualwindow_agent.arena import Arena

OPTIONS = list(
    itertools.product(("positions", "published"), (1.0, 5.0), (0.0, 0.001), *[(True, False)] * 3)
)


@pytest.mark.parametrize("case", range(len(OPTIONS)))
def test_accounts_side_by_side_are_accounts_kept_by_hand(case):
    kind, leverage, slippage, barriers, horizon, shorts = OPTIONS[case]
    settings = settings_of(
        actions=kind,
        leverage=leverage,
        slippage=slippage,
        barriers=barriers,
        horizon=horizon,
        shorts=shorts,
        maintenance=0.02,
    )
    without = case % 3 == 0  # labels without take-profits
    distances = (
        Barriers(np.inf, 0.02, np.inf, 0.03) if without else Barriers(0.02, 0.01, 0.015, 0.012)
    )
    terms = terms_of(settings, distances)
    tapes = [random_tape(90, seed=case), random_tape(80, seed=case + 500, jumps=0.05)]
    n, rng = 12, np.random.default_rng(case)
    arena = Arena(tapes, settings, terms, n, seed=0)
    rows = np.concatenate([np.arange(6), 90 + np.arange(6)])
    until = np.repeat([89, 169], 6)
    arena.begin(rows, until)
    bars = np.concatenate(
        [np.stack([t.opens, t.candles.high, t.candles.low, t.candles.close], axis=1) for t in tapes]
    ).tolist()
    valid = np.concatenate([tape.valid for tape in tapes]).tolist()
    hands = [ByHand(terms, bars[row][3]) for row in rows]
    at, n_checked = rows.tolist(), 0
    broken = np.zeros(n, dtype=bool)
    for _ in range(84):
        wished = rng.integers(0, arena.exchange.n_actions, n)
        # Some stay long enough in a position for the horizon to end it.
        wished = np.where(rng.random(n) < 0.6, arena.kept_action(), wished)
        mask = arena.allowed()
        _, broke, over = arena.step(wished)
        for i, hand in enumerate(hands):
            if broken[i] or at[i] >= until[i]:
                continue
            may_enter = valid[at[i]]
            assert mask[i].tolist() == [
                hand.can(a, may_enter=may_enter) for a in range(mask.shape[1])
            ]
            at[i] += 1
            hand.step(int(wished[i]), tuple(bars[at[i]]), may_enter=may_enter)
            n_checked += 1
        broken |= broke
        assert over.tolist() == [a >= u for a, u in zip(at, until, strict=True)]
        for name in Accounts.NAMES:
            expected = [getattr(hand, name) for hand in hands]
            np.testing.assert_allclose(
                getattr(arena.accounts, name), expected, rtol=1e-9, atol=1e-9, err_msg=name
            )
    assert n_checked > 400

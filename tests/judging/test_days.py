"""Which pairs' days are shown."""

from dataclasses import replace

import numpy as np
from examples_evidence import seen

from dualwindow.judging.days import days_to_show
from dualwindow.judging.decisions import Thresholds
from dualwindow.judging.findings import Deal
from dualwindow.judging.rungs import Decider
from dualwindow.market.labels import HOLD

SURE = Decider(Thresholds(0.5, 0.5, 0.5), "hold")
PAIRS = [f"P{i}" for i in range(8)]


def pair_with(name: str, signals: int):
    p = np.tile([0.1, 0.8, 0.1], (10, 1))
    p[:signals] = [0.1, 0.1, 0.8]
    return replace(seen(None, [HOLD] * 10, p, [-1] * 10), pair=name)


def bought(name: str) -> Deal:
    return Deal.model_validate(
        {"pair": name, "side": "LONG", "opened": 60.0, "open_rate": 1.0, "tag": "", "reason": ""}
        | dict.fromkeys(("closed", "close_rate", "profit"))
    )


def test_of_many_pairs_the_six_busiest_are_shown():
    """P5 alone has traded and has no signals; of the others, later names have more signals."""
    eight = [pair_with(name, 0 if name == "P5" else i + 1) for i, name in enumerate(PAIRS)]
    shown = days_to_show(eight, SURE, {}, [bought("P5")], {}, None)
    assert [day.pair for day in shown] == PAIRS[2:]


def test_six_pairs_are_all_shown():
    six = [pair_with(name, 0) for name in PAIRS[:6]]
    assert [day.pair for day in days_to_show(six, SURE, {}, [], {}, None)] == PAIRS[:6]

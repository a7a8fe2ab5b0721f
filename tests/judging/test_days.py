"""Which pairs' days are shown."""

from dataclasses import replace

import numpy as np
from examples_evidence import seen

from dualwindow.judging.days import days_to_show
from dualwindow.judging.decisions import Thresholds
from dualwindow.judging.findings import Deal
from dualwindow.judging.rungs import Decider
from dualwindow.judging.subject import entered_from
from dualwindow.market.labels import HOLD, LONG

SURE = Decider(Thresholds(0.5, 0.5, 0.5), "hold")
PAIRS = [f"P{i}" for i in range(8)]


def pair_with(name: str, signals: int):
    p = np.tile([0.1, 0.8, 0.1], (10, 1))
    p[:signals] = [0.1, 0.1, 0.8]
    return replace(seen(None, [HOLD] * 10, p, [-1] * 10), pair=name)


def bought(name: str, opened: float = 60.0) -> Deal:
    return Deal.model_validate(
        {"pair": name, "side": "LONG", "opened": opened, "open_rate": 1.0, "tag": "", "reason": ""}
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


def test_a_trade_that_begins_within_the_last_candle_is_of_the_day():
    """Of ten candles of a minute, the last one opens after 540 s and closes after 600."""
    own = pair_with("A", 0)
    deals = [bought("A", opened) for opened in (0.0, 540.0, 599.5, 600.0)]
    (day,) = days_to_show([own], SURE, {}, deals, {}, None)
    assert [deal.opened for deal in day.deals] == [0.0, 540.0, 599.5]


def test_where_the_most_probable_class_may_be_entered_no_level_is_one():
    """With `argmax`, LONG is entered from 0.4 on where HOLD has less: 0.5 is no line that holds."""
    p = np.array([[0.3, 0.3, 0.4], [0.1, 0.2, 0.7]])
    argmax = SURE._replace(fallback="argmax")
    assert argmax(p).tolist() == [LONG, LONG]
    assert entered_from(argmax) == {"SHORT": None, "LONG": None}
    assert entered_from(SURE) == {"SHORT": 0.5, "LONG": 0.5}
    assert entered_from(argmax._replace(can_short=False)) == {"LONG": None}
    assert entered_from(Decider(None, None)) == {"SHORT": None, "LONG": None}

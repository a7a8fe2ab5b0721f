"""Who decides LONG, SHORT or HOLD, by pencil."""

import numpy as np
import pytest

from dualwindow.judging.decisions import (
    MODES,
    ConfidenceError,
    ExpectedValue,
    Thresholds,
    break_even,
    decide,
    most_probable,
    rule_of,
    thresholds,
)
from dualwindow.market.labels import HOLD, LONG, SHORT, Barriers
from dualwindow.settings import ConfidenceSettings

BARRIERS = Barriers(0.01, 0.005, 0.01, 0.005)
UNEVEN = Barriers(0.02, 0.005, 0.01, 0.01)


@pytest.mark.parametrize(
    ("p", "rule", "hold", "argmax"),
    [
        pytest.param((0.1, 0.2, 0.7), (0.5, 0.5, 0.5), LONG, LONG, id="long-passes"),
        pytest.param((0.5, 0.3, 0.2), (0.5, 0.5, 0.5), SHORT, SHORT, id="equality-passes"),
        pytest.param((0.4, 0.1, 0.5), (0.3, 0.5, 0.45), SHORT, SHORT, id="larger-excess-wins"),
        pytest.param((0.45, 0.1, 0.45), (0.4, 0.5, 0.4), HOLD, HOLD, id="tie-is-hold"),
        pytest.param((0.0, 0.4, 0.6), (0.5, 0.3, 0.5), LONG, LONG, id="direction-before-hold"),
        pytest.param((0.1, 0.45, 0.45), (0.5, 0.4, 0.5), HOLD, HOLD, id="hold-passes"),
        pytest.param((0.1, 0.41, 0.49), (0.5, 0.45, 0.5), HOLD, LONG, id="nothing-passes"),
        pytest.param((0.4, 0.2, 0.4), (0.5, 0.5, 0.5), HOLD, HOLD, id="argmax-tie-is-hold"),
        pytest.param((0.2, 0.4, 0.4), (0.5, 0.5, 0.5), HOLD, HOLD, id="argmax-tie-with-hold"),
        pytest.param((0.4, 0.35, 0.25), (0.5, 0.3, 0.5), HOLD, HOLD, id="hold-passes-no-argmax"),
        pytest.param((np.nan,) * 3, (0.5, 0.5, 0.5), HOLD, HOLD, id="unknown-is-hold"),
        pytest.param((np.nan, 0.2, 0.8), (0.5, 0.5, 0.5), HOLD, HOLD, id="short-unknown"),
        pytest.param((0.8, np.nan, 0.2), (0.5, 0.5, 0.5), HOLD, HOLD, id="hold-unknown"),
        pytest.param((0.6, 0.2, np.nan), (0.7, 0.7, 0.7), HOLD, HOLD, id="argmax-partly-unknown"),
    ],
)
def test_threshold_table(p, rule, hold, argmax):
    probabilities = np.array([p])
    before = probabilities.copy()
    assert decide(probabilities, Thresholds(*rule), "hold").tolist() == [hold]
    assert decide(probabilities, Thresholds(*rule), "argmax").tolist() == [argmax]
    np.testing.assert_array_equal(probabilities, before)


@pytest.mark.parametrize(
    ("p_long", "fees", "margin", "enters"),
    [
        # 0.01 p - 0.005 (1 - p) - 0.001 > 0 from p = 0.4 on
        pytest.param(0.4001, 0.001, 0.0, True, id="above-break-even"),
        pytest.param(0.3999, 0.001, 0.0, False, id="below-break-even"),
        pytest.param(0.4001, 0.001, 0.0001, False, id="below-margin"),
        pytest.param(0.4001, 0.002, 0.0, False, id="fees-eat-it"),
        pytest.param(0.35, 0.001, -0.001, True, id="negative-margin"),
    ],
)
def test_expected_value_table(p_long, fees, margin, enters):
    rule = ExpectedValue(BARRIERS, fees, margin)
    p = np.array([[0.0, 1 - p_long, p_long], [p_long, 1 - p_long, 0.0]])
    assert decide(p, rule).tolist() == ([LONG, SHORT] if enters else [HOLD, HOLD])


def test_expected_value_uses_the_barriers_of_each_direction():
    rule = ExpectedValue(UNEVEN, 0.0, 0.0)  # break even: 0.2 long, 0.5 short
    assert decide(np.array([[0.45, 0.3, 0.25]]), rule).tolist() == [LONG]
    assert decide(np.array([[0.6, 0.2, 0.2]]), rule).tolist() == [SHORT]


@pytest.mark.parametrize(
    ("p", "hold", "argmax"),
    [
        # half a chance to win or lose the same is worth nothing, which is not more than nothing
        pytest.param((0.0, 0.5, 0.5), HOLD, HOLD, id="worth-exactly-the-margin"),
        pytest.param((0.0, 0.45, 0.55), LONG, LONG, id="worth-more"),
        pytest.param((0.45, 0.25, 0.3), HOLD, SHORT, id="nothing-passes"),
    ],
)
def test_even_odds_table(p, hold, argmax):
    rule = ExpectedValue(Barriers(0.5, 0.5, 0.5, 0.5), 0.0, 0.0)
    assert decide(np.array([p]), rule).tolist() == [hold]
    assert decide(np.array([p]), rule, "argmax").tolist() == [argmax]


def test_a_row_that_is_unknown_leaves_the_others_alone():
    p = np.array([[0.0, 0.1, 0.9], [0.9, np.nan, 0.1], [0.9, 0.1, 0.0]])
    decided = decide(p, Thresholds(0.5, 0.5, 0.5))
    assert decided.tolist() == [LONG, HOLD, SHORT]
    assert decided.dtype == np.int8


def test_larger_value_wins():
    rule = ExpectedValue(UNEVEN, 0.0, 0.0)
    # long: 0.02 * 0.35 - 0.005 * 0.65 = 0.00375; short: 0.01 * 0.6 - 0.01 * 0.4 = 0.002
    assert decide(np.array([[0.6, 0.05, 0.35]]), rule).tolist() == [LONG]


@pytest.mark.parametrize("name", ["short", "hold", "long"])
@pytest.mark.parametrize("value", [0.0, -0.1, 1.0001, float("nan")])
def test_thresholds_outside_are_refused(name, value):
    with pytest.raises(ConfidenceError, match=f"{name} threshold must be above 0"):
        Thresholds(**{"short": 0.5, "hold": 0.5, "long": 0.5, name: value})


def test_bounds_of_thresholds_are_allowed():
    assert decide(np.array([[0.0, 0.0, 1.0]]), Thresholds(1.0, 1.0, 1.0)).tolist() == [LONG]
    assert Thresholds(1e-9, 1.0, 1.0).short == 1e-9


def test_a_margin_that_nothing_can_reach_is_refused():
    ExpectedValue(BARRIERS, 0.002, 0.0079)
    message = (
        r"certain win brings 0\.008 after fees of 0\.002; lower the margin or raise the "
        "take-profit$"
    )
    with pytest.raises(ConfidenceError, match=message):
        ExpectedValue(BARRIERS, 0.002, 0.008)
    for fees in (-0.001, 1.0, np.nan):
        with pytest.raises(ConfidenceError, match=r"fees must be at least 0 and below 1\."):
            ExpectedValue(BARRIERS, fees, -2.0)


def test_published_modes():
    assert {name: (t.short, t.long, t.hold) for name, t in MODES.items()} == {
        "conservative": (0.70, 0.70, 0.30),
        "balanced": (0.55, 0.55, 0.45),
        "aggressive": (0.45, 0.45, 0.40),
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"mode": "conservative"}, MODES["conservative"]),
        ({"mode": "aggressive"}, MODES["aggressive"]),
        ({"mode": "balanced"}, MODES["balanced"]),
        ({"mode": "expected_value"}, MODES["balanced"]),
        ({"mode": "custom", "short": 0.2, "hold": 0.3, "long": 0.4}, Thresholds(0.2, 0.3, 0.4)),
        ({"mode": "custom", "short": 0.2, "long": 0.4}, Thresholds(0.2, 0.45, 0.4)),
    ],
)
def test_table_of_thresholds(settings, expected):
    assert thresholds(ConfidenceSettings(**settings)) == expected


def test_higher_thresholds_never_signal_more(seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(3), 5000)
    signals = [
        (decide(p, MODES[m]) != HOLD).sum() for m in ("aggressive", "balanced", "conservative")
    ]
    assert signals[0] > signals[1] > signals[2] > 0
    edges = np.linspace(-0.004, 0.009, 20)
    values = [(decide(p, ExpectedValue(BARRIERS, 0.0, m)) != HOLD).sum() for m in edges]
    assert (np.diff(values) <= 0).all()


def test_most_probable_is_argmax_where_there_is_no_tie(seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(3), 1000)
    np.testing.assert_array_equal(most_probable(p), p.argmax(axis=1))


@pytest.mark.parametrize(
    ("rule", "short", "long"),
    [
        pytest.param(ExpectedValue(BARRIERS, 0.001, 0.0), 0.4, 0.4, id="break-even"),
        pytest.param(ExpectedValue(UNEVEN, 0.0, 0.0), 0.5, 0.2, id="of-each-direction"),
        pytest.param(ExpectedValue(BARRIERS, 0.001, -0.001), 1 / 3, 1 / 3, id="by-chance"),
        pytest.param(ExpectedValue(BARRIERS, 0.001, -0.00435), 0.11, 0.11, id="far-below"),
        pytest.param(Thresholds(0.6, 0.4, 0.7), 0.6, 0.7, id="thresholds"),
    ],
)
def test_from_which_probability_on_a_rule_enters(rule, short, long):
    assert rule.entered_from == {SHORT: pytest.approx(short), LONG: pytest.approx(long)}
    for side in (SHORT, LONG):
        for step, decided in ((1e-6, side), (-1e-6, HOLD)):
            p = np.zeros(3)
            p[side] = rule.entered_from[side] + step
            p[HOLD] = 1 - p[side]
            assert decide(p[None], rule).tolist() == [decided]


def test_where_a_bet_breaks_even():
    assert break_even(BARRIERS, 0.002) == {
        SHORT: pytest.approx(7 / 15),
        LONG: pytest.approx(7 / 15),
    }
    assert break_even(UNEVEN, 0.0) == {SHORT: pytest.approx(0.5), LONG: pytest.approx(0.2)}


WITHOUT_TAKE_PROFITS = Barriers(np.inf, 0.005, np.inf, 0.005)


def test_without_take_profits_there_is_no_expected_value_and_no_break_even():
    with pytest.raises(ConfidenceError, match="needs take-profits"):
        ExpectedValue(WITHOUT_TAKE_PROFITS, 0.001, 0.0)
    assert np.isnan(list(break_even(WITHOUT_TAKE_PROFITS, 0.001).values())).all()
    one_sided = Barriers(0.01, 0.005, np.inf, 0.005)
    assert break_even(one_sided, 0.0)[LONG] == pytest.approx(1 / 3)
    assert np.isnan(break_even(one_sided, 0.0)[SHORT])


def test_a_rule_is_made_of_what_is_asked_for():
    by_value = ConfidenceSettings(margin=0.001)
    assert rule_of(by_value, BARRIERS, 0.002) == ExpectedValue(BARRIERS, 0.002, 0.001)
    by_mode = ConfidenceSettings(mode="balanced")
    assert rule_of(by_mode, WITHOUT_TAKE_PROFITS, 0.002) == MODES["balanced"]

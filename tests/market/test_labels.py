from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from examples import make_candles, random_candles, shared_frame, small_settings

from dualwindow.judging.outcomes import Costs, ends_of
from dualwindow.market.candles import Candles
from dualwindow.market.labels import (
    HOLD,
    LONG,
    SHORT,
    UNKNOWN,
    Barriers,
    Labelling,
    Levels,
    exclusive,
    first_touch,
)

NARROW = Barriers(0.01, 0.005, 0.01, 0.005)
WIDE_STOPS = Barriers(0.01, 0.05, 0.01, 0.05)
LOPSIDED = Barriers(0.01, 0.005, 0.02, 0.03)


def slow_label(rule, candles: Candles, barriers: Barriers, horizon: int, t: int) -> int:
    """The definition, one candle at a time."""
    close = candles.close[t]
    touched = dict.fromkeys(("long_take", "long_stop", "short_take", "short_stop"))
    for k in range(1, horizon + 1):
        high, low = candles.high[t + k], candles.low[t + k]
        hits = {
            "long_take": high >= close + close * barriers.long_take_profit,
            "long_stop": low <= close - close * barriers.long_stop_loss,
            "short_take": low <= close - close * barriers.short_take_profit,
            "short_stop": high >= close + close * barriers.short_stop_loss,
        }
        for name, hit in hits.items():
            if hit and touched[name] is None:
                touched[name] = k
    wins = {}
    for side in ("long", "short"):
        take, stop = touched[f"{side}_take"], touched[f"{side}_stop"]
        if rule is exclusive:
            wins[side] = take is not None and stop is None
        else:
            wins[side] = take is not None and (stop is None or take < stop)
    if wins["long"] and wins["short"]:
        if rule is exclusive or touched["long_take"] == touched["short_take"]:
            return HOLD
        return LONG if touched["long_take"] < touched["short_take"] else SHORT
    return LONG if wins["long"] else SHORT if wins["short"] else HOLD


@pytest.mark.parametrize("horizon", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 30])
@pytest.mark.parametrize("barriers", [NARROW, WIDE_STOPS, LOPSIDED])
@pytest.mark.parametrize("rule", [exclusive, first_touch])
def test_rules_match_the_slow_loop(rule, barriers, horizon, seed):
    candles = random_candles(250, seed, volatility=0.004)
    expected = [slow_label(rule, candles, barriers, horizon, t) for t in range(250 - horizon)]
    labels = Labelling(rule, barriers, horizon, 250).label(candles)
    assert labels.tolist() == expected + [UNKNOWN] * horizon
    if horizon > 8:
        assert {SHORT, LONG} <= set(expected)


# close of the signal candle is 100; each row is (high, low) of the next three candles
@pytest.mark.parametrize(
    ("future", "by_exclusion", "by_first_touch"),
    [
        pytest.param([(100, 100), (101, 100), (100, 100)], LONG, LONG, id="equality-is-a-touch"),
        pytest.param([(100.9, 100)] * 3, HOLD, HOLD, id="just-below-the-take-profit"),
        pytest.param([(101, 99.5), (100, 100), (100, 100)], HOLD, HOLD, id="tie-is-a-stop"),
        pytest.param([(101, 100), (100, 99.5), (100, 100)], HOLD, LONG, id="stop-after-the-win"),
        pytest.param([(100, 99.5), (101, 100), (100, 100)], HOLD, HOLD, id="stop-before-the-win"),
        pytest.param([(100, 99), (100, 100), (100, 100)], SHORT, SHORT, id="short"),
        pytest.param([(100, 99), (100.5, 100), (100, 100)], HOLD, SHORT, id="short-then-its-stop"),
        pytest.param([(100, 100), (100, 100), (100, 99)], SHORT, SHORT, id="last-candle-counts"),
    ],
)
def test_touch_table(future, by_exclusion, by_first_touch):
    high, low = (np.array([100, *column]) for column in zip(*future, strict=True))
    candles = make_candles([100, 100, 100, 100], high, low)
    assert labels_of(candles)[0] == by_exclusion
    assert labels_of(candles, rule=first_touch)[0] == by_first_touch


# close 100, take-profits at 101 and 99, stops at 95 and 105; (high, low) of two candles
@pytest.mark.parametrize(
    ("future", "by_exclusion", "by_first_touch"),
    [
        pytest.param([(101, 99), (100, 100)], HOLD, HOLD, id="both-win-in-one-candle"),
        pytest.param([(101, 100), (100, 99)], HOLD, LONG, id="long-wins-first"),
        pytest.param([(100, 99), (101, 100)], HOLD, SHORT, id="short-wins-first"),
        pytest.param([(101, 95), (100, 99)], SHORT, SHORT, id="short-wins-where-long-is-stopped"),
        pytest.param([(101, 100), (105, 99)], LONG, LONG, id="long-wins-where-short-is-stopped"),
    ],
)
def test_two_wins_table(future, by_exclusion, by_first_touch):
    high, low = (np.array([100, *column]) for column in zip(*future, strict=True))
    candles = make_candles([100, 100, 100], high, low)
    for rule, expected in ((exclusive, by_exclusion), (first_touch, by_first_touch)):
        assert Labelling(rule, WIDE_STOPS, 2, 15).label(candles)[0] == expected


WATCHED = Levels(*(np.array([price]) for price in (101.0, 99.5, 99.0, 100.5)))


@pytest.mark.parametrize("rule", [exclusive, first_touch])
@pytest.mark.parametrize(
    ("high", "low", "label"),
    [
        pytest.param(101.0, 100.0, LONG, id="long-take"),
        pytest.param(101.0, 99.5, HOLD, id="long-stop"),
        pytest.param(100.0, 99.0, SHORT, id="short-take"),
        pytest.param(100.5, 99.0, HOLD, id="short-stop"),
    ],
)
def test_rules_touch_the_levels_that_they_are_given_on_equality(rule, high, low, label):
    labels = rule(make_candles([100, 100], high=[1.0, high], low=[200.0, low]), WATCHED, 1)
    assert labels.tolist() == [label]
    assert labels.dtype == np.int8


@pytest.mark.parametrize(("high", "low", "label"), [(np.nan, 99.0, SHORT), (101.0, np.nan, LONG)])
def test_an_unknown_price_is_not_a_first_touch(high, low, label):
    candles = make_candles([100, 100], high=[100, high], low=[100, low])
    assert first_touch(candles, WATCHED, 1).tolist() == [label]


def test_labels_are_bytes():
    labels = Labelling(exclusive, NARROW, 1, 1).label(make_candles([100.0] * 3))
    assert labels.dtype == np.int8


@pytest.mark.parametrize(
    ("n", "horizon", "known"), [(3, 1, [1, 1, 0]), (3, 2, [1, 0, 0]), (3, 3, [0] * 3), (1, 5, [0])]
)
def test_futures_past_the_end_are_not_known(n, horizon, known):
    labelling = Labelling(exclusive, NARROW, horizon, 15)
    assert labelling.known_futures(make_candles([100.0] * n)).tolist() == known


def decimal_closes(decimals: int, distance: Decimal) -> list[Decimal]:
    """Closes of up to fourteen digits whose barriers lie on whole ticks, four of each length."""
    rng = np.random.default_rng(decimals)
    whole = Fraction(distance).denominator
    ticks = [int(rng.integers(1, 10)) * whole for _ in range(4)]
    for digits in range(4, 14):
        ticks += (rng.integers(10**digits, 10 ** (digits + 1), 4) // whole * whole).tolist()
    return [Decimal(n).scaleb(-decimals) for n in ticks if n > 0]


@pytest.mark.parametrize("rule", [exclusive, first_touch])
@pytest.mark.parametrize("distance", ["0.001", "0.005", "0.01", "0.0125", "0.03", "0.2", "0.95"])
@pytest.mark.parametrize("decimals", range(1, 9))
def test_a_decimal_on_the_barrier_is_met_and_one_tick_short_is_not(decimals, distance, rule):
    x, tick = Decimal(distance), Decimal(1).scaleb(-decimals)
    barriers = Barriers(*[float(x)] * 4)
    # (high, low) after the close, and the label: the barriers are met, or missed by one tick
    cases = [
        (lambda c: (c + c * x, c), LONG),
        (lambda c: (c + c * x - tick, c), HOLD),
        (lambda c: (c, c - c * x), SHORT),
        (lambda c: (c, c - c * x + tick), HOLD),
        (lambda c: (2 * c, c - c * x), HOLD),
        (lambda c: (2 * c, c - c * x + tick), LONG),
        (lambda c: (c + c * x, c - c * x), HOLD),
        (lambda c: (c + c * x - tick, c - c * x), SHORT),
    ]
    closes = decimal_closes(decimals, x)
    assert len(closes) > 20
    labelling = Labelling(rule, barriers, 1, 15)
    costs = Costs(labelling, 0.0)
    for future, expected in cases:
        high, low = np.array([[float(v) for v in (c, *future(c), c)] for c in closes]).T[[1, 2]]
        close = np.array([float(c) for c in closes])
        pairs = [
            np.stack(both, axis=1).ravel() for both in ((close, close), (close, high), (close, low))
        ]
        candles = make_candles(*pairs)
        assert (labelling.label(candles)[::2] == expected).all()
        for side in (SHORT, LONG):
            wins = ends_of(candles, side, costs).profit[::2][: len(close)] == float(x)
            assert all(won == (side == expected) for won in wins)


@pytest.mark.parametrize(
    ("close", "distance"),
    [  # the largest errors among twenty million closes: almost two units in the last place of one
        ("8192.07989", "0.9"),
        ("26.66669705", "0.2"),
        ("2.7", "0.01"),
    ],
)
def test_the_largest_roundings_found_are_met(close, distance):
    target = Decimal(close) * (1 + Decimal(distance))
    candles = make_candles([float(close)] * 2, high=[0.1, float(target)])
    labelling = Labelling(exclusive, Barriers(*[float(distance)] * 4), 1, 15)
    assert labelling.label(candles)[0] == LONG
    assert labelling.prices(float(close)).long_take > float(target)


def test_the_signal_candles_own_high_does_not_count():
    candles = make_candles([100, 100], high=[105, 100], low=[95, 100])
    assert labels_of(candles, horizon=1)[0] == HOLD


def labels_of(
    candles: Candles, horizon: int = 3, max_untraded: int = 2, rule=exclusive
) -> list[int]:
    return Labelling(rule, NARROW, horizon, max_untraded).label(candles).tolist()


def test_the_end_of_the_data_is_unknown():
    assert labels_of(make_candles([100.0] * 6)) == [HOLD] * 3 + [UNKNOWN] * 3


def test_a_horizon_as_long_as_the_data_leaves_nothing_known():
    assert labels_of(make_candles([100.0] * 3)) == [UNKNOWN] * 3
    assert labels_of(make_candles([])) == []


def test_a_gap_inside_the_horizon_is_unknown():
    candles = make_candles([100.0] * 9, minute=[0, 1, 2, 3, 14, 15, 16, 17, 18])
    assert labels_of(candles) == [HOLD, *[UNKNOWN] * 3, HOLD, HOLD, *[UNKNOWN] * 3]


@pytest.mark.parametrize("price", [np.nan, np.inf, 0.0, -1.0])
@pytest.mark.parametrize("column", ["high", "low", "close"])
@pytest.mark.parametrize("rule", [exclusive, first_touch])
def test_an_unusable_price_makes_every_label_that_looks_at_it_unknown(rule, column, price):
    values = {name: [100.0] * 9 for name in ("close", "high", "low")}
    values[column][4] = price
    labels = labels_of(make_candles(**values), rule=rule)
    assert labels == [HOLD, *[UNKNOWN] * 4, HOLD, *[UNKNOWN] * 3]


@pytest.mark.parametrize("rule", [exclusive, first_touch])
@pytest.mark.parametrize("horizon", [3, 5, 8])
def test_an_unknown_price_behind_the_horizon_changes_nothing(rule, horizon):
    high = np.full(horizon + 4, 100.0)
    high[horizon] = 101.0  # the last candle of the first horizon wins
    high[horizon + 1 :] = np.nan
    candles = make_candles(np.full(horizon + 4, 100.0), high=high)
    assert labels_of(candles, horizon, rule=rule)[0] == LONG


def test_an_outage_filled_with_untraded_candles_is_a_gap():
    volume = [1, 1, 1, 0, 0, 0, 1, 1, 1, 1]
    # three untraded candles are one too many; only futures that hold all three are unknown
    expected = [HOLD, HOLD, UNKNOWN, HOLD, HOLD, HOLD, HOLD, *[UNKNOWN] * 3]
    assert labels_of(make_candles([100.0] * 10, volume=volume)) == expected
    assert labels_of(make_candles([100.0] * 10, volume=volume), max_untraded=3)[2] == HOLD


@pytest.mark.parametrize("rule", [exclusive, first_touch])
def test_labels_ignore_everything_past_the_horizon(rule, seed):
    candles, other = random_candles(300, seed), random_candles(300, seed + 100)
    labelling, cut = Labelling(rule, NARROW, 20, 15), 200
    before = labelling.label(candles)
    after = labelling.label(candles[slice(cut)].followed_by(other[slice(cut, None)]))
    assert (before[: cut - 20] == after[: cut - 20]).all()
    assert (before[cut - 20 :] != after[cut - 20 :]).any()


def test_chunks_do_not_show(monkeypatch, seed):
    candles = random_candles(500, seed)
    whole = labels_of(candles, 20, 15, first_touch)
    monkeypatch.setattr("dualwindow.market.labels._CHUNK", 64)
    assert labels_of(candles, 20, 15, first_touch) == whole


def test_real_label_mix():
    candles = Candles.from_frame(shared_frame("binance/BTC_USDT-1m.feather"), 60)
    labels = Labelling(exclusive, NARROW, 120, 15).label(candles)
    shares = np.bincount(labels[labels != UNKNOWN], minlength=3) / (labels != UNKNOWN).sum()
    assert shares.round(2).tolist() == [0.08, 0.84, 0.09]  # shared/data/README.md


@pytest.mark.parametrize(("name", "rule"), [("exclusive", exclusive), ("first_touch", first_touch)])
def test_settings_say_how_to_label(name, rule):
    distances = {
        "long_take_profit": 0.04,
        "long_stop_loss": 0.01,
        "short_take_profit": 0.03,
        "short_stop_loss": 0.02,
    }
    whole = {"labels": {"rule": name, **distances}, "max_untraded": 7}
    asked = small_settings(history=12, horizon=9, whole=whole)
    assert Labelling.of(asked) == Labelling(rule, Barriers(0.04, 0.01, 0.03, 0.02), 9, 7)

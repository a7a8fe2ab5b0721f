"""Parameters, tags and exits of the strategy, inside the real freqtrade."""

import json
import logging
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from ccxt import TICK_SIZE
from freqtrade.enums import RunMode
from freqtrade.exceptions import FreqtradeException
from freqtrade.persistence import LocalTrade

from dualwindow.market.labels import HOLD, LONG, UNKNOWN
from harness.freqai_run import PAIR, configuration, load_strategy, market
from harness.places import ROOT

FOUND = {
    "buy": {
        "mode": "balanced",
        "margin": 0.0,
        "entry_short": 0.61,
        "entry_hold": 0.41,
        "entry_long": 0.62,
    },
    "sell": {"exit_on_opposite": True, "exit_at_horizon": False},
}


BANDS = [
    f"long {band}" for band in ("0.40-0.45", "0.45-0.50", "0.55-0.60", "0.70-0.75", "0.95-1.00")
]


@pytest.fixture(scope="module")
def frames():
    return market()


@pytest.fixture
def load(frames, tmp_path):
    """Load a copy of the strategy, beside it a file of hyperopt's, with some confidence."""

    def load(confidence=None, parameters=None, labels=None, more="", **changes):
        strategies = tmp_path / "strategies"
        strategies.mkdir(exist_ok=True)
        code = (ROOT / "strategies/DualWindowStrategy.py").read_text()
        (strategies / "DualWindowStrategy.py").write_text(code + more)
        if parameters is not None:
            content = {"strategy_name": "DualWindowStrategy", "params": parameters}
            (strategies / "DualWindowStrategy.json").write_text(json.dumps(content))
        block = {"confidence": confidence or {}, "labels": labels or {}}
        config = configuration(tmp_path, dual_window=block)
        config |= {"strategy_path": str(strategies), **changes}
        return load_strategy({k: v for k, v in config.items() if v is not None}, frames)

    return load


def predicted(rows) -> pd.DataFrame:
    """Candles with probabilities of SHORT, HOLD, LONG, and what do_predict says."""
    frame = pd.DataFrame(rows, columns=["SHORT", "HOLD", "LONG", "do_predict"])
    return frame.assign(close=100.0)


def entries(strategy, rows) -> list[str | None]:
    frame = strategy.populate_entry_trend(predicted(rows), {"pair": PAIR})
    tags = frame.get("enter_tag", pd.Series(index=frame.index, dtype=object))
    return [None if pd.isna(tag) else tag for tag in tags]


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [
        # break even at (0.005 + 0.001) / 0.015 = 0.4
        pytest.param({}, BANDS, id="value"),
        pytest.param({"mode": "aggressive"}, [None, *BANDS[1:]], id="low"),
        pytest.param({"mode": "balanced"}, [None, None, *BANDS[2:]], id="mid"),
        pytest.param({"mode": "conservative"}, [None, None, None, *BANDS[3:]], id="high"),
        pytest.param(
            {"mode": "custom", "short": 0.72, "hold": 0.9, "long": 0.72},
            [None, None, None, None, BANDS[4]],
            id="custom",
        ),
    ],
)
def test_each_mode_enters_where_it_should_and_says_why(load, confidence, expected):
    strategy = load(confidence)
    rows = [(0.0, 1 - p, p, 1) for p in (0.41, 0.45, 0.55, 0.70, 1.0)]
    mode = confidence.get("mode", "expected_value")
    assert entries(strategy, rows) == [e and f"{mode} {e}" for e in expected]
    mirrored = [(long, hold, short, ok) for short, hold, long, ok in rows]
    tags = [e and f"{mode} {e}".replace("long", "short") for e in expected]
    assert entries(strategy, mirrored) == tags


def test_what_is_no_prediction_enters_nothing(load):
    strategy = load({"mode": "custom", "short": 0.001, "hold": 0.001, "long": 0.001})
    rows = [(0.1, 0.1, 0.8, 0), (0.1, 0.1, 0.8, 2), (0, 0, 0, 1), (0.5, 0.5, 0.8, 1)]
    assert entries(strategy, [*rows, (np.nan, np.nan, np.nan, 1)]) == [None] * 5
    assert entries(strategy, [(0.1, 0.1, 0.8, 1)]) == ["custom long 0.80-0.85"]


def test_argmax_is_the_fallback_where_nothing_passes(load):
    rows = [(0.2, 0.39, 0.41, 1)]
    assert entries(load({"mode": "balanced"}), rows) == [None]
    tags = entries(load({"mode": "balanced", "fallback": "argmax"}), rows)
    assert tags == ["balanced long 0.40-0.45"]


def test_the_opposite_signal_exits_only_if_asked(load):
    strategy = load()
    rows = [(0.1, 0.2, 0.7, 1), (0.7, 0.2, 0.1, 1), (0.1, 0.8, 0.1, 1), (0.7, 0.2, 0.1, 0)]
    quiet = strategy.populate_exit_trend(predicted(rows), {"pair": PAIR})
    assert "exit_long" not in quiet
    strategy.exit_on_opposite.value = True
    frame = strategy.populate_exit_trend(predicted(rows), {"pair": PAIR})
    strategy.exit_on_opposite.value = False
    assert frame["exit_long"].fillna(0).tolist() == [0, 1, 0, 0]
    assert frame["exit_short"].fillna(0).tolist() == [1, 0, 0, 0]
    assert frame["exit_tag"].dropna().tolist() == ["opposite"] * 2


def test_what_hyperopt_found_is_used_by_the_next_run(load):
    strategy = load({"mode": "balanced"}, FOUND)
    assert strategy.entry_long.value == 0.62
    assert strategy.exit_at_horizon.value is False
    rows = [(0.1, 0.29, 0.61, 1), (0.1, 0.27, 0.63, 1)]
    assert entries(strategy, rows) == [None, "balanced long 0.60-0.65"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entry_lnog": 0.5}, r"unknown parameters \['entry_lnog'\]"),
        ({"entry_hold": None}, r"no values for \['entry_hold'\]: it is from another version"),
        ({"mode": "conservative"}, "found for confidence mode 'conservative'.* says 'balanced'"),
        ({"entry_long": 1.4}, r"long threshold must be above 0 and at most 1\. Received: 1\.4"),
        ({"entry_long": "high"}, "entry_long must be a number with at most 3 digits"),
        ({"entry_long": 0.12345}, "entry_long must be a number with at most 3 digits"),
        ({"mode": "bold"}, "mode must be one of"),
    ],
)
def test_a_foreign_result_file_is_refused(load, change, message):
    buy = {k: v for k, v in {**FOUND["buy"], **change}.items() if v is not None}
    with pytest.raises(FreqtradeException, match=message) as error:
        load({"mode": "balanced"}, {**FOUND, "buy": buy})
    assert "DualWindowStrategy.json" in str(error.value) or "threshold" in str(error.value)
    sell = {**FOUND["sell"], "exit_on_opposite": "no"}
    with pytest.raises(
        FreqtradeException, match=r"exit_on_opposite must be one of \[True, False\]"
    ):
        load({"mode": "balanced"}, {**FOUND, "sell": sell})


def test_a_new_search_replaces_a_foreign_file(load, caplog):
    strategy = load({"mode": "conservative"}, FOUND, runmode=RunMode.HYPEROPT, spaces=["buy"])
    assert "is not used, and will be replaced" in caplog.text
    assert strategy.entry_long.value == 0.70


def test_hyperopt_never_draws_a_margin_out_of_reach(load):
    """A take-profit of 0.4 % less fees of 0.1 % is less than the widest margin."""
    labels = {"long_take_profit": 0.004, "short_take_profit": 0.004}
    strategy = load(labels=labels, fee=0.0005)
    assert strategy.margin.high == pytest.approx(0.00299)
    for edge in (strategy.margin.low, strategy.margin.high):
        strategy.margin.value = edge
        assert entries(strategy, [(0.0, 0.0, 1.0, 1)]) == ["expected_value long 0.95-1.00"]


def test_a_missing_fee_is_an_error_where_it_decides_and_a_warning_elsewhere(load, caplog):
    with pytest.raises(FreqtradeException, match="needs to know the trading fee: set 'fee'"):
        load(fee=None)
    with caplog.at_level(logging.WARNING):
        load({"mode": "balanced"}, fee=None)
    assert "judged without fees" in caplog.text


def test_a_margin_that_no_signal_can_reach_is_refused(load):
    with pytest.raises(FreqtradeException, match=r"no signal can be worth the margin 0\.0095"):
        load({"margin": 0.0095})
    load({"margin": 0.0085})


@pytest.mark.parametrize(
    "confidence",
    [{"mode": "custom", "short": 0.5, "hold": 0.5, "long": 0.50001}, {"margin": 0.0000001}],
)
def test_digits_that_a_parameter_cannot_hold_are_not_rounded_away(load, confidence):
    with pytest.raises(FreqtradeException, match=r"confidence\.(long|margin): at most [35] digits"):
        load(confidence)


@pytest.mark.parametrize(
    ("confidence", "searched"),
    [
        ({}, {"margin"}),
        ({"mode": "balanced"}, {"entry_long", "entry_short"}),
        ({"mode": "balanced", "fallback": "argmax"}, {"entry_long", "entry_short", "entry_hold"}),
    ],
)
def test_hyperopt_searches_what_the_mode_reads(load, confidence, searched):
    strategy = load(confidence)
    found = {n for n, p in vars(strategy).items() if getattr(p, "optimize", False)}
    assert found == searched
    assert strategy.exit_on_opposite.optimize
    assert strategy.exit_at_horizon.optimize


def test_a_trade_by_smoothed_labels_ends_at_the_stop_or_the_horizon(load, caplog):
    caplog.set_level("INFO")
    labels = {"rule": "smoothed", "long_stop_loss": 0.007, "short_stop_loss": 0.004}
    strategy = load({"mode": "balanced"}, labels=labels)
    assert not strategy.use_custom_roi
    assert strategy.minimal_roi == {}
    assert strategy.stoploss == -0.007
    levels = strategy.labelling.prices(100.0)
    assert (float(levels.long_stop), float(levels.short_stop)) == (99.3, 100.4)
    (line,) = (r.getMessage() for r in caplog.records if "Rule in effect" in r.getMessage())
    assert "a long ends at -0.7 %, a short at +0.4 %, both after 0:20:00" in line
    assert BELOW not in caplog.text
    assert entries(strategy, [(0.0, 0.4, 0.6, 1), (0.6, 0.4, 0.0, 1), (0.3, 0.4, 0.3, 1)]) == [
        "balanced long 0.60-0.65",
        "balanced short 0.60-0.65",
        None,
    ]


def test_trades_end_at_the_very_prices_of_the_labels(load, monkeypatch):
    labels = {"long_take_profit": 0.012, "long_stop_loss": 0.007, "short_take_profit": 0.009}
    strategy = load(labels=labels)
    module = type(strategy).custom_stoploss.__globals__
    monkeypatch.setitem(module, "stoploss_from_absolute", lambda stop, *_: stop)
    rates = np.random.default_rng(0).integers(1, 10_000_000, 5000) / 100
    levels = strategy.labelling.prices(rates)
    for is_short, take, stop in (
        (False, levels.long_take, levels.long_stop),
        (True, levels.short_take, levels.short_stop),
    ):
        exits = []
        for rate in rates.tolist():
            trade = SimpleNamespace(
                open_rate=rate,
                is_short=is_short,
                leverage=1.0,
                stop_loss=0.0,
                calc_profit_ratio=lambda x: x,
            )
            arguments = (PAIR, trade, datetime.now(UTC))
            exits.append(
                (
                    strategy.custom_roi(*arguments, 1),
                    strategy.custom_stoploss(*arguments, rate, 0.0, after_fill=True),
                )
            )
        np.testing.assert_array_equal(np.array(exits), np.stack([take, stop], axis=1))


LEVERAGE = """
    def leverage(self, pair, current_time, current_rate, **kwargs):
        return 20.0
"""


def filled(strategy, leverage: float, *, is_short: bool) -> LocalTrade:
    """A trade of freqtrade's that has just been entered at 100, with ticks of 0.01."""
    trade = LocalTrade(
        pair=PAIR,
        open_rate=100.0,
        amount=1.0,
        stake_amount=100.0 / leverage,
        fee_open=0.0005,
        fee_close=0.0005,
        is_short=is_short,
        leverage=leverage,
        price_precision=0.01,
        precision_mode_price=TICK_SIZE,
    )
    trade.adjust_stop_loss(100.0, strategy.stoploss, initial=True)
    now, rate = (
        datetime.now(UTC),
        100.1 if is_short else 99.9,
    )  # at which it could be left: the spread
    strategy.ft_stoploss_adjust(rate, trade, now, 0.0, 0, after_fill=True)
    return trade


@pytest.mark.parametrize("leverage", [1.0, 3.0, 10.0, 20.0, 50.0, 125.0])
@pytest.mark.parametrize("way", ["own", "forced", "uneven"])
def test_the_stop_is_the_labelled_one_at_any_leverage(load, way, leverage):
    """The initial stop is 99 % of the stake, at 125 less than 1 % of the price."""
    labels = {"long_stop_loss": 0.012, "short_stop_loss": 0.007 if way == "uneven" else 0.012}
    more = "" if way == "forced" else LEVERAGE
    strategy = load(labels=labels, more=more, force_entry_enable=way == "forced")
    for is_short, stop in ((False, 98.8), (True, 100.7 if way == "uneven" else 101.2)):
        trade = filled(strategy, leverage, is_short=is_short)
        assert trade.stop_loss == stop
        for high in np.random.default_rng(0).uniform(99.9, 100.6, 300):
            now, low = datetime.now(UTC), high - 0.1
            strategy.ft_stoploss_adjust(high, trade, now, 0.0, 0, low=low, high=high)
        assert trade.stop_loss == stop
        assert not trade.is_stop_loss_trailing


def test_a_stop_that_is_not_there_is_set_also_later(load):
    """As after an update from a version that began with another one."""
    strategy = load(more=LEVERAGE)
    trade = filled(strategy, 20.0, is_short=False)
    trade.stop_loss = 95.0
    strategy.ft_stoploss_adjust(100.3, trade, datetime.now(UTC), 0.0, 0)
    assert trade.stop_loss == pytest.approx(99.5, abs=0.011)


def test_the_reserve_of_the_smallest_stake_is_no_larger_than_it_must_be(load):
    """freqtrade computes it from the initial stop, live."""
    assert (load().stoploss, load().use_custom_stoploss) == (-0.005, False)
    uneven = load(labels={"short_stop_loss": 0.007})
    assert (uneven.stoploss, uneven.use_custom_stoploss) == (-0.007, True)
    spot = load(more=LEVERAGE, trading_mode="spot")
    assert (spot.stoploss, spot.use_custom_stoploss) == (-0.005, False)


@pytest.mark.parametrize(
    ("liquidation", "is_short", "told"), [(99.4, False, 0), (99.6, False, 1), (100.4, True, 1)]
)
def test_a_liquidation_before_the_stop_is_told_in_a_live_bot(
    load, caplog, liquidation, is_short, told
):
    strategy = load(more=LEVERAGE)
    strategy.config["runmode"] = RunMode.DRY_RUN
    trade = filled(strategy, 20.0, is_short=is_short)
    trade.liquidation_price = liquidation
    caplog.clear()
    strategy.ft_stoploss_adjust(100.0, trade, datetime.now(UTC), 0.0, 0, after_fill=True)
    stop = 100.5 if is_short else 99.5
    said = f"with leverage 20 it is liquidated at {liquidation}, before the stop at {stop}"
    assert caplog.text.count(said) == told


def test_hyperopt_never_draws_a_margin_that_enters_on_the_class_frequencies(load):
    """A price without drift is at the take-profit first with a chance of stop / (take + stop)."""
    strategy = load()
    assert (strategy.margin.low, load(fee=0.00075).margin.low) == (-0.001, -0.0015)
    assert load(fee=0.00033333).margin.low == -0.00066
    assert load(fee=0.01, labels={"long_take_profit": 0.1}).margin.low == -0.005
    assert load(fee=0.0).margin.low == 0.0
    strategy.margin.value = strategy.margin.low
    third = [(0.0, 1 - p, p, 1) for p in (0.3333, 0.3334)]
    assert entries(strategy, third) == [None, "expected_value long 0.30-0.35"]


BELOW = "The rule enters below break-even: "


@pytest.mark.parametrize(
    ("confidence", "changes", "told"),
    [
        pytest.param({}, {}, None, id="break-even"),
        pytest.param({"margin": 0.001}, {}, None, id="above"),
        pytest.param(
            {"margin": -0.00435},
            {},
            "LONG from 0.110 instead of 0.400, SHORT from 0.110 instead of 0.400.",
            id="margin",
        ),
        pytest.param({"mode": "aggressive"}, {}, None, id="named-mode-futures"),
        pytest.param(
            {"mode": "aggressive"},
            {"fee": 0.001, "trading_mode": "spot"},
            "LONG from 0.450 instead of 0.467.",
            id="named-mode-spot",
        ),
        pytest.param(
            {"mode": "custom", "short": 0.39, "long": 0.4},
            {},
            "SHORT from 0.390 instead of 0.400.",
            id="custom",
        ),
        pytest.param(
            {"mode": "expected_value", "fallback": "argmax"},
            {},
            "LONG from 0.333 instead of 0.400, SHORT from 0.333 instead of 0.400.",
            id="argmax-where-nothing-passes",
        ),
        pytest.param(
            {"margin": -0.003}, {"runmode": RunMode.HYPEROPT, "spaces": ["buy"]}, None, id="search"
        ),
    ],
)
def test_a_rule_below_break_even_is_warned_of_at_start(load, caplog, confidence, changes, told):
    load(confidence, **changes)
    assert caplog.text.count(BELOW) == (told is not None)
    assert told is None or f"{BELOW}{told}" in caplog.text


def test_the_rule_in_effect_is_told_once_with_the_source_of_each_value(load, caplog):
    caplog.set_level("INFO")
    load({"mode": "expected_value", "margin": 0.001})
    (line,) = (r.getMessage() for r in caplog.records if "Rule in effect" in r.getMessage())
    assert line == (
        "Rule in effect: mode expected_value (configuration), margin 0.001 (configuration), "
        "exit_at_horizon True (default), exit_on_opposite False (default), fallback hold "
        "(default), a long ends at +1 % or -0.5 %, a short at -1 % or +0.5 %, both after 0:20:00; "
        "fees 0.10 %"
    )


def test_the_rule_in_effect_is_that_of_hyperopts_file(load, caplog):
    caplog.set_level("INFO")
    found = {"buy": {**FOUND["buy"], "mode": "balanced"}, "sell": FOUND["sell"]}
    load({"mode": "balanced", "fallback": "argmax"}, found)
    (line,) = (r.getMessage() for r in caplog.records if "Rule in effect" in r.getMessage())
    for told in (
        "entry_short 0.61 (hyperopt's file), entry_hold 0.41 (hyperopt's file)",
        "exit_at_horizon False (hyperopt's file), exit_on_opposite True (hyperopt's file)",
        "fallback argmax (configuration)",
        "both on the opposite signal",
    ):
        assert told in line
    assert "0:20:00" not in line
    assert "margin" not in line
    assert "overrides" not in caplog.text  # a backtest is there to try it


@pytest.mark.parametrize("mode", [RunMode.DRY_RUN, RunMode.LIVE])
def test_a_trading_bot_warns_of_a_file_that_overrides_its_configuration(load, caplog, mode):
    buy = {**FOUND["buy"], "mode": "expected_value", "margin": 0.0005}
    strategy = load({"margin": 0.001}, {**FOUND, "buy": buy})
    strategy.config["runmode"] = mode
    strategy.ft_load_hyper_params()
    (line,) = (r.getMessage() for r in caplog.records if "overrides" in r.getMessage())
    assert (
        "strategies/DualWindowStrategy.json, which hyperopt wrote, overrides margin: 0.0005 "
        in line
    )
    assert "margin: 0.0005 instead of 0.001 (configuration)" in line
    assert "exit_at_horizon: False instead of True (default)" in line
    assert "entry_" not in line
    caplog.clear()
    same = {"exit_on_opposite": False, "exit_at_horizon": True}
    strategy = load({"margin": 0.0005}, {"buy": buy, "sell": same})
    strategy.config["runmode"] = mode
    strategy.ft_load_hyper_params()
    assert "overrides" not in caplog.text


def test_hyperopt_says_what_is_searched(load, caplog):
    caplog.set_level("INFO")
    load(runmode=RunMode.HYPEROPT, spaces=["buy"])
    (line,) = (r.getMessage() for r in caplog.records if "Rule in effect" in r.getMessage())
    assert "margin searched from -0.001 to 0.005, exit_at_horizon True (default)" in line


def test_values_in_a_strategy_of_ones_own_are_told(load, caplog):
    caplog.set_level("INFO")
    load(more='\n    buy_params = {"margin": 0.002}\n')
    assert "margin 0.002 (strategy)" in caplog.text


def test_the_web_server_may_load_parameters_of_a_strategy_that_has_not_started(load, caplog):
    caplog.set_level("INFO")
    strategy = load()
    caplog.clear()
    shown = type(strategy)(strategy.config)
    shown.ft_load_hyper_params()
    assert shown.margin.value == 0.0
    assert "Rule in effect" not in caplog.text


def test_the_same_for_all_candles_is_held_whatever_the_rule(load):
    """They come with do_predict 0."""
    strategy = load({"margin": -0.004, "fallback": "argmax"})
    frame = predicted([(0.2, 0.2, 0.6, 0), (0.2, 0.2, 0.6, 1), (0.0, 0.0, 0.0, 0)])
    assert strategy._decide(frame).tolist() == [HOLD, LONG, UNKNOWN]

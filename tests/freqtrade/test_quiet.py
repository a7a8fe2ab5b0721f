"""Which lines of freqtrade are left out, and that no other is."""

import logging

import pytest
from freqtrade.enums import RunMode

from dualwindow_freqtrade.strategy.quiet import leave_out_idle, leave_out_superseded

RESOLVER, HYPER = "freqtrade.resolvers.strategy_resolver", "freqtrade.strategy.hyper"


@pytest.fixture(autouse=True)
def _restore():
    yield
    leave_out_superseded({"verbosity": 1})
    leave_out_idle({"verbosity": 1})
    assert logging.getLogger(RESOLVER).filters == logging.getLogger(HYPER).filters == []


@pytest.mark.parametrize(
    ("logger", "level", "text", "is_shown"),
    [
        (RESOLVER, logging.INFO, "Strategy using stoploss: -0.1", False),
        (RESOLVER, logging.WARNING, "Strategy using something dangerous", True),
        (RESOLVER, logging.INFO, "Override strategy 'timeframe' with value from the ...", True),
        (HYPER, logging.INFO, "Strategy Parameter(default): margin = 0.0", False),
        (HYPER, logging.INFO, "No params for sell found, using default values.", False),
        (HYPER, logging.INFO, "Strategy Parameter: margin = 0.001", True),
        ("freqtrade.other", logging.INFO, "Strategy using its own lines", True),
    ],
)
def test_lines_that_are_superseded_are_left_out(caplog, logger, level, text, is_shown):
    caplog.set_level(logging.INFO)
    for config in ({}, {"verbosity": 0}):
        leave_out_superseded(config)
        caplog.clear()
        logging.getLogger(logger).log(level, text)
        assert caplog.messages == ([text] if is_shown else [])
    leave_out_superseded({"verbosity": 1})
    caplog.clear()
    logging.getLogger(logger).log(level, text)
    assert caplog.messages == [text]


DRAWER, NO_HISTORY = "freqtrade.freqai.data_drawer", "Could not find existing historic_predictions"


@pytest.mark.parametrize(
    ("mode", "logger", "text", "is_shown"),
    [
        pytest.param(
            RunMode.BACKTEST, RESOLVER, "Strategy using stoploss: -0.1", True, id="other-strategy"
        ),
        pytest.param(
            RunMode.BACKTEST, HYPER, "Strategy Parameter(default): a = 1", True, id="its-values"
        ),
        pytest.param(RunMode.BACKTEST, DRAWER, NO_HISTORY, False, id="backtest"),
        pytest.param(RunMode.DRY_RUN, DRAWER, NO_HISTORY, True, id="live"),
    ],
)
def test_what_nothing_replaces_is_shown(caplog, mode, logger, text, is_shown):
    caplog.set_level(logging.INFO)
    leave_out_idle({"runmode": mode})
    logging.getLogger(logger).info(text)
    assert caplog.messages == ([text] if is_shown else [])

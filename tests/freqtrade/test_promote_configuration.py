"""``dualwindow promote`` reads what ``freqtrade trade`` reads, which needs no timerange."""

import json

import pytest
from freqtrade.enums import RunMode

from dualwindow.cli import CommandError
from dualwindow_freqtrade.promote_command import live_configuration
from harness.places import ROOT

LIVE = ("base", "futures", "live", "presets/quick")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "user_data").mkdir()
    return ["--userdir", str(tmp_path / "user_data")]


def test_a_live_configuration_has_no_timerange(folder):
    words = [word for name in LIVE for word in ("-c", str(ROOT / f"config/{name}.json"))]
    config = live_configuration([*words, *folder], "other")
    assert config["freqai"]["identifier"] == "other"
    assert config["runmode"] == RunMode.BACKTEST  # a workbench asks no exchange
    assert "timerange" not in config


def test_without_freqai_it_is_said_what_is_missing(folder, tmp_path):
    base = {"stake_currency": "USDT", "stake_amount": 10, "dry_run": True}
    base |= {"exchange": {"name": "binance", "pair_whitelist": ["BTC/USDT"]}, "max_open_trades": 1}
    base |= {"pairlists": [{"method": "StaticPairList"}], "timeframe": "1m"}
    (tmp_path / "bare.json").write_text(json.dumps(base))
    with pytest.raises(CommandError, match="no block 'freqai'"):
        live_configuration(["-c", str(tmp_path / "bare.json"), *folder], "other")

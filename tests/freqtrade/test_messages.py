"""What refusals say: the key as the user writes it, and nothing that costs what a bot has made."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver

from dualwindow.cli import main
from dualwindow.learning.fingerprint import flatten
from dualwindow.settings import Settings
from dualwindow_freqtrade.backtest.cache import CacheError, CacheRecord
from dualwindow_freqtrade.freqai.configuration import ConfigurationError, read_configuration
from dualwindow_freqtrade.freqai.folder_use import is_used_live, remedy
from dualwindow_freqtrade.freqai.names import STORED_PREDICTIONS
from dualwindow_freqtrade.freqai.placement import misplaced_blocks
from dualwindow_freqtrade.freqai.sources import identifier_source, log_identifier
from harness.freqai_run import configuration, load_strategy
from harness.places import ROOT

METADATA = "sub-train-BTC_1/cb_btc_1_metadata.json"


def put(folder: Path, name: str, content: str = "{}") -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.mark.parametrize(
    ("name", "content", "is_live"),
    [
        (STORED_PREDICTIONS, "", True),
        ("historic_predictions.backup.pkl", "", True),
        ("predictions/BTC/1.pkl", "", True),
        ("dualwindow_status.json", "{}", True),
        (METADATA, '{"trained_live": true}', True),
        (METADATA, '{"trained_live": false}', False),
        (METADATA, "{", False),
        ("sub-train-BTC_1/cb_btc_1_model.joblib", "", False),
        ("backtesting_predictions/cb_btc_1_prediction.feather", "", False),
    ],
)
def test_what_a_bot_has_made_is_never_to_be_deleted(tmp_path, name, content, is_live):
    put(tmp_path, name, content)
    assert is_used_live(tmp_path) == is_live
    assert ("delete" in remedy(tmp_path)) != is_live
    assert remedy(tmp_path).startswith("set another freqai.identifier")


def test_a_live_model_is_told_by_its_own_folder(tmp_path):
    put(tmp_path, METADATA, '{"trained_live": true}')
    assert "delete" not in remedy((tmp_path / METADATA).parent)


@pytest.mark.parametrize("beside", [STORED_PREDICTIONS, None])
def test_a_cache_of_other_settings_names_the_users_key_and_spares_live_files(tmp_path, beside):
    record = CacheRecord(tmp_path)
    record.add("settings", {"model_training_parameters.learning_rate": 0.001})
    if beside:
        put(tmp_path, beside)
    with pytest.raises(CacheError) as refused:
        record.check("settings", {"model_training_parameters.learning_rate": 0.01})
    said = str(refused.value)
    assert (
        "made with other settings (model_training_parameters.learning_rate: 0.001 -> 0.01)" in said
    )
    assert ("delete" in said) == (beside is None)


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ({"dual_window": {"pooling": "pair"}}, "dual_window"),
        ({"exchange": {"name": "binance", "dual_window": {}}}, "exchange.dual_window"),
        ({"exchange": {"a": {"dual_window": 1}}, "freqai": {}}, "exchange.a.dual_window"),
    ],
)
def test_a_block_outside_of_freqai_is_refused_with_where_it_belongs(config, place):
    (problem,) = misplaced_blocks({**config, "original_config": config})
    assert problem.startswith(f"'{place}' ")
    assert problem.endswith("move it into the block freqai")


def test_the_place_where_it_belongs_is_none_of_them():
    assert misplaced_blocks({"freqai": {"dual_window": {}}}) == []


@pytest.mark.parametrize("model", ["DualWindowLSTM", "DualWindowAgent"])
def test_the_model_refuses_it_with_all_else_that_is_wrong(tmp_path, model):
    config = {**configuration(tmp_path, conv_widht=9), "freqaimodel": model}
    config["dual_window"] = {"pooling": "pair"}
    with pytest.raises(OperationalException) as refused:
        FreqaiModelResolver.load_freqaimodel(config)
    assert "'dual_window' is read by nobody" in str(refused.value)
    assert "freqai.conv_widht is unknown; did you mean 'conv_width'?" in str(refused.value)


@pytest.mark.parametrize(
    "block", ["feature_parameters", "data_split_parameters", "model_training_parameters"]
)
def test_a_block_in_the_wrong_block_is_refused(block):
    freqai = {"conv_width": 180, block: {"dual_window": {"pooling": "pair"}}}
    with pytest.raises(ConfigurationError) as refused:
        read_configuration(freqai)
    (problem,) = refused.value.problems
    assert problem == f"freqai.{block}.dual_window is unknown; it belongs in freqai"


def test_a_strategy_leaves_it_to_the_model_to_refuse_what_is_no_block(tmp_path):
    config = configuration(tmp_path, dual_window=None)
    with pytest.raises(OperationalException, match=r"freqai\.dual_window must be a block of sett"):
        load_strategy(config, {})


@pytest.mark.parametrize("block", ["feature_parameters", "data_split_parameters", "dual_window"])
@pytest.mark.parametrize("value", [None, ["a"], "a", 3])
def test_what_is_no_block_is_told_and_no_crash(block, value):
    with pytest.raises(ConfigurationError) as refused:
        read_configuration({"conv_width": 180, block: value})
    (problem,) = refused.value.problems
    assert problem == f"freqai.{block} must be a block of settings. Received: {value!r}"


def test_commands_without_freqtrade_refuse_a_block_outside_of_freqai(tmp_path, capsys):
    put(tmp_path, "a.json", '{"dual_window": {"pooling": "pair"}}')
    words = ["train", "--pair", "BTC/USDT", "--datadir", str(tmp_path), "-c"]
    assert main([*words, str(tmp_path / "a.json")]) == 2
    assert "move it into the block freqai" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--pair", "BTC/USDT", "--datadir", ".", "-c"],
        ["walk-forward", "--out", "x", "-c"],
        ["check", "leak", "--", "-c"],
        ["walk-forward", "--for-backtest", "--", "-c"],
    ],
    ids=["train", "walk-forward", "check", "for-backtest"],
)
def test_an_unknown_preset_lists_those_that_there_are(words, capsys):
    assert main([*words, "config/presets/quik.json"]) == 2
    assert "quick.json, standard.json, test.json in config/presets" in capsys.readouterr().err


def test_an_unknown_preset_by_name_lists_those_that_there_are(capsys):
    assert main(["train", "--pair", "BTC/USDT", "--datadir", ".", "--preset", "quik"]) == 2
    assert "there are: production, published, quick, standard, test" in capsys.readouterr().err


FILES = {
    "base.json": {"trading_mode": "futures", "freqai": {"identifier": "futures"}},
    "spot.json": {"trading_mode": "spot", "freqai": {"identifier": "spot"}},
    "quick.json": {"freqai": {"identifier": "quick"}},
    "big.json": {"freqai": {"identifier": "big"}},
    "none.json": {"freqai": {"conv_width": 9}},
    "config.json": {"add_config_files": ["base.json", "quick.json"]},
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        put(tmp_path, name, json.dumps(content))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FREQTRADE__FREQAI__IDENTIFIER", raising=False)
    return tmp_path


def read(*names):
    """Read files through freqtrade, with its variables."""
    from freqtrade.configuration.environment_vars import environment_vars_to_dict
    from freqtrade.configuration.load_config import load_from_files
    from freqtrade.misc import deep_merge_dicts

    return deep_merge_dicts(environment_vars_to_dict(), load_from_files(list(names)))


@pytest.mark.parametrize(
    ("names", "source", "shared"),
    [
        (["config.json"], "quick.json", ""),
        (["config.json", "big.json"], "big.json", ""),
        (["config.json", "none.json"], "quick.json", ""),
        (["config.json", "quick.json"], "quick.json", ""),
        (["config.json", "spot.json"], "spot.json", ""),
        (["config.json", "big.json", "spot.json"], "spot.json", ""),
        (["spot.json", "config.json"], "quick.json", ""),  # of futures, as it is without spot.json
        (["config.json", "spot.json", "big.json"], "big.json", "'spot' of spot.json"),
        (["none.json"], "", ""),
    ],
)
def test_the_file_is_named_that_has_set_the_identifier(files, names, source, shared):
    found = identifier_source(read(*names))
    assert (found.source, found.identifier) == (source, source.removesuffix(".json"))
    assert (shared in found.shared) if shared else found.shared == ""


def test_a_preset_on_top_of_a_market_is_warned_of_with_a_better_identifier(files, caplog):
    config = read("config.json", "spot.json", "big.json")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log_identifier(config)
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "spot would share the folder of futures" in record.message
    assert "FREQTRADE__FREQAI__IDENTIFIER=spot-big" in record.message


def test_a_variable_wins_over_all_files(files, caplog, monkeypatch):
    monkeypatch.setenv("FREQTRADE__FREQAI__IDENTIFIER", "mine")
    config = read("config.json", "spot.json", "big.json")
    caplog.clear()
    with caplog.at_level(logging.INFO):
        log_identifier(config)
    assert caplog.messages == ["identifier 'mine', set by FREQTRADE__FREQAI__IDENTIFIER"]


def test_every_setting_has_a_name_in_the_users_words():
    """No refusal can name one that `translated` leaves in backticks."""
    from dualwindow_freqtrade.freqai.configuration import translated

    names = flatten(Settings().model_dump(mode="json"))
    told = [translated(f"`{name}`") for name in names]
    assert len(told) > 30
    assert not [name for name in told if "`" in name]
    assert "model_training_parameters.learning_rate" in told


def test_a_backtest_without_candles_says_which_there_are(tmp_path):
    """freqtrade stops before the strategy starts; the strategy has been made by then."""
    put(tmp_path / "user_data", "empty", "")
    words = ["sandbox", "run", "--", "freqtrade", "backtesting", "-c", "user_data/config.json"]
    words += ["--userdir", str(tmp_path / "user_data"), "-d", str(tmp_path / "candles")]
    words += ["--timerange", "20220101-20220105"]
    program = str(Path(sys.executable).with_name("dualwindow"))
    subprocess.run(
        [program, "sandbox", "data", "--out", str(tmp_path / "candles"), "--days", "1"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (tmp_path / "candles/futures/ETH_USDT_USDT-1m-futures.feather").unlink()
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    env["PATH"] = f"{Path(program).parent}:{env['PATH']}"
    done = subprocess.run(
        [program, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    said = " ".join(done.stderr.split())
    assert "No data found. Terminating." in said
    assert "no 1m candles for 20220101-20220105 of BTC/USDT:USDT, ETH/USDT:USDT" in said
    assert "BTC/USDT:USDT 2024-01-31 00:00 to 2024-01-31 23:59, ETH/USDT:USDT none" in said
    assert "identifier" not in said  # no model has been made yet

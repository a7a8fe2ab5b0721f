"""Which pairs and configuration a workbench is set up with, for checks and reports."""

import json
import shutil
from pathlib import Path

import pytest
from freqtrade.enums import CandleType, RunMode
from freqtrade.exceptions import OperationalException

from dualwindow_freqtrade.checks.parity import check_parity
from dualwindow_freqtrade.freqai.candle_dates import tell_missing_candles
from dualwindow_freqtrade.freqai.names import OLDER_PREDICTIONS, STORED_PREDICTIONS
from dualwindow_freqtrade.freqai.whitelist import configured_pairs
from dualwindow_freqtrade.freqai.workbench import Workbench, read_words, read_words_of_check
from dualwindow_freqtrade.reporting.benched import configuration_of_run
from dualwindow_freqtrade.reporting.gathered import gathered
from dualwindow_freqtrade.reporting.run_file import LIVE_FILE, read_run, write_run
from harness.freqai_run import (
    PAIR,
    at,
    configuration,
    dry_run,
    live_configuration,
    market,
    market_until_now,
    train_now,
)
from harness.places import ROOT

N = 15  # candles that the bot predicts
BTC, ETH, OLD = PAIR, "ETH/USDT:USDT", "OLD/USDT:USDT"
FILES = [
    "futures/BTC_USDT_USDT-1m-futures.feather",
    "futures/BTC_USDT_USDT-1h-futures.feather",
    "futures/ETH_USDT_USDT-1m-futures.feather",
    "futures/SOL_USDT_USDT-1h-futures.feather",
    "futures/XRP_USDT_USDT-1m-mark.feather",
    "ADA_USDT-1m.feather",
]


@pytest.mark.parametrize(
    ("whitelist", "blacklist", "expected"),
    [
        pytest.param([ETH, BTC], [], [ETH, BTC], id="named"),
        pytest.param([OLD], [], [OLD], id="named-and-without-candles"),
        pytest.param([".*/USDT:USDT"], [], [BTC, ETH], id="pattern"),
        pytest.param([ETH, "(BTC|ETH)/.*"], [], [ETH, BTC], id="each-once"),
        pytest.param([".*"], ["ETH/.*"], [BTC], id="blacklisted"),
        pytest.param(["XRP/.*", "SOL/.*", "ADA/.*"], [], [], id="of-another-market"),
        pytest.param([], [], [], id="of-a-pairlist"),
    ],
)
def test_a_whitelist_stands_for_the_pairs_on_disk(tmp_path, whitelist, blacklist, expected):
    (tmp_path / "futures").mkdir()
    for name in FILES:
        (tmp_path / name).touch()
    exchange = {"pair_whitelist": whitelist, "pair_blacklist": blacklist}
    config = {"datadir": tmp_path, "trading_mode": "futures", "exchange": exchange}
    config |= {"timeframe": "1m", "candle_type_def": CandleType.FUTURES}
    assert configured_pairs(config) == expected


def test_a_pattern_that_is_none_is_named(tmp_path):
    config = {"datadir": tmp_path, "exchange": {"pair_whitelist": ["*/USDT"]}}
    with pytest.raises(OperationalException, match=r"Wildcard error in \*/USDT.*are \.\*/USDT"):
        configured_pairs(config)


@pytest.mark.parametrize("whitelist", [[], [".*/EUR"]])
def test_a_workbench_without_pairs_says_that_they_must_be_named(tmp_path, whitelist):
    config = configuration(tmp_path)
    config["exchange"]["pair_whitelist"] = whitelist
    with pytest.raises(OperationalException, match=r"names no pair with 1m .*name the pairs"):
        Workbench(config)


def test_a_pattern_is_not_told_as_a_pair_without_candles(tmp_path, caplog):
    config = configuration(tmp_path) | {"candle_type_def": CandleType.FUTURES}
    config["exchange"]["pair_whitelist"] = [".*/USDT:USDT"]
    tell_missing_candles(config)
    assert "candles for 20240202-20240203 of .*/USDT:USDT" in caplog.text  # there is nothing at all
    caplog.clear()
    (tmp_path / "futures").mkdir()
    market()["1m"].to_feather(tmp_path / FILES[0])
    tell_missing_candles(config)
    assert caplog.text == ""


@pytest.fixture
def of_a_bot(tmp_path) -> list[str]:
    """Options that name the files of a bot, none of which has a timerange."""
    (tmp_path / "user_data").mkdir()
    names = ("base", "futures", "live", "presets/quick")
    files = [word for name in names for word in ("-c", str(ROOT / f"config/{name}.json"))]
    return [*files, "--userdir", str(tmp_path / "user_data")]


def test_a_check_reads_the_configuration_of_a_bot(of_a_bot, tmp_path):
    with pytest.raises(OperationalException, match="Please pass --timerange"):
        read_words(of_a_bot)
    config = read_words_of_check(of_a_bot)
    assert "timerange" not in config
    assert config["runmode"] == RunMode.BACKTEST  # a workbench has no exchange to ask
    assert config["candle_type_def"] == CandleType.FUTURES
    words = ["--timerange", "20240101-20240102"]
    assert read_words_of_check([*of_a_bot, *words])["timerange"] == words[1]
    (tmp_path / "span.json").write_text(json.dumps({"timerange": words[1]}))
    more = ["-c", str(tmp_path / "span.json")]
    assert read_words([*of_a_bot, *more])["timerange"] == words[1]
    assert "timerange" not in read_words_of_check([*of_a_bot, *more])


@pytest.fixture(scope="module")
def bot(tmp_path_factory) -> Path:
    """The folder of a bot that has predicted N candles; they are on disk."""
    user_data = tmp_path_factory.mktemp("bot")
    config = live_configuration(
        user_data, model_training_parameters={"kind": "ranges", "spans": [3, 9]}
    )
    # As freqtrade fills it in.
    config |= {"max_open_trades": 2, "startup_candle_count": 720, "tradable_balance_ratio": 0.99}
    config |= {"candle_type_def": CandleType.FUTURES, "dataformat_ohlcv": "feather"}
    config["internals"] = {}
    frames = market_until_now()
    (user_data / "futures").mkdir()
    for timeframe, frame in frames.items():
        frame.to_feather(user_data / f"futures/BTC_USDT_USDT-{timeframe}-futures.feather")
    strategy, minutes = dry_run(config, frames=frames)
    first = len(minutes) - N - 40
    at(strategy, minutes, first)
    train_now(strategy)
    for i in range(N):
        at(strategy, minutes, first + 1 + i)
    strategy.freqai.dd.save_historic_predictions_to_disk()
    strategy.freqai.shutdown()
    return Path(strategy.freqai.full_path)


@pytest.fixture
def noted(bot):
    """Let the bot have noted another whitelist at its start."""
    before = (bot / LIVE_FILE).read_bytes()

    def note(whitelist: list[str]) -> None:
        run = read_run(bot / LIVE_FILE)
        config = dict(run.command.configuration)
        config["exchange"] = config["exchange"] | {"pair_whitelist": whitelist}
        command = run.command.model_copy(update={"configuration": config})
        write_run(bot / LIVE_FILE, run.model_copy(update={"command": command}))

    yield note
    (bot / LIVE_FILE).write_bytes(before)


@pytest.mark.parametrize("whitelist", [[PAIR], [".*/USDT:USDT"], [], [ETH]])
def test_a_report_looks_at_the_parity_of_all_that_was_predicted(bot, noted, whitelist):
    noted(whitelist)
    evidence, _ = gathered("test", bot.parents[1], [], is_live=True, is_patient=False)
    assert (evidence.live.parity.checked, evidence.live.parity.problems) == (N, ())


def test_a_check_of_parity_knows_patterns(bot, noted):
    noted([".*/USDT:USDT"])
    report = check_parity(Workbench(configuration_of_run(read_run(bot / LIVE_FILE).command)))
    assert (report.checked, report.problems, report.notes) == (N, [], [])


def test_a_check_of_parity_says_that_stored_predictions_are_damaged(bot, tmp_path):
    copy = tmp_path / "models" / "test"
    shutil.copytree(bot, copy)
    (copy / STORED_PREDICTIONS).write_bytes(b"no pickle")
    config = configuration_of_run(read_run(bot / LIVE_FILE).command) | {"user_data_dir": tmp_path}
    with pytest.raises(OperationalException, match=f"made on {copy} .UnpicklingError: .*set"):
        Workbench(config)
    shutil.copy(bot / STORED_PREDICTIONS, copy)
    older = copy / OLDER_PREDICTIONS / "BTC_USDT_USDT" / "1-2.parquet"
    older.parent.mkdir(parents=True)
    older.write_bytes(b"no parquet")
    bench = Workbench(config)
    with pytest.raises(OperationalException, match=r"predictions in .* are damaged .Arrow"):
        check_parity(bench)
    older.unlink()
    assert check_parity(bench).checked == N

"""``dualwindow doctor``: all is well where it is, and each thing that is wrong has a row."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ccxt
import ccxt.async_support
import pandas as pd
import pytest
from examples import part_of, random_training_data, small_settings
from exchanges import SYNTHETIC, serving
from freqtrade.configuration.load_config import load_from_files

from dualwindow.learning.training import train
from dualwindow.samples.scaling import FeatureScaler
from dualwindow_freqtrade.doctor.examination import CHECKS, examine
from dualwindow_freqtrade.doctor.packages import row_of
from dualwindow_freqtrade.doctor.patient import PATIENCE, Patient
from dualwindow_freqtrade.doctor.rows import Row, State
from dualwindow_freqtrade.doctor.table import as_json, summary
from dualwindow_freqtrade.freqai.names import STORED_PREDICTIONS
from dualwindow_freqtrade.install.versions import Misfit
from dualwindow_freqtrade.live.presence import Presence
from dualwindow_sandbox.candle_files import write_candles
from dualwindow_sandbox.exchange import wall_clock
from dualwindow_sandbox.fault_request import request_fault
from dualwindow_sandbox.market import SyntheticMarket
from dualwindow_sandbox.pointing import environment
from dualwindow_trainer.request import merged
from harness.overlays import SMALL
from harness.places import ROOT

PROGRAM = str(Path(sys.executable).with_name("dualwindow"))
PAIR = "BTC/USDT:USDT"
DAY = 86400
END = int(datetime(2024, 2, 1, tzinfo=UTC).timestamp())
RANGE = "20240130-20240131"


@pytest.fixture(scope="module")
def candles(tmp_path_factory) -> Path:
    """Fifty days of a synthetic market; nothing writes to them."""
    folder = tmp_path_factory.mktemp("candles")
    market = SyntheticMarket("planted", 1)
    write_candles(folder, market, ["BTC/USDT"], (END - 50 * DAY) * 1000, END * 1000)
    return folder


@pytest.fixture
def words(candles, tmp_path):
    """Options of a configuration with changes on top, in a user's folder of its own."""

    def options(changes=None, datadir: Path = candles) -> list[str]:
        (tmp_path / "user_data").mkdir(exist_ok=True)
        basis = {"timerange": RANGE, "exchange": {"pair_whitelist": [PAIR]}}
        content = merged(merged(SMALL, basis), changes or {})
        (tmp_path / "over.json").write_text(json.dumps(content))
        given = ["-c", str(ROOT / "user_data/config.json"), "-c", str(tmp_path / "over.json")]
        return [*given, "--userdir", str(tmp_path / "user_data"), "-d", str(datadir)]

    return options


@pytest.fixture(scope="module")
def address():
    """Of a sandbox exchange."""
    with serving(SYNTHETIC, wall_clock) as found:
        yield found


@pytest.fixture(autouse=True)
def here(monkeypatch, address):
    monkeypatch.chdir(ROOT)  # where the configuration looks for strategies and models
    for name, value in environment(address).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("FREQTRADE__DRY_RUN")


def now() -> float:
    return datetime.now(UTC).timestamp()


def run(words: list[str], *flags: str) -> tuple[int, str]:
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    done = subprocess.run(
        [PROGRAM, "doctor", *flags, "--", *words],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout


def test_a_good_configuration_passes_in_a_process_of_its_own(words):
    status, told = run(words(), "--json")
    found = json.loads(told)
    states = {row["topic"]: row["state"] for row in found["rows"]}
    assert (status, found["state"]) == (0, "pass"), told
    assert not [topic for topic, state in states.items() if state != "pass"]
    assert {PAIR + " 1m", PAIR + " 1h", "labels", "start", "clock", "packages"} <= states.keys()
    assert len(states) >= len(CHECKS)
    told_of = (ROOT / "docs/doctor.md").read_text()
    assert not [topic for topic in states if "/" not in topic and f"`{topic}`" not in told_of]


def test_much_that_is_wrong_is_told_at_once_with_status_1(words):
    changes = {
        "timerange": "20230101-20230105",
        "api_server": {"enabled": True, "listen_ip_address": "0.0.0.0"},
        "freqai": {"conv_widht": 9},
        "max_open_trades": "many",
    }
    status, told = run(words(changes))
    assert status == 1
    said = " ".join(told.split())
    assert "-> did you mean 'conv_width'?" in said
    assert "'many' is not" in said
    assert "listens on 0.0.0.0" in said
    assert "days missing: 2022-12-" in said
    assert "not looked at" in said
    assert "mend what fails before you run it" in said


def looked(words: list[str], at: float | None = None) -> list[Row]:
    return examine(words, now() if at is None else at)


def wrong(rows: list[Row], topic: str) -> Row:
    (row,) = (row for row in rows if row.topic == topic and row.state != State.PASS)
    return row


HOURS = {"feature_parameters": {"include_timeframes": ["1m"]}}
TWO = {"exchange": {"pair_whitelist": [PAIR, "BTC/USDC:USDC"]}}
BROKEN = [
    pytest.param({"fee": None}, "configuration", "None is not of type", "", id="null"),
    pytest.param(
        {"freqai": {"conv_width": 5000}},
        "candles at hand",
        "at most 1219",
        "lower it",
        id="history",
    ),
    pytest.param({"freqai": HOURS}, "features", "must contain '1h'", "correct this", id="no-hours"),
    pytest.param(
        {"dual_window": {"pooling": "pair"}}, "settings", "read by nobody", "move it", id="outside"
    ),
    pytest.param(
        {"freqai": {"data_split_parameters": {"shuffle": True}}},
        "settings",
        "shuffle must not be set",
        "remove it",
        id="forbidden",
    ),
    pytest.param(
        {"freqai": {"dual_window": [1]}}, "settings", "must be a block", "correct this", id="list"
    ),
    pytest.param(
        {"freqai": {"enabled": False}}, "model", "switched off", "set freqai.en", id="off"
    ),
    pytest.param({"freqaimodel": "Nobody"}, "model", "Nobody", "name a model", id="no-model"),
    pytest.param({"strategy": "Nobody"}, "strategy", "Nobody", "name a strategy", id="no-strategy"),
    pytest.param(TWO, "pairs", "would share those of BTC", "identifier of its own", id="one-coin"),
    pytest.param(
        {"freqai": {"dual_window": {"threads": 999}}}, "threads", "999 threads", "set f", id="cores"
    ),
    pytest.param(
        {"freqai": {"train_period_days": 900, "feature_parameters": {"DI_threshold": 1}}},
        "memory",
        "DI_threshold compares all pairs",
        "",
        id="dissimilarity",
    ),
    pytest.param(
        {"freqai": {"train_period_days": 60}},
        "candles",
        "2 of 2 files lack days",
        "-t 1m 1h --timerange 20231101-20231213 --prepend",
        id="candles-before",
    ),
    pytest.param(
        {"timerange": "20240130-20240210"},
        f"{PAIR} 1h",
        "days missing: 2024-02-01 00:00 to 2024-02-10 00:00",
        "the command is below",
        id="candles-after",
    ),
    pytest.param(
        {"freqai": {"dual_window": {"confidence": {"margin": 0.0000001}}}},
        "confidence",
        "at most 5 digits",
        "correct this",
        id="digits",
    ),
]


WHITELIST = "correct exchange.pair_whitelist"
BROKEN += [
    pytest.param({"timeframe": "7m"}, "exchange", "'7m'. This exch", "set timeframe", id="candle"),
    pytest.param(
        {"freqai": {"feature_parameters": {"include_timeframes": ["1m", "1h", "7m"]}}},
        "exchange",
        "Invalid timeframe '7m'. This exchange supports: ['1s', '1m', '3m'",
        "set freqai.feature_parameters.include_timeframes to",
        id="timeframe",
    ),
    pytest.param(
        {"exchange": {"pair_whitelist": ["BTCX/USDT:USDT"]}},
        "exchange",
        "BTCX/USDT:USDT is dropped: Binance does not list it",
        f"{WHITELIST}; did you mean 'BTC/USDT:USDT'?",
        id="pair",
    ),
    pytest.param(
        {"exchange": {"pair_whitelist": ["BTC/USDT"]}},
        "exchange",
        "BTC/USDT is dropped: as trading_mode futures with stake_currency USDT it cannot",
        f"{WHITELIST}; did you mean 'BTC/USDT:USDT'?",
        id="spot",
    ),
    pytest.param(
        {"exchange": {"pair_whitelist": ["NOTHING.*"]}},
        "exchange",
        "nothing that it trades is like NOTHING.*",
        WHITELIST,
        id="pattern",
    ),
    pytest.param(
        {"freqai": {"feature_parameters": {"include_corr_pairlist": ["ETHX/USDT:USDT"]}}},
        "exchange",
        "ETHX/USDT:USDT, of which features are wanted, is not listed",
        "include_corr_pairlist; did you mean 'ETH/USDT:USDT'?",
        id="other-pair",
    ),
    pytest.param(
        {"stake_currency": "EUR"}, "exchange", "EUR is not available as stake", "", id="stake"
    ),
]


@pytest.mark.parametrize(("changes", "topic", "found", "fix"), BROKEN)
def test_what_is_wrong_has_a_row_with_what_to_do(words, changes, topic, found, fix):
    rows = looked(words(changes))
    row = wrong(rows, topic)
    assert found in row.found
    assert fix in row.fix
    assert row.fix
    # One broken thing does not hide what has nothing to do with it.
    assert {"clock", "packages", "disk", "device"} <= {row.topic for row in rows}
    assert not [row for row in rows if "cannot be looked at" in row.found]


def without(path: Path, *keys: str) -> None:
    """Write a configuration of one file, without some keys."""
    config = load_from_files([str(ROOT / "user_data/config.json"), str(path)])
    path.write_text(json.dumps({key: v for key, v in config.items() if key not in keys}))


@pytest.mark.parametrize(
    ("key", "topic", "found"),
    [
        ("freqai", "freqai", "there is no block 'freqai'"),
        ("freqaimodel", "model", "no freqaimodel is named"),
        ("entry_pricing", "configuration", "entry_pricing"),
        ("exit_pricing", "configuration", "exit_pricing"),
    ],
)
def test_what_a_bot_cannot_do_without_fails(words, tmp_path, key, topic, found):
    given = words()
    without(tmp_path / "over.json", key, "config_files", "add_config_files")
    rows = looked(given[2:])
    assert any(
        row.state == State.FAIL and row.topic == topic and found in row.found for row in rows
    )


def test_candles_that_are_not_whole_are_refused(words):
    row = wrong(looked(words({"process_only_new_candles": False})), "configuration")
    assert row.state == State.FAIL
    assert "process_only_new_candles is false" in row.found


VOLUME = [{"method": "VolumePairList", "number_assets": 5, "sort_key": "quoteVolume"}]


@pytest.mark.parametrize(
    "changes",
    [
        {"pairlists": VOLUME, "exchange": {"pair_whitelist": []}},
        {"exchange": {"pair_whitelist": ["B.*/USDT:USDT"]}},
        {"timerange": ""},
    ],
    ids=["dynamic", "pattern", "no-timerange"],
)
def test_what_a_bot_may_leave_open_does_not_fail(words, changes):
    rows = looked(words(changes))
    assert [row for row in rows if row.state == State.FAIL] == []
    if "exchange" in changes:
        assert "only the exchange can tell which pairs" in wrong(rows, "pairs").found


def test_the_fee_that_the_rule_needs_is_asked_for(words, tmp_path):
    folders = {"strategy_path": "strategies", "freqaimodel_path": "freqaimodels"}
    places = {key: str(ROOT / folder) for key, folder in folders.items()}
    given = words({"trading_mode": "futures", "margin_mode": "isolated", **places})
    given[1:2] = [str(ROOT / "config/base.json")]  # which has no fee
    row = wrong(looked(given), "fee")
    assert "needs to know the trading fee" in row.found


def test_a_file_that_cannot_be_read_hides_nothing_of_the_machine(words, tmp_path):
    given = words()
    (tmp_path / "over.json").write_text('{"freqai": ')
    rows = looked(given)
    assert "damaged" in wrong(rows, "configuration").fix
    assert {"packages", "device"} <= {row.topic for row in rows if row.state == State.PASS}
    assert "the configuration cannot be read" in wrong(rows, "not looked at").found


def test_a_missing_file_lists_those_that_there_are(words):
    rows = looked([*words(), "-c", "config/presets/quik.json"])
    assert "there are production.json" in wrong(rows, "configuration").fix


def test_damaged_candles_are_told_with_the_command_that_fetches_them(words, tmp_path):
    folder = tmp_path / "candles/futures"
    folder.mkdir(parents=True)
    (folder / "BTC_USDT_USDT-1m-futures.feather").write_bytes(b"no feather")
    rows = looked(words(datadir=tmp_path / "candles"))
    damaged = wrong(rows, f"{PAIR} 1m")
    assert damaged.found.startswith(f"damaged: {folder}/BTC_USDT_USDT-1m-futures.feather cannot")
    assert damaged.fix.startswith(f"freqtrade download-data -p {PAIR} -t 1m")
    assert f"--erase -c {ROOT}/user_data/config.json " in damaged.fix
    assert f"-d {tmp_path / 'candles'}" in damaged.fix
    missing = wrong(rows, f"{PAIR} 1h")
    assert "none on disk; " in missing.found
    # 720 hours before three days of training; of a file that is damaged nothing is known.
    assert "-t 1h --timerange 20231228-20240131 " in missing.fix


@pytest.mark.parametrize(("n_missing", "state"), [(90, State.PASS), (2000, State.WARN)])
def test_gaps_and_untraded_runs_are_counted(words, candles, tmp_path, n_missing, state):
    shutil.copytree(candles, tmp_path / "candles")
    path = tmp_path / "candles/futures/BTC_USDT_USDT-1m-futures.feather"
    frame = pd.read_feather(path)
    frame.loc[100:140, "volume"] = 0.0
    frame = frame.drop(index=range(50_000, 50_000 + n_missing)).reset_index(drop=True)
    frame.to_feather(path)
    (row,) = (r for r in looked(words(datadir=tmp_path / "candles")) if r.topic == f"{PAIR} 1m")
    assert row.state == state
    assert f"1 gap of {n_missing} candles, 41 candles in a row without volume" in row.found
    assert ("--erase" in row.fix) == (state == State.WARN)


def test_a_bot_fetches_candles_itself(words, tmp_path):
    given = words({"timerange": ""}, datadir=tmp_path)
    rows = looked(given)
    assert wrong(rows, f"{PAIR} 1m").state == State.WARN


def test_the_last_days_may_be_missing(words):
    """A backtest ends earlier then; without the first, it could not train."""
    rows = looked(words({"timerange": "20240130-20240210"}))
    assert wrong(rows, "candles").state == State.WARN
    rows = looked(words({"timerange": "20240202-20240210"}))
    assert wrong(rows, "candles").state == State.FAIL


def test_one_command_fetches_all_that_is_missing(words, tmp_path):
    pairs = [PAIR, "ETH/USDT:USDT"]
    rows = looked(words({"exchange": {"pair_whitelist": pairs}}, datadir=tmp_path))
    row = wrong(rows, "candles")
    assert row.found.startswith("4 of 4 files")
    asked = "freqtrade download-data -p BTC/USDT:USDT ETH/USDT:USDT -t 1m 1h --timerange 20231228-"
    assert row.fix.startswith(f"{asked}20240131 -c ")


def test_the_command_fetches_what_was_missing(words, candles, tmp_path):
    """Against the sandbox exchange, and before what is there."""
    shutil.copytree(candles, tmp_path / "candles")
    given = words({"timerange": "20240113-20240114"}, datadir=tmp_path / "candles")
    row = wrong(looked(given), f"{PAIR} 1h")
    assert "days missing: 2023-12-11 00:00 to 2023-12-13 00:00" in row.found
    fetch(row.fix)
    rows = [row for row in looked(given) if row.topic.startswith((PAIR, "candles"))]
    assert [row.state for row in rows] == [State.PASS, State.PASS], rows


def fetch(command: str) -> None:
    freqtrade = str(Path(PROGRAM).with_name("freqtrade"))
    words = [freqtrade, *shlex.split(command)[1:]]
    subprocess.run(
        [PROGRAM, "sandbox", "run", "--", *words], cwd=ROOT, check=True, capture_output=True
    )


def test_candles_are_put_before_others_by_a_command_of_its_own(words):
    days = {"timerange": "20240130-20240210", "freqai": {"train_period_days": 60}}
    fix = wrong(looked(words(days)), "candles").fix
    before, after = fix.split(" && ")
    assert "--timerange 20231101-20231213 --prepend " in before
    assert "--timerange 20240201-20240210 -c" in after


def put(place: Path, content: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    return place


def models_of(tmp_path: Path) -> Path:
    return tmp_path / "user_data/models/small"


def test_a_file_where_a_folder_belongs(words, tmp_path):
    given = words()
    put(tmp_path / "user_data/models", "")
    row = wrong(looked(given), "folders")
    assert row.state == State.FAIL
    assert f"move {tmp_path / 'user_data/models'} away" in row.fix


def test_a_clock_that_is_behind_what_has_happened(words):
    row = wrong(looked(words(), at=END), "clock")
    assert row.state == State.FAIL
    assert "timedatectl" in row.fix


@pytest.mark.parametrize(
    ("ago", "stopped", "runs"), [(5, None, True), (5, "yes", False), (9999, None, False)]
)
def test_a_bot_that_runs_with_the_identifier(words, tmp_path, ago, stopped, runs):
    updated = datetime.now(UTC) - timedelta(seconds=ago)
    facts = {"updated": f"{updated:%Y-%m-%dT%H:%M:%SZ}", "stopped": stopped}
    put(models_of(tmp_path) / "dualwindow_status.json", json.dumps(facts))
    rows = [row for row in looked(words()) if row.topic == "running bot"]
    assert [row.state for row in rows] == [State.WARN if runs else State.PASS]


def test_a_bot_that_has_just_begun_or_was_killed(words, tmp_path):
    """Its status may not be written yet, or be left behind; the lock goes with its process."""
    folder = models_of(tmp_path)
    folder.mkdir(parents=True)
    given, bot = words(), Presence(folder)
    assert "one runs with this identifier" in wrong(looked(given), "running bot").found
    bot.leave()
    facts = {"updated": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "stopped": None}
    put(folder / "dualwindow_status.json", json.dumps(facts))
    (row,) = (row for row in looked(given) if row.topic == "running bot")
    assert row.state == State.PASS
    assert "ended without saying so" in row.found


@pytest.mark.parametrize("is_live", [True, False])
def test_predictions_of_other_settings_are_told_and_live_ones_spared(words, tmp_path, is_live):
    folder = models_of(tmp_path)
    put(folder / "backtesting_predictions/cb_btc_1_prediction.feather", "")
    recorded = {"settings": {"model_training_parameters.learning_rate": 9}}
    put(folder / "dualwindow_cache.json", json.dumps(recorded))
    if is_live:
        put(folder / STORED_PREDICTIONS, "")
    row = wrong(looked(words()), "backtest cache")
    assert "model_training_parameters.learning_rate: 9 -> 0.001" in row.found
    assert ("delete" in row.fix) != is_live
    assert "set another freqai.identifier" in row.fix


def test_models_that_a_bot_would_not_use(words, tmp_path):
    entry = {"trained_timestamp": 1, "model_filename": "cb_btc_1", "data_path": "x/sub-train-BTC_1"}
    put(models_of(tmp_path) / "pair_dictionary.json", json.dumps({PAIR: entry}))
    row = wrong(looked(words()), "saved models")
    assert "missing or damaged: FileNotFoundError" in row.found
    put(models_of(tmp_path) / "pair_dictionary.json", "{")
    assert "is damaged" in wrong(looked(words()), "saved models").found


@pytest.mark.parametrize(("seconds", "is_late"), [(20.0, False), (30_000.0, True)])
def test_trainings_that_do_not_keep_up(words, tmp_path, record_of, seconds, is_late):
    told = record_of(seconds)
    put(models_of(tmp_path) / "sub-train-BTC_1/cb_btc_1_dualwindow.json", told)
    rows = [
        row
        for row in looked(words({"freqai": {"live_retrain_hours": 6}}))
        if row.topic == "retraining"
    ]
    assert [row.state for row in rows] == [State.FAIL if is_late else State.PASS]
    assert ("live_retrain_hours is 6" in rows[0].found) == is_late


@pytest.fixture
def record_of():
    data = part_of(random_training_data(700, seed=0), slice(650))
    settings = small_settings(history=12, horizon=12, kind="ranges")
    record = train(data, settings, FeatureScaler("standard")).record
    return lambda seconds: record.model_copy(update={"seconds": seconds}).to_json()


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (
            {
                "mode": "balanced",
                "margin": 0.0,
                "entry_short": 0.5,
                "entry_hold": 0.5,
                "entry_long": 0.5,
            },
            "fail",
        ),
        (
            {
                "mode": "expected_value",
                "margin": 0.001,
                "entry_short": 0.5,
                "entry_hold": 0.5,
                "entry_long": 0.5,
            },
            "warn",
        ),
    ],
)
def test_what_hyperopt_has_left(words, tmp_path, content, state):
    for name in ("DualWindowStrategy.py",):
        put(tmp_path / "strategies" / name, (ROOT / "strategies" / name).read_text())
    spaces = {"buy": content, "sell": {"exit_on_opposite": False, "exit_at_horizon": True}}
    told = {"strategy_name": "DualWindowStrategy", "params": spaces, "ft_stratparam_v": 1}
    path = put(tmp_path / "strategies/DualWindowStrategy.json", json.dumps(told))
    row = wrong(looked(words({"strategy_path": str(tmp_path / "strategies")})), "hyperopt")
    assert row.state == state
    assert str(path) in row.found
    assert row.fix.startswith("delete it")


def test_credentials_that_others_can_read(words, tmp_path):
    path = put(tmp_path / "user_data/rest_api.json", '{"password": "a", "jwt_secret_key": "b"}')
    path.chmod(0o644)
    row = wrong(looked(words()), "REST API")
    assert row.fix == f"chmod 600 {path}"
    path.write_text("{}")
    path.chmod(0o600)
    row = wrong(looked(words()), "REST API")
    assert (row.state, row.fix) == (State.FAIL, "delete it")


def test_the_trap_of_pandas_is_explained():
    from packaging.requirements import Requirement

    row = row_of(Misfit(Requirement("pandas<3.1,>=3.0"), "3.1.2"))
    assert "the first retraining of a bot fails" in row.found
    assert row.fix == "pip install 'pandas<3.1,>=3.0'"


def test_the_worst_row_decides():
    rows = [
        Row("a", State.PASS, "x"),
        Row("b", State.FAIL, "y", "z"),
        Row("c", State.WARN, "u", "v"),
    ]
    assert json.loads(as_json(rows))["state"] == "fail"
    assert json.loads(as_json(rows[::2]))["state"] == "warn"
    assert summary(rows).startswith("1 pass, 1 warn, 1 fail")
    assert summary(rows[:1]).endswith("all is as it should be")


def test_nothing_is_written_where_the_bot_writes(words, tmp_path):
    looked(words())
    assert not (tmp_path / "user_data/models").exists()
    assert not list(tmp_path.glob("user_data/**/*.json"))


@pytest.mark.parametrize("n_listed", [0, 1])
def test_a_pair_that_is_dropped_fails_where_none_is_left(words, n_listed):
    pairs = [*[PAIR][:n_listed], "NONE/USDT:USDT", "SOME/USDT:USDT"]
    rows = looked(words({"exchange": {"pair_whitelist": pairs}}))
    found = [(row.state, row.found.split()[0]) for row in rows if row.topic == "exchange"]
    state = State.WARN if n_listed else State.FAIL
    assert found == [(state, "NONE/USDT:USDT"), (state, "SOME/USDT:USDT")]


def test_what_the_exchange_lacks_fails_with_status_1(words, said):
    lacking = {"timeframe": "7m", "exchange": {"pair_whitelist": ["NONE/USDT"]}}
    status, told, _ = said("doctor", "--", *words(lacking))
    assert status == 1
    assert "-> set timeframe to what it has" in " ".join(told.split())
    assert "-> correct exchange.pair_whitelist" in " ".join(told.split())


def test_without_the_exchange_it_is_said_what_was_not_checked(words, monkeypatch):
    """Nobody listens there; timeframes are known without it."""
    for name, value in environment("http://127.0.0.1:9").items():
        monkeypatch.setenv(name, value)
    row = wrong(looked(words()), "exchange")
    assert row.state == State.WARN
    assert "neither pairs nor stake_currency were checked: " in row.found
    assert "ExchangeNotAvailable" in row.found
    rows = looked(words({"timeframe": "7m"}))
    states = [row.state for row in rows if row.topic == "exchange"]
    assert states == [State.FAIL, State.WARN]


def test_an_exchange_that_never_answers_is_not_waited_for(words, address, tmp_path, monkeypatch):
    given = words()
    patient = Patient(given, now(), tmp_path)
    assert patient.exchange._api_async.timeout == 1000 * PATIENCE
    patient.close()
    monkeypatch.setattr("dualwindow_freqtrade.doctor.patient.PATIENCE", 0.3)
    request_fault(address, {"kind": "timeout", "count": 1, "path": "fapi/v1/exchangeInfo"})
    assert "RequestTimeout" in wrong(looked(given), "exchange").found
    assert not [row for row in looked(given) if row.state != State.PASS]


def test_the_exchange_is_never_asked_with_the_key_of_a_bot_that_trades(words, monkeypatch):
    asked, sessions = [], (ccxt.Exchange, ccxt.async_support.Exchange)
    secret = {"apiKey": "MYKEY", "secret": "MYSECRET"}
    for session in sessions:

        def fetch(self, url, method="GET", headers=None, body=None, real=session.fetch):
            asked.append((url, f"{headers} {body}", self.apiKey or self.secret))
            return real(self, url, method, headers, body)

        monkeypatch.setattr(session, "fetch", fetch)
    for keys in ({"key": "MYKEY", "secret": "MYSECRET"}, secret, {"ccxt_config": secret}):
        exchange = {"pair_whitelist": [PAIR], **keys}
        rows = looked(words({"dry_run": False, "exchange": exchange}))
        assert not [row for row in rows if row.state != State.PASS]
        assert "MYKEY" not in "".join(row.found + row.fix for row in rows)
    assert len(asked) == 9  # spot, linear and inverse, each time
    assert not [told for url, told, key in asked if key or "MY" in url + told]


def test_a_key_is_left_out_where_freqtrade_would_keep_it(words, tmp_path, monkeypatch):
    monkeypatch.setenv("FREQTRADE__EXCHANGE__NAME", "luno")  # which gives nobody else candles
    market = {"trading_mode": "spot", "margin_mode": ""}
    keys = {"pair_whitelist": ["BTC/EUR"], "key": "MYKEY", "secret": "MYSECRET"}
    patient = Patient(words({**market, "exchange": keys}), now(), tmp_path)
    assert patient.config["exchange"]["key"] == "MYKEY"
    assert (patient.exchange._api_async.apiKey, patient.exchange._api.secret) == (None, None)
    patient.close()

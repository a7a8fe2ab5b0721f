import re
from itertools import pairwise
from pathlib import Path

import pytest

from dualwindow.cli import main
from dualwindow_sandbox import SandboxError
from dualwindow_sandbox.isolation import Own, isolated, own_folders
from dualwindow_sandbox.user_folders import make_user_data

OWN = ["--userdir", "user_data/sandbox/x"]
CONFIG = ["-c", "user_data/config.json"]
OWN_STRATEGIES = Own(strategies=Path("strategies"))


DATA = "user_data/sandbox/x/data/binance"
LIVE = "user_data/sandbox/x/data/live"


@pytest.mark.parametrize(
    ("words", "added", "candles"),
    [
        (["backtesting"], [*OWN, *CONFIG, "-d", DATA], DATA),
        (
            ["hyperopt", "-c", "a.json"],
            [*OWN, "--disable-param-export", "-d", DATA],
            DATA,
        ),
        (
            ["hyperopt", "--userdir=ud", "--disable-param-export"],
            ["-d", "ud/data/binance"],
            "ud/data/binance",
        ),
        (["download-data"], [*OWN, *CONFIG, "-d", DATA], None),
        (["trade"], [*OWN, *CONFIG, "-d", LIVE], None),
        (["-v", "trade"], [*OWN, *CONFIG, "-d", LIVE], None),
        (["backtesting", "--data-dir=mine"], [*OWN, *CONFIG], None),
        (["--version"], [], None),
    ],
)
@pytest.mark.parametrize("before", [[], ["timeout", "60"], ["python", "-m"]])
def test_freqtrade_gets_a_user_data_folder_of_the_sandboxs_own(before, words, added, candles):
    command = [*before, "freqtrade", *words]
    run = isolated(command, "x", None, own=Own())
    assert run.command == [*command, *added]
    assert run.candles == (Path(candles) if candles else None)


def test_recorded_candles_are_read_where_they_are_but_never_traded_into():
    recorded = Path("candles")
    offline = isolated(["freqtrade", "backtesting"], "recorded", recorded, own=Own())
    assert offline.command[-2:] == ["-d", "candles"]
    assert offline.candles is None
    live = isolated(["freqtrade", "trade"], "recorded", recorded, own=Own()).command[-1]
    assert live == "user_data/sandbox/recorded/data/live"


@pytest.mark.parametrize("action", ["backtesting", "hyperopt", "trade"])
def test_what_hyperopt_finds_stays_beside_a_copy_of_the_strategy(action):
    run = isolated(["freqtrade", action], "x", None, own=OWN_STRATEGIES)
    assert run.strategies == Path("user_data/sandbox/x/strategies")
    assert " ".join(run.command).count("--strategy-path user_data/sandbox/x/strategies") == 1
    assert "--disable-param-export" not in run.command


@pytest.mark.parametrize("own", [["--strategy-path", "mine"], ["--userdir", "mine"]])
def test_a_folder_the_user_names_gets_no_copies_and_no_export(own):
    run = isolated(["freqtrade", "hyperopt", *own], "x", None, own=OWN_STRATEGIES)
    assert run.strategies is None
    assert "--disable-param-export" in run.command


def test_trades_are_kept_apart_too():
    run = isolated(["freqtrade", "trade"], "x", None, own=Own())
    assert run.settings == {"db_url": "sqlite:///user_data/sandbox/x/trades.sqlite"}
    assert isolated(["freqtrade", "--version"], "x", None, own=Own()).settings is None


def test_the_files_that_freqtrade_takes_by_itself_are_named_where_another_is_added(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("config.json").write_text("{}")
    words = ["freqtrade", "trade", "--userdir", "ud"]
    assert isolated(words, "x", None, own=Own()).command[4:6] == ["-c", "config.json"]
    Path("ud").mkdir()
    Path("ud/config.json").write_text("{}")
    assert isolated(words, "x", None, own=Own()).command[4:6] == ["-c", "ud/config.json"]
    named = isolated([*words, "-c", "a.json"], "x", None, own=Own()).command
    assert [b for a, b in pairwise(named) if a == "-c"] == ["a.json"]


def test_what_is_loaded_lies_in_the_checkout_or_in_the_user_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert own_folders(["freqtrade", "backtesting"]) == Own()
    for folder in ("user_data/strategies", "user_data/freqaimodels"):
        Path(folder).mkdir(parents=True)
    installed = Own(Path("user_data/strategies"), Path("user_data/freqaimodels"))
    assert own_folders(["freqtrade", "backtesting"]) == installed
    Path("strategies").mkdir()
    assert own_folders([]) == installed._replace(strategies=Path("strategies"))
    Path("a.json").write_text('{"strategy_path": "elsewhere", "freqaimodel_path": "freqaimodels"}')
    assert own_folders(["-c", "a.json"]) == installed._replace(strategies=None)
    run = isolated(["freqtrade", "backtesting"], "x", None, own=installed)
    assert " ".join(run.command).count("--freqaimodel-path user_data/freqaimodels") == 1
    mine = ["freqtrade", "backtesting", "--freqaimodel-path", "mine"]
    assert isolated(mine, "x", None, own=installed).command.count("--freqaimodel-path") == 1


def test_a_user_directory_of_ones_own_is_loaded_from_and_never_written_to(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("mine/strategies", "mine/freqaimodels", "strategies"):
        Path(folder).mkdir(parents=True)
    Path("mine/config.json").write_text("{}")
    for given in (["--userdir", "mine"], ["--userdir=mine"], ["--user-data-dir", "mine"]):
        words = ["freqtrade", "backtesting", *given, "--cache", "none"]
        own = own_folders(words)
        assert own == Own(Path("mine/strategies"), Path("mine/freqaimodels"))
        run = isolated(words, "x", None, own=own)
        added = "--cache none --userdir mine/sandbox/x -c mine/config.json "
        added += "--freqaimodel-path mine/freqaimodels --strategy-path mine/sandbox/x/strategies "
        assert " ".join(run.command[2:]) == f"{added}-d mine/sandbox/x/data/binance"
        assert run.candles == Path("mine/sandbox/x/data/binance")
        assert run.settings == {"db_url": "sqlite:///mine/sandbox/x/trades.sqlite"}
    trade = isolated(["freqtrade", "trade", "--userdir", "mine"], "x", None, own=Own())
    assert trade.command[-1] == "mine/sandbox/x/data/live"


@pytest.mark.parametrize(
    "name", ["strategies", "freqaimodels", "hyperopts", "dualwindow", "models/mine/sub-train-BTC_1"]
)
def test_folders_that_freqtrade_makes_are_nobodys_until_something_is_in_them(tmp_path, name):
    words = ["freqtrade", "backtesting", "--userdir", str(tmp_path)]
    (tmp_path / name).mkdir(parents=True)
    assert isolated(words, "x", None, own=Own()).user_data == tmp_path
    (tmp_path / name / "mine.py").touch()
    assert isolated(words, "x", None, own=Own()).user_data == tmp_path / "sandbox/x"
    make_user_data(tmp_path)  # as the sandbox does that has trained models there
    assert isolated(words, "x", None, own=Own()).user_data == tmp_path


def test_a_directory_with_candles_is_somebodys_until_the_sandbox_made_them(tmp_path):
    candles = tmp_path / "data/binance/BTC_USDT-1m.feather"
    words = ["freqtrade", "backtesting", "--userdir", str(tmp_path)]
    make_user_data(tmp_path)
    assert isolated(words, "x", None, own=Own()).user_data == tmp_path
    candles.parent.mkdir(parents=True)
    candles.touch()
    assert isolated(words, "x", None, own=Own()).user_data == tmp_path
    (tmp_path / "made-up.txt").unlink()
    assert isolated(words, "x", None, own=Own()).user_data == tmp_path / "sandbox/x"
    listed = ["freqtrade", "backtesting", "-d", str(candles.parent)]
    assert isolated(listed, "x", None, own=Own()).candles is None  # that reads them
    for action in ("download-data", "trade"):
        with pytest.raises(SandboxError, match=r"would write made-up candles into .*leave -d out"):
            isolated(["freqtrade", action, "-d", str(candles.parent)], "x", None, own=Own())


def test_a_command_that_hides_freqtrade_is_run_with_a_warning(capfd):
    assert isolated(["make", "backtesting"], "x", None, own=Own()) is None
    assert main(["sandbox", "run", "--", "echo", "hello"]) == 0
    assert capfd.readouterr() == ("hello\n", "")
    assert main(["sandbox", "run", "--", "sh", "-c", "echo freqtrade trade"]) == 0
    out, err = capfd.readouterr()
    assert out == "freqtrade trade\n"
    assert "give it a --userdir of its own" in err


def test_missing_candles_are_made_once(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "freqtrade"
    program.write_text('#!/bin/sh\necho "$@" && for f; do :; done && cat $f && env\n')
    program.chmod(0o755)
    words = ["sandbox", "run", "--", str(program), "backtesting"]
    assert main(words) == 0
    folder = Path("user_data/sandbox/planted-1")
    options = f"--userdir {folder} -c user_data/config.json -d {folder}/data/binance -c "
    said = capfd.readouterr().out
    assert f"backtesting {options}" in said
    assert f'"db_url": "sqlite:///{folder}/trades.sqlite"' in said
    assert '"dry_run": true' in said
    assert "FREQTRADE__" not in said  # of which freqtrade logs two lines each
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.feather")}
    assert len(files) == 12
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files
    monkeypatch.setenv("FREQTRADE__DB_URL", "sqlite:///mine")
    monkeypatch.setenv("FREQTRADE__DRY_RUN", "false")  # would win over the file
    monkeypatch.setenv("FREQTRADE__EXCHANGE__CCXT_CONFIG__HTTPSPROXY", "http://elsewhere")
    capfd.readouterr()
    assert main(words) == 0
    left = [line for line in capfd.readouterr().out.splitlines() if line.startswith("FREQTRADE__")]
    assert left == ["FREQTRADE__DB_URL=sqlite:///mine"]
    (file,) = re.findall(r"-c (\S+/sandbox.json)", said)
    assert not Path(file).exists()

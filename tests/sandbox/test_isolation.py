from pathlib import Path

import pytest

from dualwindow.cli import main
from dualwindow_sandbox.isolation import isolated

OWN = ["--userdir", "user_data/sandbox/x"]
CONFIG = ["-c", "user_data/config.json"]


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
    run = isolated(command, "x", None, has_strategies=False)
    assert run.command == [*command, *added]
    assert run.candles == (Path(candles) if candles else None)


def test_recorded_candles_are_read_where_they_are_but_never_traded_into():
    recorded = Path("candles")
    offline = isolated(["freqtrade", "backtesting"], "recorded", recorded, has_strategies=False)
    assert offline.command[-2:] == ["-d", "candles"]
    assert offline.candles is None
    live = isolated(["freqtrade", "trade"], "recorded", recorded, has_strategies=False).command[-1]
    assert live == "user_data/sandbox/recorded/data/live"


@pytest.mark.parametrize("action", ["backtesting", "hyperopt", "trade"])
def test_what_hyperopt_finds_stays_beside_a_copy_of_the_strategy(action):
    run = isolated(["freqtrade", action], "x", None, has_strategies=True)
    assert run.strategies == Path("user_data/sandbox/x/strategies")
    assert " ".join(run.command).count("--strategy-path user_data/sandbox/x/strategies") == 1
    assert "--disable-param-export" not in run.command


@pytest.mark.parametrize("own", [["--strategy-path", "mine"], ["--userdir", "mine"]])
def test_a_folder_the_user_names_gets_no_copies_and_no_export(own):
    run = isolated(["freqtrade", "hyperopt", *own], "x", None, has_strategies=True)
    assert run.strategies is None
    assert "--disable-param-export" in run.command


def test_trades_are_kept_apart_too():
    run = isolated(["freqtrade", "trade"], "x", None, has_strategies=False)
    assert run.variables == {"FREQTRADE__DB_URL": "sqlite:///user_data/sandbox/x/trades.sqlite"}


def test_a_command_that_hides_freqtrade_is_run_with_a_warning(capfd):
    assert isolated(["make", "backtesting"], "x", None, has_strategies=False) is None
    assert main(["sandbox", "run", "--", "echo", "hello"]) == 0
    assert capfd.readouterr() == ("hello\n", "")
    assert main(["sandbox", "run", "--", "sh", "-c", "echo freqtrade trade"]) == 0
    out, err = capfd.readouterr()
    assert out == "freqtrade trade\n"
    assert "give it a --userdir of its own" in err


def test_missing_candles_are_made_once(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "freqtrade"
    program.write_text('#!/bin/sh\necho "$@" $FREQTRADE__DB_URL\n')
    program.chmod(0o755)
    words = ["sandbox", "run", "--", str(program), "backtesting"]
    assert main(words) == 0
    folder = Path("user_data/sandbox/planted-1")
    options = f"--userdir {folder} -c user_data/config.json -d {folder}/data/binance"
    assert f"backtesting {options} sqlite:///{folder}" in capfd.readouterr().out
    files = {path: path.stat().st_mtime_ns for path in folder.rglob("*.feather")}
    assert len(files) == 12
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files
    monkeypatch.setenv("FREQTRADE__DB_URL", "sqlite:///mine")
    assert main(words) == 0
    assert capfd.readouterr().out.endswith("sqlite:///mine\n")

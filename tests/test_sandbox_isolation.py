from pathlib import Path

import pytest

from dualwindow.cli import main
from dualwindow.sandbox.isolation import isolated

MODEL = ["--freqaimodel", "DualWindowLSTM"]
IDENTIFIER = "FREQTRADE__FREQAI__IDENTIFIER"


@pytest.mark.parametrize(
    ("words", "folder", "candles"),
    [
        (["backtesting"], "user_data/data/sandbox-x", "user_data/data/sandbox-x"),
        (["hyperopt", "--userdir", "ud"], "ud/data/sandbox-x", "ud/data/sandbox-x"),
        (["download-data", "--userdir=ud"], "ud/data/sandbox-x", None),
        (["trade"], "user_data/data/sandbox-x-live", None),
    ],
)
def test_freqtrade_gets_a_data_folder_of_the_sandboxs_own(words, folder, candles):
    run = isolated(["/bin/freqtrade", *words], "x", None)
    assert run.command == ["/bin/freqtrade", *words, "-d", folder]
    assert run.candles == (Path(candles) if candles else None)


@pytest.mark.parametrize("given", [["-d", "mine"], ["--datadir=mine"]])
def test_a_data_folder_that_the_user_names_stays(given):
    run = isolated(["freqtrade", "backtesting", *given], "x", None)
    assert run.command == ["freqtrade", "backtesting", *given]
    assert run.candles is None


def test_recorded_candles_are_read_where_they_are_but_never_traded_into():
    recorded = Path("candles")
    assert isolated(["freqtrade", "backtesting"], "recorded", recorded).command[-1] == "candles"
    assert isolated(["freqtrade", "backtesting"], "recorded", recorded).candles is None
    live = isolated(["freqtrade", "trade"], "recorded", recorded).command[-1]
    assert live == "user_data/data/sandbox-recorded-live"


def test_models_are_kept_apart_by_source_and_configuration():
    words = ["freqtrade", "backtesting", *MODEL, "-c", "a/config.json", "--config=b/quick.json"]
    assert isolated(words, "x", None).variables == {IDENTIFIER: "sandbox-x-config-quick"}
    assert isolated(["freqtrade", "backtesting"], "x", None).variables == {}
    assert isolated(["freqtrade", "list-pairs", *MODEL], "x", None).variables == {}


def test_other_commands_are_left_alone():
    assert isolated(["make", "backtesting"], "x", None) == (["make", "backtesting"], {}, None)


def test_missing_candles_are_made_once(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    program = tmp_path / "freqtrade"
    program.write_text(f'#!/bin/sh\necho "$@" ${IDENTIFIER}\n')
    program.chmod(0o755)
    words = ["sandbox", "run", "--", str(program), "backtesting", *MODEL]
    assert main(words) == 0
    folder = "user_data/data/sandbox-planted-1"
    assert f"backtesting --freqaimodel DualWindowLSTM -d {folder} sandbox-planted-1\n" in (
        capfd.readouterr().out
    )
    files = {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.feather")}
    assert len(files) == 12
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in files} == files
    monkeypatch.setenv(IDENTIFIER, "mine")
    assert main(words) == 0
    assert "sandbox-planted-1 mine\n" in capfd.readouterr().out

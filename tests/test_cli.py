"""The command line: what it accepts, and one line for whatever it does not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from dualwindow import cli
from dualwindow.cli import main

DUALWINDOW = str(Path(sys.executable).with_name("dualwindow"))


def outcome(capsys, *words):
    try:
        status = main(words)
    except SystemExit as stop:
        status = stop.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_data_writes_reproducible_candles(tmp_path, capsys):
    status, said, complained = outcome(
        capsys, "sandbox", "data", "--out", str(tmp_path / "a"), "--days", "2"
    )
    assert (status, complained) == (0, "")
    assert said.endswith(
        f"\n12 files in {tmp_path / 'a'}: BTC/USDT, ETH/USDT, spot and futures, "
        "2024-01-30 to 2024-02-01 00:00 UTC, planted, seed 1\n"
    )
    minutes = pd.read_feather(tmp_path / "a" / "BTC_USDT-1m.feather")
    assert len(minutes) == 2 * 1440
    assert str(minutes["date"].iloc[-1]) == "2024-01-31 23:59:00+00:00"
    longer = ("--days", "5", "--seed", "1", "--market", "planted", "--end", "2024-02-03")
    assert main(["sandbox", "data", "--out", str(tmp_path / "b"), *longer]) == 0
    again = pd.read_feather(tmp_path / "b" / "BTC_USDT-1m.feather")
    assert len(again) == 5 * 1440
    pd.testing.assert_frame_equal(
        minutes, again[1440 : 3 * 1440].reset_index(drop=True), check_exact=True
    )


@pytest.mark.parametrize(
    "choice", [("--seed", "2"), ("--market", "random-walk")], ids=["seed", "market"]
)
def test_every_choice_changes_the_candles(tmp_path, choice):
    base = ["sandbox", "data", "--days", "1", "--pairs", "BTC/USDT", "--out"]
    assert main([*base, str(tmp_path / "a")]) == 0
    assert main([*base, str(tmp_path / "b"), *choice]) == 0
    name = "BTC_USDT-1m.feather"
    one, other = (pd.read_feather(tmp_path / out / name)["close"] for out in ("a", "b"))
    assert (one != other).mean() > 0.9
    assert not (tmp_path / "a" / "ETH_USDT-1m.feather").exists()


DATA = ("sandbox", "data", "--out", "new")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param((), "required: COMMAND", id="nothing"),
        pytest.param(("sandbox",), "required: COMMAND", id="no-command"),
        pytest.param((*DATA,), "required: --days", id="no-days"),
        pytest.param((*DATA, "--days", "0"), "at least 1. Received: 0", id="days-0"),
        pytest.param((*DATA, "--days", "1.5"), "at least 1. Received: 1.5", id="days-broken"),
        pytest.param((*DATA, "--days", "760"), "ask for at most 759", id="days-too-many"),
        pytest.param(
            (*DATA, "--days", "1", "--end", "2021-01-01"), "at most 0 or a later", id="too-early"
        ),
        pytest.param(
            (*DATA, "--days", "1", "--end", "tomorrow"), "a date like 2024-02-01", id="end"
        ),
        pytest.param((*DATA, "--days", "1", "--seed", "-1"), "at least 0", id="seed"),
        pytest.param((*DATA, "--days", "1", "--market", "bull"), "invalid choice", id="market"),
        pytest.param((*DATA, "--days", "1", "--pairs", "BTC"), "BTC not listed", id="pairs"),
        pytest.param(("sandbox", "run"), "write it after --", id="run-nothing"),
        pytest.param(("sandbox", "run", "--"), "write it after --", id="run-nothing-after"),
        pytest.param(
            ("sandbox", "run", "--", "bin/dualwindow", "check", "leak"), "no exchange", id="run-us"
        ),
        pytest.param(
            ("sandbox", "run", "--data", "d", "--seed", "1", "--", "x"),
            "drop them",
            id="recorded-with-a-seed",
        ),
        pytest.param(
            ("sandbox", "serve", "--port", "0", "--data", "d", "--market", "planted"),
            "drop them",
            id="recorded-with-a-market",
        ),
        pytest.param(("sandbox", "run", "--data", "d", "--", "x"), "no 1m candles", id="no-data"),
        pytest.param(
            ("sandbox", "serve", "--port", "0", "--", "x"),
            "'report', 'sandbox run' and 'walk-forward' take more",
            id="serve-command",
        ),
        pytest.param(("sandbox", "serve"), "required: --port", id="no-port"),
        pytest.param(
            ("sandbox", "serve", "--port", "65536"), "from 0 to 65535. Received", id="port"
        ),
        pytest.param(
            ("sandbox", "serve", "--port", "0", "--host", "0.0.0.0"), "not a loopback", id="host"
        ),
    ],
)
def test_mistakes_are_told_in_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, said, complained = outcome(capsys, *words)
    assert (status, said) == (2, "")
    assert complained.startswith("dualwindow: ")
    assert complained.count("\n") == 1
    assert message in complained
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    words = ("sandbox", "data", "--days", "1", "--out", str(tmp_path / "file"))
    status, _, complained = outcome(capsys, *words)
    assert status == 2
    assert complained.startswith(f"dualwindow: --out: cannot write candles to {tmp_path / 'file'}")


def test_an_interruption_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(frame, path, **options):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pd.DataFrame, "to_feather", interrupt)
    assert main(["sandbox", "data", "--days", "1", "--out", str(tmp_path)]) == 130
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_the_last_possible_day_is_possible(tmp_path):
    words = ["sandbox", "data", "--days", "1", "--end", "2022-01-04", "--pairs", "BTC/USDT"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    assert pd.read_feather(tmp_path / "BTC_USDT-1m.feather")["open"].iloc[0] == 42_000


def test_serve_tells_where_it_listens_and_stops_when_told():
    with subprocess.Popen(
        [DUALWINDOW, "sandbox", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        first = process.stdout.readline()
        assert first.startswith("A Binance-like exchange listens on http://127.0.0.1:")
        port = first.split(":")[-1].split(";")[0]
        taken = subprocess.run(
            [DUALWINDOW, "sandbox", "serve", "--port", port],
            capture_output=True,
            text=True,
            timeout=30,
        )
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(10) == 0
    assert f"export FREQTRADE__EXCHANGE__CCXT_CONFIG__httpsProxy=http://127.0.0.1:{port}\n" in rest
    assert taken.returncode == 2
    assert taken.stderr.startswith(f"dualwindow: --port: {port} on 127.0.0.1 is in use")


HEAVY = ("numpy", "pandas", "aiohttp", "freqtrade", "tensorflow")
OWNERS = ("dualwindow_freqtrade", "dualwindow_sandbox")


def imported_by(code: str, names: tuple[str, ...]) -> tuple[str, list[str]]:
    """Run code in a process of its own: what it prints, and which of the modules it imports."""
    code += f"\nimport sys; print('imported', *[n for n in {names} if n in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": ""},
        check=True,
    )
    said, _, modules = result.stdout.rpartition("imported")
    return said, modules.split()


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["sandbox", "run", "--help"]])
def test_help_waits_for_nothing_heavy(words):
    code = "import contextlib, dualwindow.cli as cli\n"
    code += f"with contextlib.suppress(SystemExit): cli.main({words})"
    said, modules = imported_by(code, HEAVY)
    assert said.startswith(f"usage: dualwindow {' '.join(words[:-1])}".rstrip())
    assert modules == []


def test_status_waits_neither_for_freqtrade_nor_for_tensorflow():
    code = "import dualwindow.cli as cli; cli.main(['status', '--models', 'nowhere'])"
    assert imported_by(code, HEAVY)[1] == ["numpy"]


def test_the_program_itself_has_heard_of_none_of_its_commands():
    assert imported_by("import dualwindow.cli", (*OWNERS, *HEAVY))[1] == []


def test_every_registered_command_is_shown_in_order(capsys):
    status, said, complained = outcome(capsys, "--help")
    assert (status, complained) == (0, "")
    shown = [said.index(f"\n    {name} ") for name in ("check", "sandbox", "status")]
    assert shown == sorted(shown)


def test_an_installation_without_commands_says_how_to_get_them(capsys, monkeypatch):
    monkeypatch.setattr(cli, "entry_points", lambda group: [])
    status, said, complained = outcome(capsys, "status")
    assert (status, said) == (2, "")
    assert "install it again" in complained


def test_what_nobody_asked_for_is_named_with_the_way_to_pass_it_on(capsys):
    assert outcome(capsys, "status", "--foo") == (
        2,
        "",
        "dualwindow: unrecognized arguments: --foo; what 'check', 'doctor', 'promote', "
        "'report', 'sandbox run' and 'walk-forward' pass on goes after --; see 'dualwindow "
        "--help'\n",
    )


def test_strategies_are_copied_unless_a_configuration_names_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies/Mine.py").write_text("# mine")
    (tmp_path / "own.json").write_text('{"strategy_path": "elsewhere"}')
    (tmp_path / "plain.json").write_text("{}")
    program = tmp_path / "freqtrade"
    program.write_text("#!/bin/sh\necho called with $@\n")
    program.chmod(0o755)
    copies = tmp_path / "user_data/sandbox/planted-1/strategies"
    command = ["sandbox", "run", "--", str(program), "backtesting", "-d", "candles", "-c"]
    assert main([*command, "own.json"]) == 0
    assert not copies.exists()
    assert main([*command, "plain.json"]) == 0
    (copies / "Mine.json").write_text("{}")
    (tmp_path / "strategies/Mine.py").rename(tmp_path / "strategies/Yours.py")
    assert main([*command, "plain.json"]) == 0
    assert sorted(path.name for path in copies.iterdir()) == ["Mine.json", "Yours.py"]

"""A real backtest of a strategy that is not ours, what it says it found, and its report."""

import json
import re
import shlex
import subprocess
import zipfile

import numpy as np
import pandas as pd
import pytest

from dualwindow.cli import main
from dualwindow.market.labels import CLASSES
from dualwindow_freqtrade.freqai.names import BACKTEST_PREDICTION
from dualwindow_freqtrade.reporting.backtest import backtest_evidence
from dualwindow_trainer.request import merged
from harness.browser import DESKTOP, PHONE, browser, chromium, visit
from harness.overlays import SMALL
from harness.places import PROGRAMS, ROOT, in_sandbox

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
OVERLAY = {
    "exchange": {"pair_whitelist": PAIRS},
    "timerange": "20240122-20240131",
    "freqai": {
        "model_training_parameters": {"kind": "ranges", "spans": [15, 60]},  # trains in a second
        # It enters now and then, although little is foreseen.
        "dual_window": {"report": True, "confidence": {"margin": -0.003}},
    },
}


def strategy_of_the_docs() -> str:
    found = re.search(r"```python\n(.*?)```", (ROOT / "docs/strategy.md").read_text(), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The user data folder, and what the backtest said."""
    folder = tmp_path_factory.mktemp("reported")
    user_data, strategies, candles = (folder / n for n in ("user_data", "mine", "candles"))
    for path in (user_data, strategies):
        path.mkdir()
    (strategies / "MyStrategy.py").write_text(strategy_of_the_docs())
    words = ["sandbox", "data", "--out", str(candles), "--days", "20"]
    subprocess.run([PROGRAMS / "dualwindow", *words], check=True, capture_output=True)
    overlay = user_data / "overlay.json"
    overlay.write_text(json.dumps(merged(SMALL, OVERLAY)))
    words = ["backtesting", "--userdir", user_data, "-d", candles, "--strategy", "MyStrategy"]
    words += ["--strategy-path", strategies]
    result = in_sandbox(words, ROOT, overlay, FREQTRADE__FREQAI__IDENTIFIER="mine")
    assert result.returncode == 0, result.stderr[-3000:]
    return user_data, result


def test_it_says_what_it_found_before_freqtrades_tables(ran):
    user_data, result = ran
    said = result.stdout
    found = said.index("What ranges found, out of sample, on BTC/USDT:USDT, ETH/USDT:USDT:")
    look = said.index(f"Look at it: dualwindow report --identifier mine --userdir {user_data}\n")
    assert found < look < said.index("BACKTESTING REPORT")
    told = said[found:look]
    assert 4 <= len(told.splitlines()) <= 12
    assert re.search(r"skill [+-]0\.\d{3}", told, re.IGNORECASE)
    assert re.search(r"\d+ % come true, \d+ % needed", told)
    words = " ".join(told.split())
    assert "Signals are those of LONG alone, because the strategy cannot short" in words
    assert "SHORT signal" not in words
    assert "judged by the configured confidence, not by MyStrategy's own rule" in words
    assert said.count("out of sample, on BTC") == 1
    for noise in ("Could not find", "Saving metadata", "epoch 1/", "between strides"):
        assert noise not in result.stderr
    assert result.stderr.count("Increasing startup") == 1  # before there is a model
    assert " - ERROR - " not in result.stderr
    assert " - WARNING - dualwindow" not in result.stderr


def test_the_command_that_it_names_says_the_same(ran):
    _, result = ran
    command = re.search(r"Look at it: (.*)\n", result.stdout)
    assert command is not None
    program, *words = shlex.split(command[1])
    again = subprocess.run(
        [PROGRAMS / program, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 0, again.stderr
    told = again.stdout[again.stdout.index("What ranges found") :].partition("\n\nThe report: ")[0]
    n_same = 0
    for line in told.splitlines():
        is_new = " trades " in line or "note:" in line  # traded was only afterwards
        assert line in result.stdout.splitlines() or is_new, line
        n_same += not is_new
    assert n_same >= 4


def test_the_table_is_what_freqai_keeps(ran):
    user_data, _ = ran
    folder = user_data / "models" / "mine"
    (walk,) = backtest_evidence(folder).walks.values()
    assert len(walk.folds) == 18
    checked = 0
    for fold in walk.folds:
        coin = fold.pair.partition("/")[0].lower()
        (path,) = folder.rglob(f"cb_{coin}_{fold.start}{BACKTEST_PREDICTION}")
        kept = pd.read_feather(path)
        rows = walk.table[(walk.table["pair"] == fold.pair) & (walk.table["fold"] == fold.number)]
        np.testing.assert_array_equal(rows[list(CLASSES)], kept[list(CLASSES)])
        checked += len(rows)
    assert checked == 2 * 9 * 1440


def test_the_report_it_wrote_has_the_trades_that_came_after(ran):
    user_data, result = ran
    page = user_data / "models" / "mine" / "report" / "backtest" / "report.html"
    assert result.stdout.rstrip().endswith(f"The report: {page}")
    found = json.loads(page.with_name("report.json").read_text())
    (archive,) = (user_data / "backtest_results").glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        stored = json.loads(file.read(archive.with_suffix(".json").name))
    trades = stored["strategy"]["MyStrategy"]["trades"]
    assert found["deals"] == len(trades) >= 3
    assert found["profit"] == pytest.approx(sum(trade["profit_ratio"] for trade in trades))
    assert found["exits"] == pd.Series([t["exit_reason"] for t in trades]).value_counts().to_dict()


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_the_page_opens_in_a_browser(ran, width):
    if chromium() is None:
        pytest.skip("needs chromium")
    user_data, _ = ran
    page = user_data / "models" / "mine" / "report" / "backtest" / "report.html"
    with browser() as started, visit(started, page, width) as seen:
        seen.draw_all()
        charts = seen.charts()
        assert len(charts) >= 8
        for chart in charts:
            assert chart.shown == chart.given, chart.name
            assert chart.rows, chart.name
        assert seen.complaints == []


def test_a_pair_and_a_day_are_chosen(ran, tmp_path, capsys):
    user_data, _ = ran
    words = ["report", "--userdir", str(user_data), "--out", str(tmp_path / "one"), "--importance"]
    words += ["--png", str(tmp_path / "pictures")]
    assert main([*words, "--pair", PAIRS[1], "--day", "2024-01-25"]) == 0
    said = capsys.readouterr().out
    assert "--importance needs freqai.save_backtest_models true" in said
    assert f"The pictures: {tmp_path / 'pictures'}\n" in said
    found = json.loads((tmp_path / "one" / "report.json").read_text())
    assert found["subject"]["pairs"] == [PAIRS[1]]
    assert len(found["skill"]["rows"]) == 9
    (day,) = found["days"]
    assert pd.Timestamp(day["date"][0], unit="s") == pd.Timestamp("2024-01-25")
    assert len(day["date"]) == 1440


MISTAKES = [
    (["--identifier", "mien"], "under the identifier 'mien'; there are: mine"),
    (["--live"], "has nothing of a bot; there are: mine"),
    (["--pair", "BTC/USDT"], "--pair: BTC/USDT was not predicted; there are: BTC/USDT:USDT, ETH"),
    (["--day", "2024-02-25"], "--day: 2024-02-25 was not predicted; there are 2024-01-22 to 2024-"),
    (["--", "-c", "nowhere.json"], "after --: a configuration file was not found"),
    (["--out", "/dev/null/no"], "it cannot be written: "),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_told_and_nothing_is_written(ran, words, message, capsys):
    user_data, _ = ran
    files = sorted(user_data.rglob("*"))
    assert main(["report", "--userdir", str(user_data), *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert sorted(user_data.rglob("*")) == files

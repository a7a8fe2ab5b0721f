"""The Markdown of a backtest, from the files that a real one has written."""

import sys

import pytest

from benchmarks import report_backtest
from dualwindow.samples.windows import Rejection
from harness.freqai_run import backtest, configuration, market


def test_every_training_and_prediction_has_a_row(tmp_path, monkeypatch, capsys):
    config = configuration(tmp_path, backtest_period_days=0.5)
    backtest(config, market())
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path / "models" / "test")])
    capsys.readouterr()
    assert report_backtest.main() == 0
    said = capsys.readouterr().out
    parts = [part.strip().splitlines() for part in said.split("### ") if part.strip()]
    assert [part[0] for part in parts] == [
        "Trainings",
        "Windows dropped, by reason",
        "Predictions",
    ]
    for part in parts:
        header, _, *rows = part[2:]
        assert len(rows) == 2
        assert {row.count("|") for row in rows} == {header.count("|")}
    assert parts[0][4].startswith("| BTC/USDT | 2024-02-01 .. 2024-02-01 | 1,440 |")
    assert all(reason.value in parts[1][2] for reason in Rejection)
    assert parts[2][4] == "| BTC/USDT | 2024-02-02 .. 2024-02-02 | 720 | 0 |"


def test_a_folder_without_trainings_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["report", str(tmp_path)])
    with pytest.raises(SystemExit):
        report_backtest.main()
    assert str(tmp_path) in capsys.readouterr().err

"""The command line: from candle files to predictions, and one line for whatever is wrong."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from processes import free_port

from dualwindow.cli import main
from dualwindow.learning import clusters
from dualwindow.learning.fold_store import PLAN, TABLE
from dualwindow.market import files
from dualwindow_freqtrade import walk_forward_command
from dualwindow_trainer import walk
from dualwindow_trainer.request import merged
from harness.places import ROOT

DUALWINDOW = str(Path(sys.executable).with_name("dualwindow"))
PAIRS = ["BTC/USDT", "ETH/USDT"]
CONFIG = {
    "timeframe": "1m",
    "exchange": {"name": "binance", "pair_whitelist": PAIRS},
    "freqai": {
        "conv_width": 60,
        "train_period_days": 2,
        "backtest_period_days": 1,
        "feature_parameters": {"label_period_candles": 60},
        "data_split_parameters": {"test_size": 0.2},
        "model_training_parameters": {"kind": "ranges", "spans": [5, 60]},
        "dual_window": {"labels": {f"{s}_take_profit": 0.005 for s in ("long", "short")}},
    },
}
TIMERANGE = "20240130-20240201"


@pytest.fixture
def said(capsys):
    """Run the command in this process: its status, what it said and what it complained of."""

    def run(*words) -> tuple[int, str, str]:
        try:
            status = main(["walk-forward", *map(str, words)])
        except SystemExit as stop:
            status = stop.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    capsys.readouterr()
    return run


def options(folder: Path, candles: Path, changes: dict | None = None, **words) -> list[str]:
    """The command's options, with others in their place; None leaves one out."""
    path = folder / "config.json"
    path.write_text(json.dumps(merged(CONFIG, changes or {})))
    given = {"datadir": candles, "timerange": TIMERANGE, "config": path, "out": folder / "out"}
    given |= {"workers": 1} | words
    return [word for k, v in given.items() if v is not None for word in (f"--{k}", *flat(v))]


def flat(value) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def test_from_candles_to_predictions_in_a_log(candles, tmp_path):
    """In a process of its own, on two workers, and without a terminal."""
    result = subprocess.run(
        [DUALWINDOW, "walk-forward", *options(tmp_path, candles, workers=2)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    lines = result.stdout.splitlines()
    assert max(map(len, lines[4:-1])) <= 80
    for i, line in enumerate(lines[:4]):
        form = r"(BTC|ETH)/USDT from 2024-01-3[01]: trained on \d+ SHORT \+ \d+ HOLD \+ \d+ LONG in"
        assert re.match(rf"{i + 1} of 4: {form} \d+\.\d s; validation log loss 0\.\d+ \(cl", line)
    assert "\x1b" not in result.stdout
    assert lines[-1].startswith(f"5,760 candles in {tmp_path / 'out' / TABLE}")

    where = json.loads((tmp_path / "out" / "candles.json").read_text())
    assert where == {"datadir": str(candles)}  # for the report
    table = pd.read_parquet(tmp_path / "out" / TABLE)
    assert len(table) == 2 * 2 * 1440
    assert table["valid"].all()
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert [fold["pair"] for fold in summary["folds"]] == PAIRS * 2
    assert [fold["start"] for fold in summary["folds"]] == [1706572800] * 2 + [1706659200] * 2
    assert all(fold["stop"] - fold["start"] == 86400 for fold in summary["folds"])
    known = sum(fold["candles"] for fold in summary["folds"])
    assert summary["overall"]["candles"] == known == 5760 - 2 * 60  # the last hour is not over
    told = f"{summary['overall']['skill']:+.3f}"
    assert told in next(line for line in lines if line.startswith("all"))


def test_a_second_run_finds_everything(candles, tmp_path, said):
    words = options(tmp_path, candles)
    assert said(*words)[0] == 0
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    status, out, complained = said(*words)
    assert (status, complained) == (0, "")
    assert out.count(": there from an earlier run") == 4
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before


def test_pairs_and_timerange_may_stand_in_the_configuration(candles, tmp_path, said):
    (tmp_path / "more.json").write_text(json.dumps({"timerange": "20240131-20240201"}))
    words = options(tmp_path, candles, {"timerange": TIMERANGE}, timerange=None)
    status, _, _ = said(*words, "-c", tmp_path / "more.json", "--pairs", "BTC/USDT:USDT")
    assert status == 0
    table = pd.read_parquet(tmp_path / "out" / TABLE)
    assert set(table["pair"]) == {"BTC/USDT:USDT"}
    assert (table["date"].min(), len(table)) == (pd.Timestamp("2024-01-31", tz="UTC"), 1440)
    assert len(list((tmp_path / "out" / "folds").iterdir())) == 2


def test_folds_that_are_left_out_are_said(candles, tmp_path, said):
    words = options(tmp_path, candles, timerange="20240131-20240203")
    status, out, _ = said(*words)
    assert status == 0
    assert out.startswith(
        "note: BTC/USDT: 2 of 3 folds are left out; candles are missing, 2.0 days after the last\n"
    )
    assert "1 of 2: " in out


def test_the_configured_kind_of_network_learns(candles, tmp_path, said):
    training = {"kind": "lstm", "lstm_units": [2], "dense_units": [], "epochs": 1, "stride": 20}
    changes = {"freqai": {"model_training_parameters": training}}
    words = options(tmp_path, candles, changes, timerange="20240131-20240201", pairs="BTC/USDT")
    assert said(*words)[0] == 0
    assert pd.read_parquet(tmp_path / "out" / TABLE)["valid"].all()


FREQAI = "freqai"


def training(**values) -> dict:
    return {FREQAI: {"model_training_parameters": values}}


REFUSED = [
    pytest.param({}, {"out": None}, "--out DIR is missing", id="no-out"),
    pytest.param({}, {"datadir": "none"}, "BTC/USDT: no BTC_USDT-1m.feather or .parquet in none "
                 "(none does not exist); freqtrade download-data", id="no-folder"),
    pytest.param({}, {"datadir": "."}, "it holds no 1m candles", id="no-candles"),
    pytest.param({}, {"pairs": ["NO/USDT"]}, "NO/USDT: no NO_USDT-1m.feather", id="unknown-pair"),
    pytest.param({}, {"pairs": ["BTC/USDT", "BTC/USDT"]}, "more than once: BTC/USDT", id="twice"),
    pytest.param({"exchange": {"pair_whitelist": []}}, {}, "name them with --pairs", id="no-pairs"),
    pytest.param(
        {}, {"timerange": "20200101-20200103"},
        "no fold of 2 days of training and 1 days to predict fits in: BTC/USDT: candles are "
        "missing, 1459.0 days before the first; ETH/USDT: ", id="long-ago",
    ),
    pytest.param({}, {"timerange": "20250101-20250103"}, "after the last", id="no-overlap"),
    pytest.param({}, {"timerange": "20231229-20231230"},
                 "missing, 1.0 days before the first", id="no-fold-fits"),
    pytest.param({}, {"timerange": "20240130-"}, "a beginning and an end. Received: 20240130-",
                 id="without-end"),
    pytest.param({}, {"timerange": "-20240130"}, "a beginning and an end. Received: -20240130",
                 id="without-beginning"),
    pytest.param({}, {"timerange": "20240131-20240130"}, "--timerange: ", id="backwards"),
    pytest.param({}, {"timerange": "yesterday"}, "--timerange: ", id="no-timerange"),
    pytest.param({}, {"timerange": "20241340-20241350"}, "--timerange: ", id="no-date"),
    pytest.param({}, {"timerange": None}, "--timerange YYYYMMDD-YYYYMMDD is missing", id="none"),
    pytest.param({}, {"config": "none.json"}, "--config: ", id="no-config"),
    pytest.param({}, {"config": "broken.json"}, "--config: ", id="damaged-config"),
    pytest.param({}, {"config": "empty.json"}, "freqai.train_period_days and", id="empty-config"),
    pytest.param(training(spanz=[3]), {}, "freqai.model_training_parameters.spanz is unknown; did "
                 "you mean 'spans'?", id="unknown-key"),
    pytest.param(training(kind="forest"), {}, "kind must be one of 'lstm', 'gru'", id="kind"),
    pytest.param({FREQAI: {"conv_width": 59}}, {}, "freqai.conv_width is 59 candles", id="history"),
    pytest.param({FREQAI: {"train_period_days": 0}}, {}, "train_period_days must be above 0",
                 id="no-training"),
    pytest.param({FREQAI: {"backtest_period_days": -1}}, {},
                 "backtest_period_days must be above 0", id="no-window"),
    pytest.param({FREQAI: {"backtest_period_days": "7"}}, {}, "be numbers. Received: 2 and '7'",
                 id="words-for-numbers"),
    pytest.param({"timeframe": "1x"}, {}, "must be like 1m, 5m or 1h", id="timeframe"),
    pytest.param({}, {"backend": "dask"}, "address must name a running dask cluster", id="nowhere"),
    pytest.param({}, {"address": "tcp://here:1"}, "address must be left out", id="local-address"),
    pytest.param({}, {"workers": 0}, "--workers: must be a whole number, at least 1. Received: 0",
                 id="no-workers"),
    pytest.param({}, {"workers": "two"}, "at least 1. Received: two", id="workers-in-words"),
    pytest.param({}, {"backend": "threads"}, "invalid choice", id="unknown-backend"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words", "message"), REFUSED)
def test_mistakes_are_told_in_one_line(
    changes, words, message, candles, tmp_path, said, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.json").write_text('{\n"freqai": {\n"identifier": \n')
    (tmp_path / "empty.json").write_text("{}")
    given = options(tmp_path, candles, changes, **words)
    before = sorted(tmp_path.rglob("*"))
    status, out, complained = said(*given)
    assert (status, out) == (2, "")
    assert complained.startswith("dualwindow: ")
    assert complained.count("\n") == 1
    assert message in complained
    assert "`" not in complained
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--for-backtest", "--out", "x"], "--out cannot be used with --for-backtest"),
        (["--for-backtest", "--pairs", "x", "-c", "y"], "--pairs, --config cannot be used"),
        (["--out", "x", "--", "-c", "y"], "only --for-backtest takes freqtrade's options"),
    ],
)
def test_options_of_the_other_way_of_working_are_refused(words, message, said):
    status, out, complained = said(*words)
    assert (status, out, complained.count("\n")) == (2, "", 1)
    assert message in complained


def test_a_scheduler_that_does_not_answer_is_told(candles, tmp_path, said, monkeypatch):
    monkeypatch.setattr(clusters, "_CONNECT_SECONDS", 0.5)
    address = f"tcp://127.0.0.1:{free_port()}"
    words = options(tmp_path, candles, backend="dask", address=address)
    status, _, complained = said(*words)
    assert (status, complained.count("\n")) == (2, 1)
    assert f"no dask cluster with a worker answers at {address}; start one" in complained
    # what is there now binds nobody
    assert said(*options(tmp_path, candles, training(seed=7)))[0] == 0


def test_a_folder_of_other_settings_is_refused_in_the_users_words(candles, tmp_path, said):
    assert said(*options(tmp_path, candles))[0] == 0
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    changes = {FREQAI: {"conv_width": 90, "train_period_days": 1.5}}
    status, out, complained = said(*options(tmp_path, candles, changes))
    assert (status, out, complained.count("\n")) == (2, "", 1)
    assert "freqai.conv_width: 60 -> 90" in complained
    assert "train_period_days: 2 -> 1.5" in complained
    assert "`" not in complained
    assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before


def test_a_folder_of_other_files_is_refused(candles, tmp_path, said):
    words = options(tmp_path, candles, out=tmp_path)
    status, out, complained = said(*words)
    assert (status, out, complained.count("\n")) == (2, "", 1)
    assert f"{tmp_path} is not empty and holds no {PLAN}" in complained
    assert sorted(p.name for p in tmp_path.iterdir()) == ["config.json"]


def test_a_failed_training_is_told_with_pair_fold_and_the_users_keys(candles, tmp_path, said):
    labels = {f"{side}_take_profit": 0.9 for side in ("long", "short")}
    changes = {FREQAI: {"dual_window": {"labels": labels}}}
    status, _, complained = said(*options(tmp_path, candles, changes))
    assert (status, complained.count("\n")) == (2, 1)
    assert complained.startswith("dualwindow: walk-forward: BTC/USDT, fold from 2024-01-30: all ")
    assert "set freqai.dual_window.labels to barriers" in complained
    assert "lower model_training_parameters.stride" in complained
    assert "`" not in complained


def test_a_training_period_that_is_too_short_is_told_in_the_users_keys(candles, tmp_path, said):
    changes = {FREQAI: {"train_period_days": 0.03}}
    status, _, complained = said(*options(tmp_path, candles, changes))
    assert (status, complained.count("\n")) == (2, 1)
    assert "freqai.conv_width is 60 candles, the training data has only 43" in complained
    assert "raise train_period_days" in complained
    assert not re.search(r"(?<!_)train_days|`", complained)


def test_a_full_disk_is_told_in_one_line(candles, tmp_path, said, monkeypatch):
    synced = []

    def sync(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", sync)
    words = options(tmp_path, candles)
    status, _, complained = said(*words)
    assert (status, complained.count("\n")) == (2, 1)
    assert "cannot be written (No space left on device)" in complained
    status, out, _ = said(*words)
    assert (status, out.count("there from an earlier run")) == (0, 1)


def test_a_summary_that_cannot_be_written_is_told_in_one_line(candles, tmp_path, said, monkeypatch):
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(walk, "write_aside", full)  # of the summary alone
    words = options(tmp_path, candles, timerange="20240131-20240201", pairs="BTC/USDT")
    status, _, complained = said(*words)
    assert (status, complained.count("\n")) == (2, 1)
    assert "summary.json cannot be written (No space left on device)" in complained


def test_ctrl_c_after_the_last_window_is_told_too(candles, tmp_path, said, monkeypatch):
    def stop(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(walk, "write_aside", stop)  # of the summary
    words = options(tmp_path, candles, timerange="20240131-20240201", pairs="BTC/USDT")
    status, _, complained = said(*words)
    assert (status, complained.count("\n")) == (130, 1)
    assert complained.startswith("dualwindow: stopped; finished folds are kept in ")


def test_ctrl_c_keeps_what_is_finished(candles, tmp_path):
    with subprocess.Popen(
        [DUALWINDOW, "walk-forward", *options(tmp_path, candles)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate(timeout=60)
    assert first.startswith("1 of 4: ")
    stopped = (
        f"dualwindow: stopped; finished folds are kept in {tmp_path / 'out'}, the same command "
        "goes on\n"
    )
    assert (process.returncode, complained) in [(130, stopped), (0, "")]  # if it was done already
    assert len(list((tmp_path / "out" / "folds").glob("*.json"))) >= 1
    assert list(tmp_path.rglob("*.damaged")) == []


def test_the_default_number_of_workers_is_that_of_the_cores(candles, tmp_path, said, monkeypatch):
    asked = []

    def noted(**choice):
        asked.append(choice["n"])
        return workers(**(choice | {"n": 1}))

    from dualwindow.learning import parallel

    workers = parallel.Workers
    monkeypatch.setattr(parallel, "Workers", noted)
    words = options(tmp_path, candles, workers=None, timerange="20240131-20240201")
    assert said(*words)[0] == 0
    assert asked == [len(os.sched_getaffinity(0))]
    assert walk_forward_command.WALK_FORWARD.takes_rest == ("walk-forward",)

"""Windows trained side by side are the very ones that the backtest would have trained."""

import errno
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from freqtrade.exceptions import OperationalException

from dualwindow.cli import main
from dualwindow.learning.parallel import Workers
from dualwindow.market import files
from dualwindow_freqtrade.backtest import training as backtest_training
from dualwindow_freqtrade.backtest.training import Window, train_backtest, train_window
from dualwindow_freqtrade.freqai.names import (
    BACKTEST_PREDICTION,
    METADATA_FILE,
    MODEL_FILE,
    PAIR_DICTIONARY,
)
from dualwindow_sandbox.user_folders import make_user_data
from dualwindow_trainer.request import merged
from harness.overlays import SMALL
from harness.places import ROOT, in_sandbox

DUALWINDOW = str(Path(sys.executable).with_name("dualwindow"))
IDENTIFIER = "FREQTRADE__FREQAI__IDENTIFIER"
RANGES = {"kind": "ranges", "spans": [5, 60]}
TINY = {"kind": "lstm", "lstm_units": [4], "dense_units": [], "epochs": 2, "learning_rate": 0.01}
PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]


class Place:
    """A folder with candles, in which freqtrade and the walk-forward work by turns."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.user_data = folder, folder / "user_data"
        make_user_data(self.user_data)  # models are trained there before the sandbox has run
        self.overlay = folder / "overlay.json"

    def configure(self, model: dict, **freqai) -> None:
        small = {k: v for k, v in SMALL["freqai"].items() if k != "model_training_parameters"}
        changes = {"train_period_days": 2, "model_training_parameters": model}
        changes["dual_window"] = {"confidence": {"margin": -0.003}}
        block = merged(merged(small, changes), freqai)
        pairs = {"pair_whitelist": PAIRS}
        words = {"timerange": "20240130-20240201", "exchange": pairs, "freqai": block}
        self.overlay.write_text(json.dumps(words))

    @property
    def words(self) -> list[str]:
        """Options as for freqtrade backtesting, with paths as a user types them: from here."""
        user_data, candles = (
            os.path.relpath(path, ROOT) for path in (self.user_data, self.folder / "candles")
        )
        words = ["--userdir", user_data, "-d", candles, "--freqaimodel", "DualWindowLSTM"]
        return [*words, "-c", "user_data/config.json", "-c", str(self.overlay)]

    def backtest(self, identifier: str) -> tuple[str, list[dict]]:
        """Run freqtrade: what it logged, and its trades."""
        results = self.user_data / "backtest_results"
        shutil.rmtree(results, ignore_errors=True)
        result = in_sandbox(
            ["backtesting", "--cache", "none", *self.words],
            ROOT,
            self.overlay,
            **{IDENTIFIER: identifier},
        )
        assert result.returncode == 0, result.stderr[-3000:]
        (path,) = results.glob("*.zip")
        with zipfile.ZipFile(path) as archive:
            content = json.loads(archive.read(path.with_suffix(".json").name))
        return result.stderr, content["strategy"]["DualWindowStrategy"]["trades"]

    def start(self, identifier: str, *words: str, **options) -> subprocess.Popen:
        """Start the walk-forward on two workers."""
        command = [DUALWINDOW, "walk-forward", "--for-backtest", "--workers", "2"]
        return subprocess.Popen(
            [*command, *words, "--", *self.words],
            cwd=ROOT,
            env=os.environ | {IDENTIFIER: identifier},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def walk(self, identifier: str) -> list[str]:
        with self.start(identifier) as process:
            said, complained = process.communicate(timeout=300)
        assert process.returncode == 0, complained
        assert "Traceback" not in complained  # TensorFlow cannot be silenced wholly
        return said.splitlines()

    def models(self, identifier: str) -> Path:
        return self.user_data / "models" / identifier

    def predictions(self, identifier: str) -> dict[str, bytes]:
        found = self.models(identifier).rglob(f"*{BACKTEST_PREDICTION}")
        return {path.name: path.read_bytes() for path in found}


@pytest.fixture
def place(candles, tmp_path, monkeypatch) -> Place:
    monkeypatch.chdir(ROOT)
    (tmp_path / "candles").symlink_to(candles)
    return Place(tmp_path)


@pytest.fixture
def here(place, monkeypatch):
    """The walk-forward in this process, as often as wanted."""

    def run(identifier: str = "test", **freqai) -> tuple[int, list]:
        model = freqai.pop("model_training_parameters", RANGES)
        place.configure(model, **freqai)
        monkeypatch.setenv(IDENTIFIER, identifier)
        backtest_training._backtest.cache_clear()
        steps = []
        n, folder = train_backtest(place.words, Workers(), lambda *step: steps.append(step))
        assert folder.resolve() == place.models(identifier).resolve()
        return n, steps

    yield run
    backtest_training._backtest.cache_clear()


def test_the_backtest_finds_what_it_would_have_trained(place, here):
    place.configure(TINY)
    log, trades = place.backtest("alone")
    assert log.count(" trained on ") == 4
    assert len(trades) > 5

    said = place.walk("together")
    assert len(said) == 6
    for i, line in enumerate(said[:4]):
        form = r"(BTC|ETH)/USDT:USDT from 2024-01-3[01]: trained on \d+ SHORT \+ \d+ HOLD \+ "
        assert re.match(rf"{i + 1} of 4: {form}", line)
    assert said[4].endswith(" ".join(["freqtrade backtesting", *place.words]))
    alone, together = (place.predictions(name) for name in ("alone", "together"))
    assert len(together) == 4
    assert together == alone

    log, same_trades = place.backtest("together")
    assert " trained on " not in log
    assert place.predictions("together") == together
    assert same_trades == trades

    assert here("together", model_training_parameters=TINY) == (4, [])


def test_a_run_that_is_killed_goes_on_and_a_backtest_of_saved_models_follows(place, here):
    """With the baseline in place of a network; the models are checked for leaks at last."""
    freqai = {"backtest_period_days": 0.5, "save_backtest_models": True}
    place.configure(RANGES, **freqai)
    with place.start("killed", start_new_session=True) as process:
        assert process.stdout.readline().startswith("1 of 8: ")
        os.killpg(process.pid, signal.SIGKILL)
    before = place.predictions("killed")
    folder = place.models("killed")
    assert len(before) >= 1
    for path in folder.rglob(f"*{BACKTEST_PREDICTION}"):
        assert len(pd.read_feather(path)) == 720
    index = folder / PAIR_DICTIONARY
    index.write_text("{}")

    # A model may have been saved without its predictions, which it makes now.
    n, steps = here("killed", **freqai)
    assert (n, len(steps)) == (8, 8 - len(before))
    after = place.predictions("killed")
    assert {name: after[name] for name in before} == before
    assert len(list(folder.rglob(f"*{MODEL_FILE}"))) == 8
    assert index.read_text() == "{}"

    n, steps = here("undisturbed", **freqai)
    assert (n, len(steps)) == (8, 8)
    assert place.predictions("undisturbed") == after

    log, _ = place.backtest("killed")
    assert " trained on " not in log
    assert place.predictions("killed") == after
    leak = subprocess.run(
        [DUALWINDOW, "check", "leak", "--", *place.words, "-p", PAIRS[0]],
        cwd=ROOT,
        env=os.environ | {IDENTIFIER: "killed"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert leak.returncode == 0, leak.stdout + leak.stderr[-3000:]
    assert "all as it should be" in leak.stdout


def test_a_model_that_was_saved_predicts_as_where_it_was_trained(place, here):
    """As after a kill between the two."""
    freqai = {"backtest_period_days": 0.5, "save_backtest_models": True}
    here(**freqai)
    before = place.predictions("test")
    for path in place.models("test").rglob(f"*{BACKTEST_PREDICTION}"):
        path.unlink()
    n, steps = here(**freqai)
    assert (n, len(steps), len(before)) == (8, 8, 8)
    assert place.predictions("test") == before


def test_trainings_of_all_pairs_together_are_the_same_side_by_side(place, here):
    """In the real freqtrade, whose pairs come one after the other."""
    freqai = {"dual_window": {"pooling": "whitelist"}, "save_backtest_models": True}
    place.configure(TINY, **freqai)
    log, trades = place.backtest("alone")
    assert log.count(" together trained on ") == 2
    assert ": learnt from 2880 candles" not in log  # nothing else than always was left out
    assert len(trades) > 5
    said = place.walk("together")
    assert [line.partition(":")[0] for line in said[:4]] == [f"{i} of 4" for i in range(1, 5)]
    alone, together = (place.predictions(name) for name in ("alone", "together"))
    assert len(together) == 4
    assert together == alone
    log, same_trades = place.backtest("together")
    assert " trained on " not in log
    assert same_trades == trades

    # What is missing of one pair is trained for both, and is the same.
    path = sorted(place.models("together").rglob(f"*{BACKTEST_PREDICTION}"))[2]
    for file in (path, *place.models("together").rglob(f"*{MODEL_FILE}")):
        file.unlink()
    n, steps = here("together", model_training_parameters=TINY, **freqai)
    assert (n, [record.pair for _, record, _ in steps]) == (4, [PAIRS[1]])
    assert place.predictions("together") == alone


def test_windows_are_reported_and_reused_in_this_process_too(place, here):
    n, steps = here()
    assert n == 4
    assert [(record.pair, start) for start, record, _ in steps] == [
        (pair, start) for pair in PAIRS for start in (1706572800, 1706659200)
    ]
    assert [n_left for _, _, n_left in steps] == [3, 2, 1, 0]
    assert all(record.settings.model.kind == "ranges" for _, record, _ in steps)
    assert here() == (4, [])
    # What is missing is made again, and nothing else.
    path = sorted(place.models("test").rglob(f"*{BACKTEST_PREDICTION}"))[2]
    before = place.predictions("test")
    path.unlink()
    n, steps = here()
    assert [record.pair for _, record, _ in steps] == ["ETH/USDT:USDT"]
    assert place.predictions("test") == before


def test_other_settings_under_the_same_identifier_are_refused_by_name(place, here):
    here()
    before = place.predictions("test")
    with pytest.raises(OperationalException, match=r"freqai.identifier") as refused:
        here(model_training_parameters=RANGES | {"seed": 1}, conv_width=61)
    assert "conv_width: 60 -> 61" in str(refused.value)
    assert "model_training_parameters.seed: 42 -> 1" in str(refused.value)
    assert place.predictions("test") == before


def test_other_candles_under_the_same_identifier_are_refused_by_name(place, here, candles):
    here()
    (place.folder / "candles").unlink()
    shutil.copytree(candles, place.folder / "candles")
    path = place.folder / "candles" / "futures" / "ETH_USDT_USDT-1m-futures.feather"
    frame = pd.read_feather(path)
    frame.loc[len(frame) - 100, "close"] *= 1.001
    frame.to_feather(path)
    with pytest.raises(OperationalException, match=r"made with other candles .*tested on"):
        here()


def test_what_cannot_be_done_side_by_side_is_refused(place, here):
    with pytest.raises(OperationalException, match=r"freqai.continual_learning: each training"):
        here(continual_learning=True)
    assert place.predictions("test") == {}


def test_a_full_disk_leaves_no_half_predictions(place, here, monkeypatch):
    synced = []

    def sync(descriptor: int) -> None:
        synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        if sum(BACKTEST_PREDICTION in name for name in synced) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", sync)
    with pytest.raises(RuntimeError, match="No space left on device"):
        here()
    assert len(place.predictions("test")) == 1
    assert list(place.models("test").rglob("*.tmp")) == []
    monkeypatch.setattr(files.os, "fsync", os.fsync)
    n, steps = here()
    assert (n, len(steps)) == (4, 3)


def test_a_worker_that_would_write_elsewhere_is_told(place, here):
    """As on a cluster, whose workers have folders and variables of their own."""
    here()
    window = Window(tuple(place.words), (PAIRS[0],), 0, place.models("other"))
    with pytest.raises(OperationalException, match=r"models/test, the backtest reads .*models/oth"):
        train_window(window)


def test_freqtrades_log_is_silenced_only_meanwhile(here):
    here()
    assert logging.root.manager.disable == logging.NOTSET


def said(capsys, place: Place, *words: str) -> str:
    """The one line in which the command says why it cannot."""
    backtest_training._backtest.cache_clear()
    status = main(["walk-forward", "--for-backtest", "--workers", "1", "--", *place.words, *words])
    backtest_training._backtest.cache_clear()
    captured = capsys.readouterr()
    assert (status, captured.out, captured.err.count("\n")) == (2, "", 1)
    assert captured.err.startswith("dualwindow: walk-forward: ")
    return captured.err


@pytest.mark.parametrize(
    ("freqai", "words", "message"),
    [
        pytest.param({"continual_learning": True}, [], "switch it off", id="continual"),
        pytest.param({"conv_with": 9}, [], "conv_with is unknown; did you mean", id="unknown-key"),
        pytest.param({}, ["--timerange", "20240130-"], "open ended timeranges", id="without-end"),
        pytest.param({}, ["-c", "none.json"], "none.json", id="no-config"),
        pytest.param({}, ["--freqaimodel", "None"], "None", id="no-model"),
        pytest.param({}, ["--strategy", "None"], "None", id="no-strategy"),
        pytest.param({"enabled": False}, [], "freqai.enabled must be true", id="without-freqai"),
        pytest.param({}, ["-d", "{folder}/nowhere"], "nowhere for 2024", id="no-folder"),
        pytest.param(
            {}, ["-p", "NO/USDT:USDT"], "no 1m candles of NO/USDT:USDT in", id="no-candles"
        ),
        pytest.param(
            {}, ["--timerange", "20250101-20250102"], "for 20250101-20250102", id="no-overlap"
        ),
        pytest.param(
            {"dual_window": {"labels": {f"{s}_take_profit": 0.9 for s in ("long", "short")}}},
            [],
            "freqai.dual_window.labels to barriers",
            id="nothing-to-learn",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(freqai, words, message, place, monkeypatch, capsys):
    monkeypatch.setenv(IDENTIFIER, "test")
    place.configure(RANGES, **freqai)
    complained = said(capsys, place, *(word.format(folder=place.folder) for word in words))
    assert message in complained
    assert "`" not in complained
    assert place.predictions("test") == {}
    assert list(place.models("test").rglob(f"*{METADATA_FILE}")) == []

"""The checks that users run: they pass where nothing is wrong, and find what is planted."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import cloudpickle
import pytest

from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    BACKTEST_PREDICTION,
    GLOBAL_METADATA,
    OLDER_PREDICTIONS,
    STORED_PREDICTIONS,
)
from dualwindow_freqtrade.live.stored_predictions import store_older
from dualwindow_trainer.request import merged
from harness.overlays import SMALL
from harness.places import ROOT

PROGRAM = str(Path(sys.executable).with_name("dualwindow"))
PAIR = "BTC/USDT:USDT"
LEAK = """
    def feature_engineering_standard(self, dataframe, metadata, **kwargs):
        dataframe = super().feature_engineering_standard(dataframe, metadata, **kwargs)
        return dataframe.assign(**{"%-close_change": {WHAT}})
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return backtested(tmp_path_factory.mktemp("checks"))


def backtested(folder: Path, **training) -> Path:
    """A backtest with saved models on fifty days of synthetic candles."""
    run(["sandbox", "data", "--out", str(folder / "candles"), "--days", "50"])
    (folder / "user_data").mkdir()
    changes = {
        "timerange": "20240130-20240131",
        "exchange": {"pair_whitelist": [PAIR]},
        "freqai": {"save_backtest_models": True, "model_training_parameters": training},
    }
    (folder / "over.json").write_text(json.dumps(merged(SMALL, changes)))
    # Of no use to the checks: live predictions lie outside the configured timerange.
    (folder / "other.json").write_text('{"timerange": "20240101-20240102"}')
    freqtrade = [str(Path(PROGRAM).with_name("freqtrade")), "backtesting", *options(folder)]
    run(["sandbox", "run", "--", *freqtrade])
    return folder


def options(folder: Path) -> list[str]:
    words = ["-c", "user_data/config.json", "-c", str(folder / "over.json")]
    words += ["--freqaimodel", "DualWindowLSTM"]
    return [*words, "--userdir", str(folder / "user_data"), "-d", str(folder / "candles")]


def run(words: list[str], status: int = 0) -> str:
    # With pytest's variable, freqtrade does not set its log up.
    env = {name: value for name, value in os.environ.items() if name != "PYTEST_VERSION"}
    result = subprocess.run(
        [PROGRAM, *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert result.returncode == status, result.stdout + result.stderr[-3000:]
    assert words[0] == "sandbox" or " - INFO - " not in result.stderr
    return result.stdout + result.stderr.splitlines()[-1] if status == 2 else result.stdout


def check(folder: Path, what: str, *more: str, status: int = 0) -> str:
    words = [*options(folder), "-c", str(folder / "other.json"), *more]
    return run(["check", what, "--", *words], status)


def test_nothing_leaks(place):
    said = check(place, "leak")
    assert "all as it should be" in said
    assert "note" not in said  # the saved model was checked, too
    assert said.count(f" of 5: {PAIR}: another future after 2024-01-") == 5  # it takes a while
    assert int(said.split("leak: ")[1].split()[0]) > 100_000


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ("dataframe['close'].pct_change().shift(-1)", True),
        ("dataframe['close'] / dataframe['close'].mean() - 1", True),
        ("dataframe['close'] / dataframe['close'].rolling(9, center=True).mean() - 1", True),
        ("dataframe['close'] / dataframe['close'].rolling(9).mean() - 1", False),
    ],
    ids=["next-candle", "mean-of-all", "centred", "past-only"],
)
def test_a_leak_is_found_and_the_past_is_allowed(place, tmp_path, what, found):
    (tmp_path / "Leaky.py").write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'strategies')!r})\n"
        "from DualWindowStrategy import DualWindowStrategy\n\n\n"
        "class Leaky(DualWindowStrategy):\n" + LEAK.replace("{WHAT}", what)
    )
    more = ["--strategy", "Leaky", "--strategy-path", str(tmp_path)]
    said = check(place, "leak", *more, status=1 if found else 0)
    assert ("%-close_change of" in said) == found


def store(place: Path, change: float, longs: tuple[int, ...] = ()) -> None:
    """Store a backtest's predictions as if a live run had made them, moved by `change`.

    With `longs`, all but those are sure to HOLD, and they to be LONG.
    """
    import pandas as pd

    models = place / "user_data/models/small"
    (path,) = models.rglob(f"*{BACKTEST_PREDICTION}")
    predictions = pd.read_feather(path)
    trained = int(path.stem.split("_")[-2])
    rows = predictions.assign(date_pred=predictions["date"], model_timestamp=float(trained))
    rows.loc[700, "LONG"] += change
    rows.loc[3, "do_predict"] = 0
    if longs:
        rows[["SHORT", "HOLD", "LONG"]] = (0.0, 1.0, 0.0)
        rows.loc[list(longs), ["HOLD", "LONG"]] = (0.0, 1.0)
    rows = rows.drop(columns="date")
    store_older(models, PAIR, rows.head(720))  # these have left memory
    with (models / STORED_PREDICTIONS).open("wb") as file:
        cloudpickle.dump({PAIR: rows.iloc[720:]}, file)


def test_parity_compares_every_stored_prediction(place):
    store(place, 0.0)
    said = check(place, "parity")
    assert f"parity: {1439} values compared, all as it should be" in said
    assert f"1 of 1: {PAIR}: 1,439 live predictions made again" in said


def test_parity_compares_probabilities_that_are_all_the_same(tmp_path):
    """They are stored with do_predict 0."""
    place = backtested(tmp_path, kind="ranges", penalty=1e15, spans=[60])
    store(place, 0.0)
    assert "parity: 1440 values compared, all as it should be" in check(place, "parity")
    store(place, 0.001)
    assert check(place, "parity", status=1).count("WRONG") == 1


def test_one_prediction_that_differs_is_named(place):
    store(place, 0.001)
    said = check(place, "parity", status=1)
    assert said.count("WRONG") == 1
    assert "2024-01-30 11:40" in said


def test_predictions_of_a_purged_model_are_noted_and_prove_nothing(place, tmp_path):
    store(place, 0.0)
    hidden = tmp_path / "hidden"
    (folder,) = (place / "user_data/models/small").glob(ALL_TRAININGS)
    folder.rename(hidden)
    try:
        said = check(place, "parity", status=2)
    finally:
        hidden.rename(folder)
    assert "the model is gone" in said
    assert "nothing is proved" in said


def test_predictions_made_with_other_settings_are_noted_and_not_compared(place, tmp_path):
    store(place, 0.0)
    (tmp_path / "edited.json").write_text('{"freqai": {"train_period_days": 29}}')
    said = check(place, "parity", "-c", str(tmp_path / "edited.json"), status=2)
    assert "with other settings or code: train_period_days: " in said
    assert "nothing is proved" in said


def test_freqtrade_backtests_all_that_was_predicted_live(place):
    longs = (300, 900)
    store(place, 0.0, longs)
    started = json.dumps({"start_dry_live_date": 1706572800})  # 2024-01-30
    (place / "user_data/models/small" / GLOBAL_METADATA).write_text(started)
    (place / "any.json").write_text('{"timerange": ""}')
    words = [str(Path(PROGRAM).with_name("freqtrade")), "backtesting", *options(place)]
    words += ["-c", str(place / "any.json"), "--freqai-backtest-live-models"]
    run(["sandbox", "run", "--", *words, "--export", "trades"])
    newest = max((place / "user_data/backtest_results").glob("*.zip"))
    with zipfile.ZipFile(newest) as archive:
        content = json.loads(archive.read(newest.with_suffix(".json").name))
    trades = content["strategy"]["DualWindowStrategy"]["trades"]
    opened = ["2024-01-30 05:01:00+00:00", "2024-01-30 15:01:00+00:00"]
    assert [trade["open_date"] for trade in trades] == opened


def test_without_live_predictions_parity_says_what_is_missing(place):
    models = place / "user_data/models/small"
    (models / STORED_PREDICTIONS).unlink(missing_ok=True)
    for path in models.glob(f"{OLDER_PREDICTIONS}/*/*"):
        path.unlink()
    assert "let one run first" in check(place, "parity", status=2)

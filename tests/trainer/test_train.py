"""``dualwindow train`` and ``predict``: files of candles to files of predictions."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dualwindow.learning.artifact_files import read_artifact
from dualwindow.learning.fold_store import read_table
from dualwindow.learning.folds import Schedule
from dualwindow.learning.walk_forward import run_fold, tasks
from dualwindow.market.candle_files import read_candle_file
from dualwindow.market.labels import CLASSES, Labelling
from dualwindow.samples.pair_data import PairData
from dualwindow_freqtrade.freqai.configuration import read_configuration
from harness.places import ROOT

SMALL = [
    *("--kind", "lstm", "--epochs", "2", "--set", "conv_width=24"),
    *("--set", "feature_parameters.label_period_candles=24"),
    *("--set", "model_training_parameters.lstm_units=[4]"),
    *("--set", "model_training_parameters.stride=3"),
]
STEM = "BTCUSDT_FW024_SL050_TP100"
TRAINED, PREDICTED = "20220202-20220215", "20220215-20220217"
TINY = ["--kind", "ranges", "--set", "conv_width=24"]
TINY += ["--set", "feature_parameters.label_period_candles=24"]
FROM, TO = (pd.Timestamp(day, tz="UTC").timestamp() for day in ("2022-02-15", "2022-02-17"))


def test_a_training_leaves_the_files_that_users_know(trained):
    models = trained / "models" / "BTCUSDT"
    assert {path.name for path in models.iterdir()} == {
        f"model_{STEM}.keras",
        f"scaler_{STEM}.json",
        f"calibration_{STEM}.json",
        f"metadata_{STEM}.json",
        f"history_{STEM}.json",
        "logs",
    }
    assert list((models / "logs").rglob("events.out*"))
    history = json.loads((models / f"history_{STEM}.json").read_text())
    assert [epoch["number"] for epoch in history] == [1, 2]
    matrix = json.loads((trained / "reports" / "confusion_matrix_report.json").read_text())
    assert matrix["class_names"] == list(CLASSES)
    assert np.sum(matrix["confusion_matrix"]) == matrix["sample_count"] > 500
    diagonal = np.trace(matrix["confusion_matrix"])
    assert matrix["accuracy"] == pytest.approx(diagonal / matrix["sample_count"])
    assert matrix["classification_report"]["HOLD"]["support"] > 0


def test_predictions_are_those_of_the_artifact_itself(trained, folder, btc, said, tmp_path):
    out = tmp_path / "p.parquet"
    model = trained / "models" / "BTCUSDT"
    words = ["predict", "--model", model, *btc, "--timerange", PREDICTED, "--out", out]
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    assert told == f"576 of 576 candles have a prediction: {out}\n"
    table = pd.read_parquet(out)
    assert list(table) == [
        "date",
        "pair",
        *CLASSES,
        *(f"{n}_raw" for n in CLASSES),
        "valid",
        "seen",
    ]
    assert not table["seen"].any()
    assert table["date"].iloc[0] == pd.Timestamp("2022-02-15", tz="UTC")
    assert (table["date"].diff().dropna() == pd.Timedelta("5min")).all()
    np.testing.assert_allclose(table[list(CLASSES)].sum(axis=1), 1)

    pair = PairData.of_frame("BTC/USDT", read_candle_file(folder / "BTC.csv"), 300)
    artifact = read_artifact(model)
    asked = (pair.candles.date >= FROM) & (pair.candles.date < TO)
    whole = artifact.predict(pair.candles, pair.features)
    np.testing.assert_allclose(whole.probabilities[asked], table[list(CLASSES)], atol=1e-6)


def test_predictions_ignore_everything_later(trained, folder, said, tmp_path):
    """Candles after the timerange are cut off, or others: the predictions hold to the last bit."""
    frame = read_candle_file(folder / "BTC.csv")
    cut = frame[frame["date"] < pd.Timestamp("2022-02-17", tz="UTC")]
    tables = []
    for name, candles in (("whole", frame), ("cut", cut)):
        candles.to_feather(tmp_path / f"{name}.feather")
        out = tmp_path / f"{name}.csv"
        words = ["--pair", "BTC/USDT", "--data", tmp_path / f"{name}.feather", "--timeframe", "5m"]
        model = trained / "models" / "BTCUSDT"
        assert (
            said("predict", "--model", model, *words, "--timerange", PREDICTED, "--out", out)[0]
            == 0
        )
        tables.append(out.read_bytes())
    assert tables[0] == tables[1]


def test_a_training_ignores_everything_after_its_timerange(trained, folder, said, tmp_path):
    """Also the labels of its last candles: their future is unknown."""
    frame = read_candle_file(folder / "BTC.csv")
    later = frame["date"] >= pd.Timestamp("2022-02-15", tz="UTC")
    frame.loc[later, ["open", "high", "low", "close"]] *= 1.5
    frame.to_parquet(tmp_path / "other.parquet")
    words = ["--pair", "BTC/USDT", "--data", tmp_path / "other.parquet", "--timeframe", "5m"]
    status, *_ = said("train", *words, *SMALL, "--timerange", TRAINED, "--out", tmp_path)
    assert status == 0
    one, other = (read_artifact(out / "models" / "BTCUSDT") for out in (trained, tmp_path))
    assert one.calibration.shift.tolist() == other.calibration.shift.tolist()
    for a, b in zip(one.fitted.weights, other.fitted.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    labels = Labelling.of(one.record.settings)
    assert labels.horizon == 24
    assert one.record.last_candle == "2022-02-14T23:55Z"


def test_two_pairs_together_or_each_by_itself(folder, said, tmp_path):
    words = ["--pair", "BTC/USDT", "ETH/USDT", "--data", folder / "BTC.csv", folder / "ETH.csv"]
    words += ["--timeframe", "5m", *TINY, "--timerange", TRAINED]
    assert said("train", *words, "--out", tmp_path / "each")[0] == 0
    together = [*words, "--set", "dual_window.pooling=whitelist", "--out", tmp_path / "all"]
    status, told, _ = said("train", *together)
    assert status == 0
    assert told.startswith("BTC/USDT, ETH/USDT: trained on ")
    contents = {
        (way, pair): read_artifact(tmp_path / way / "models" / pair).content
        for way in ("each", "all")
        for pair in ("BTCUSDT", "ETHUSDT")
    }
    assert contents["all", "BTCUSDT"] == contents["all", "ETHUSDT"]
    assert contents["each", "BTCUSDT"] != contents["each", "ETHUSDT"]
    matrices = [
        json.loads((tmp_path / way / "reports" / "confusion_matrix_report.json").read_text())
        for way in ("each", "all")
    ]
    assert [matrix["pairs"] for matrix in matrices] == [["BTC/USDT", "ETH/USDT"]] * 2
    assert matrices[0]["sample_count"] == matrices[1]["sample_count"]


def test_a_configuration_is_read_as_freqtrade_reads_it(btc, said, tmp_path):
    (tmp_path / "base.json").write_text('{"freqai": {"conv_width": 12, /* candles */},}')
    (tmp_path / "mine.json").write_text(
        '{"add_config_files": ["base.json"], "timeframe": "5m",\n'
        '"freqai": {"model_training_parameters": {"kind": "ranges", "penalty": 3.0}}} // mine'
    )
    words = [*btc, "-c", tmp_path / "mine.json", "--set", "freqai.conv_width=18", "--config-test"]
    status, told, _ = said("train", *words)
    assert status == 0
    assert "  conv_width = 18\n" in told
    assert "  model_training_parameters.kind = ranges\n" in told
    assert "  model_training_parameters.penalty = 3.0\n" in told


def test_the_fee_is_the_configuration_s_unless_a_flag_says_another(btc, said, tmp_path):
    (tmp_path / "mine.json").write_text('{"fee": 0.001}')
    words = [*btc, *TINY, "--timerange", TRAINED, "--out", tmp_path]
    needed = []
    for more in ([], ["-c", tmp_path / "mine.json"], ["-c", tmp_path / "mine.json", "--fee", "0"]):
        status, told, _ = said("train", *words, *more)
        assert status == 0
        line = next(line for line in told.splitlines() if "SHORT hit rate" in line)
        needed.append(line.partition("│")[2].partition("(")[2])
    # (stop + fees) / (take-profit + stop), of 1 % and 0.5 %
    found = [told.partition("(")[2][:2] for told in needed]
    assert found == ["40", "47", "33"]
    (tmp_path / "mine.json").write_text('{"fee": "much"}')
    status, _, complaint = said("train", *words, "-c", tmp_path / "mine.json")
    assert status == 2
    assert "fee must be a share" in complaint


def test_a_config_test_tells_everything_and_trains_nothing(btc, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, told, complaint = said("train", *btc, *TINY, "--timerange", TRAINED, "--config-test")
    assert (status, complaint) == (0, "")
    assert "settings in effect:\n  conv_width = 24\n" in told
    assert "BTC/USDT: 14400 candles from 2022-01-03T00:00:00 to 2022-02-21T23:55:00 UTC" in told
    assert "BTC/USDT: 3744 candles (dropped: " in told
    assert "training windows: " in told
    assert "validation windows: " in told
    assert "GB of memory" in told
    assert list(tmp_path.iterdir()) == []


def test_flags_reach_the_networks_of_an_ensemble(btc, said):
    words = [*btc, "--kind", "ensemble", "--epochs", "3", "--seed", "7", "--config-test"]
    words += ["--batch-size", "48", "--learning-rate", "0.002"]
    words += ["--set", "conv_width=24", "--timerange", TRAINED]
    status, told, _ = said("train", *words)
    assert status == 0
    for said_once in ('"epochs": 3', '"batch_size": 48', '"learning_rate": 0.002'):
        assert told.count(said_once) == 1
    assert told.count('"seed": 7') == 2


MISTAKES = [
    pytest.param(["--timerange", "2022"], "--timerange must be like 20240101-20240301", id="time"),
    pytest.param(["--timerange", "20220231-"], "20220231-: there is no such day", id="no-day"),
    pytest.param(["--timerange", "20220301-20220201"], "must begin before it ends", id="reversed"),
    pytest.param(["--timerange", "20220101-20220103"], "known from 2022-02-01T23", id="averages"),
    pytest.param(["--kind", "forest"], "kind must be one of 'lstm'", id="kind"),
    pytest.param(["--kind", "trees", "--epochs", "3"], "the kind 'trees' has none", id="epochs"),
    pytest.param(
        ["--kind", "ensemble", "--set", "model_training_parameters.epochs=3"],
        "freqai.model_training_parameters.epochs would be ignored, because each member",
        id="beside-members",
    ),
    pytest.param(["--epochs", "0"], "must be a whole number, at least 1", id="no-epochs"),
    pytest.param(["--set", "conv_width"], "--set must be like conv_width=180", id="set"),
    pytest.param(["--set", "conv_with=9"], "did you mean 'conv_width'?", id="misspelt"),
    pytest.param(
        ["--preset", "none"], "none: there is no such preset; there are: production", id="preset"
    ),
    pytest.param(["-c", "nowhere.json"], "--config nowhere.json: ", id="config"),
    pytest.param(["--timeframe", "2h"], "must be at most 1h", id="timeframe"),
    pytest.param(["--timeframe", "15m"], "is this another timeframe?", id="another"),
    pytest.param(["--pair", "BTC/USDT", "BTC/USDT"], "named more than once: BTCUSDT", id="twice"),
    pytest.param(["--pair", "BTCUSDT"], "--pair must be like BTC/USDT, or BTC/USDT:U", id="pair"),
    pytest.param(["--set", "model_training_parameters=5"], "must be a block", id="no-block"),
    pytest.param(["--set", "dual_window=null"], "must be a block of settings", id="null"),
    pytest.param(["--set", "feature_parameters.DI_threshold=1"], "only FreqAI does it", id="di"),
    pytest.param(["--set", "continual_learning=true"], "only FreqAI does it", id="continual"),
    pytest.param(["--fee", "nan"], "must be a share like 0.0005", id="fee"),
    pytest.param(["--train-days", "9"], "is of --walk-forward", id="days"),
    pytest.param(["--datadir", "."], "--data and --datadir: give one of them", id="both"),
    pytest.param(["--data", "a.csv", "b.csv"], "a file for each pair is needed", id="files"),
    pytest.param(["--data", "a.csv"], "a.csv is not there", id="no-file"),
    pytest.param(["--data", "a.txt"], "must be a .feather, .parquet or .csv file", id="ending"),
]


@pytest.mark.parametrize(("words", "message"), MISTAKES)
def test_mistakes_are_told_in_one_line(words, message, btc, said, tmp_path):
    out = tmp_path / "out"
    given = [*btc, *TINY, "--timerange", TRAINED, "--out", out, *words]
    status, told, complaint = said("train", *given)
    assert (status, told) == (2, "")
    assert complaint.startswith("dualwindow: ")
    assert complaint.count("\n") == 1
    assert message in complaint
    assert not out.exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda f: f.drop(columns="low"), "columns ['low'] are missing", id="column"),
        pytest.param(lambda f: f[::-1], "dates must increase, row 1 ", id="reversed"),
        pytest.param(
            lambda f: f.assign(high=f["high"].astype(object).where(f.index != 7, "many")),
            "row 7: high must be a number. Received: 'many'; mend it, or drop the row",
            id="text",
        ),
        pytest.param(
            lambda f: f.assign(high=f["high"].where(f.index != 7, 1e-9)), "row 7 ", id="crossed"
        ),
        pytest.param(lambda f: f.assign(close=f["close"].where(f.index != 7)), "row 7 ", id="nan"),
        pytest.param(lambda f: f.assign(timestamp=f["timestamp"] / 1e7), "seconds or", id="unit"),
        pytest.param(lambda f: f[:0], "holds no candles", id="empty"),
        pytest.param(
            lambda f: f.assign(timestamp=f["timestamp"].where(f.index != 5)), "row 5 ", id="no-date"
        ),
        pytest.param(lambda f: f.assign(timestamp="01/02/2024"), "01/02/2024", id="whose-month"),
        pytest.param(lambda f: pd.concat([f[:9], f[8:]]), "dates must increase, row 9", id="twice"),
    ],
)
def test_a_file_that_is_wrong_is_told_with_the_place(spoil, message, folder, said, tmp_path):
    path = tmp_path / "mine.csv"
    spoil(pd.read_csv(folder / "BTC.csv")).to_csv(path, index=False)
    words = ["--pair", "BTC/USDT", "--data", path, "--timeframe", "5m", *TINY]
    status, told, complaint = said("train", *words, "--out", tmp_path / "out")
    assert (status, told) == (2, "")
    assert complaint.count("\n") == 1
    assert message in complaint
    assert not (tmp_path / "out").exists()


def test_dates_may_be_seconds_or_words(folder, tmp_path):
    frame = pd.read_csv(folder / "BTC.csv")
    expected = read_candle_file(folder / "BTC.csv")
    words = pd.to_datetime(frame["timestamp"], unit="ms").dt.strftime("%Y-%m-%d %H:%M:%S")
    for times in (frame["timestamp"] // 1000, words):
        frame.assign(timestamp=times).to_csv(tmp_path / "mine.csv", index=False)
        pd.testing.assert_frame_equal(read_candle_file(tmp_path / "mine.csv"), expected)


def test_models_of_other_features_or_candles_are_refused(trained, btc, said, tmp_path):
    model, out = trained / "models" / "BTCUSDT", tmp_path / "p.csv"
    words = ["predict", "--model", model, *btc[:-1], "1m", "--out", out]
    status, _, complaint = said(*words)
    assert status == 2
    assert "the model was trained on candles of 300 s. Received: 60 s" in complaint
    assert not out.exists()


@pytest.mark.parametrize("part", ["model", "scaler", "calibration", "metadata"])
def test_what_was_tampered_with_is_refused(part, trained, btc, said, tmp_path):
    model = tmp_path / "BTCUSDT"
    shutil.copytree(trained / "models" / "BTCUSDT", model)
    (path,) = model.glob(f"{part}_*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    out = tmp_path / "p.csv"
    status, told, complaint = said("predict", "--model", model, *btc, "--out", out)
    assert (status, told) == (2, "")
    assert complaint.count("\n") == 1
    assert "its model cannot be used" in complaint
    assert not out.exists()


def test_everything_works_with_the_core_s_own_packages_alone(folder, tmp_path):
    """In a process that finds no package that the core does not ask for: no freqtrade above all."""
    script = Path(__file__).with_name("without_extras.py")
    words = ["--pair", "BTC/USDT", "--data", str(folder / "BTC.csv"), "--timeframe", "5m"]
    small = [
        "--kind",
        "ensemble",
        "--epochs",
        "1",
        "--set",
        "conv_width=24",
        "--out",
        str(tmp_path),
    ]
    command = [sys.executable, "-W", "ignore", str(script)]
    run = subprocess.run(
        [*command, "train", *words, *small, "--timerange", TRAINED],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    model = str(tmp_path / "models" / "BTCUSDT")
    asked = ["--timerange", PREDICTED, "--out", str(tmp_path / "p.csv")]
    run = subprocess.run(
        [*command, "predict", "--model", model, *words, *asked],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("576 of 576 candles")
    refused = subprocess.run(
        [*command, "walk-forward", "--out", str(tmp_path / "w")],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert refused.returncode == 2
    assert (
        "the package 'freqtrade' is not installed; pip install -e '.[freqtrade,study]'"
        in refused.stderr
    )
    assert refused.stderr.count("\n") == 1


def test_a_walk_forward_goes_on_where_it_was_and_is_the_core_s_own(btc, folder, said, tmp_path):
    words = [*btc, *TINY, "--walk-forward", "--train-days", "8", "--window-days", "2"]
    words += ["--timerange", "20220212-20220216", "--workers", "1"]
    status, told, _ = said("train", *words, "--config-test", "--out", tmp_path)
    assert status == 0
    assert told.endswith("2 windows would be predicted\n")
    assert list(tmp_path.iterdir()) == []
    status, told, complaint = said("train", *words, "--out", tmp_path)
    assert (status, complaint) == (0, "")
    assert len(re.findall(r"^[12] of 2: ", told, re.MULTILINE)) == 2
    assert "1,152 candles in " in told
    table = pd.read_parquet(tmp_path / "walk_forward" / "predictions.parquet")
    summary = json.loads((tmp_path / "walk_forward" / "summary.json").read_text())
    assert len(summary["folds"]) == 2
    status, told, _ = said("train", *words, "--out", tmp_path)
    assert told.count("there from an earlier run") == 2

    pair = PairData.of_frame("BTC/USDT", read_candle_file(folder / "BTC.csv"), 300)
    settings = read_configuration(
        {
            "conv_width": 24,
            "feature_parameters": {"label_period_candles": 24},
            "model_training_parameters": {"kind": "ranges"},
        }
    ).settings
    start, stop = (pd.Timestamp(day, tz="UTC").timestamp() for day in ("2022-02-12", "2022-02-16"))
    (first, _), _ = tasks([pair], Schedule(int(start), int(stop), 8, 2), settings)
    (done,) = run_fold(first)
    mine = read_table(done.table)
    np.testing.assert_array_equal(mine[list(CLASSES)], table[list(CLASSES)].iloc[: len(mine)])


def test_a_walk_forward_must_know_what_to_predict(btc, said, tmp_path):
    words = [*btc, *TINY, "--walk-forward", "--out", tmp_path]
    status, _, complaint = said("train", *words, "--timerange", "20220212-")
    assert status == 2
    assert "must have a beginning and an end" in complaint
    words += ["--timerange", "20220105-20220110"]
    status, _, complaint = said("train", *words)
    assert status == 2
    assert "no fold of 30 days of training" in complaint
    assert complaint.count("\n") == 1


def test_what_was_learnt_from_is_marked(trained, btc, said, tmp_path):
    model, out = trained / "models" / "BTCUSDT", tmp_path / "p.csv"
    words = ["--model", model, *btc, "--timerange", "20220214-20220216", "--out", out]
    status, told, _ = said("predict", *words)
    assert status == 0
    assert told.startswith("note: BTC/USDT: 288 of 576 candles are not later than those that were")
    seen = pd.read_csv(out)["seen"]
    assert seen.sum() == 288
    assert seen.iloc[:288].all()


def test_where_there_are_no_candles_nothing_is_replaced(trained, btc, said, tmp_path):
    out = tmp_path / "p.csv"
    out.write_text("mine")
    model = trained / "models" / "BTCUSDT"
    words = ["--model", model, *btc, "--timerange", "20250101-20250102", "--out", out]
    status, _, complaint = said("predict", *words)
    assert status == 2
    assert "from 2022-01-03T00:00:00 to 2022-02-21T23:55:00 UTC" in complaint
    assert out.read_text() == "mine"


def test_places_that_cannot_be_written_to_are_told_before_a_training(trained, btc, said, tmp_path):
    (tmp_path / "file").write_text("")
    status, told, complaint = said("train", *btc, *TINY, "--out", tmp_path / "file")
    assert (status, told) == (2, "")
    assert "cannot be written to" in complaint
    model = trained / "models" / "BTCUSDT"
    words = ["--model", model, *btc, "--timerange", PREDICTED, "--out", tmp_path / "file" / "p.csv"]
    status, _, complaint = said("predict", *words)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "cannot be written" in complaint


def test_models_of_several_windows_lie_side_by_side(btc, said, tmp_path):
    for horizon in (12, 24):
        words = [*TINY, "--set", f"feature_parameters.label_period_candles={horizon}"]
        assert said("train", *btc, *words, "--timerange", TRAINED, "--out", tmp_path)[0] == 0
    folder = tmp_path / "models" / "BTCUSDT"
    asked = [*btc, "--timerange", PREDICTED, "--out", tmp_path / "p.csv"]
    status, _, complaint = said("predict", "--model", folder, *asked)
    assert status == 2
    assert "name one of these files instead" in complaint
    one = folder / "metadata_BTCUSDT_FW012_SL050_TP100.json"
    assert said("predict", "--model", one, *asked)[0] == 0
    assert read_artifact(one).record.settings.horizon == 12


def test_bad_candles_are_counted_before_they_are_refused(folder, said, tmp_path):
    frame = pd.read_csv(folder / "BTC.csv")
    frame.loc[[3, 9], "volume"] = np.nan
    frame.to_csv(tmp_path / "mine.csv", index=False)
    words = ["--pair", "BTC/USDT", "--data", tmp_path / "mine.csv", "--timeframe", "5m", *TINY]
    status, told, complaint = said("train", *words, "--config-test")
    assert status == 2
    assert "\n  unknown 2\n" in told
    assert "row 3 " in complaint


def test_a_pair_of_several_that_is_too_short_is_left_out(folder, said, tmp_path):
    pd.read_csv(folder / "ETH.csv").tail(4000).to_csv(tmp_path / "short.csv", index=False)
    words = ["--pair", "BTC/USDT", "ETH/USDT", "--data", folder / "BTC.csv", tmp_path / "short.csv"]
    words += ["--timeframe", "5m", *TINY, "--timerange", TRAINED, "--out", tmp_path]
    status, told, _ = said("train", *words, "--set", "dual_window.pooling=whitelist")
    assert status == 0
    assert "ETH/USDT has the model of the others: " in told
    status, _, complaint = said("train", *words)
    assert status == 2
    assert "no candle has all its features" in complaint

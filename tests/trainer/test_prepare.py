"""``dualwindow prepare``, and trainings on the files that it writes."""

import argparse
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather

from dualwindow.cli import CommandError
from dualwindow.learning.artifact_files import read_artifact
from dualwindow.market.labels import CLASSES
from dualwindow.market.ready_features import READY_FEATURES
from dualwindow.market.ready_files import ONE_HOT
from dualwindow.settings import Settings
from dualwindow_trainer.prepare_command import PREPARE
from dualwindow_trainer.ready_names import ready_name
from harness.places import ROOT

HORIZON = 24
HORIZON_KEY = "feature_parameters.label_period_candles"
SETTINGS = ["--set", "conv_width=24", f"{HORIZON_KEY}={HORIZON}"]
NETWORK = ["--kind", "lstm", "--epochs", "2"]
NETWORK += ["--set", *(f"model_training_parameters.{s}" for s in ("lstm_units=[2]", "spans=[]"))]
STEM = "_TF-5m__FW-024__SL-050__TP-100__"
READY, SINGLE = (f"{STEM}{form}.feather" for form in ("training_ready", "single_label"))
BTC = ["--pair", "BTC/USDT", "--timeframe", "5m"]


def prepare(*words: object) -> int:
    """Run the command by itself: as an entry point, it is there after the next installation."""
    parser = argparse.ArgumentParser()
    PREPARE.add(parser.add_subparsers())
    arguments = parser.parse_args(["prepare", *(str(word) for word in words)])
    return arguments.handler(arguments)


@pytest.fixture(scope="session")
def ready(folder, tmp_path_factory) -> Path:
    """Both forms of BTC's file, and one of ETH's."""
    out = tmp_path_factory.mktemp("ready")
    files = [folder / "BTC.csv", folder / "ETH.csv"]
    both = ["--pair", "BTC/USDT", "ETH/USDT", "--timeframe", "5m", "--data", *files]
    assert prepare(*both, *SETTINGS, "--out", out) == 0
    assert prepare(*BTC, "--data", files[0], *SETTINGS, "--single-label", "--out", out) == 0
    names = {f"BTCUSDT{READY}", f"ETHUSDT{READY}", f"BTCUSDT{SINGLE}"}
    assert {path.name for path in out.iterdir()} == names
    return out


@pytest.fixture(scope="session")
def small(ready, tmp_path_factory) -> Path:
    """The first 1,500 rows alone, which a training is quick with."""
    out = tmp_path_factory.mktemp("small")
    for path in ready.iterdir():
        pd.read_feather(path).head(1500).to_feather(out / path.name)
    return out


@pytest.fixture(scope="session")
def trained(small, tmp_path_factory) -> Path:
    from dualwindow.cli import main

    out = tmp_path_factory.mktemp("outputs")
    words = ["train", *BTC, *SETTINGS, *NETWORK, "--data", small / f"BTCUSDT{READY}", "--out", out]
    assert main([str(word) for word in words]) == 0
    return out / "models" / "BTCUSDT"


@pytest.fixture
def train(small, said, tmp_path) -> Callable[..., tuple[int, str, str]]:
    def run(*words: object) -> tuple[int, str, str]:
        return said("train", *BTC, *SETTINGS, *NETWORK, "--out", tmp_path / "out", *words)

    return run


def expected_of(candles: pd.DataFrame) -> pd.DataFrame:
    """What the file should hold, by another library and a plain loop: slow, and obvious."""
    changes = 100 * candles[["high", "low", "close", "volume"]].pct_change()
    changes.columns = [f"{name}_change" for name in changes]
    found = changes
    for name, column in (("price", "close"), ("volume", "volume")):
        for minutes in (1440, 43200):
            mean = candles[column].rolling(minutes // 5).mean()
            found[f"{name}_to_ma{minutes}"] = candles[column] / mean
    high, low, close = (candles[name].to_numpy() for name in ("high", "low", "close"))
    labels = np.full(len(candles), -1)
    for t in range(len(candles) - HORIZON):
        top, bottom = high[t + 1 : t + 1 + HORIZON].max(), low[t + 1 : t + 1 + HORIZON].min()
        is_long = top >= close[t] * 1.01 and bottom > close[t] * 0.995
        is_short = bottom <= close[t] * 0.99 and top < close[t] * 1.005
        labels[t] = 1 + is_long - is_short
    for code, name in enumerate(ONE_HOT):
        found[name] = labels == code
    found["timestamp"] = pd.to_datetime(candles["timestamp"], unit="ms", utc=True)
    is_known = np.isfinite(found[list(READY_FEATURES)]).all(axis=1) & (labels >= 0)
    return found[is_known].reset_index(drop=True)


def test_a_file_is_what_another_library_computes(folder, ready):
    found = pd.read_feather(ready / f"BTCUSDT{READY}")
    expected = expected_of(pd.read_csv(folder / "BTC.csv"))
    assert list(found) == [*READY_FEATURES, *ONE_HOT, "timestamp"]
    assert {str(found[name].dtype) for name in ONE_HOT} == {"uint8"}
    assert found["timestamp"].dt.tz is not None
    assert len(found) == len(expected) == 50 * 288 - (30 * 288 - 1) - HORIZON
    assert (found["timestamp"] == expected["timestamp"]).all()
    for name in READY_FEATURES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-9)
    assert (found[list(ONE_HOT)] == expected[list(ONE_HOT)]).all(axis=None)
    assert (found[list(ONE_HOT)].sum() > 100).all()


def test_both_forms_hold_the_same(ready):
    one_hot, single = (pd.read_feather(ready / f"BTCUSDT{form}") for form in (READY, SINGLE))
    assert list(single) == [*READY_FEATURES, "label", "timestamp"]
    assert str(single["label"].dtype) == "uint8"
    assert (one_hot[list(ONE_HOT)].to_numpy().argmax(axis=1) == single["label"]).all()
    pd.testing.assert_frame_equal(one_hot[[*READY_FEATURES]], single[[*READY_FEATURES]])


def test_the_future_beyond_the_horizon_changes_no_row(folder, ready, tmp_path):
    candles = pd.read_csv(folder / "BTC.csv")
    t = 12_000
    late = candles.index > t + HORIZON
    candles.loc[late, ["open", "high", "low", "close"]] *= 1.7
    candles.loc[late, "volume"] *= 3
    candles.to_csv(tmp_path / "BTC.csv", index=False)
    assert prepare(*BTC, "--data", tmp_path / "BTC.csv", *SETTINGS, "--out", tmp_path) == 0
    until = pd.Timestamp(candles["timestamp"][t], unit="ms", tz="UTC")
    parts = []
    for path in (ready, tmp_path):
        found = pd.read_feather(path / f"BTCUSDT{READY}")
        parts.append(found[found["timestamp"] <= until])
    assert len(parts[0]) == t - (30 * 288 - 1) + 1
    pd.testing.assert_frame_equal(*parts, check_exact=True)


def test_what_is_left_out_is_told(folder, tmp_path, capsys):
    candles = pd.read_csv(folder / "BTC.csv")
    candles = candles.drop(index=range(10_000, 10_020))  # which freqtrade fills: an outage
    candles.to_csv(tmp_path / "BTC.csv", index=False)
    assert prepare(*BTC, "--data", tmp_path / "BTC.csv", *SETTINGS, "--out", tmp_path) == 0
    told = capsys.readouterr().out
    n = len(found := pd.read_feather(tmp_path / f"BTCUSDT{READY}"))
    assert told.startswith(f"BTC/USDT: {n:,} rows (")
    assert "  left out: 8,639 before thirty days of candles, 5 in an outage (untraded " in told
    assert "15 without a trade to compare with" in told  # the run's, and the one after it
    # 24 at the end, and those that would see a sixteenth candle of it or a later one, if they see
    # all before it, too: 9,991 .. 10,003, of which the last three have no features either.
    assert told.endswith(f"{24 + 10} future unknown\n")
    assert found["timestamp"].diff().max() == 31 * pd.Timedelta("5min")  # 9,990 to 10,021


def test_a_timerange_is_not_looked_beyond(folder, ready, tmp_path):
    words = ["--data", folder / "BTC.csv", *SETTINGS, "--timerange", "20220205-20220207"]
    assert prepare(*BTC, *words, "--out", tmp_path) == 0
    found, whole = (pd.read_feather(path / f"BTCUSDT{READY}") for path in (tmp_path, ready))
    assert len(found) == 2 * 288 - HORIZON
    assert found["timestamp"].iloc[0] == pd.Timestamp("2022-02-05", tz="UTC")
    rows = whole["timestamp"].isin(found["timestamp"])
    pd.testing.assert_frame_equal(found, whole[rows].reset_index(drop=True), check_exact=True)


def labels(**distances: float) -> Settings:
    return Settings.model_validate({"labels": distances})


def both(side: str, share: float) -> dict[str, float]:
    return {f"{of}_{side}": share for of in ("long", "short")}


@pytest.mark.parametrize(
    ("distances", "name"),
    [
        ({}, "SL-050__TP-100"),
        (both("stop_loss", 0.0029), "SL-029__TP-100"),  # 28.999999999999996
        (both("take_profit", 0.0057), "SL-050__TP-057"),  # 56.99999999999999
        (both("take_profit", 0.1234), "SL-050__TP-1234"),
    ],
)
def test_names_are_rounded_and_never_cut_off(distances, name):
    found = ready_name("BTC/USDT:USDT", "1m", labels(**distances), ONE_HOT)
    assert found == f"BTCUSDT_USDT_TF-1m__FW-120__{name}__training_ready.feather"


@pytest.mark.parametrize(
    ("distances", "message"),
    [
        (
            {"short_take_profit": 0.02},
            "labels.long_take_profit and dual_window.labels.short_take_profit must be the same",
        ),
        ({"long_stop_loss": 0.006}, "Received: 0.006 and 0.005"),
        (both("take_profit", 0.01234), "must be a whole number of hundredths of a per cent"),
        (both("stop_loss", 0.00001), "Received: 1e-05, which is 0.001 %"),
    ],
)
def test_what_a_name_cannot_say_is_refused(distances, message, folder, tmp_path):
    with pytest.raises(CommandError, match="must be") as error:
        ready_name("BTC/USDT", "1m", labels(**distances), ONE_HOT)
    assert message in str(error.value)
    words = [f"dual_window.labels.{name}={share}" for name, share in distances.items()]
    with pytest.raises(CommandError):
        prepare(*BTC, "--data", folder / "BTC.csv", "--set", *words, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_rule_of_the_labels_is_the_settings_own(folder, tmp_path):
    files = {}
    for rule in ("exclusive", "first_touch"):
        words = ["--set", f"dual_window.labels.rule={rule}", f"{HORIZON_KEY}=120"]
        given = ["--data", folder / "BTC.csv", *words, "--out", tmp_path / rule]
        assert prepare(*BTC, *given) == 0
        (path,) = (tmp_path / rule).iterdir()
        files[rule] = pd.read_feather(path)
    # What wins under the strict rule, wins under the other.
    for name in ("label_0", "label_2"):
        assert (files["first_touch"][name] >= files["exclusive"][name]).all()
        assert (files["first_touch"][name] > files["exclusive"][name]).any()


def test_freqtrade_s_folder_is_read_without_candles_of_an_hour(folder, ready, tmp_path):
    candles = pd.read_csv(folder / "BTC.csv").rename(columns={"timestamp": "date"})
    candles["date"] = pd.to_datetime(candles["date"], unit="ms", utc=True)
    candles.to_feather(tmp_path / "BTC_USDT-5m.feather")
    assert prepare(*BTC, "--datadir", tmp_path, *SETTINGS, "--out", tmp_path) == 0
    found, expected = (pd.read_feather(path / f"BTCUSDT{READY}") for path in (tmp_path, ready))
    pd.testing.assert_frame_equal(found, expected, check_exact=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--timerange", "20220101-20220110"], "no row is left (2,016 before thirty days"),
        (["--timerange", "20230101-20230110"], "no row is left (no candles in the timerange)"),
        (["--set", "conv_with=9"], "did you mean 'conv_width'?"),
        (["--data", "nowhere.csv"], "nowhere.csv is not there"),
        (["--data", f"BTCUSDT{READY}"], "training-ready files hold no prices"),
    ],
)
def test_prepare_tells_mistakes_and_writes_nothing(words, message, folder, tmp_path):
    given = ["--data", folder / "BTC.csv", *SETTINGS, "--out", tmp_path / "out", *words]
    with pytest.raises(CommandError) as error:
        prepare(*BTC, *given)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_to_is_told(folder, tmp_path):
    (tmp_path / "file").write_text("")
    words = ["--data", folder / "BTC.csv", *SETTINGS, "--out", tmp_path / "file"]
    with pytest.raises(CommandError, match="cannot be written"):
        prepare(*BTC, *words)


def test_the_command_is_registered():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    target = project["entry-points"]["dualwindow.commands"]["prepare"]
    assert EntryPoint("prepare", target, "dualwindow.commands").load() is PREPARE


def test_it_works_with_the_core_s_own_packages_alone(folder, ready, tmp_path):
    """In a process that finds no package that the core does not ask for."""
    script = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from without_extras import Missing
sys.meta_path.insert(0, Missing())
from dualwindow import cli
from dualwindow_trainer.prepare_command import PREPARE
found = cli._registered()
cli._registered = lambda: [*(each for each in found if each is not PREPARE), PREPARE]
sys.exit(cli.main())
"""
    here = [sys.executable, "-c", script]
    words = ["--data", folder / "BTC.csv", *SETTINGS, "--out", tmp_path]
    run = subprocess.run([*here, "prepare", *BTC, *words], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stderr) == (0, "")
    name = f"BTCUSDT{READY}"
    assert (tmp_path / name).read_bytes() == (ready / name).read_bytes()
    words = ["--data", tmp_path, *SETTINGS, *NETWORK, "--config-test"]
    run = subprocess.run([*here, "train", *BTC, *words], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stderr) == (0, "")


def test_a_model_of_such_a_file_predicts_another_one(trained, ready, said, tmp_path):
    record = read_artifact(trained).record
    assert record.features == tuple(f"training_ready:{name}" for name in READY_FEATURES)
    out = tmp_path / "p.parquet"
    words = ["predict", "--model", trained, *BTC, "--data", ready / f"BTCUSDT{READY}", "--out", out]
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    table = pd.read_parquet(out)
    rows = pd.read_feather(ready / f"BTCUSDT{READY}")
    raw = [f"{name}_raw" for name in CLASSES]
    assert list(table) == ["date", "pair", *CLASSES, *raw, "valid", "seen"]
    assert (table["date"] == rows["timestamp"]).all()
    assert table["valid"].sum() == len(rows) - 23
    assert table["seen"].sum() == 1500
    assert told.startswith("note: BTC/USDT: 1500 of ")
    known = table[table["valid"]]
    np.testing.assert_allclose(known[list(CLASSES)].sum(axis=1), 1)
    assert known["LONG_raw"].nunique() > 1000  # it looks at the features


def test_outcomes_are_unknown_and_never_nothing(train, small):
    low = [f"dual_window.confidence.{key}" for key in ("mode=custom", "short=0.05", "long=0.05")]
    status, told, complaint = train("--data", small / f"BTCUSDT{READY}", "--set", *low)
    assert (status, complaint) == (0, "")
    assert told.count("note: BTC/USDT: the file holds no prices") == 1
    lines = {line.split("│")[1].strip(): line for line in told.splitlines() if "│" in line}
    assert "0." in lines["accuracy"]
    counts = [lines[f"{side} signals (independent)"].split("│")[2:4] for side in ("SHORT", "LONG")]
    told = [cell.split() for both in counts for cell in both]
    assert any(n != "0" for n, _ in told)
    for n, independent in told:
        assert independent == ("(0)" if n == "0" else "(-)")
    for side in ("SHORT", "LONG"):
        assert lines[f"{side} value per signal, % ± standard error"].count("- ± -") == 2


def test_one_hot_and_single_label_give_the_same_model(trained, train, small, tmp_path):
    """The folder is asked for its file: there, the single label is preferred."""
    only = tmp_path / "only"
    only.mkdir()
    shutil.copy(small / f"BTCUSDT{SINGLE}", only)
    assert train("--data", only)[0] == 0
    one, other = read_artifact(trained), read_artifact(tmp_path / "out" / "models" / "BTCUSDT")
    for a, b in zip(one.fitted.weights, other.fitted.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.calibration.shift.tolist() == other.calibration.shift.tolist()
    assert one.record.labels == other.record.labels


def test_a_folder_has_the_file_that_the_settings_ask_for(train, small, tmp_path):
    both = tmp_path / "both"
    shutil.copytree(small, both)
    (both / f"BTCUSDT{SINGLE}").write_bytes(b"preferred")
    status, _, complaint = train("--data", both)
    assert status == 2
    assert f"BTCUSDT{SINGLE} is damaged" in complaint
    (both / f"BTCUSDT{SINGLE}").unlink()
    assert train("--data", both, "--config-test")[0] == 0
    status, _, complaint = train("--data", both, "--set", "conv_width=12", f"{HORIZON_KEY}=12")
    assert status == 2
    name = "BTCUSDT_TF-5m__FW-012__SL-050__TP-100__single_label.feather"
    for part in ("BTC/USDT", f"expected {both / name}", f"in the folder {both}", f"BTCUSDT{READY}"):
        assert part in complaint
    status, _, complaint = train("--data", tmp_path / f"BTCUSDT{READY}")
    assert status == 2
    assert f"BTC/USDT: expected {tmp_path / f'BTCUSDT{READY}'}: no file" in complaint


@pytest.mark.parametrize(
    ("name", "differences"),
    [
        (
            "ETHUSDT_TF-1m__FW-024__SL-050__TP-100",
            ["it is of ETHUSDT, --pair is BTC/USDT (BTCUSDT)", "its TF is 1m, --timeframe is 5m"],
        ),
        (
            "BTCUSDT_TF-5m__FW-120__SL-051__TP-100",
            [
                f"its FW is 120, {HORIZON_KEY} is 24",
                "its SL is 0.51 % (0.0051), dual_window.labels.long_stop_loss is 0.005",
                "dual_window.labels.short_stop_loss is 0.005",
            ],
        ),
        (
            "BTCUSDT_TF-5m__FW-024__SL-050__TP-099",
            ["its TP is 0.99 % (0.0099), dual_window.labels.long_take_profit is 0.01"],
        ),
        ("BTCUSDT_FW-024", ["must be a name like BTCUSDT_TF-1m__FW-120__SL-050__TP-100__"]),
    ],
)
@pytest.mark.parametrize("form", ["training_ready", "single_label"])
def test_a_name_that_says_otherwise_is_refused(name, differences, form, train, small, tmp_path):
    path = tmp_path / f"{name}__{form}.feather"
    shutil.copy(small / f"BTCUSDT{READY}", path)
    status, told, complaint = train("--data", path)
    assert (status, told) == (2, "")
    assert complaint.count("\n") == 1
    for difference in differences:
        assert difference in complaint
    assert not (tmp_path / "out").exists()


def test_names_fit_within_a_hundredth_of_a_per_cent(train, small):
    shares = ["long_take_profit=0.010049", "short_take_profit=0.009951"]
    words = ["--set", *(f"dual_window.labels.{share}" for share in shares)]
    assert train("--data", small / f"BTCUSDT{READY}", *words, "--config-test")[0] == 0


def with_value(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column].astype(object if isinstance(value, str) else float)
        values[7] = value
        if isinstance(value, str):
            values = values.astype(str)
        return frame.assign(**{column: values})

    return spoil


def moved(frame: pd.DataFrame, **by: int) -> pd.DataFrame:
    late = frame["timestamp"].where(frame.index < 9, frame["timestamp"] + pd.Timedelta(**by))
    return frame.assign(timestamp=late)


SPOILT = [
    pytest.param(lambda f: f.drop(columns="low_change"), "columns ['low_change'] are mis", id="c"),
    pytest.param(lambda f: f.drop(columns="label_1"), "columns ['label_1'] are missing", id="l"),
    pytest.param(lambda f: f.assign(close=1.0), "columns ['close'] are none of", id="surplus"),
    pytest.param(with_value("close_change", np.nan), "row 7: close_change must be", id="nan"),
    pytest.param(with_value("low_change", np.inf), "low_change must be a finite number", id="inf"),
    pytest.param(with_value("high_change", "many"), "Received: many; 1 rows", id="text"),
    pytest.param(with_value("label_1", 2), "row 7: label_0, label_1, label_2 must be", id="two"),
    pytest.param(with_value("label_2", np.nan), "row 7: label_2 must be a finite", id="no-label"),
    pytest.param(lambda f: f.assign(label_0=0, label_1=0, label_2=0), "row 0: label_0", id="none"),
    pytest.param(lambda f: f.assign(label_0=1, label_1=1), "row 0: label_0", id="several"),
    pytest.param(lambda f: moved(f, minutes=-5), "dates must increase, row 9 ", id="twice"),
    pytest.param(lambda f: moved(f, hours=-9), "dates must increase, row 9 ", id="backwards"),
    pytest.param(lambda f: moved(f, minutes=2), "row 9 (2022-02-02", id="step"),
    pytest.param(lambda f: f.assign(timestamp=f["timestamp"].shift()), "row 0 has no t", id="date"),
    pytest.param(lambda f: f.assign(timestamp="01/02/2024"), "timestamp: ", id="whose-month"),
    pytest.param(lambda f: f[:0], "holds no rows", id="empty"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "message"), SPOILT)
def test_a_file_that_is_wrong_is_told_with_the_place(spoil, message, train, small, tmp_path):
    path = tmp_path / f"BTCUSDT{READY}"
    spoil(pd.read_feather(small / path.name)).to_feather(path)
    status, told, complaint = train("--data", path)
    assert (status, told) == (2, "")
    assert complaint.count("\n") == 1
    assert message in complaint
    assert str(path) in complaint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("more", [[], ["--config-test"]])
def test_a_column_that_is_there_twice_is_refused(more, train, small, tmp_path):
    table = feather.read_table(small / f"BTCUSDT{READY}")
    path = tmp_path / f"BTCUSDT{READY}"
    feather.write_feather(table.append_column("low_change", table["high_change"]), path)
    status, _, complaint = train("--data", path, *more)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "columns ['low_change'] are there twice" in complaint


def test_an_index_of_dates_is_read(trained, train, small, tmp_path):
    path = tmp_path / f"BTCUSDT{READY}"
    frame = pd.read_feather(small / path.name).set_index("timestamp")
    feather.write_feather(pa.Table.from_pandas(frame), path)
    assert train("--data", path)[0] == 0
    record = read_artifact(tmp_path / "out" / "models" / "BTCUSDT").record
    assert record.first_candle == read_artifact(trained).record.first_candle


@pytest.mark.parametrize("value", [3, 0.5, -1])
def test_a_single_label_is_a_class(value, train, small, tmp_path):
    path = tmp_path / f"BTCUSDT{SINGLE}"
    with_value("label", value)(pd.read_feather(small / path.name)).to_feather(path)
    status, _, complaint = train("--data", path)
    assert status == 2
    assert f"row 7: label must be 0 (SHORT), 1 (HOLD) or 2 (LONG). Received: {value:g}" in complaint


def test_the_labels_are_where_the_name_says(train, small, tmp_path):
    shutil.copy(small / f"BTCUSDT{READY}", tmp_path / f"BTCUSDT{SINGLE}")
    status, _, complaint = train("--data", tmp_path / f"BTCUSDT{SINGLE}")
    assert status == 2
    assert "columns ['label'] are missing" in complaint


@pytest.mark.parametrize("kind", ["ranges", "trees", "ensemble", "lstm"])
def test_kinds_that_look_at_prices_are_refused(kind, said, small, tmp_path):
    words = ["--kind", kind, "--data", small / f"BTCUSDT{READY}", "--out", tmp_path / "out"]
    status, told, complaint = said("train", *BTC, *SETTINGS, *words)
    assert (status, told, complaint.count("\n")) == (2, "", 1)
    assert f"there are no prices, which the kind '{kind}' looks at" in complaint
    assert "set model_training_parameters.kind to published, or to lstm, gru, " in complaint
    assert "with model_training_parameters.spans=[]" in complaint
    assert not (tmp_path / "out").exists()


def test_the_published_network_can_begin(said, small):
    words = ["--kind", "published", "--data", small, "--config-test"]
    assert said("train", *BTC, *SETTINGS, *words)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--walk-forward", "--timerange", "20220212-20220216"],
        ["train", "--walk-forward", "--timerange", "20220212-20220216", "--config-test"],
        ["compare", "--timerange", "20220212-20220216"],
        ["study", "--timerange", "20220212-20220215", "--held-out", "20220215-20220218"],
    ],
)
@pytest.mark.parametrize("is_folder", [True, False])
def test_what_needs_candles_says_so(words, is_folder, said, small, tmp_path):
    data = small if is_folder else small / f"BTCUSDT{READY}"
    status, _, complaint = said(*words, *BTC, "--data", data, "--out", tmp_path / "out")
    assert (status, complaint.count("\n")) == (2, 1)
    assert f"--data {data}: training-ready files hold no prices" in complaint


def test_models_of_candles_and_of_such_files_are_not_mixed(trained, folder, small, said, tmp_path):
    out = tmp_path / "p.csv"
    words = ["--data", folder / "BTC.csv", "--out", out]
    status, _, complaint = said("predict", "--model", trained, *BTC, *words)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "the model was trained on a training-ready file" in complaint
    tiny = ["--data", folder / "BTC.csv", "--kind", "ranges", "--out", tmp_path]
    assert said("train", *BTC, *SETTINGS, *tiny)[0] == 0
    words = ["--data", small / f"BTCUSDT{READY}", "--out", out]
    status, _, complaint = said("predict", "--model", tmp_path / "models/BTCUSDT", *BTC, *words)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "the model was trained on candles" in complaint
    assert not out.exists()


def test_a_model_refuses_a_file_of_other_barriers(trained, small, said, tmp_path):
    path = tmp_path / "BTCUSDT_TF-5m__FW-024__SL-050__TP-080__training_ready.feather"
    shutil.copy(small / f"BTCUSDT{READY}", path)
    words = ["--data", path, "--out", tmp_path / "p.csv"]
    status, _, complaint = said("predict", "--model", trained, *BTC, *words)
    assert status == 2
    assert "its TP is 0.80 %" in complaint
    assert "these are the settings of the model" in complaint


def test_without_timestamps_rows_are_consecutive(trained, small, said, tmp_path):
    path = tmp_path / f"BTCUSDT{READY}"
    pd.read_feather(small / path.name).drop(columns="timestamp").to_feather(path)
    words = ["train", *BTC, *SETTINGS, *NETWORK, "--data", path, "--out", tmp_path]
    status, told, _ = said(*words)
    assert status == 0
    assert "its rows are taken for consecutive candles, and are counted from 1970-01-01" in told
    one, other = read_artifact(trained), read_artifact(tmp_path / "models" / "BTCUSDT")
    for a, b in zip(one.fitted.weights, other.fitted.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    status, _, complaint = said(*words, "--timerange", "20220205-")
    assert status == 2
    assert "leave --timerange out" in complaint
    asked = ["predict", "--model", tmp_path / "models/BTCUSDT", *BTC, "--out", tmp_path / "p.csv"]
    status, told, _ = said(*asked, "--data", small / f"BTCUSDT{READY}")
    assert status == 0
    assert "nobody knows what was learnt from" in told
    assert pd.read_csv(tmp_path / "p.csv")["seen"].all()


def test_a_config_test_counts_what_is_wrong(train, small, tmp_path):
    frame = pd.read_feather(small / f"BTCUSDT{READY}")
    status, told, _ = train("--data", small / f"BTCUSDT{READY}", "--config-test")
    assert status == 0
    counts = [int(frame[name].sum()) for name in ONE_HOT]
    assert f"  labels: {counts[0]} SHORT + {counts[1]} HOLD + {counts[2]} LONG\n" in told
    assert "BTC/USDT: 1500 rows from 2022-02-01T23:55:00 to " in told
    assert "  nothing is missing or unknown\n" in told
    for words in ("training windows: ", "validation windows: ", "GB of memory"):
        assert words in told
    assert not (tmp_path / "out").exists()
    frame.loc[[3, 9], "close_change"] = np.nan
    frame.loc[4, "low_change"] = -np.inf
    frame.loc[5, "label_0"] += 1
    frame = frame.drop(index=[20, 21, 30])
    frame.iloc[40, -1] = frame.iloc[41, -1]
    frame.to_feather(path := tmp_path / f"BTCUSDT{READY}")
    status, told, complaint = train("--data", path, "--config-test")
    assert status == 2
    assert (
        "  nan 2, infinite 1, without class 1, duplicates 2, gaps 3, missing 4, longest gap 2\n"
    ) in told
    assert "row 4: low_change must be a finite number" in complaint  # the first column's first


def test_a_row_that_is_left_out_is_a_gap(small, said, tmp_path):
    path = tmp_path / f"BTCUSDT{READY}"
    counts = []
    for lost in ([], [600]):
        pd.read_feather(small / path.name).drop(index=lost).to_feather(path)
        words = ["--kind", "published", "--set", "model_training_parameters.stride=1"]
        status, told, _ = said("train", *BTC, *SETTINGS, *words, "--data", path, "--config-test")
        assert status == 0
        (line,) = (line for line in told.splitlines() if line.startswith("training windows"))
        counts.append(sum(int(word) for word in line.split() if word.isdecimal()))
    assert counts[0] - counts[1] in (24, 25)  # the row, 23 windows; and the split is by share


def test_two_pairs_learn_together(small, said, tmp_path):
    words = ["--pair", "BTC/USDT", "ETH/USDT", "--timeframe", "5m", "--data", small, *SETTINGS]
    words += [*NETWORK, "--set", "dual_window.pooling=whitelist", "--out", tmp_path]
    status, told, complaint = said("train", *words)
    assert (status, complaint) == (0, "")
    assert "BTC/USDT, ETH/USDT: trained on " in told
    contents = {read_artifact(tmp_path / "models" / f"{p}USDT").content for p in ("BTC", "ETH")}
    assert len(contents) == 1


def test_with_candles_or_without_timestamps_pairs_do_not_learn_together(
    folder, small, said, tmp_path
):
    words = ["--pair", "BTC/USDT", "ETH/USDT", "--timeframe", "5m", *SETTINGS, *NETWORK]
    words += ["--set", "dual_window.pooling=whitelist", "--out", tmp_path / "out"]
    status, _, complaint = said(
        "train", *words, "--data", small / f"BTCUSDT{READY}", folder / "ETH.csv"
    )
    assert (status, complaint.count("\n")) == (2, 1)
    assert "all must have prices or none. Received none of BTC/USDT" in complaint
    for coin in ("BTC", "ETH"):
        path = tmp_path / f"{coin}USDT{READY}"
        pd.read_feather(small / path.name).drop(columns="timestamp").to_feather(path)
    status, _, complaint = said("train", *words, "--data", tmp_path)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "the files have no timestamps" in complaint


@pytest.mark.parametrize("command", ["prepare", "train", "config-test"])
def test_labels_without_a_take_profit_have_no_name(folder, small, said, tmp_path, command):
    rule = ["--set", "dual_window.labels.rule=smoothed", "dual_window.confidence.mode=balanced"]
    if command == "prepare":
        with pytest.raises(CommandError, match="'smoothed' has no take-profit"):
            prepare(*BTC, "--data", folder / "BTC.csv", *rule, "--out", tmp_path / "out")
        return
    words = ["--data", small / f"BTCUSDT{READY}", *SETTINGS, *rule, "--out", tmp_path / "out"]
    more = ["--config-test"] if command == "config-test" else []
    status, _, complaint = said("train", *BTC, *words, *more)
    assert (status, complaint.count("\n")) == (2, 1)
    assert "dual_window.labels.rule 'smoothed' has no take-profit" in complaint
    assert not (tmp_path / "out").exists()

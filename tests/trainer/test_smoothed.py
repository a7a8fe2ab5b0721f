"""Smoothed labels without a bot: what a training finds, writes and says."""

import json

import pytest

from dualwindow.learning.artifact_files import read_artifact

RULE = ["dual_window.labels.rule=smoothed", "dual_window.confidence.mode=balanced"]
SMALL = ["conv_width=24", "feature_parameters.label_period_candles=24"]
WHEN = ["--timerange", "20220202-20220215", "--kind", "trend"]


def test_a_training_names_its_files_by_the_rule_and_keeps_its_delta(btc, said, tmp_path):
    words = ["train", *btc, *WHEN, "--set", *RULE, *SMALL, "--out", tmp_path]
    status, told, complaint = said(*words)
    assert (status, complaint) == (0, "")
    artifact = read_artifact(tmp_path / "models" / "BTCUSDT")
    names = {path.name for path in (tmp_path / "models" / "BTCUSDT").iterdir()}
    assert "model_BTCUSDT_FW024_SL050_smoothed.json" in names
    labels = artifact.record.settings.labels
    assert labels.rule == "smoothed"
    assert 0.0001 < labels.delta < 0.05
    assert "nan" not in told
    assert "(-)" in told
    assert f"; labels of delta {labels.delta:.6f}\n" in told
    status, tested, _ = said(*words, "--config-test")
    assert status == 0
    assert f"\nlabels of delta {labels.delta:.6f}\n" in tested
    status, again, _ = said(*words, "--resume")
    assert status == 0
    assert "trained already" in again
    matrix = json.loads((tmp_path / "reports" / "confusion_matrix_report.json").read_text())
    # Judged by the delta that was found: with the least one hardly a candle is HOLD.
    holds = sum(matrix["confusion_matrix"][1]) / matrix["sample_count"]
    assert 0.3 < holds < 0.7
    out = tmp_path / "found.csv"
    words = ["predict", "--model", tmp_path / "models" / "BTCUSDT", *btc, "--out", out]
    assert said(*words)[0] == 0
    assert out.is_file()


def test_pairs_that_learn_together_have_one_delta(folder, said, tmp_path):
    files = [str(folder / f"{coin}.csv") for coin in ("BTC", "ETH")]
    both = ["--pair", "BTC/USDT", "ETH/USDT", "--data", *files, "--timeframe", "5m"]
    shared = ["--set", *RULE, *SMALL, "dual_window.pooling=whitelist"]
    assert said("train", *both, *WHEN, *shared, "--out", tmp_path)[0] == 0
    found = {
        coin: read_artifact(tmp_path / "models" / f"{coin}USDT").record.settings.labels.delta
        for coin in ("BTC", "ETH")
    }
    assert found["BTC"] == found["ETH"] > 0.0001


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (RULE[:1], "'expected_value' needs take-profits"),
        (
            [*RULE, "dual_window.labels.delta=0"],
            "labels.delta: must be 'auto' or a number above 0 and below 1. Received: 0\n",
        ),
        (
            [*RULE, "dual_window.labels.delta=mean"],
            "labels.delta: must be 'auto' or a number above 0 and below 1. Received: 'mean'\n",
        ),
        ([*RULE, "dual_window.labels.long_take_profit=0.01"], "belongs to the rule 'exclusive'"),
    ],
)
def test_settings_that_cannot_be_are_refused(btc, said, tmp_path, words, told):
    status, _, complaint = said("train", *btc, "--set", *words, *SMALL, "--out", tmp_path / "out")
    assert status == 2
    assert told in complaint
    assert not (tmp_path / "out").exists()

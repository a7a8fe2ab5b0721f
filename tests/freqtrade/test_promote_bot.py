"""A real backtest, a real promotion, and a real bot that begins with what was promoted."""

import json
import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dualwindow_freqtrade.freqai.names import FEATURE_PIPELINE, PAIR_DICTIONARY, TRAINED_AT
from harness.bots import Bot, Place, dualwindow, small
from harness.places import ROOT

PAIRS = ["BTC/USDT:USDT", "ETH/USDT:USDT"]
MODEL = ["--freqaimodel", "DualWindowLSTM"]


@pytest.fixture(scope="module")
def place(tmp_path_factory) -> Place:
    """Candles until midnight, and a backtest of the day before that has kept its models."""
    overlay = small(
        PAIRS,
        identifier="live",
        live_retrain_hours=72,
        expiration_hours=96,
        continual_learning=False,
        save_backtest_models=True,
        backtest_period_days=0.5,
        model_training_parameters={"kind": "ranges", "spans": [15, 60]},
    )
    overlay["freqai"]["dual_window"]["pooling"] = "whitelist"
    place = Place(tmp_path_factory.mktemp("promote"), overlay)
    today = datetime.now(UTC)
    days = f"{today - timedelta(days=1):%Y%m%d}-{today:%Y%m%d}"
    words = place.freqtrade("backtesting", *MODEL, "--timerange", days)
    names = {"FREQTRADE__FREQAI__IDENTIFIER": "bt"}
    done = subprocess.run(
        words, cwd=ROOT, env=os.environ | names, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return place


def saved_models(place) -> list[dict]:
    """Ask the doctor whether a bot goes on with what lies there."""
    with pytest.MonkeyPatch.context() as patch:  # no exchange is to be asked from here
        patch.setenv("FREQTRADE__EXCHANGE__CCXT_CONFIG__httpsProxy", "http://127.0.0.1:9")
        done = dualwindow("doctor", "--json", "--", *place.options, *MODEL)
    rows = json.loads(done.stdout)["rows"]
    return [row for row in rows if row["topic"] == "saved models"]


def test_what_cannot_be_is_told_and_nothing_is_written(place, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    end = ["--", *place.options, *MODEL]
    before = sorted(place.user_data.rglob("*"))
    for words, complaint in (
        (["--from", "nobody", "--to", "live"], "there is no"),
        (["--from", "bt", "--to", "bt"], "--from and --to are the same"),
        (["--from", "bt", "--to", "../live"], "--to must be a plain name"),
        (["--to", "live"], "say --from ID"),
        (["--undo", "--to", "live"], "there are: bt"),
    ):
        status, _, error = said("promote", *words, *end)
        assert (status, complaint in error) == (2, True), error
        assert "Traceback" not in error
    assert sorted(place.user_data.rglob("*")) == before


def test_models_of_other_pairs_are_refused(place, said, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    one = tmp_path / "one.json"
    one.write_text(json.dumps({"exchange": {"pair_whitelist": PAIRS[:1]}}))
    end = ["--", *place.options, "-c", str(one), *MODEL]
    status, text, error = said("promote", "--from", "bt", "--to", "live", *end)
    assert status == 2
    assert "none of the models can be promoted; nothing was changed" in error
    told = f"it was learnt from {', '.join(PAIRS)}; a live training would learn from {PAIRS[0]}"
    assert told in text


def test_a_bot_begins_with_the_promoted_models(place, tmp_path):
    words = ["promote", "--from", "bt", "--to", "live"]
    end = ["--", *place.options, *MODEL]
    tried = dualwindow(*words, "--dry-run", *end)
    assert tried.returncode == 0, tried.stderr[-2000:]
    assert "nothing was changed; 2 would be promoted" in tried.stdout
    assert not place.models.exists()
    done = dualwindow(*words, *end)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("predicts 720 candles of its backtest again, alike") == 2
    index = json.loads((place.models / PAIR_DICTIONARY).read_text())
    assert index.keys() == set(PAIRS)
    assert [row["state"] for row in saved_models(place)] == ["pass", "pass"]
    bot = Bot(place, tmp_path / "bot.log")
    try:
        for pair in PAIRS:
            bot.wait_for(f"{pair}: goes on with the model in", 180)
        deadline = time.monotonic() + 240  # the first candle closes within a minute
        status: dict = {}
        while not (status.keys() == set(PAIRS) and all(s["predictions"] for s in status.values())):
            assert time.monotonic() < deadline, bot.said()[-3000:]
            assert bot.process.poll() is None, bot.said()[-3000:]
            time.sleep(1)
            status = place.status() if (place.models / "dualwindow_status.json").exists() else {}
        refused = dualwindow("promote", "--undo", "--to", "live", *end)
    finally:
        bot.stop()
    assert (refused.returncode, "a bot runs on" in refused.stderr) == (2, True)
    assert all(s["trainings"] == 0 for s in status.values())
    assert not bot.errors()
    for pair, rows in place.predictions().items():
        newest = rows.iloc[-1]
        assert newest[TRAINED_AT] == index[pair]["trained_timestamp"]
        assert newest["do_predict"] == 1
    pipeline = Path(index[PAIRS[0]]["data_path"]) / (
        index[PAIRS[0]]["model_filename"] + FEATURE_PIPELINE
    )
    pipeline.rename(pipeline.with_suffix(".away"))
    broken, whole = saved_models(place)
    assert (broken["state"], whole["state"]) == ("warn", "pass")
    assert f"{PAIRS[0]}: the model is not used: it is missing or damaged" in broken["found"]
    pipeline.with_suffix(".away").rename(pipeline)
    back = dualwindow("promote", "--undo", "--to", "live", *end)
    assert back.stdout.count("a bot starts with no model") == 2

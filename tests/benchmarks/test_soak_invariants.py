"""Each invariant of a soak holds on what a sound run leaves, and tells a planted violation."""

import json

import cloudpickle
import pandas as pd
import pytest

from benchmarks import soak_invariants as invariants
from dualwindow_freqtrade.freqai.names import DATE_OF_PREDICTION, DO_PREDICT, PAIR_DICTIONARY

PAIR = "BTC/USDT:USDT"
BEGIN = 1_700_000_040  # a whole minute
NAMES = ("SHORT", "HOLD", "LONG")


def row(minute: int, do_predict: int = 1, *, enters: bool = False, **changes):
    probabilities = [0.2, 0.5, 0.3] if do_predict == 1 else [0.0, 0.0, 0.0]
    line = {
        "what": "row",
        "at": BEGIN + 60 * minute + 61,
        "pair": PAIR,
        "candle": BEGIN + 60 * minute,
        "do_predict": do_predict,
        "probabilities": probabilities,
        "enters": enters,
    }
    return line | changes


def start():
    return {"what": "start", "at": BEGIN, "pid": 1}


def entry(minute: int, seconds: float = 62):
    return {"what": "entry", "at": BEGIN + 60 * minute + seconds, "pair": PAIR}


def trades(*minutes: int) -> pd.DataFrame:
    dates = [pd.Timestamp(BEGIN + 60 * m + 62, unit="s") for m in minutes]
    return pd.DataFrame({"pair": [PAIR] * len(dates), "open_date": [f"{d}" for d in dates]})


def stored(*rows: dict) -> dict[str, pd.DataFrame]:
    dates = pd.to_datetime([r["candle"] for r in rows], unit="s", utc=True)
    frame = pd.DataFrame([r["probabilities"] for r in rows], columns=NAMES)
    frame[DATE_OF_PREDICTION], frame[DO_PREDICT] = dates, [r["do_predict"] for r in rows]
    return {PAIR: frame}


SOUND = [start(), row(0, 0), row(1, enters=True), entry(1), row(2), start(), row(2, 0), row(3)]


def test_lives_begin_with_a_start():
    assert [len(life) for life in invariants.lives(SOUND)] == [5, 3]


def test_entries_on_predictions_are_none_of_the_violations():
    assert invariants.entries_on_predictions(SOUND, trades(1)) == []
    assert invariants.entries_on_predictions(SOUND, trades(5)) == []  # a slow exchange


@pytest.mark.parametrize(
    ("witness", "opened", "told"),
    [
        pytest.param([row(0, 0, enters=True), entry(0)], (), "do_predict 0", id="no-prediction"),
        pytest.param([row(0, 2, enters=True), entry(0)], (), "do_predict 2", id="expired"),
        pytest.param(
            [row(0, enters=True, probabilities=[0, 0, 0]), entry(0)], (), "do_predict 1", id="zeros"
        ),
        pytest.param([row(0), entry(0)], (), "do_predict 1", id="not-wanted"),
        pytest.param([row(0, enters=True), entry(0, 600)], (), "540 s old", id="an-old-one"),
        pytest.param([entry(0)], (), "before any candle", id="nothing-seen"),
        pytest.param([row(0, enters=True)], (0,), "no entry was seen", id="unseen-trade"),
        pytest.param(
            [row(0, enters=True), entry(0)], (0, 0), "no entry was seen", id="two-of-one-entry"
        ),
        pytest.param([row(0, enters=True), entry(0)], (5,), "no entry was seen", id="too-late"),
        pytest.param(
            [row(0, enters=True), start(), entry(0)], (), "before any", id="of-the-life-before"
        ),
    ],
)
def test_entries_on_anything_else_are(witness, opened, told):
    (violation,) = invariants.entries_on_predictions([start(), *witness], trades(*opened))
    assert told in violation


def test_what_is_stored_is_shown_again_after_a_start():
    witness = [start(), row(0, 0), row(1), start(), row(1), row(2)]
    assert invariants.predicted_once(witness) == []
    status = told(candles_without_prediction=0, last_candle_closed=closed(2))
    assert invariants.status_is_true(status, witness[3:], BEGIN + 120) == []


def test_predicted_once():
    assert invariants.predicted_once(SOUND) == []
    assert invariants.stored_as_shown(SOUND, stored(row(0, 0), row(1), row(2), row(3))) == []


@pytest.mark.parametrize(
    ("witness", "on_disk", "told"),
    [
        pytest.param([row(1), row(1)], [row(1)], "predicted twice", id="twice"),
        pytest.param(
            [row(1, probabilities=[0.3, 0.4, 0.3]), start(), row(1)],
            [row(1)],
            "otherwise after a start",
            id="otherwise-after-a-start",
        ),
        pytest.param([row(1)], [row(1), row(2, 0), row(3)], "never shown", id="stored-alone"),
        pytest.param([row(1)], [row(1), row(1)], "order of time", id="stored-twice"),
        pytest.param([row(1), row(2)], [row(2), row(1)], "order of time", id="disorder"),
        pytest.param([row(1)], [row(1), row(2)], "never shown", id="made-up"),
        pytest.param(
            [row(1)], [row(1, probabilities=[0.3, 0.4, 0.3])], "never shown", id="otherwise"
        ),
    ],
)
def test_predicted_or_stored_otherwise(witness, on_disk, told):
    witness = [start(), row(-1, 0), *witness]
    found = invariants.predicted_once(witness)
    found += invariants.stored_as_shown(witness, stored(*on_disk))
    (violation,) = found
    assert told in violation


def test_what_was_predicted_before_a_stop_is_kept():
    life = [start(), row(0, 0), row(1), row(2)]
    assert invariants.kept_at_the_end(life, stored(row(0, 0), row(1), row(2))) == []
    (violation,) = invariants.kept_at_the_end(life, stored(row(0, 0), row(1), row(2, 0)))
    assert "is not stored" in violation
    assert len(invariants.kept_at_the_end(life, {})) == 2


def test_every_candle_of_a_calm_is_predicted():
    calm = [(PAIR, BEGIN + 60), (PAIR, BEGIN + 120)]
    assert invariants.predicted_in_calm(SOUND, calm) == []
    (violation,) = invariants.predicted_in_calm(SOUND, [*calm, (PAIR, BEGIN)])
    assert "not predicted in a quiet time" in violation


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        pytest.param([], 0, id="right-clock"),
        pytest.param([(0, 20.0)], 2, id="ahead"),
        pytest.param([(0, 20.0), (2, 0.0)], 1, id="mended"),
        pytest.param([(0, -20.0)], 0, id="behind"),
        pytest.param([(3, 20.0)], 0, id="too-late"),
    ],
)
def test_predictions_of_candles_that_are_forming_are_counted(errors, expected):
    assert invariants.made_of_unfinished([start(), row(1), row(2)], errors) == expected


LIFE = [start(), row(-1, 0), row(0, 0), row(1), row(2, 0), row(3)]


def closed(minute: int) -> str:
    return f"{pd.Timestamp(BEGIN + 60 * minute + 60, unit='s'):%Y-%m-%dT%H:%M:%SZ}"


def told(**changes):
    facts = {
        "predictions": 2,
        "candles_without_prediction": 1,
        "keeps_out": {},
        "last_candle_closed": closed(3),
    }
    return {"pairs": {PAIR: facts | changes}}


NOW = BEGIN + 180


def test_what_keeps_out_of_a_later_candle_is_no_lie():
    silent = told(keeps_out={"stale candles": ""})
    assert invariants.status_is_true(silent, LIFE, NOW + 60) == []


@pytest.mark.parametrize("without", [1, 3])
def test_a_true_status(without):
    assert invariants.status_is_true(told(candles_without_prediction=without), LIFE, NOW) == []


@pytest.mark.parametrize(
    ("status", "says"),
    [
        pytest.param(told(predictions=3), "3 predictions are told", id="too-many"),
        pytest.param(told(candles_without_prediction=0), "0 candles", id="uncounted"),
        pytest.param(told(candles_without_prediction=4), "4 candles", id="counted-too-often"),
        pytest.param(told(keeps_out={"stale candles": ""}), "keeps out", id="no-trouble"),
        pytest.param(told(last_candle_closed=closed(2)), "newest", id="old"),
        pytest.param({"pairs": {}}, "not in the status", id="silent"),
    ],
)
def test_a_lying_status(status, says):
    (violation,) = invariants.status_is_true(status, LIFE, NOW)
    assert says in violation


def loop(minute: int, *pairs: str):
    return {"what": "loop", "at": BEGIN + 60 * minute, "pairs": pairs}


def test_the_status_tells_of_silence():
    life, late, quiet = [start(), row(1)], loop(5, PAIR), told()
    assert invariants.status_tells_of_silence(quiet, [*life, loop(4, PAIR)]) == []  # exactly two
    (violation,) = invariants.status_tells_of_silence(quiet, [*life, late])
    assert "no trouble is told of" in violation
    loud = told(keeps_out={"stale candles": "none for 180 s"})
    assert invariants.status_tells_of_silence(loud, [*life, late]) == []
    never = told(last_candle_closed=None)
    assert invariants.status_tells_of_silence(never, [*life, late]) == []
    assert invariants.status_tells_of_silence(quiet, [*life, late, loop(6)]) == []  # it has left


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "sub-train-BTC_1"
    folder.mkdir()
    for part in invariants._PARTS:
        is_json = part.endswith(".json")
        content = json.dumps({"a": 1}).encode() if is_json else cloudpickle.dumps([1, 2, 3])
        (folder / f"cb_btc_1{part}").write_bytes(content)
    index = {PAIR: {"model_filename": "cb_btc_1", "data_path": str(folder)}}
    (tmp_path / PAIR_DICTIONARY).write_text(json.dumps(index))
    return tmp_path


def test_whole_models(models):
    assert invariants.models_whole(models) == []
    (models / "sub-train-BTC_2.tmp").mkdir()  # a saving that the end of the bot has broken off
    (models / "sub-train-BTC_3").mkdir()
    assert invariants.models_whole(models) == []


@pytest.mark.parametrize("part", invariants._PARTS)
def test_torn_and_missing_parts(models, part):
    (path,) = models.glob(f"*/*{part}")
    path.write_bytes(path.read_bytes()[:-2])
    (violation,) = invariants.models_whole(models)
    assert "cannot be read" in violation
    path.unlink()
    if part != invariants.MODEL_FILE:  # without it, it is no model
        (violation,) = invariants.models_whole(models)
        assert "0 files" in violation


def test_an_index_that_points_nowhere(models):
    index = {PAIR: {"model_filename": "cb_btc_1", "data_path": str(models / "sub-train-BTC_9")}}
    (models / PAIR_DICTIONARY).write_text(json.dumps(index))
    (violation,) = invariants.models_whole(models)
    assert "not there" in violation


def test_memory_is_bound():
    most = invariants.MOST_MEMORY
    assert invariants.memory_bound([]) == invariants.memory_bound([most]) == []
    assert invariants.memory_bound([most + 1, 100]) == [f"{most + 1:.0f} MiB were held"]

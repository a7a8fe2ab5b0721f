"""A backtest under the identifier of a live bot leaves it its own, and trains nothing for it."""

import json
import shutil
import time

import pandas as pd
import pytest
from freqtrade.exceptions import OperationalException
from freqtrade.resolvers.freqaimodel_resolver import FreqaiModelResolver

from dualwindow.market.labels import CLASSES
from dualwindow_freqtrade.freqai.names import (
    ALL_TRAININGS,
    BACKTEST_PREDICTION,
    DO_PREDICT,
    GLOBAL_METADATA,
    METADATA_FILE,
    MODEL_FILE,
    PAIR_DICTIONARY,
    STORED_PREDICTIONS,
    STORED_PREDICTIONS_BACKUP,
    TRAINED_AT,
    TRAINED_LIVE,
)
from dualwindow_freqtrade.promotion.candidates import Candidate
from dualwindow_freqtrade.promotion.publishing import publish
from harness.freqai_run import (
    PAIR,
    at,
    backtest,
    configuration,
    dry_run,
    live_configuration,
    market,
    out_of_sample,
    train_now,
)

RANGES = {"kind": "ranges", "spans": [3, 10]}
OF_THE_BOT = (PAIR_DICTIONARY, GLOBAL_METADATA, STORED_PREDICTIONS, STORED_PREDICTIONS_BACKUP)


@pytest.fixture(scope="module")
def frames():
    return market()


def run_backtest(user_data, frames, **freqai) -> pd.DataFrame:
    options = {"save_backtest_models": True, "model_training_parameters": RANGES} | freqai
    strategy, result = backtest(configuration(user_data, **options), frames)
    strategy.freqai.shutdown()
    return result


def start_bot(user_data):
    return dry_run(live_configuration(user_data, model_training_parameters=RANGES))


@pytest.fixture
def bot(tmp_path):
    """A bot with a model, which has stopped: its folder, and its minutes."""
    strategy, minutes = start_bot(tmp_path)
    at(strategy, minutes, 2799)
    train_now(strategy)
    for row in (2799, 2800):
        at(strategy, minutes, row)
    strategy.freqai.dd.save_historic_predictions_to_disk()  # of which the next makes the backup
    strategy.freqai.shutdown()
    return tmp_path / "models" / "test", minutes


def models_in(folder) -> set[str]:
    return {path.parent.name for path in folder.glob(f"{ALL_TRAININGS}/*{MODEL_FILE}")}


@pytest.mark.parametrize("freqai", [{}, {"fit_live_predictions_candles": 50}])
def test_a_bot_goes_on_with_its_own_model_after_a_backtest(bot, tmp_path, frames, caplog, freqai):
    folder, minutes = bot
    before = {name: (folder / name).read_bytes() for name in OF_THE_BOT}
    (own,) = models_in(folder)
    run_backtest(tmp_path, frames, **freqai)
    assert len(models_in(folder)) == 5
    assert {name: (folder / name).read_bytes() for name in OF_THE_BOT} == before
    with caplog.at_level("INFO"):
        again, _ = start_bot(tmp_path)
        at(again, minutes, 2801)
    assert f"goes on with the model in {folder / own}" in caplog.text
    assert at(again, minutes, 2802)["do_predict"].iloc[-1] == 1


def test_a_model_of_a_backtest_in_the_index_is_not_taken_up(bot, tmp_path, frames, caplog):
    folder, minutes = bot
    (own,) = models_in(folder)
    run_backtest(tmp_path, frames)
    newest = folder / max(models_in(folder) - {own})
    (model,) = newest.glob(f"*{MODEL_FILE}")
    index = json.loads((folder / PAIR_DICTIONARY).read_text())
    index[PAIR] |= {
        "model_filename": model.name.removesuffix(MODEL_FILE),
        "data_path": str(newest),
    }
    (folder / PAIR_DICTIONARY).write_text(json.dumps(index))
    again, _ = start_bot(tmp_path)
    assert at(again, minutes, 2801)["do_predict"].iloc[-1] == 0
    assert f"the model in {newest} is not used, a new one will be trained; it was" in caplog.text
    assert "not trained by a live bot" in caplog.text
    assert again.freqai.dd.pair_dict[PAIR]["trained_timestamp"] == 0
    time.sleep(1.1)  # models are named after the second of their training
    train_now(again)
    at(again, minutes, 2801)
    assert at(again, minutes, 2802)["do_predict"].iloc[-1] == 1


def test_old_models_are_purged_and_those_of_backtests_left_alone(bot, tmp_path, frames):
    folder, minutes = bot
    (own,) = models_in(folder)
    run_backtest(tmp_path, frames)
    of_backtest = models_in(folder) - {own}
    for name, content in (("1999999991", f'{{"{TRAINED_LIVE}": true}}'), ("1999999992", "{")):
        made = folder / f"sub-train-BTC_{name}"
        made.mkdir()
        (made / f"cb_btc_{name}{MODEL_FILE}").write_bytes(b"")
        (made / f"cb_btc_{name}{METADATA_FILE}").write_text(content)
    again, _ = start_bot(tmp_path)
    again.freqai.freqai_info["purge_old_models"] = 1
    at(again, minutes, 2801)
    time.sleep(1.1)
    train_now(again)
    left = models_in(folder) - of_backtest
    # The damaged one might be anybody's; those of the bot are its newest and the one in use.
    assert left == {"sub-train-BTC_1999999992", "sub-train-BTC_1999999991", sorted(left)[0]}
    assert own not in left
    assert of_backtest <= models_in(folder)


def test_each_window_has_the_facts_of_its_own_training(tmp_path, frames):
    """FreqAI gives a window that is loaded those of the one that was trained last."""
    result = run_backtest(tmp_path, frames)
    folder = tmp_path / "models" / "test"
    for path in folder.rglob(f"*{BACKTEST_PREDICTION}"):
        path.unlink()
    min(folder.rglob(f"*{MODEL_FILE}")).unlink()
    again = run_backtest(tmp_path, frames)
    assert out_of_sample(again)[TRAINED_AT].nunique() == 4
    pd.testing.assert_frame_equal(out_of_sample(again), out_of_sample(result))


@pytest.mark.parametrize("penalty", [pytest.param(7.0, id="other"), pytest.param(100.0, id="same")])
def test_a_promoted_model_stands_in_for_no_training_of_a_backtest(
    bot, tmp_path, frames, caplog, penalty
):
    """It ends at the second of a window, and FreqAI would take it for the window's own."""
    folder, minutes = bot
    run_backtest(tmp_path, frames, identifier="tried")
    newest = max((tmp_path / "models" / "tried").glob(ALL_TRAININGS))
    index = json.loads((folder / PAIR_DICTIONARY).read_text())
    index[PAIR]["trained_timestamp"] = 0  # candles of the backtest are older than the bot's
    (folder / PAIR_DICTIONARY).write_text(json.dumps(index))
    publish([Candidate(PAIR, newest)], folder, "tried", 0.0)
    before = {path: path.read_bytes() for path in (folder / newest.name).iterdir()}
    other = {"model_training_parameters": RANGES | {"penalty": penalty}}
    with pytest.raises(
        OperationalException, match=rf"{newest.name}.*{MODEL_FILE} would .* set another .* leave"
    ):
        run_backtest(tmp_path, frames, **other)
    assert not list(folder.rglob(f"*{BACKTEST_PREDICTION}"))
    assert {path: path.read_bytes() for path in (folder / newest.name).iterdir()} == before
    with caplog.at_level("INFO"):
        at(start_bot(tmp_path)[0], minutes, 2801)
    assert f"goes on with the model in {folder / newest.name}" in caplog.text
    shutil.rmtree(folder / newest.name)  # without it, all windows are the backtest's own
    own, alone = (
        out_of_sample(run_backtest(tmp_path, frames, identifier=identifier, **other))
        for identifier in ("test", "alone")
    )
    pd.testing.assert_frame_equal(own[list(CLASSES)], alone[list(CLASSES)])


def test_a_saved_model_of_a_backtest_predicts_its_window_at_another_length(tmp_path, frames):
    options = {"save_backtest_models": True, "model_training_parameters": RANGES}
    config, day = configuration(tmp_path, **options), 1706832000
    hours = [backtest(config | {"timerange": f"{day}-{day + n * 3600}"}, frames) for n in (9, 10)]
    done = [int((out_of_sample(result)[DO_PREDICT] == 1).sum()) for _, result in hours]
    assert done == [9 * 60, 10 * 60]
    assert len(models_in(tmp_path / "models" / "test")) == 2


@pytest.mark.parametrize("configured", [live_configuration, configuration])
def test_an_identifier_that_leads_elsewhere_is_refused_before_anything_is_touched(
    tmp_path, configured
):
    user_data, foreign = tmp_path / "user_data", tmp_path / "mine"
    for folder in (user_data / "models", foreign / "sub-train-BTC_1999999991"):
        folder.mkdir(parents=True)
    (foreign / "letter.tmp").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    config = configured(user_data, identifier="../../mine")
    (user_data / "config.json").unlink()
    with pytest.raises(OperationalException, match=r"freqai\.identifier must be a plain name"):
        FreqaiModelResolver.load_freqaimodel(config)
    assert sorted(tmp_path.rglob("*")) == before

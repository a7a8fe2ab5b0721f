"""The adapter inside the real FreqAI; each of FreqAI's traps by name."""

import copy
import json
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from freqtrade.exceptions import OperationalException, StrategyError
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow.cli import main
from dualwindow.learning.artifact_files import read_artifact
from dualwindow.learning.record import ClassCounts, TrainingRecord
from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES
from dualwindow.settings import KINDS
from dualwindow_freqtrade.freqai import feature_pipeline
from dualwindow_freqtrade.freqai import fingerprint as model_fingerprint
from dualwindow_freqtrade.freqai.frames import describe_training, feature_rows
from dualwindow_freqtrade.freqai.names import (
    BACKTEST_PREDICTION,
    METADATA_FILE,
    MODEL_FILE,
    REPORT_FILE,
    TARGET,
)
from harness.freqai_run import (
    HISTORY,
    PAIR,
    at,
    backtest,
    configuration,
    dry_run,
    live_configuration,
    load_strategy,
    market,
    out_of_sample,
    train_now,
)
from harness.places import ROOT

CLASSES = ["SHORT", "HOLD", "LONG"]
RAW = [f"{name}_raw" for name in CLASSES]
OLD_MODEL = ROOT / "tests" / "learning" / "artifact-d932cb6.joblib"


@pytest.fixture(scope="module")
def frames():
    return market()


@pytest.fixture(scope="module")
def run(frames, tmp_path_factory):
    config = configuration(tmp_path_factory.mktemp("user_data"), save_backtest_models=True)
    return config, *backtest(config, frames)


def files_of(config, pattern: str):
    return sorted((config["user_data_dir"] / "models" / "test").rglob(pattern))


def load_model(config, strategy, window: int = 0, *, live: bool) -> FreqaiDataKitchen:
    """Load the model of a backtest window, as a later process would."""
    trained = 1706832000 + window * 6 * 3600
    dk = FreqaiDataKitchen(config, live=False, pair=PAIR)  # live loads the newest one
    dk.set_paths(PAIR, trained)
    dk.set_new_model_names(PAIR, trained)
    strategy.freqai.model = strategy.freqai.dd.load_data(PAIR, dk)
    dk.live = strategy.freqai.live = live
    return dk


def featured(config, strategy, frames):
    dk = FreqaiDataKitchen(config, live=False, pair=PAIR)
    dataframe = dk.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=frames["1m"].copy(), pair=PAIR
    )
    return dk.remove_special_chars_from_feature_names(dataframe)


def set_thresholds(strategy, short: float, long: float) -> None:
    strategy.mode.value = "custom"
    strategy.entry_short.value, strategy.entry_long.value = short, long


def test_every_candle_of_every_backtest_window_is_predicted(run):
    result = out_of_sample(run[2])
    assert len(result) == 1440
    assert (result["do_predict"] == 1).all()
    assert result[CLASSES].sum(axis=1).to_numpy() == pytest.approx(1)
    assert set(result[TARGET]) <= set(CLASSES)


def test_calibrated_and_raw_scores_are_both_returned(frames, tmp_path):
    config = configuration(tmp_path, dual_window={"calibration": "prior"})
    result = out_of_sample(backtest(config, frames)[1])
    assert result[CLASSES].sum(axis=1).to_numpy() == pytest.approx(1)
    assert result[RAW].sum(axis=1).to_numpy() == pytest.approx(1)
    facts = [json.loads(path.read_text()) for path in files_of(config, f"*{REPORT_FILE}")]
    methods = {f["calibration"]["method"] for f in facts}
    assert methods <= {"prior", "frequencies"}
    for window, f in enumerate(facts):
        scores = f["validation"]
        assert scores["log_loss"] <= scores["log_loss_of_frequencies"] + 1e-9
        rows = result.iloc[360 * window : 360 * (window + 1)]
        moved = not np.allclose(rows[CLASSES], rows[RAW], atol=1e-3)
        assert moved == (f["calibration"]["scale"] != [1.0, 1.0])  # nothing was balanced
    assert len(facts) == 4


def test_other_confidence_reuses_cached_predictions(frames, tmp_path):
    backtest(configuration(tmp_path), frames)
    for confidence in ({"mode": "aggressive"}, {"margin": 0.003, "fallback": "argmax"}):
        config = configuration(
            tmp_path,
            dual_window={
                "balancing": {"floor": 50},
                "calibration": "none",
                "confidence": confidence,
            },
        )
        files = files_of(config, f"*{BACKTEST_PREDICTION}")
        before = [path.stat().st_mtime_ns for path in files]
        backtest(config, frames)
        assert [path.stat().st_mtime_ns for path in files] == before
        assert len(files) == 4


@pytest.mark.parametrize("window", range(4))
def test_trap_backtest_predictions_are_not_one_candle_late(run, frames, window):
    config, strategy, result = run
    load_model(config, strategy, window, live=True)
    model, frame = strategy.freqai.model, featured(config, strategy, frames)
    start = frame.index[frame["date"] == "2024-02-02"][0]
    for offset in (0, 1, HISTORY - 2, HISTORY - 1, HISTORY, 200):  # the window's start included
        row = start + 360 * window + offset
        tail = frame.iloc[row - HISTORY + 1 : row + 1]
        features = feature_rows(tail, model.record.features, PAIR)
        prediction = model.predict(Candles.from_frame(tail, 60), features, n_newest=1)
        assert prediction.valid.tolist() == [False] * (HISTORY - 1) + [True]
        shown = out_of_sample(result).loc[row - start, CLASSES].to_numpy(float)
        np.testing.assert_allclose(prediction.probabilities[-1], shown, atol=1e-6)


def test_trap_nan_mask_is_kept(run, frames):
    config, strategy, _ = run
    dk = load_model(config, strategy, live=False)
    frame = featured(config, strategy, frames)
    part = frame[frame["date"] >= "2024-02-02"].head(100).copy()
    name = next(c for c in part if c.startswith("%"))
    part.iloc[40, part.columns.get_loc(name)] = np.inf
    prediction, do_predict = strategy.freqai.predict(part, dk)
    spoilt = np.flatnonzero(do_predict == 0)
    assert spoilt.tolist() == list(range(40, 40 + HISTORY))
    assert (prediction.loc[spoilt, CLASSES].to_numpy() == 0).all()
    assert (prediction.loc[spoilt, TARGET] == "UNKNOWN").all()
    assert len(prediction) == len(do_predict) == 100


def test_trap_zeros_are_no_prediction_for_the_strategy(run):
    strategy, result = run[1], out_of_sample(run[2])
    set_thresholds(strategy, short=0.01, long=0.01)
    fine = strategy.populate_entry_trend(result.copy(), {"pair": PAIR})
    assert fine["enter_tag"].notna().sum() > 0
    entered = fine.index[fine["enter_tag"].notna()]
    for spoil in ({"do_predict": 0}, {"do_predict": 2}, {"HOLD": 5.0}):
        spoilt = strategy.populate_entry_trend(result.assign(**spoil), {"pair": PAIR})
        assert spoilt.get("enter_tag", pd.Series(dtype=object)).notna().sum() == 0
    assert len(entered) > 0


def test_trap_missing_class_returns_three_columns(frames, tmp_path):
    # no price falls by half in twenty minutes, so nothing is SHORT
    labels = {"short_take_profit": 0.5}
    config = configuration(tmp_path, dual_window={"labels": labels, "balancing": {"floor": 50}})
    _, result = backtest(config, frames)
    facts = json.loads(files_of(config, f"*{REPORT_FILE}")[0].read_text())
    assert facts["training_windows"]["SHORT"] == 0 < facts["training_windows"]["LONG"]
    for name in (*CLASSES, *RAW):
        assert {name, f"{name}_mean", f"{name}_std"} <= set(result)
    assert out_of_sample(result)[CLASSES].sum(axis=1).to_numpy() == pytest.approx(1)
    dk = FreqaiDataKitchen(config, live=False, pair=PAIR)
    dk.set_paths(PAIR, 1706832000)
    describe_training(ClassCounts(**facts["training_labels"]), dk)
    assert dk.unique_class_list == [
        *CLASSES,
        *(f"{name}_raw" for name in CLASSES),
    ]  # FreqAI's own grows with each window


def test_trap_failed_training_stops_the_run_and_caches_nothing(frames, tmp_path):
    labels = {f"{side}_take_profit": 0.9 for side in ("long", "short")}
    config = configuration(tmp_path, dual_window={"labels": labels})
    with pytest.raises(OperationalException, match="training windows are HOLD"):
        backtest(config, frames)
    assert files_of(config, "*.feather") == []
    # FreqAI's own record of the command is all that is left
    assert [path.name for path in files_of(config, "*.json")] == ["run_params.json"]


def test_trap_stale_cache_is_refused(frames, tmp_path):
    config = configuration(tmp_path)
    backtest(config, frames)
    before = {path: path.read_bytes() for path in files_of(config, "*.feather")}
    assert len(before) == 4
    for change in (
        {"model_training_parameters": {"seed": 1}},
        {"feature_parameters": {"label_period_candles": 30}},
        {"train_period_days": 2},
        {"feature_parameters": {"DI_threshold": 0.7}},
        {"extra_returns_per_train": {"fold": 1}},
    ):
        with pytest.raises(OperationalException, match="made with other settings"):
            backtest(configuration(tmp_path, **change), frames)
    minutes, hours = frames["1m"], frames["1h"].copy()
    hours.loc[200, "close"] *= 1.5  # long before the training, but within the average
    for other in ({"1m": minutes.assign(close=minutes["close"] * 1.0001)}, {"1h": hours}):
        with pytest.raises(OperationalException, match="made with other candles"):
            backtest(config, {**frames, **other})
    assert {path: path.read_bytes() for path in files_of(config, "*.feather")} == before


def test_trap_stale_cache_notices_changed_code(frames, tmp_path, monkeypatch):
    config = configuration(tmp_path)
    backtest(config, frames)
    for changed in ("digest_code", "source_of", "digest_features"):
        with monkeypatch.context() as patch:
            patch.setattr(model_fingerprint, changed, lambda *_: "other")
            strategy = load_strategy(config, frames)
            with pytest.raises(OperationalException, match="made with other code"):
                strategy.advise_indicators(frames["1m"].copy(), {"pair": PAIR})


def test_more_candles_and_other_periods_are_predicted_anew_not_refused(frames, tmp_path):
    config = configuration(tmp_path, save_backtest_models=False)
    until_noon = {**frames, "1m": frames["1m"].iloc[: 1440 + 700]}
    backtest(config, until_noon)
    _, result = backtest(config, frames)
    assert (out_of_sample(result)["do_predict"] == 1).all()
    _, result = backtest(
        {**config, "freqai": {**config["freqai"], "backtest_period_days": 0.5}}, frames
    )
    assert (out_of_sample(result)["do_predict"] == 1).all()


def test_trap_live_purging_of_a_window_is_made_good(run, frames, tmp_path):
    config = configuration(tmp_path)
    _, result = backtest(config, frames)
    shutil.rmtree(tmp_path / "models" / "test" / "sub-train-BTC_1706832000")
    _, again = backtest(config, frames)
    pd.testing.assert_frame_equal(out_of_sample(again)[CLASSES], out_of_sample(result)[CLASSES])


def test_trap_same_base_coin_is_another_pair(frames, tmp_path):
    config = configuration(tmp_path)
    backtest(config, frames)
    with pytest.raises(OperationalException, match="made with other candles"):
        backtest(config, frames, pair="BTC/USDC:USDC")


def test_a_cached_backtest_is_the_same_as_a_fresh_one(run, frames):
    config, _, result = run
    _, again = backtest(config, frames)
    pd.testing.assert_frame_equal(out_of_sample(again)[CLASSES], out_of_sample(result)[CLASSES])
    assert (out_of_sample(again)[TARGET] == out_of_sample(result)[TARGET]).all()


def test_saved_models_are_loaded_and_predict_the_same(run, frames):
    config, _, result = run
    for path in files_of(config, f"*{BACKTEST_PREDICTION}"):
        path.unlink()
    _, again = backtest(config, frames)
    pd.testing.assert_frame_equal(out_of_sample(again)[CLASSES], out_of_sample(result)[CLASSES])


@pytest.mark.parametrize("name", [MODEL_FILE, BACKTEST_PREDICTION, METADATA_FILE])
def test_damaged_files_are_named(frames, tmp_path, name):
    config = configuration(tmp_path, save_backtest_models=True)
    backtest(config, frames)
    if name == MODEL_FILE:
        for path in files_of(config, f"*{BACKTEST_PREDICTION}"):
            path.unlink()
    damaged = files_of(config, f"*{name}")[1]
    damaged.write_bytes(damaged.read_bytes()[:100])
    with pytest.raises(OperationalException, match=r"is damaged .*delete"):
        backtest(config, frames)


def test_a_model_of_an_older_format_is_refused_by_name(frames, tmp_path):
    config = configuration(tmp_path, save_backtest_models=True)
    backtest(config, frames)
    for path in files_of(config, f"*{BACKTEST_PREDICTION}"):
        path.unlink()
    shutil.copy(OLD_MODEL, files_of(config, f"*{MODEL_FILE}")[1])
    with pytest.raises(OperationalException, match=r"cannot be used: .*\(format 1,.*identifier"):
        backtest(config, frames)


def test_trap_keras_and_shuffles_are_refused_when_the_model_is_loaded(frames, tmp_path):
    config = configuration(tmp_path, data_split_parameters={"shuffle": True}, keras=True)
    with pytest.raises(OperationalException, match=r"(?s)keras must not.*shuffle must not"):
        load_strategy(config, frames)
    assert not (tmp_path / "models").exists()


def test_trap_dissimilarity_index_that_cannot_fit_is_refused(frames, tmp_path, monkeypatch):
    config = configuration(tmp_path, feature_parameters={"DI_threshold": 0.9})
    monkeypatch.setattr(feature_pipeline, "_free_memory", lambda: 10**6)
    with pytest.raises(OperationalException, match=r"DI_threshold compares all pairs of 11\d\d"):
        backtest(config, frames)


@pytest.mark.parametrize(
    "option",
    [
        {"DI_threshold": 0.7},
        {"use_SVM_to_remove_outliers": True, "svm_params": {"shuffle": False, "nu": 0.05}},
        {"principal_component_analysis": True},
    ],
)
def test_outlier_and_pca_steps_work(frames, tmp_path, option):
    config = configuration(tmp_path, feature_parameters=option)
    _, result = backtest(config, frames)
    facts = json.loads(files_of(config, f"*{REPORT_FILE}")[0].read_text())
    refused = (out_of_sample(result)["do_predict"] == 0).sum()
    if "principal_component_analysis" in option:
        assert refused == facts["rejected"]["outlier"] == 0
    else:
        assert 0 < refused < 700
    if "DI_threshold" in option:
        assert (out_of_sample(result)["DI_values"] > 0).all()
    if "use_SVM_to_remove_outliers" in option:
        assert facts["rejected"]["outlier"] > 10


def test_continual_learning_goes_on_from_the_window_before(frames, tmp_path, caplog):
    ruin = {"learning_rate": 0.5}  # so that an epoch is worse than what it began with
    config = configuration(tmp_path, continual_learning=True, model_training_parameters=ruin)
    caplog.set_level("INFO")
    backtest(config, frames)
    assert caplog.text.count("began with new weights") == 1
    assert caplog.text.count("began with the weights of the model before, validation loss") == 3
    facts = [json.loads(p.read_text()) for p in files_of(config, f"*{REPORT_FILE}")]
    assert [f["start_loss"] is not None for f in facts] == [False, True, True, True]
    n_kept = [f["best_epoch"] for f in facts].count(0)
    assert caplog.text.count("no epoch was better, so they stay") == n_kept > 0
    before = files_of(config, f"*{BACKTEST_PREDICTION}")
    expected = [pd.read_feather(path) for path in before]
    before[2].unlink()  # a cached window brings no model for the next one to go on from
    backtest(config, frames)
    for path, frame in zip(before, expected, strict=True):
        pd.testing.assert_frame_equal(pd.read_feather(path), frame)


def test_without_continual_learning_every_training_starts_afresh(run):
    facts = [json.loads(p.read_text()) for p in files_of(run[0], f"*{REPORT_FILE}")]
    assert [f["start_loss"] for f in facts] == [None] * 4


def test_trap_svm_is_seeded(frames, tmp_path):
    options = {"use_SVM_to_remove_outliers": True, "svm_params": {"nu": 0.05}}
    masks = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        config = configuration(tmp_path / name, feature_parameters=options)
        masks.append(out_of_sample(backtest(config, frames)[1])["do_predict"])
    assert (masks[0] == masks[1]).all()
    assert 0 < masks[0].mean() < 1


@pytest.mark.parametrize("wanted", [True, False])
def test_trap_tensorboard_is_ours_to_write(frames, tmp_path, wanted):
    config = configuration(tmp_path, activate_tensorboard=wanted)
    backtest(config, frames)
    assert len(files_of(config, "events.out*")) == (8 if wanted else 0)


def test_metadata_is_readable_beside_freqais_files(run):
    paths = files_of(run[0], f"*{REPORT_FILE}")
    assert len(paths) == 4
    record = TrainingRecord.from_json(paths[0].read_text())
    assert record.pair == PAIR
    assert record.candles == record.labels.total + record.unknown_labels == 1440
    assert record.unknown_labels == 20
    assert record.made_from["model_training_parameters.kind"] == "lstm"


def test_targets_of_the_last_candles_are_missing_not_a_class(run, frames):
    labelled = run[1].freqai.set_targets(frames["1m"])
    assert labelled[TARGET].tail(20).isna().all()
    assert set(labelled[TARGET].iloc[:-20]) == set(CLASSES)
    assert TARGET not in frames["1m"]


def test_a_strategy_with_its_own_labels_is_told_what_to_write(frames, tmp_path):
    strategy = load_strategy(configuration(tmp_path), frames)
    strategy.set_freqai_targets = lambda dataframe, metadata, **kwargs: dataframe.assign(
        **{"&s-up": "up"}
    )
    with pytest.raises(OperationalException, match=r"must be 'return self.freqai.set_targets"):
        strategy.advise_indicators(frames["1m"].copy(), {"pair": PAIR})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"include_timeframes": ["1m"]}, "must contain '1h'"),
        ({"include_shifted_candles": 2}, "include_shifted_candles adds nothing"),
        ({"include_corr_pairlist": ["ETH/USDT:USDT"]}, "include_corr_pairlist adds nothing"),
    ],
)
def test_the_strategy_checks_what_its_features_need(frames, tmp_path, change, message):
    with pytest.raises(StrategyError, match=message):
        load_strategy(configuration(tmp_path, feature_parameters=change), frames)


def test_a_short_history_is_told_in_days(frames, tmp_path):
    late = {**frames, "1h": frames["1h"].tail(24 * 10)}
    message = r"price_to_ma43200, .*the first 1\.0 days.*download more than 1 days"
    with pytest.raises(OperationalException, match=message):
        backtest(configuration(tmp_path), late)


def test_missing_hourly_candles_are_named(frames, tmp_path):
    with pytest.raises(OperationalException, match="there are no 1h candles; download"):
        backtest(configuration(tmp_path), {**frames, "1h": frames["1h"].head(0)})


def minute_features(strategy, frames) -> pd.DataFrame:
    config = {**strategy.config, "freqai": {**strategy.config["freqai"]}}
    frame = featured(config, strategy, frames)
    return frame[["date", *(c for c in frame if c.startswith("%"))]]


def test_hourly_averages_are_known_only_once_the_hour_has_closed(run, frames):
    strategy = run[1]
    before = minute_features(strategy, frames)
    hours = frames["1h"].copy()
    hours.loc[hours["date"] >= "2024-02-02 10:00", ["open", "high", "low", "close"]] *= 1.5
    strategy.dp.frames["1h"] = hours
    after = minute_features(strategy, {**frames, "1h": hours})
    strategy.dp.frames["1h"] = frames["1h"]
    name = next(c for c in before if "price_to_ma1440" in c)
    changed = before.loc[before[name] != after[name], "date"]
    # the hour from 10:00 is known when the candle of 10:59 closes, together with it
    assert changed.min() == pd.Timestamp("2024-02-02 10:59", tz="UTC")
    assert len(changed) == 13 * 60 + 1


def test_hourly_candles_that_end_early_are_not_carried_forward(run, frames):
    strategy = run[1]
    hours = frames["1h"][frames["1h"]["date"] <= "2024-02-02 10:00"]
    strategy.dp.frames["1h"] = hours
    features = minute_features(strategy, {**frames, "1h": hours})
    strategy.dp.frames["1h"] = frames["1h"]
    name = next(c for c in features if "price_to_ma43200" in c)
    joined = features.loc[features[name].notna(), "date"]
    assert joined.max() == pd.Timestamp("2024-02-02 11:58", tz="UTC")


def test_extra_columns_of_a_backtest_are_no_features(run, frames):
    wider = {**frames, "1m": frames["1m"].assign(open_count=1, max_count=2)}
    names = [c for c in featured(run[0], run[1], wider) if "%" in c]
    assert len(names) == 8


@pytest.mark.parametrize(("longs", "shorts"), [(0.01, 1.0), (1.0, 0.01)])
def test_each_threshold_guards_its_own_direction(run, longs, shorts):
    strategy, result = run[1], out_of_sample(run[2])
    set_thresholds(strategy, short=shorts, long=longs)
    strategy.can_short = True
    entered = strategy.populate_entry_trend(result.copy(), {"pair": PAIR})
    tags = {tag.split()[1] for tag in entered["enter_tag"].dropna()}
    assert tags == ({"long"} if longs < 1 else {"short"})
    strategy.can_short = False
    spot = strategy.populate_entry_trend(result.copy(), {"pair": PAIR})
    strategy.can_short = True
    assert not any("short" in tag for tag in spot["enter_tag"].dropna())


def test_the_configuration_of_the_user_is_not_changed(frames, tmp_path):
    config = configuration(tmp_path)
    before = copy.deepcopy(config["freqai"])
    backtest(config, frames)
    assert config["freqai"] == before


def test_settings_reach_every_hyperopt_worker(run):
    import cloudpickle

    strategy = cloudpickle.loads(cloudpickle.dumps(run[1]))
    assert strategy.barriers == run[1].barriers
    assert strategy.horizon == pd.Timedelta(minutes=20)


TREES = {"kind": "trees", "spans": [3, 10], "least_windows": 20}
SMALL = {"lstm_units": [2], "dense_units": [], "epochs": 1, "candles_per_step": 3, "spans": [3, 10]}
OF_EACH_KIND = {
    "lstm": {},
    "gru": {"kind": "gru", "gru_units": [2]},
    "bilstm": {"kind": "bilstm"},
    "dlstm": {"kind": "dlstm", "trend_candles": 3},
    "published": {"kind": "published", "stride": 5},
    "ranges": {"kind": "ranges", "spans": [3, 10]},
    "trend": {"kind": "trend", "spans": [3, 10]},
    "trees": TREES,
    "ensemble": {"kind": "ensemble", "members": [SMALL, TREES], "combine": "stacked"},
}
assert OF_EACH_KIND.keys() == KINDS.keys()


@pytest.fixture(scope="module", params=OF_EACH_KIND.values(), ids=list(OF_EACH_KIND))
def live(request, tmp_path_factory):
    user_data = tmp_path_factory.mktemp("user_data")
    return dry_run(live_configuration(user_data, model_training_parameters=request.param))


def test_trap_before_the_first_model_all_columns_are_there_and_nothing_is_predicted(live):
    strategy, minutes = live
    flat = minutes.assign(high=100.0, low=100.0, close=100.0)  # only HOLD is to be seen
    seen = at(strategy, flat, 1999)
    assert (seen[["do_predict", *CLASSES]].to_numpy() == 0).all()
    set_thresholds(strategy, short=0.01, long=0.01)
    entered = strategy.populate_entry_trend(seen, {"pair": PAIR})
    assert entered.get("enter_tag", pd.Series(dtype=object)).isna().all()


def test_what_is_exported_predicts_the_same(live, tmp_path, capsys):
    """Of every kind: FreqAI's pickle and the files, which hold none."""
    strategy, minutes = live
    model = strategy.freqai
    at(strategy, minutes, 2799)
    dk = train_now(strategy)
    words = ["--models", str(dk.full_path), "--out", str(tmp_path)]
    assert main(["export", *words]) == 0
    assert capsys.readouterr().out.startswith(f"{PAIR}: {dk.data_path.name} is in ")
    exported = read_artifact(tmp_path / "models" / "BTCUSDT_USDT")
    assert exported.record.features == FEATURES
    artifact = model.dd.load_data(PAIR, dk)
    rng = np.random.default_rng(0)
    candles, features = Candles.from_frame(minutes.iloc[:300], 60), rng.normal(size=(300, 8))
    one, other = (each.predict(candles, features) for each in (artifact, exported))
    assert one.valid.sum() > 200
    np.testing.assert_array_equal(one.probabilities, other.probabilities)


def test_models_are_exported_where_there_is_no_freqtrade(run, tmp_path):
    """In a process that finds nothing but the packages of the core and of the extra for it."""
    models = run[0]["user_data_dir"] / "models" / "test"
    alone = ROOT / "tests" / "trainer" / "without_extras.py"
    script = [sys.executable, "-W", "ignore", alone]
    words = ["export", "--models", models, "--out", tmp_path / "alone"]
    done = subprocess.run(
        [*script, "--extra", "export", *words], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert main(["export", "--models", str(models), "--out", str(tmp_path / "here")]) == 0
    folders = [tmp_path / place / "models" / "BTCUSDT_USDT" for place in ("alone", "here")]
    names = {path.name for path in folders[1].iterdir()}
    assert {path.name for path in folders[0].iterdir()} == names
    assert len(names) == 5
    assert read_artifact(folders[0]).record == read_artifact(folders[1]).record
    lacking = subprocess.run([*script, *words], capture_output=True, text=True, cwd=ROOT)
    assert lacking.returncode == 2
    assert "the package 'datasieve' is not installed" in lacking.stderr
    assert lacking.stderr.count("\n") == 1


def test_live_predictions_agree_with_the_backtest_path(live):
    strategy, minutes = live
    config, model = strategy.config, strategy.freqai
    at(strategy, minutes, 2799)
    dk = train_now(strategy)
    assert len(list(dk.data_path.glob(f"*{REPORT_FILE}"))) == 1

    first = at(strategy, minutes, 2799)  # of which only the newest candle is predicted
    assert first["do_predict"].tolist() == [0.0] * 999 + [1.0]
    shown = {row: at(strategy, minutes, row).iloc[-1] for row in range(2800, 2830)}
    strategy.dp.frames["1m"] = minutes
    dk = FreqaiDataKitchen(config, live=True, pair=PAIR)
    frame = dk.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=minutes.copy(), pair=PAIR
    )
    artifact, part = model.dd.load_data(PAIR, dk), frame.iloc[2000:2830]
    features = feature_rows(part, artifact.record.features, PAIR)
    expected = artifact.predict(Candles.from_frame(part, 60), features)
    assert expected.valid[-30:].all()
    for row, last in shown.items():
        assert last["do_predict"] == 1
        wanted = expected.probabilities[row - 2000]
        np.testing.assert_allclose(last[CLASSES].to_numpy(float), wanted, atol=1e-6)

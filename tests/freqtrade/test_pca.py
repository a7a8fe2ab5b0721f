"""Principal components, of which every training keeps another number, and their network."""

from dataclasses import replace

import numpy as np
import pytest
from datasieve.pipeline import Pipeline
from datasieve.transforms import PCA, SKLearnWrapper, VarianceThreshold
from examples import random_training_data, small_settings
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from sklearn.preprocessing import MinMaxScaler

from dualwindow.learning.training import train
from dualwindow.market.labels import CLASSES
from dualwindow.models import keras_classifier
from dualwindow.models.classifier import make_classifier
from dualwindow.samples.data import TrainingData
from dualwindow_freqtrade.feature_pipeline import PipelineScaler, prepared
from harness.freqai_run import PAIR, at, dry_run, live_configuration, train_now

N_FEATURES = 8


def freqais() -> Pipeline:
    """What FreqAI hands over with `principal_component_analysis`."""
    return Pipeline(
        [
            ("const", VarianceThreshold(threshold=0)),
            ("scaler", SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
            ("pca", PCA(n_components=0.999)),
            ("post-pca-scaler", SKLearnWrapper(MinMaxScaler(feature_range=(-1, 1)))),
        ]
    )


def rows_of_rank(rank: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(rank)
    mixed, _ = np.linalg.qr(rng.normal(size=(N_FEATURES, N_FEATURES)))
    return rng.normal(size=(n, rank)) @ mixed[:rank]


def scaler() -> PipelineScaler:
    return PipelineScaler(prepared(freqais(), "standard", seed=0))


@pytest.mark.parametrize("rank", [5, 6, 8])
def test_rows_are_as_wide_as_before(rank):
    rows, fitted = rows_of_rank(rank, 400), scaler()
    fitted.fit(rows)
    scaled = fitted.apply(np.vstack([rows, np.full((1, N_FEATURES), np.nan)])).rows
    assert fitted._pipeline["pca"]._skl.n_components_ == rank
    assert scaled.shape == (401, N_FEATURES)
    assert (scaled[:400, :rank].std(axis=0) > 0.1).all()
    assert (scaled[:, rank:] == 0).all()
    assert fitted.apply(rows[:2] * np.nan).rows.shape == (2, N_FEATURES)


def test_rows_of_a_model_of_before_are_as_narrow_as_then():
    rows, fitted = rows_of_rank(5, 400), scaler()
    fitted.fit(rows)
    del fitted._width
    assert fitted.apply(rows).rows.shape == (400, 5)


def data_of_rank(rank: int) -> TrainingData:
    data = random_training_data(1000, seed=0)
    return replace(data, features=rows_of_rank(rank, 1000))


def test_one_network_serves_every_number_of_components():
    settings = small_settings(history=12, horizon=12)
    network = make_classifier(settings.model, settings.history, N_FEATURES).network
    keras_classifier._skeleton(network)
    n_before = keras_classifier._skeleton.cache_info().currsize
    for rank in (5, 6):
        data = data_of_rank(rank)
        artifact = train(data, settings, scaler())
        assert artifact.n_features == N_FEATURES
        assert artifact.record.features == data.feature_names
        assert artifact.fitted.network == network
        # What is predicted after a gap has no context, and no windows but its own.
        whole = artifact.predict(data.candles[900:1000], data.features[900:1000])
        newest = artifact.predict(data.candles[950:1000], data.features[950:1000], n_newest=1)
        np.testing.assert_allclose(newest.scores[-1], whole.scores[-1], atol=1e-6)
    assert keras_classifier._skeleton.cache_info().currsize == n_before


def test_live_predictions_agree_with_the_backtest_path(tmp_path):
    options = {"principal_component_analysis": True}
    strategy, minutes = dry_run(live_configuration(tmp_path, feature_parameters=options))
    at(strategy, minutes, 2799)
    train_now(strategy)
    at(strategy, minutes, 2799)
    shown = [at(strategy, minutes, row).iloc[-1] for row in (2800, 2801)]
    strategy.dp.frames["1m"] = minutes
    dk = FreqaiDataKitchen(strategy.config, live=True, pair=PAIR)
    frame = dk.use_strategy_to_populate_indicators(
        strategy, prediction_dataframe=minutes.copy(), pair=PAIR
    )
    model = strategy.freqai.dd.load_data(PAIR, dk)
    assert model.n_features == len(model.record.features) == N_FEATURES
    assert model.scaler._pipeline["pca"]._skl.n_components_ < N_FEATURES
    strategy.freqai.model = model
    expected, _ = strategy.freqai.predict(frame.iloc[2000:2802], dk)
    for row, last in zip((-2, -1), shown, strict=True):
        assert last["do_predict"] == 1
        wanted = expected[list(CLASSES)].iloc[row].to_numpy(float)
        np.testing.assert_allclose(last[list(CLASSES)].to_numpy(float), wanted, atol=1e-6)

"""Principal components, of which every training keeps another number, and their network."""

import numpy as np
from datasieve.pipeline import Pipeline
from datasieve.transforms import PCA, SKLearnWrapper
from examples import random_training_data, small_settings
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen
from sklearn.preprocessing import StandardScaler

from dualwindow.learning.training import train
from dualwindow.market.candles import Candles
from dualwindow.market.labels import CLASSES
from dualwindow.models import keras_classifier
from dualwindow.models.classifier import make_classifier
from dualwindow_freqtrade.freqai.feature_pipeline import PipelineScaler
from dualwindow_freqtrade.freqai.frames import feature_rows
from harness.freqai_run import PAIR, at, dry_run, live_configuration, train_now

N_FEATURES = 8


def test_one_network_serves_every_number_of_components():
    data, settings = random_training_data(1000, seed=0), small_settings(history=12, horizon=12)
    network = make_classifier(settings.model, settings.history, N_FEATURES).network
    for fused in (False, True):  # to read and write files, and to predict
        keras_classifier._skeleton(network, fused=fused)
    n_before = keras_classifier._skeleton.cache_info().currsize
    for n_components in (5, 6):
        steps = [
            ("scaler", SKLearnWrapper(StandardScaler())),
            ("pca", PCA(n_components=n_components)),
        ]
        artifact = train(data, settings, PipelineScaler(Pipeline(steps)))
        assert artifact.n_features == N_FEATURES
        assert artifact.record.features == data.feature_names
        assert artifact.fitted.network == network
        whole = artifact.predict(data.candles[900:], data.features[900:])
        newest = artifact.predict(data.candles[950:], data.features[950:], n_newest=1)
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
    part = frame.iloc[2000:2802]
    features = feature_rows(part, model.record.features, PAIR)
    expected = model.predict(Candles.from_frame(part, 60), features).probabilities
    for row, last in zip((-2, -1), shown, strict=True):
        assert last["do_predict"] == 1
        np.testing.assert_allclose(last[list(CLASSES)].to_numpy(float), expected[row], atol=1e-6)

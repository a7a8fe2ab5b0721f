"""What `make bench` trains on and with: random candles, and the networks whose speed is told."""

import numpy as np

from dualwindow.market.candles import Candles
from dualwindow.market.features import FEATURES
from dualwindow.market.labels import CLASSES, UNKNOWN
from dualwindow.market.summaries import summaries
from dualwindow.samples.data import Rows, Samples, TrainingData
from dualwindow.samples.windows import gather
from dualwindow.settings import (
    BilstmSettings,
    DlstmSettings,
    GruSettings,
    LstmSettings,
    RecurrentSettings,
    Settings,
    spans_of,
)

HISTORY, HORIZON = 180, 120
NETWORK = LstmSettings(epochs=1, stride=1)  # the default one, in its own batches
DEEP = {"lstm_units": (128, 64, 32), "candles_per_step": 1, "spans": (), "batch_size": 256}
DEEP_NETWORK = NETWORK.model_copy(update=DEEP)

# By name; "deep" is what the default was before, and what others publish.
NETWORKS: dict[str, RecurrentSettings] = {
    "lstm": NETWORK,
    "deep": DEEP_NETWORK,
    "gru": GruSettings(epochs=1, stride=1),
    "bilstm": BilstmSettings(epochs=1, stride=1),
    "dlstm": DlstmSettings(epochs=1, stride=1),
}


def random_candles(n: int) -> Candles:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 5e-4, n)))
    spread = 1 + np.abs(rng.normal(0, 3e-4, (2, n)))
    volume = rng.gamma(2.0, 1.0, n)
    return Candles(np.arange(n) * 60, close * spread[0], close / spread[1], close, volume, 60)


def training_data(n: int) -> TrainingData:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, len(CLASSES), n).astype(np.int8)
    labels[-HORIZON:] = UNKNOWN
    features = rng.normal(size=(n, len(FEATURES)))
    return TrainingData("BENCH/USDT", random_candles(n), features, FEATURES, labels)


def settings(validation_share: float) -> Settings:
    return Settings(
        history=HISTORY,
        horizon=HORIZON,
        validation_share=validation_share,
        model=NETWORK,
    )


def training_of(n: int) -> tuple[Samples, Samples]:
    """Make n windows to train on, and 256 of them to validate on."""
    rng = np.random.default_rng(2)
    features = rng.normal(size=(n + HISTORY, len(FEATURES))).astype(np.float32)
    rows = Rows(features, random_candles(n + HISTORY))
    ends = np.arange(HISTORY - 1, HISTORY - 1 + n)
    training = Samples(rows, ends, rng.integers(0, len(CLASSES), n), np.ones(n))
    first = slice(256)
    return training, Samples(rows, ends[first], training.labels[first], training.weights[first])


def ready_made(training: Samples, network: RecurrentSettings) -> tuple[np.ndarray, np.ndarray]:
    """Gather all windows and their sums, of no columns if the network wants none."""
    windows = gather(training.rows.features, training.ends, HISTORY)
    spans = spans_of(network.spans, HISTORY)
    if not spans:
        return windows, np.empty((len(windows), 0), dtype=np.float32)
    return windows, summaries(training.rows.candles, training.ends, spans).astype(np.float32)

"""How time grows with the candles, and how near training comes to the machine's own speed."""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks import bench_workloads as workloads
from dualwindow.learning.group import prepare
from dualwindow.learning.training import train
from dualwindow.market.labels import Labelling
from dualwindow.models.classifier import Hooks, make_classifier
from dualwindow.samples.data import Samples, TrainingData
from dualwindow.samples.scaling import FeatureScaler
from dualwindow.settings import LstmSettings, Settings


def seconds(run: Callable[[], Any], n_runs: int = 3) -> float:
    """Median time of some runs."""
    found = []
    for _ in range(n_runs):
        began = time.perf_counter()
        run()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def exponent(make: Callable[[int], TrainingData], settings: Settings, largest: int) -> float:
    """Exponent of time against candles, of the step for which it is greatest.

    Labels, selection, one epoch of training and prediction are timed on 1, 1/4 and 1/16 of the
    largest number of candles, turn by turn, three times; the exponent is the slope of the logarithm
    of the least seconds over that of the candles, because another's work only ever adds to them.
    """
    sizes = [largest // 16, largest // 4, largest]
    steps = [_steps(make(n), settings) for n in sizes]
    taken = {
        name: np.array([[seconds(of[name], 1) for of in steps] for _ in range(3)]).min(axis=0)
        for name in steps[0]
    }
    slopes = {name: float(np.polyfit(np.log(sizes), np.log(s), 1)[0]) for name, s in taken.items()}
    for name, slope in slopes.items():
        print(f"{name}: {np.round(taken[name], 3)} s, exponent {slope:.3f}", file=sys.stderr)
    return max(slopes.values())


def _steps(data: TrainingData, settings: Settings) -> dict[str, Callable[[], Any]]:
    """Give what is timed, after a first training, which traces."""
    artifact = train(data, settings, FeatureScaler("standard"))
    prepared = prepare([data], settings, FeatureScaler("standard"))
    classifier = make_classifier(settings.model, settings.history, data.features.shape[1])
    samples = prepared.training, prepared.validation
    return {
        "label": lambda: Labelling.of(settings).label(data.candles),
        "select": lambda: prepare([data], settings, FeatureScaler("standard")),
        "train": lambda: classifier.fit(*samples, None, Hooks()),
        "predict": lambda: artifact.predict(data.candles, data.features),
    }


def share_of_products(
    samples: tuple[Samples, Samples], network: LstmSettings, history: int
) -> float:
    """Floating-point operations of the LSTM in training over those of the machine's own products.

    A step of a layer is a product of (batch, inputs + units) and (inputs + units, 4 units), and
    learning from it two more of the same size; the machine's speed is measured on that product.
    What else a training does (gates, batches, the head, Adam) counts as time and not as work.
    """
    import tensorflow as tf

    n_features = samples[0].rows.features.shape[1]
    classifier = make_classifier(network, history, n_features)
    classifier.fit(*samples, None, Hooks())
    taken = seconds(lambda: classifier.fit(*samples, None, Hooks()))
    n_steps, inputs = history // network.candles_per_step, network.candles_per_step * n_features
    work = needed = 0.0
    for units in network.lstm_units:
        shapes = (network.batch_size, inputs + units), (inputs + units, 4 * units)
        a, b = (tf.ones(shape) / 3 for shape in shapes)
        product = tf.function(lambda a, b: tf.stack([tf.matmul(a + i, b)[0, 0] for i in range(50)]))
        product(a, b)
        one = seconds(lambda: product(a, b).numpy(), 7) / 50  # noqa: B023
        n_products = 3 * n_steps * len(samples[0].ends) / network.batch_size
        needed += one * n_products
        work += 2 * network.batch_size * (inputs + units) * 4 * units * n_products
        inputs = units
    print(
        f"{len(samples[0].ends) / taken:,.0f} windows/s, {work / taken / 1e9:.1f} of "
        f"{work / needed / 1e9:.1f} billion operations/s",
        file=sys.stderr,
    )
    return needed / taken


def exponent_of_time(n: int) -> float:
    """Exponent of time against candles, from a sixteenth of n on."""
    network = workloads.NETWORK.model_copy(update={"stride": 10})
    return exponent(
        workloads.training_data, workloads.settings(0.2).model_copy(update={"model": network}), n
    )


def product_share(n: int, *, is_deep: bool = False) -> float:
    """Share of the machine's own matrix products while n windows are trained on."""
    network = workloads.DEEP_NETWORK if is_deep else workloads.NETWORK
    return share_of_products(workloads.training_of(n), network, workloads.HISTORY)

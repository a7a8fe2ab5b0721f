"""How fast training is beside that of others: the same network in plain Keras and in PyTorch."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks import bench_workloads as workloads
from dualwindow.market.features import FEATURES
from dualwindow.models.classifier import Hooks, make_classifier


def throughput_ratio(n: int, name: str = "lstm") -> float:
    """Windows per second of our training over those of plain Keras fed with ready-made arrays.

    Both train the same network on the same n windows, turn by turn, five times each after a first
    run that traces; the ratio is that of the medians.
    """
    training, check = workloads.training_of(n)
    network = workloads.NETWORKS[name]
    classifier = make_classifier(network, workloads.HISTORY, len(FEATURES))
    plain = plain_keras(classifier.network)
    windows, sums = workloads.ready_made(training, network)
    ready = [windows, sums] if network.spans != () else windows
    few = [windows[:256], sums[:256]] if network.spans != () else windows[:256]

    def ours() -> None:
        classifier.fit(training, check, None, Hooks())

    def theirs() -> None:
        plain.fit(
            ready,
            training.labels,
            sample_weight=training.weights,
            batch_size=network.batch_size,
            validation_data=(few, check.labels),
            verbose=0,
        )

    return ratio_of_medians(theirs, ours)


def torch_ratio(n: int, name: str = "lstm") -> float:
    """Windows per second of our training over those of PyTorch's own layers, as for Keras."""
    import torch

    from benchmarks.bench_torch import TorchNetwork, torch_epoch

    training, check = workloads.training_of(n)
    network = workloads.NETWORKS[name]
    classifier = make_classifier(network, workloads.HISTORY, len(FEATURES))
    windows, sums = workloads.ready_made(training, network)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    model = TorchNetwork(network, sums.shape[1])
    theirs = torch_epoch(model, windows, sums, training.labels, network.batch_size)

    def ours() -> None:
        classifier.fit(training, check, None, Hooks())

    return ratio_of_medians(theirs, ours)


def plain_keras(network: Any) -> Any:
    """Compile the same layers as Keras' users do."""
    import keras

    plain = network.build(0)
    plain.compile(
        optimizer=keras.optimizers.Adam(use_ema=True), loss="sparse_categorical_crossentropy"
    )
    keras.utils.set_random_seed(0)
    return plain


def ratio_of_medians(first: Callable[[], None], second: Callable[[], None]) -> float:
    """Run both turn by turn; return the median time of the first over that of the second."""
    seconds: dict[Callable[[], None], list[float]] = {second: [], first: []}
    for turn in range(6):
        for run, measured in seconds.items():
            began = time.perf_counter()
            run()
            if turn > 0:
                measured.append(time.perf_counter() - began)
    print({run.__name__: [round(s, 2) for s in t] for run, t in seconds.items()}, file=sys.stderr)
    return statistics.median(seconds[first]) / statistics.median(seconds[second])

"""How fast training is beside that of others: the same network in plain Keras and in PyTorch."""

import os
import statistics
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks import bench_workloads as workloads
from dualwindow.market.features import FEATURES
from dualwindow.models.classifier import Hooks, make_classifier
from dualwindow.settings import LstmSettings


def throughput_ratio(n: int, *, is_deep: bool = False) -> float:
    """Windows per second of our training over those of plain Keras fed with ready-made arrays.

    Both train the same network on the same n windows, turn by turn, five times each after a first
    run that traces; the ratio is that of the medians.
    """
    training, check = workloads.training_of(n)
    network = workloads.DEEP_NETWORK if is_deep else workloads.NETWORK
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


def torch_ratio(n: int, *, is_deep: bool = False) -> float:
    """Windows per second of our training over those of PyTorch's own LSTM, as for Keras."""
    import torch

    training, check = workloads.training_of(n)
    network = workloads.DEEP_NETWORK if is_deep else workloads.NETWORK
    classifier = make_classifier(network, workloads.HISTORY, len(FEATURES))
    windows, sums = workloads.ready_made(training, network)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    steps = windows.reshape(n, -1, network.candles_per_step * len(FEATURES))
    model = torch_network(network, steps.shape[2], sums.shape[1])
    theirs = torch_epoch(model, steps, sums, training.labels, network.batch_size)

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


def torch_network(network: LstmSettings, n_inputs: int, n_sums: int) -> Any:
    """Build the same layers as PyTorch's users do, with its own LSTM."""
    import torch

    class Model(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            widths = [n_inputs, *network.lstm_units]
            pairs = pairwise(widths)
            self.lstms = torch.nn.ModuleList(
                torch.nn.LSTM(n, units, batch_first=True) for n, units in pairs
            )
            layers: list[Any] = []
            n = sum(network.lstm_units) + n_sums
            for units in network.dense_units:
                layers += [torch.nn.Linear(n, units), torch.nn.ReLU()]
                n = units
            self.head = torch.nn.Sequential(*layers, torch.nn.Linear(n, 3))
            self.dropout = torch.nn.Dropout(network.dropout)

        def forward(self, x: Any, sums: Any) -> Any:
            tops = []
            for lstm in self.lstms:
                x, _ = lstm(x)
                tops.append(x[:, -1])
                x = self.dropout(x)
            return self.head(torch.cat([self.dropout(torch.cat(tops, 1)), sums], 1))

    return Model()


def torch_epoch(
    model: Any, windows: Any, sums: Any, labels: Any, batch_size: int
) -> Callable[[], None]:
    """Make a function that trains one epoch on ready-made arrays, with Adam."""
    import torch

    optimizer = torch.optim.Adam(model.parameters())
    x, extra, y = (torch.from_numpy(np.ascontiguousarray(a)) for a in (windows, sums, labels))

    def epoch() -> None:
        model.train()
        order = torch.randperm(len(y))
        for first in range(0, len(y), batch_size):
            part = order[first : first + batch_size]
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x[part], extra[part]), y[part])
            loss.backward()
            optimizer.step()

    return epoch

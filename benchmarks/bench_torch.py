"""The networks that we train, as PyTorch's users build them; imported where it is installed."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from dualwindow.market.features import FEATURES
from dualwindow.settings import BilstmSettings, DlstmSettings, GruSettings, RecurrentSettings


def units_of(network: RecurrentSettings) -> tuple[int, ...]:
    units = network.gru_units if isinstance(network, GruSettings) else network.lstm_units
    return tuple(units)


class Stack(torch.nn.Module):  # type: ignore[misc]
    """Its own recurrent layers, one on the other, and the last states of all."""

    def __init__(self, network: RecurrentSettings) -> None:
        super().__init__()
        cell = torch.nn.GRU if isinstance(network, GruSettings) else torch.nn.LSTM
        both = isinstance(network, BilstmSettings)
        self.candles_per_step = network.candles_per_step
        self.width = network.candles_per_step * len(FEATURES)
        units = units_of(network)
        inputs = pairwise([self.width, *((1 + both) * n for n in units)])
        self.layers = torch.nn.ModuleList(
            cell(n, m, batch_first=True, bidirectional=both)
            for (n, _), m in zip(inputs, units, strict=True)
        )
        self.dropout = torch.nn.Dropout(network.dropout)

    def forward(self, x: Any) -> Any:
        oldest = x.shape[1] % self.candles_per_step  # do not fill a step, and are left out
        tops, x = [], x[:, oldest:].reshape(len(x), -1, self.width)
        for layer in self.layers:
            x, state = layer(x)
            last = state[0] if isinstance(state, tuple) else state
            tops.append(last.transpose(0, 1).reshape(len(x), -1))
            x = self.dropout(x)
        return torch.cat(tops, 1)


class TorchNetwork(torch.nn.Module):  # type: ignore[misc]
    """A window in one stack, or its trend and its rest in one each; then the head."""

    def __init__(self, network: RecurrentSettings, n_sums: int) -> None:
        super().__init__()
        is_parted = isinstance(network, DlstmSettings)
        self.stacks = torch.nn.ModuleList(Stack(network) for _ in range(1 + is_parted))
        self.trend_candles = network.trend_candles if isinstance(network, DlstmSettings) else 0
        layers: list[Any] = []
        n = (1 + isinstance(network, BilstmSettings)) * sum(units_of(network)) + n_sums
        for m in network.dense_units:
            layers += [torch.nn.Linear(n, m), torch.nn.ReLU()]
            n = m
        self.head = torch.nn.Sequential(*layers, torch.nn.Linear(n, 3))
        self.dropout = torch.nn.Dropout(network.dropout)

    def forward(self, x: Any, sums: Any) -> Any:
        parts = self._parted(x) if self.trend_candles else [x]
        tops = sum(stack(part) for stack, part in zip(self.stacks, parts, strict=True))
        return self.head(torch.cat([self.dropout(tops), sums], 1))

    def _parted(self, x: Any) -> list[Any]:
        before = x[:, :1].expand(-1, self.trend_candles - 1, -1)
        padded = torch.cat([before, x], 1).transpose(1, 2)
        trend = torch.nn.functional.avg_pool1d(padded, self.trend_candles, stride=1)
        trend = trend.transpose(1, 2)
        return [trend, x - trend]


def torch_epoch(
    model: Any, windows: Any, sums: Any, labels: Any, batch_size: int
) -> Callable[[], None]:
    """Make a function that trains one epoch on ready-made arrays, with Adam."""
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

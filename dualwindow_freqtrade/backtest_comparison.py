"""Compare ways of deciding over a backtest: by window, and at last over all pairs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
from rich.table import Table

from dualwindow.arrays import IntArray
from dualwindow.judging.evaluation import Costs, Record, follow, quality
from dualwindow.market.candles import Candles
from dualwindow.market.labels import UNKNOWN
from dualwindow.reports.terminal import comparison_table, window_table


class Comparison:
    """Keeps what every way has decided, from the first pair to the last.

    Parameters
    ----------
    costs : what a signal risks, wins and pays
    """

    def __init__(self, costs: Costs) -> None:
        self._costs = costs
        self._records: dict[str, list[Record]] = {}

    def add(
        self,
        pair: str,
        candles: Candles,
        truth: IntArray,
        ways: Mapping[str, IntArray],
        windows: Sequence[tuple[datetime, datetime]],
    ) -> Table:
        """Follow the decisions of one pair through each window of the backtest.

        Parameters
        ----------
        pair : for the title
        candles : n candles
        truth : (n,) labels, UNKNOWN where the future is
        ways : name and (n,) decisions of SHORT, HOLD, LONG; UNKNOWN where there is none
        windows : first moment of each window, and the first after it
        """
        rows = []
        for start, stop in windows:
            first, end = np.searchsorted(candles.date, [start.timestamp(), stop.timestamp()])
            inside = np.zeros(len(candles), dtype=bool)
            inside[first:end] = True
            records = {
                way: follow(candles, truth, np.where(inside, decided, UNKNOWN), self._costs)
                for way, decided in ways.items()
            }
            for way, record in records.items():
                self._records.setdefault(way, []).append(record)
            qualities = {way: quality([r], self._costs) for way, r in records.items()}
            rows.append((f"{start:%m-%d} .. {stop:%m-%d}", qualities))
        return window_table(f"{pair}: argmax against confidence, by window", rows)

    def overall(self) -> Table:
        """Sum up all pairs and windows."""
        fees = self._costs.fees
        paid = f"after fees of {100 * fees:.2f} %" if fees else "without fees"
        overall = {way: quality(records, self._costs) for way, records in self._records.items()}
        return comparison_table(f"All pairs and windows, {paid}", overall)

"""Compare ways of deciding over a backtest: by window, and at last over all pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
from rich.console import Console

from dualwindow.arrays import IntArray
from dualwindow.judging.evaluation import Record, follow, quality
from dualwindow.judging.outcomes import Costs
from dualwindow.market.candles import Candles
from dualwindow.market.labels import UNKNOWN, Labelling
from dualwindow.reports.terminal import comparison_table, window_table
from dualwindow.settings import Settings
from dualwindow_freqtrade.backtest.cache import Span
from dualwindow_freqtrade.freqai.frames import true_labels


class BacktestComparison:
    """Prints what every way of deciding would have brought, and keeps it to sum it up.

    It holds the records of each pair, by way, from the first pair to the last.

    Parameters
    ----------
    settings : say what a label is, and what a signal risks and wins
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._records: dict[str, dict[str, list[Record]]] = {}

    def show_pair(
        self,
        pair: str,
        candles: Candles,
        ways: Mapping[str, IntArray],
        spans: Sequence[Span],
        fees: float,
    ) -> None:
        """Follow the decisions of one pair through each window of the backtest, and print them.

        Parameters
        ----------
        pair : for the title
        candles : n candles
        ways : name and (n,) decisions of SHORT, HOLD, LONG; UNKNOWN where there is none
        spans : of each window
        fees : of entry and exit together, a fraction of the stake
        """
        costs, truths = self._costs(fees), dict[Settings, IntArray]()
        records: dict[str, list[Record]] = {way: [] for way in ways}
        rows = []
        for start, stop, settings in spans:
            first, end = np.searchsorted(candles.date, [start.timestamp(), stop.timestamp()])
            inside = np.zeros(len(candles), dtype=bool)
            inside[first:end] = True
            if settings not in truths:  # the same for all windows, but where each finds a delta
                truths[settings] = true_labels(candles, settings)
            truth = truths[settings]
            qualities = {}
            for way, decided in ways.items():
                record = follow(candles, truth, np.where(inside, decided, UNKNOWN), costs)
                records[way].append(record)
                qualities[way] = quality([record], costs)
            rows.append((f"{start:%m-%d} .. {stop:%m-%d}", qualities))
        self._records[pair] = records
        Console().print(window_table(f"{pair}: argmax against confidence, by window", rows))

    def show_overall(self, fees: float) -> None:
        """Print the sum of all pairs and windows, and forget them."""
        of_ways: dict[str, list[Record]] = {}
        for records in self._records.values():
            for way, found in records.items():
                of_ways.setdefault(way, []).extend(found)
        self._records.clear()
        costs = self._costs(fees)
        paid = f"after fees of {100 * fees:.2f} %" if fees else "without fees"
        overall = {way: quality(records, costs) for way, records in of_ways.items()}
        Console().print(comparison_table(f"All pairs and windows, {paid}", overall))

    def _costs(self, fees: float) -> Costs:
        return Costs(Labelling.of(self._settings), fees)

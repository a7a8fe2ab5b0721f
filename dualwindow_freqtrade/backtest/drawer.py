"""Keep a backtest from what a live bot under the same identifier goes on with."""

from collections.abc import Sequence
from typing import Any

from freqtrade.freqai.data_drawer import FreqaiDataDrawer
from freqtrade.freqai.data_kitchen import FreqaiDataKitchen

from dualwindow_freqtrade.live.drawer import WholeFilesDrawer


def take_over(drawer: FreqaiDataDrawer, beside: Sequence[str] = ()) -> None:
    """Make FreqAI's drawer, which it creates itself, that of a backtest; it adds no columns."""
    drawer.__class__ = BacktestDrawer


class BacktestDrawer(WholeFilesDrawer):
    """FreqAI's drawer, which saves models whole, and nothing by which a bot would take them up.

    FreqAI itself makes the model of each backtest window the newest one of its pair.
    """

    trains_live = False

    def save_drawer_to_disk(self) -> None:
        """Leave the index of the newest models to the live bot."""

    def save_historic_predictions_to_disk(self) -> None:
        """Leave the stored predictions to the live bot."""

    def save_global_metadata_to_disk(self, metadata: dict[str, Any]) -> None:
        """Leave it to the live bot when it began to predict."""

    def load_data(self, coin: str, dk: FreqaiDataKitchen) -> Any:
        """Load a model with the facts of its own training, not those of the window before."""
        self.meta_data_dictionary.pop(coin, None)
        return super().load_data(coin, dk)
